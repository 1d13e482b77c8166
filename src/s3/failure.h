/*
 * failure.h - an err becomes S3's error answer, here and nowhere else.
 */
#pragma once

#include "s3/s3.h"

/* The S3 error that a client is told for e, which is not OK: what the machine did is translated. */
enum s3_error failure_code(err_v e);

/*
 * Answer a request that failed with e: status, XML with the details left by s3_detail(), headers left by s3_error_header().
 * Logs what the client must not be told. Nothing is sent if an answer is already under way: then the connection closes.
 * ERR_WOULD_BLOCK: nothing was sent, a worker must do it all again; else rq->error is set.
 */
err failure_answer(struct s3_req *, err_v e);
