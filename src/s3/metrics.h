/*
 * metrics.h - what the gateway counts of its requests.
 *
 * Counters by operation (a row of tbl/operations.h), kept in relaxed atomics and read
 * by the scraper; a figure may lag another by a request.
 */
#pragma once

#include "base/buf.h"
#include "s3/s3.h"
#include "s3/store.h"

/* One request is over: goes into store->observe. arg is not used. */
void s3_metrics_observe(void *arg, const struct s3_outcome *);
/* Prometheus text: caisson_requests_total, caisson_request_seconds, caisson_request_bytes_total, caisson_response_bytes_total. */
void s3_metrics_render(struct buf *out);
/* Name of an operation: "GetObject"; "Unknown" for OP_NONE. */
const char *s3_op_name(enum op op);
