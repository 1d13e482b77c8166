/*
 * acl.c - reads of access control lists.
 *
 * There are none: policies decide. What is shown is what Amazon shows where ACLs are off: the owner with
 * FULL_CONTROL. Canned ACLs on uploads are judged in headers.c.
 */
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/find.h"
#include "s3/handlers.h"

static err
answer_owner(struct s3_req *rq, str org)
{
	AUTO(buf_done) struct buf b = { 0 };

	buf_init(&b, 64u << 10);
	xml_begin(&b, "AccessControlPolicy", true);
	xml_owner(&b, "Owner", org);
	xml_open(&b, "AccessControlList");
	xml_open(&b, "Grant");
	buf_add(&b, STR("<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">"));
	xml_text(&b, "ID", org);
	xml_text(&b, "DisplayName", org);
	xml_close(&b, "Grantee");
	xml_text(&b, "Permission", STR("FULL_CONTROL"));
	xml_close(&b, "Grant");
	xml_close(&b, "AccessControlList");
	xml_close(&b, "AccessControlPolicy");
	return answer_xml(rq, &b);
}

/* GET /bucket?acl - S3 API: GetBucketAcl */
err_v
s3_get_bucket_acl(struct s3_req *rq)
{
	return answer_owner(rq, rq->bucket.org);
}

/* GET /bucket/key?acl - S3 API: GetObjectAcl */
err_v
s3_get_object_acl(struct s3_req *rq)
{
	struct object o;

	TRY(object_find(rq, &o));
	answer_version(rq, o.version);
	return answer_owner(rq, str_empty(o.owner_org) ? rq->bucket.org : o.owner_org);
}
