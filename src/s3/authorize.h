/*
 * authorize.h - which permissions a request needs, and whether its caller has them.
 *
 * The permissions are those of tbl/operations.h, plus what headers add: a version to be deleted, tags on upload, an ETag to be
 * compared, the source of a copy. Dispatch asks before the handler runs; handlers ask again only for what they alone know (each key of
 * DeleteObjects, the source of a rename, the tags in a body).
 */
#pragma once

#include "s3/s3.h"

/*
 * Everything the table and the headers ask for; fills rq->source for copies. S3_AccessDenied; the errors of looking
 * the source bucket up; ERR_WOULD_BLOCK.
 */
err authorize(struct s3_req *);

/* One action on one key ("" for the bucket itself) of a bucket. tags (may be NULL): those the request would set. */
err authorize_action(struct s3_req *, const char *action, const struct bucket *, str key, const struct which *,
    const struct pairs *tags);

/* A write made only if the object has this ETag tells whether it has: that takes s3:GetObject too, as with Amazon; "*" and none do not. */
err authorize_etag(struct s3_req *, str key, const struct which *, str if_match);

/*
 * S3_NoSuchKey and S3_NoSuchVersion become S3_AccessDenied for a caller who may not list the bucket, as Amazon answers;
 * any other e comes back as it is. Dispatch does this for what handlers return.
 */
err authorize_missing(struct s3_req *, err_v e);
