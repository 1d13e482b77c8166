/*
 * policy.c - the policy of a bucket, as text.
 *
 * What it means is access/'s business, which also reads it from the catalog. It is stored as it was sent, so it reads
 * back equal.
 */
#include "s3/answer.h"
#include "s3/handlers.h"
#include "s3/store.h"

#define POLICY_MAX (20u << 10)

/* GET /bucket?policy - S3 API: GetBucketPolicy */
err_v
s3_get_bucket_policy(struct s3_req *rq)
{
	str text;
	err_v e = catalog_config_get(rq->store->catalog, &rq->bucket, CONFIG_POLICY, rq->arena, &text);

	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3(S3_NoSuchBucketPolicy);
	TRY(e);
	resp_status(rq->resp, 200);
	resp_header(rq->resp, STR("Content-Type"), STR("application/json"));
	return resp_send(rq->resp, text);
}

/* PUT /bucket?policy - S3 API: PutBucketPolicy */
err_v
s3_put_bucket_policy(struct s3_req *rq)
{
	str text;
	err_v e = request_body(rq, POLICY_MAX, &text);

	if (err_is(e, S3_EntityTooLarge))
		return err_s3f(S3_MalformedPolicy, "The policy is larger than %u bytes.", POLICY_MAX);
	TRY(e);
	if (str_empty(text))
		return err_s3f(S3_MalformedPolicy, "The request has no body; this call takes a policy.");
	TRY(access_policy_validate(rq->store->access, rq->bucket.name, text));
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_POLICY, text));
	return answer_empty(rq, 204);
}

/* DELETE /bucket?policy - S3 API: DeleteBucketPolicy */
err_v
s3_delete_bucket_policy(struct s3_req *rq)
{
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_POLICY, STR_NONE));
	return answer_empty(rq, 204);
}
