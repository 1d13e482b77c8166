/*
 * cors.h - which web pages may read the answers of a bucket.
 *
 * The configuration of PutBucketCors, the preflight that a browser sends before a request, and the headers that let
 * a page read the answer to the request itself. None of it grants anything: policies decide that.
 */
#pragma once

#include "s3/s3.h"

/*
 * Access-Control headers of the answer, if the request has an Origin that a rule of the bucket allows. Dispatch calls it once
 * rq->bucket is there, before the handler, and again after it has forgotten the headers for an error's answer: a
 * page may read errors too. ERR_WOULD_BLOCK on a loop where the configuration would have to be read.
 */
err cors_answer(struct s3_req *);
