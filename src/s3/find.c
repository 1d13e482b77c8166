/*
 * find.c - the version of an object that a request means.
 */
#include "s3/find.h"

#include "base/panic.h"
#include "http/date.h"
#include "s3/answer.h"
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
	return err_s3f(S3_MethodNotAllowed, "The version is a delete marker: it can only be deleted.");
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

err_v
object_find_source(struct s3_req *rq, struct object *ret)
{
	const struct s3_source *from = rq->source;
	struct conditions conditions;
	struct object o;
	err_v e;

	assert(from != NULL);
	TRY(conditions_parse(rq, CONDITIONS_COPY_SOURCE, &conditions));
	TRY(catalog_get(rq->store->catalog, &from->bucket, from->key, &from->which, rq->wait, rq->arena, &o));
	if (o.delete_marker && from->which.kind == WHICH_CURRENT)
		return err_s3(S3_NoSuchKey);
	if (o.delete_marker)
		return err_s3f(S3_InvalidRequest,
		    "The source of a copy request may not specifically refer to a delete marker by version id.");
	e = conditions_read(&conditions, &o);
	if (err_is(e, S3_NotModified))
		return err_s3(S3_PreconditionFailed);	/* a copy has nothing cached to fall back on */
	TRY(e);
	*ret = o;
	return ERR_OK;
}
