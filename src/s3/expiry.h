/*
 * expiry.h - what answers say of the lifecycle: when an object will expire, when an upload will be aborted.
 *
 * The rules of a bucket are compiled once for each state of its configuration, so that a GET on a loop stays one.
 */
#pragma once

#include "s3/s3.h"

struct expiry;			/* one of a store, thread-safe */
struct expiry *expiry_new(void);
void expiry_free(struct expiry **);

/*
 * x-amz-expiration, if a rule will end this object, the current version of its key. Rules that cannot be read are left out: what the
 * answer is about has been done. Fails only with ERR_WOULD_BLOCK.
 */
err answer_expiration(struct s3_req *, const struct object *);
/* x-amz-abort-date and x-amz-abort-rule-id, if one will end this upload. */
err answer_abortion(struct s3_req *, const struct upload *);
