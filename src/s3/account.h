/*
 * account.h - what is kept of a request when its answer is out: access log, metrics, audit log.
 */
#pragma once

#include "s3/s3.h"

/* rq is NULL for a request that was refused before it reached the gateway's handler. Never blocks for long. */
void account(struct store *, struct http_req *, const struct s3_req *rq);
