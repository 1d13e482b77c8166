/*
 * multipart.c - an upload begins, receives its parts, or is given up.
 *
 * The bytes of a part are stored as those of an object are; its row carries what CompleteMultipartUpload needs to know
 * without reading them: size, MD5, checksum. complete.c ends an upload, multipart_list.c lists.
 */
#include "s3/multipart.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/cap.h"
#include "s3/expiry.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/store.h"

err_v
upload_find(struct s3_req *rq, struct upload *ret)
{
	struct id id;

	if (!id_parse(http_query_value(rq->head, STR("uploadId")), &id))
		return err_s3(S3_NoSuchUpload);
	return catalog_upload(rq->store->catalog, &rq->bucket, rq->key, id, rq->arena, ret);
}

err_v
part_number_read(struct s3_req *rq, uint32_t *ret)
{
	str text = http_query_value(rq->head, STR("partNumber"));
	uint64_t n;

	if (!str_u64(text, &n) || n < 1 || n > PARTS_MAX)
		return argument_bad(rq, "partNumber", text, "partNumber must be a number from 1 to 10000.");
	*ret = (uint32_t)n;
	return ERR_OK;
}

/* POST /bucket/key?uploads - S3 API: CreateMultipartUpload */
err_v
s3_create_upload(struct s3_req *rq)
{
	AUTO(sse_key_wipe) struct sse_key key = { 0 };
	AUTO(buf_done) struct buf b = { 0 };
	struct upload u = { .key = rq->key, .started_ms = clock_wall_ms(), .owner_org = rq->bucket.org, .initiator = rq->who.name };
	struct object_headers said;
	char id[ID_TEXT_LEN];

	TRY(headers_read(rq->head, rq->arena, &said));
	TRY(checksum_upload_read(rq->head, &u.checksum_set, &u.checksum_alg, &u.checksum_type));
	TRY(sse_key_read(rq, SSE_TARGET, &key));
	u.headers = said.headers;
	u.metadata = said.metadata;
	u.tags = said.tags;
	u.class = said.class;
	sse_c_new(&key, &u.sse);
	TRY(catalog_upload_create(rq->store->catalog, &rq->bucket, &u));

	id_text(u.id, id);
	buf_init(&b, 64u << 10);
	xml_begin(&b, "InitiateMultipartUploadResult", true);
	xml_text(&b, "Bucket", rq->bucket.name);
	xml_text(&b, "Key", rq->key);
	xml_text(&b, "UploadId", str_n(id, sizeof(id)));
	xml_close(&b, "InitiateMultipartUploadResult");
	if (u.checksum_set) {
		resp_header(rq->resp, STR("x-amz-checksum-algorithm"), checksum_name(u.checksum_alg));
		resp_header(rq->resp, STR("x-amz-checksum-type"), checksum_type_name(u.checksum_type));
	}
	sse_c_headers(rq, &u.sse);
	TRY(answer_abortion(rq, &u));
	return answer_xml(rq, &b);
}

/* ---- parts ---- */

/*
 * Does what came with the part go together with what the upload was begun for? Where every part's checksum goes
 * into a composite one, each must be sent, as Amazon demands.
 */
static err
part_want_check(const struct upload *u, const struct checksum_want *want)
{
	if (!u->checksum_set || (want->named && want->alg == u->checksum_alg))
		return ERR_OK;
	if (!want->named && u->checksum_type == CHECKSUM_FULL_OBJECT)
		return ERR_OK;
	return err_s3f(S3_InvalidRequest, "The upload was begun with %.*s checksums: send one with each part, not %.*s.",
	    STR_FMT(checksum_name(u->checksum_alg)), STR_FMT(want->named ? checksum_name(want->alg) : STR("none")));
}

err_v
part_commit(struct s3_req *rq, const struct upload *u, uint32_t number, const struct stream_plan *plan,
    const struct stream_result *got, struct part *ret)
{
	struct extent extent = { .body = u->id, .blob = got->blob, .len = got->size };
	struct part p = {
		.number = number, .size = got->size, .modified_ms = clock_wall_ms(),
		.etag = stream_etag(rq->arena, plan, got), .checksum = got->also.set ? got->also : got->checksum,
		.sse = *plan->sse, .inlined = got->inlined,
	};
	err_v e;

	if (!hex_decode(p.etag, p.md5))		/* random if there is a key: then so is the ETag of the whole */
		PANIC("an ETag of a part is not hex");
	if (!got->is_inlined && got->size > 0) {
		p.extents = &extent;
		p.nextents = 1;
	}
	CRASH_POINT(part_stored);
	e = catalog_part_put(rq->store->catalog, &rq->bucket, u, &p);
	if (!err_ok(e)) {
		stream_drop(rq, got, e);
		return e;
	}
	p.extents = NULL;
	p.nextents = 0;
	*ret = p;
	return ERR_OK;
}

/* PUT /bucket/key?partNumber=N&uploadId=ID - S3 API: UploadPart */
err_v
s3_upload_part(struct s3_req *rq)
{
	AUTO(sse_key_wipe) struct sse_key key = { 0 };
	struct stream_plan plan = { 0 };
	struct stream_result got;
	struct upload u;
	struct part part;
	struct sse_c sse;
	uint32_t number = 0;

	TRY(part_number_read(rq, &number));
	TRY(headers_refuse(rq->head));
	TRY(sse_key_read(rq, SSE_TARGET, &key));
	TRY(checksum_want_read(rq->head, &plan.want));
	if (!rq->head->has_length && !rq->head->chunked)
		return err_s3(S3_MissingContentLength);
	TRY(upload_find(rq, &u));
	TRY(sse_c_check(&key, &u.sse));
	TRY(part_want_check(&u, &plan.want));
	TRY(cap_check_part(rq, u.id, number));
	sse_c_new(&key, &sse);

	plan.body = id_new(rq->bucket.space);
	plan.size_max = rq->store->put_max;
	plan.inline_max = rq->store->inline_max;
	plan.key = &key;
	plan.sse = &sse;
	plan.md5 = !key.on;
	plan.alg = u.checksum_alg;
	plan.alg_also = true;
	TRY(stream_receive(rq, &plan, &got));
	TRY(part_commit(rq, &u, number, &plan, &got, &part));

	if (u.checksum_set)
		got.checksum = got.also;
	answer_etag(rq, part.etag);
	if (got.checksum.set)
		resp_header(rq->resp, checksum_header(got.checksum.alg), checksum_text(rq->arena, &got.checksum, 0));
	sse_c_headers(rq, &u.sse);
	return answer_empty(rq, 200);
}

/* DELETE /bucket/key?uploadId=ID - S3 API: AbortMultipartUpload */
err_v
s3_abort_upload(struct s3_req *rq)
{
	struct id id;

	if (!id_parse(http_query_value(rq->head, STR("uploadId")), &id))
		return err_s3(S3_NoSuchUpload);
	TRY(catalog_upload_abort(rq->store->catalog, &rq->bucket, rq->key, id));
	return answer_empty(rq, 204);
}
