/*
 * lifecycle.c - bucket lifecycle configurations. The rules are in meta/lifecycle.h, what they do in job/lifecycle.c.
 *
 * Amazon S3 API Reference: PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle. What is
 * stored is what GetBucketLifecycleConfiguration answers.
 */
#include "meta/lifecycle.h"

#include "http/xml_in.h"
#include "s3/answer.h"
#include "s3/handlers.h"
#include "s3/store.h"

/*
 * Below which size objects are not moved to another class by default. None ever are, so Amazon's default is as true as any; tools that
 * manage configurations wait until they read back what they asked for.
 */
static const str TRANSITION_HEADER = { "x-amz-transition-default-minimum-object-size", 44 };
static const str TRANSITION_DEFAULT = { "all_storage_classes_128K", 24 };

static err
transition_check(const struct s3_req *rq)
{
	str value = s3_header(rq, TRANSITION_HEADER);

	if (value.p == NULL || str_eq(value, TRANSITION_DEFAULT))
		return ERR_OK;
	if (str_eq(value, STR("varies_by_storage_class")))
		return err_s3f(S3_NotImplemented, "Transitions are not implemented: %s takes only all_storage_classes_128K.",
		    TRANSITION_HEADER.p);
	return err_s3f(S3_InvalidRequest, "%s takes only all_storage_classes_128K.", TRANSITION_HEADER.p);
}

/* PUT /bucket?lifecycle - S3 API: PutBucketLifecycleConfiguration */
err_v
s3_put_bucket_lifecycle(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct lifecycle l;
	struct xml_node *root;

	TRY(transition_check(rq));
	TRY(request_xml(rq, LIFECYCLE_BODY_MAX, &root));
	TRY(lifecycle_parse(root, rq->store->dialect == DIALECT_AWS ? LIFECYCLE_OLD_PREFIX_ALLOWED : LIFECYCLE_OLD_PREFIX_REFUSED,
	    rq->arena, &l));
	buf_init(&b, LIFECYCLE_BODY_MAX);
	lifecycle_write(&b, &l);
	if (buf_overflow(&b))
		return err_s3f(S3_MalformedXML, "The lifecycle configuration is too long.");
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_LIFECYCLE, buf_str(&b)));
	resp_header(rq->resp, TRANSITION_HEADER, TRANSITION_DEFAULT);
	return answer_empty(rq, 200);
}

/* GET /bucket?lifecycle - S3 API: GetBucketLifecycleConfiguration */
err_v
s3_get_bucket_lifecycle(struct s3_req *rq)
{
	str text;
	err_v e = catalog_config_get(rq->store->catalog, &rq->bucket, CONFIG_LIFECYCLE, rq->arena, &text);

	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3(S3_NoSuchLifecycleConfiguration);
	TRY(e);
	resp_status(rq->resp, 200);
	resp_header(rq->resp, TRANSITION_HEADER, TRANSITION_DEFAULT);
	resp_header(rq->resp, STR("Content-Type"), STR("application/xml"));
	return resp_send(rq->resp, text);
}

/* DELETE /bucket?lifecycle - S3 API: DeleteBucketLifecycle */
err_v
s3_delete_bucket_lifecycle(struct s3_req *rq)
{
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_LIFECYCLE, STR_NONE));
	return answer_empty(rq, 204);
}
