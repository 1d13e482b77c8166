/*
 * s3.h - one S3 request, and the store it is asked of.
 *
 * s3_quick and s3_full are the http_handler of the gateway. A request goes one way:
 * route (which bucket, key, operation) -> sigv4 (who) -> access (may they) -> the handler of
 * tbl/operations.h -> response. Handlers are named s3_<operation>, one file per group, and return an
 * err, which dispatch turns into S3's XML.
 */
#pragma once

#include "access/audit.h"
#include "http/body.h"
#include "http/resp.h"
#include "http/server.h"
#include "meta/catalog.h"

enum op {
#define OPERATION(name, ...) OP_##name,
#include "tbl/operations.h"
#undef OPERATION
	OP_COUNT,
	OP_NONE = OP_COUNT
};

struct store;		/* s3/store.h: everything a handler works with */

/* The source of CopyObject and UploadPartCopy: found, and the caller may read it. */
struct s3_source {
	struct bucket bucket;
	str key;
	struct which which;
};

#define S3_DETAILS_MAX 8

/* How far dispatch got. What a loop found out a worker need not find out again. */
enum s3_stage { S3_NEW, S3_LOCATED, S3_IDENTIFIED };

struct s3_req {
	unsigned magic;
#define S3_REQ_MAGIC 0x1f6a93e4
	struct store *store;
	struct http_req *http;
	struct http_head *head;		/* = http->head */
	struct arena *arena;
	struct resp *resp;
	struct body *body;		/* as sent: see payload */
	enum s3_stage stage;
	enum op op;
	str bucket_name;		/* "" for service calls */
	str key;			/* decoded; "" for bucket calls */
	bool virtual_host;
	struct principal who;		/* anonymous if who.anonymous */
	struct bucket bucket;		/* filled for operations on a bucket that must exist */
	struct which which;		/* versionId */
	struct aws_body *payload;	/* s3/aws_chunked.h: what the payload was declared to be; NULL: nothing */
	enum kv_wait wait;		/* KV_NO_WAIT on a loop */
	struct kv_done commit;		/* on a loop, of an operation of class HELD ... */
	bool committing;		/* ... that has been submitted: the answer waits for it */
	err_v outcome;			/* of that commit, with its err_context() */
	char outcome_why[200];
	struct s3_source *source;	/* x-amz-copy-source, for the two copies; else NULL */
	str copy_source;		/* the same as policies see it: "bucket/key" */
	bool source_missing;		/* NoSuchKey, NoSuchVersion are of the source */
	/* What the answer says if this request fails: see s3_detail(). */
	struct pair details[S3_DETAILS_MAX], error_headers[S3_DETAILS_MAX];
	unsigned ndetails, nerror_headers;
	int error;			/* enum s3_error of the answer, 0: none */
	enum audit_decision decision;	/* for the audit log, with the statement that decided */
	str why;
};

/*
 * For an answer that turns out to be an error: one more element of its XML ("BucketName", "ArgumentName",
 * "StringToSign"), one more header ("x-amz-delete-marker"). Headers set with resp_header() are dropped when a
 * handler fails, except with S3_NotModified, whose answer keeps them.
 */
void s3_detail(struct s3_req *, const char *element, str value);
void s3_error_header(struct s3_req *, const char *name, str value);

/* Header of the request, STR_NONE if absent. */
static inline str s3_header(const struct s3_req *rq, str name) { return http_header(rq->head, name); }
