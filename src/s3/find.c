/*
 * find.c - the object that a request means.
 */
#include "s3/find.h"

#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "s3/answer.h"
#include "meta/touch.h"
#include "s3/store.h"

static err
marker_met(struct s3_req *rq, const struct object *marker)
{
	s3_error_header(rq, "x-amz-delete-marker", STR("true"));
	s3_error_header(rq, "x-amz-version-id", version_text(rq->arena, marker->version));
	if (rq->which.kind == WHICH_CURRENT)
		return err_s3(S3_NoSuchKey);
	s3_error_header(rq, "Allow", STR("DELETE"));
	s3_error_header(rq, "Last-Modified", date_http(rq->arena, marker->modified_ms));
	s3_detail(rq, "Method", rq->head->method_text);
	s3_detail(rq, "ResourceType", STR("DeleteMarker"));
	return err_s3(S3_MethodNotAllowed);
}

err_v
object_find(struct s3_req *rq, struct object *ret)
{
	struct object o;

	TRY(catalog_get(rq->store->catalog, &rq->bucket, rq->key, &rq->which, rq->wait, rq->arena, &o));
	if (o.delete_marker)
		return marker_met(rq, &o);
	*ret = o;
	return ERR_OK;
}

/* The error names the source, not the target. */
static err
source_missing(struct s3_req *rq)
{
	s3_detail(rq, "Key", rq->source->key);
	rq->source_missing = true;
	return err_s3(S3_NoSuchKey);
}

err_v
object_find_source(struct s3_req *rq, struct object *ret)
{
	const struct s3_source *from = rq->source;
	struct conditions conditions;
	struct object o;
	err_v e;

	assert(from != NULL);
	TRY(conditions_parse(rq, CONDITIONS_COPY_SOURCE, &conditions));
	e = catalog_get(rq->store->catalog, &from->bucket, from->key, &from->which, rq->wait, rq->arena, &o);
	if (err_is(e, S3_NoSuchKey))
		return source_missing(rq);
	rq->source_missing = err_is(e, S3_NoSuchVersion);
	TRY(e);
	if (o.delete_marker && from->which.kind == WHICH_CURRENT)
		return source_missing(rq);
	if (o.delete_marker)
		return err_s3f(S3_InvalidRequest,
		    "The source names a delete marker, which has no bytes to copy. Name another version.");
	e = conditions_read(&conditions, &o);
	if (err_is(e, S3_NotModified))
		return err_s3(S3_PreconditionFailed);	/* a copy has nothing cached to fall back on */
	TRY(e);
	*ret = o;
	return ERR_OK;
}

void
object_touched(struct s3_req *rq, const struct bucket *b, str key, const struct which *which, const struct object *o)
{
	if (which->kind == WHICH_CURRENT)
		touch_note(rq->store->touch, b->space, key, o->modified_ms);
}

err_v
object_conditions(struct s3_req *rq, str key, const struct conditions *c)
{
	static const struct which current = { .kind = WHICH_CURRENT };
	struct object o;
	err_v e;

	if (!conditions_any(c))
		return ERR_OK;
	e = catalog_get(rq->store->catalog, &rq->bucket, key, &current, rq->wait, rq->arena, &o);
	if (!err_ok(e) && !err_is(e, S3_NoSuchKey))
		return e;
	return conditions_write(c, err_ok(e) && !o.delete_marker ? &o : NULL);
}

str
object_url(struct s3_req *rq, str key)
{
	AUTO(buf_done) struct buf b = { 0 };

	buf_init(&b, 65536);
	buf_add_c(&b, rq->http->tls ? "https://" : "http://");
	buf_add(&b, s3_header(rq, STR("host")));
	if (!rq->virtual_host) {
		buf_add_char(&b, '/');
		buf_add(&b, rq->bucket.name);
	}
	buf_add_char(&b, '/');
	url_encode(&b, key, URL_KEEP_SLASH);
	return arena_str(rq->arena, buf_str(&b));
}
