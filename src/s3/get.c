/*
 * get.c - GetObject and HeadObject.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 * Nothing is sent before everything is known: conditions, key, range. Small objects are answered on the loop.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "http/date.h"
#include "http/range.h"
#include "s3/answer.h"
#include "s3/checksum.h"
#include "s3/expiry.h"
#include "s3/find.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/multipart.h"
#include "s3/object_read.h"
#include "s3/store.h"

/* ---- response-* overrides ---- */

static const struct override {
	str parameter, header;
} overrides[] = {
	{ STR("response-content-type"), STR("Content-Type") },
	{ STR("response-content-language"), STR("Content-Language") },
	{ STR("response-expires"), STR("Expires") },
	{ STR("response-cache-control"), STR("Cache-Control") },
	{ STR("response-content-disposition"), STR("Content-Disposition") },
	{ STR("response-content-encoding"), STR("Content-Encoding") },
};

/* What a header cannot hold would end or split it. */
static bool
fits_header(str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7F)
			return false;
	return true;
}

static err
overrides_check(const struct s3_req *rq)
{
	for (size_t i = 0; i < COUNT(overrides); i++) {
		str value = http_query_value(rq->head, overrides[i].parameter);

		if (value.p == NULL)
			continue;
		if (rq->who.anonymous)
			return err_s3f(S3_InvalidRequest, "%s needs a signed request.", overrides[i].parameter.p);
		if (!fits_header(value))
			return err_s3f(S3_InvalidArgument, "The value of %s cannot be sent in a header.", overrides[i].parameter.p);
	}
	return ERR_OK;
}

static bool
is_overridden(const struct s3_req *rq, str header)
{
	for (size_t i = 0; i < COUNT(overrides); i++)
		if (str_eq(overrides[i].header, header))
			return !str_empty(http_query_value(rq->head, overrides[i].parameter));
	return false;
}

static void
answer_content(struct s3_req *rq, const struct object *o)
{
	for (unsigned i = 0; i < o->headers.n; i++)
		if (!is_overridden(rq, o->headers.at[i].name))
			resp_header(rq->resp, o->headers.at[i].name, o->headers.at[i].value);
	for (size_t i = 0; i < COUNT(overrides); i++) {
		str value = http_query_value(rq->head, overrides[i].parameter);

		if (!str_empty(value))
			resp_header(rq->resp, overrides[i].header, value);
	}
}

/* ---- headers of an object ---- */

/* What 304 says too. */
static void
answer_object(struct s3_req *rq, const struct object *o)
{
	answer_etag(rq, o->etag);
	resp_header(rq->resp, STR("Last-Modified"), date_http(rq->arena, o->modified_ms));
	resp_header(rq->resp, STR("Accept-Ranges"), STR("bytes"));
	answer_content(rq, o);
	for (unsigned i = 0; i < o->metadata.n; i++)
		resp_header(rq->resp, arena_fmt(rq->arena, "x-amz-meta-%.*s", STR_FMT(o->metadata.at[i].name)),
		    metadata_encode(rq->arena, o->metadata.at[i].value));
	answer_version(rq, o->version);
	if (o->class != CLASS_STANDARD)
		resp_header(rq->resp, STR("x-amz-storage-class"), storage_class_name(o->class));
	if (o->tags.n > 0)
		resp_headerf(rq->resp, "x-amz-tagging-count", "%u", o->tags.n);
	sse_c_headers(rq, &o->sse);
}

/* ---- which bytes ---- */

static err
part_missing(struct s3_req *rq, uint32_t parts, uint64_t wanted)
{
	s3_detail(rq, "ActualPartCount", arena_fmt(rq->arena, "%u", parts));
	s3_detail(rq, "PartNumberRequested", arena_fmt(rq->arena, "%llu", (unsigned long long)wanted));
	return err_s3(S3_InvalidPartNumber);
}

static err
part_find(struct s3_req *rq, const struct object *o, struct range *ret)
{
	struct range r = { .partial = true };
	uint32_t number;
	err_v e;

	TRY(part_number_read(rq, &number));
	if (o->parts > 0) {
		e = object_part_range(o, number, &r.off, &r.len);
		if (err_is(e, S3_InvalidPartNumber))
			return part_missing(rq, o->parts, number);
		TRY(e);
		resp_headerf(rq->resp, "x-amz-mp-parts-count", "%u", o->parts);
	} else if (number == 1) {
		r.len = o->size;	/* a single upload is its own first part */
	} else {
		return part_missing(rq, 1, number);
	}
	if (r.len == 0)
		r.partial = false;	/* Content-Range cannot name no bytes */
	*ret = r;
	return ERR_OK;
}

/* If-Range: the range counts only while the object is still this one. */
static bool
if_range_holds(const struct s3_req *rq, const struct object *o)
{
	str value = s3_header(rq, STR("if-range"));
	uint64_t when;

	if (value.p == NULL)
		return true;
	if (date_http_parse(value, &when))
		return when == o->modified_ms / 1000;
	return value.len == o->etag.len + 2 && str_starts(value, STR("\"")) && str_ends(value, STR("\"")) &&
	    str_eq(str_sub(value, 1, o->etag.len), o->etag);
}

static err
range_find(struct s3_req *rq, const struct object *o, struct range *ret)
{
	str part = http_query_value(rq->head, STR("partNumber"));
	str header = s3_header(rq, STR("range"));
	err_v e;

	if (part.p != NULL && header.p != NULL)
		return err_s3f(S3_InvalidRequest, "Send Range or partNumber, not both.");
	if (part.p != NULL)
		return part_find(rq, o, ret);
	e = range_parse(if_range_holds(rq, o) ? header : STR_NONE, o->size, ret);
	if (err_is(e, S3_InvalidRange)) {
		s3_detail(rq, "RangeRequested", header);
		s3_detail(rq, "ActualObjectSize", arena_fmt(rq->arena, "%llu", (unsigned long long)o->size));
		s3_error_header(rq, "Content-Range", arena_fmt(rq->arena, "bytes */%llu", (unsigned long long)o->size));
	}
	return e;
}

/* ---- the two calls ---- */

/* Everything but the body: status and headers are set, or the answer is an error. */
static err
object_answer(struct s3_req *rq, const struct object *o, struct range *ret)
{
	struct conditions conditions;
	struct range r;
	err_v e;

	TRY(overrides_check(rq));
	TRY(conditions_parse(rq, CONDITIONS_READ, &conditions));
	e = conditions_read(&conditions, o);
	if (err_ok(e) || err_is(e, S3_NotModified))
		answer_object(rq, o);
	TRY(e);
	TRY(answer_expiration(rq, o));
	TRY(range_find(rq, o, &r));
	resp_status(rq->resp, r.partial ? 206 : 200);
	if (r.partial)
		resp_headerf(rq->resp, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)r.off,
		    (unsigned long long)(r.off + r.len - 1), (unsigned long long)o->size);
	/* A checksum is of the whole, so a part must not carry it. */
	if (r.len == o->size && str_eq_nocase(s3_header(rq, STR("x-amz-checksum-mode")), STR("ENABLED")))
		answer_checksum(rq, &o->checksum, o->parts);
	*ret = r;
	return ERR_OK;
}

/* GET /bucket/key - S3 API: GetObject */
err_v
s3_get_object(struct s3_req *rq)
{
	AUTO(sse_key_wipe) struct sse_key key = { 0 };
	struct object o;
	struct range r;

	TRY(sse_key_read(rq, SSE_TARGET, &key));
	TRY(object_find(rq, &o));
	TRY(sse_c_check(&key, &o.sse));
	/* object_send() would ask for a worker too, but only after all headers had been made. */
	if (rq->wait == KV_NO_WAIT && o.size > 0 && (o.data != DATA_INLINE || o.sse.on))
		return ERR_WOULD_BLOCK;
	TRY(object_answer(rq, &o, &r));
	object_touched(rq, &rq->bucket, rq->key, &rq->which, &o);
	return object_send(rq, &o, &key, r.off, r.len);
}

/* HEAD /bucket/key - S3 API: HeadObject */
err_v
s3_head_object(struct s3_req *rq)
{
	AUTO(sse_key_wipe) struct sse_key key = { 0 };
	struct object o;
	struct range r;

	TRY(sse_key_read(rq, SSE_TARGET, &key));
	TRY(object_find(rq, &o));
	TRY(sse_c_check(&key, &o.sse));
	TRY(object_answer(rq, &o, &r));
	/* This range asks to have the object brought near: that counts as a read, other HEADs do not. */
	if (str_eq(s3_header(rq, STR("range")), STR("bytes=0-0")))
		object_touched(rq, &rq->bucket, rq->key, &rq->which, &o);
	return resp_send_head(rq->resp, r.len);
}
