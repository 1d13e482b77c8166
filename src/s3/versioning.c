/*
 * versioning.c - whether a bucket keeps versions.
 *
 * Enabled and Suspended; there is no way back to "never". MFA delete is not supported: asking for it is refused.
 */
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/handlers.h"
#include "s3/store.h"

#define VERSIONING_BODY_MAX (64u << 10)

/* GET /bucket?versioning - S3 API: GetBucketVersioning. Never versioned: an empty element. */
err_v
s3_get_bucket_versioning(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };

	buf_init(&b, 4096);
	xml_begin(&b, "VersioningConfiguration", true);
	if (rq->bucket.versioning != VERSIONING_NEVER)
		xml_text(&b, "Status", rq->bucket.versioning == VERSIONING_ENABLED ? STR("Enabled") : STR("Suspended"));
	xml_close(&b, "VersioningConfiguration");
	return answer_xml(rq, &b);
}

/* PUT /bucket?versioning - S3 API: PutBucketVersioning */
err_v
s3_put_bucket_versioning(struct s3_req *rq)
{
	enum versioning to;
	struct xml_node *root;
	str status, mfa;

	TRY(request_xml(rq, VERSIONING_BODY_MAX, &root));
	if (!str_eq(root->name, STR("VersioningConfiguration")))
		return err_s3f(S3_MalformedXML, "A VersioningConfiguration is expected.");
	status = xml_child_text(root, "Status");
	mfa = xml_child_text(root, "MfaDelete");
	if (str_eq(mfa, STR("Enabled")) || !str_empty(s3_header(rq, STR("x-amz-mfa"))))
		return err_s3f(S3_NotImplemented, "MFA delete is not implemented.");
	if (mfa.p != NULL && !str_eq(mfa, STR("Disabled")))
		return err_s3f(S3_MalformedXML, "MfaDelete is Enabled or Disabled.");
	if (status.p == NULL)
		return err_s3f(S3_IllegalVersioningConfigurationException,
		    "A VersioningConfiguration needs a Status: Enabled or Suspended.");
	if (str_eq(status, STR("Enabled")))
		to = VERSIONING_ENABLED;
	else if (str_eq(status, STR("Suspended")))
		to = VERSIONING_SUSPENDED;
	else
		return err_s3f(S3_MalformedXML, "Status is Enabled or Suspended.");
	TRY(catalog_bucket_versioning(rq->store->catalog, &rq->bucket, to));
	return answer_empty(rq, 200);
}
