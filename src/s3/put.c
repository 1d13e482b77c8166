/*
 * put.c - PutObject.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 * Everything that can refuse the upload is asked before its first byte is read, so before "100 Continue"; the conditions are
 * asked again, atomically, by catalog_put().
 *
 * On a loop (class HELD) the same handler runs to its end without waiting: its answer is held back until the commit is durable, and if it
 * does not become so, thrown away: then a worker tells why, or begins anew if another writer came between. So nothing may fail behind the
 * commit that would not fail before it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/panic.h"
#include "s3/answer.h"
#include "s3/cap.h"
#include "s3/expiry.h"
#include "s3/find.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/store.h"
#include "s3/stream.h"

static err
length_check(const struct s3_req *rq)
{
	if (!rq->head->has_length && !rq->head->chunked)
		return err_s3(S3_MissingContentLength);
	return ERR_OK;
}

static void
committed(struct kv_done *done, err_v e)
{
	struct s3_req *rq = (struct s3_req *)((char *)done - offsetof(struct s3_req, commit));

	CHECK_OBJ(rq, S3_REQ_MAGIC);
	rq->outcome = e;
	if (!err_ok(e))
		snprintf(rq->outcome_why, sizeof(rq->outcome_why), "%s", err_context());
	http_release(rq->http, err_ok(e) ? HTTP_SEND : HTTP_AGAIN);
}

static err
commit(struct s3_req *rq, struct object *o, const struct conditions *conditions, struct version_id *ret)
{
	if (rq->wait == KV_MAY_BLOCK)
		return catalog_put(rq->store->catalog, &rq->bucket, o, conditions, ret);
	rq->commit.over = committed;
	TRY(catalog_put_submit(rq->store->catalog, &rq->bucket, o, conditions, &rq->commit, ret));
	rq->committing = true;
	return ERR_OK;
}

/* PUT /bucket/key - S3 API: PutObject */
err_v
s3_put_object(struct s3_req *rq)
{
	AUTO(sse_key_wipe) struct sse_key key = { 0 };
	struct object o = { .key = rq->key, .owner_org = rq->bucket.org, .modified_ms = clock_wall_ms() };
	struct stream_plan plan = {
		.body = id_new(rq->bucket.space), .size_max = rq->store->put_max, .inline_max = rq->store->inline_max,
		.key = &key, .alg_default = true, .alg = DIGEST_CRC64NVME,
	};
	struct object_headers headers;
	struct conditions conditions;
	struct stream_result got;
	struct version_id version;
	struct sse_c sse;
	err_v e;

	TRY(headers_read(rq->head, rq->arena, &headers));
	TRY(sse_key_read(rq, SSE_TARGET, &key));
	TRY(checksum_want_read(rq->head, &plan.want));
	TRY(conditions_parse(rq, CONDITIONS_WRITE, &conditions));
	TRY(length_check(rq));
	TRY(object_conditions(rq, rq->key, &conditions));
	TRY(cap_check_object(rq));

	sse_c_new(&key, &sse);
	plan.sse = &sse;
	plan.md5 = !key.on;
	TRY(stream_receive(rq, &plan, &got));

	stream_object(rq->arena, &plan, &got, &o);
	o.headers = headers.headers;
	o.metadata = headers.metadata;
	o.tags = headers.tags;
	o.class = headers.class;
	e = answer_expiration(rq, &o);
	if (err_ok(e))
		e = commit(rq, &o, &conditions, &version);
	if (!err_ok(e)) {
		stream_drop(rq, &got, e);
		return e;
	}
	answer_etag(rq, o.etag);
	answer_version(rq, version);
	answer_checksum(rq, &o.checksum, 0);
	sse_c_headers(rq, &sse);
	return answer_empty(rq, 200);
}
