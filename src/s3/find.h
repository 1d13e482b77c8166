/*
 * find.h - the object that a request means: whether it is there, as the caller wants it, and where.
 */
#pragma once

#include "s3/s3.h"

/*
 * S3_NoSuchKey, S3_NoSuchVersion; a delete marker is S3_NoSuchKey where it is the current version, S3_MethodNotAllowed
 * where it was asked for by id, both with the headers that tell so. May be on a loop (rq->wait).
 */
err object_find(struct s3_req *, struct object *ret);
/*
 * The same for the source of a copy: S3_InvalidRequest for a delete marker asked for by id. The conditions of the copy
 * source are checked too: S3_PreconditionFailed.
 */
err object_find_source(struct s3_req *, struct object *ret);
/* Would the conditions of a write hold now? What is bound to fail is refused before bytes move; the catalog asks again. */
err object_conditions(struct s3_req *, str key, const struct conditions *);
/* It was read: noted for the classes of age, if it is the current version. */
void object_touched(struct s3_req *, const struct bucket *, str key, const struct which *, const struct object *);
/* Where an object is found: for Location. */
str object_url(struct s3_req *, str key);
