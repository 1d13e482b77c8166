/*
 * s3.h - one S3 request, and the store it is asked of.
 *
 * s3_quick and s3_full are the http_handler of the gateway. A request goes one way:
 * route (which bucket, key, operation) -> sigv4 (who) -> access (may they) -> the handler of
 * tbl/operations.h -> response. Handlers are named s3_<operation>, one file per group, and return an
 * err, which dispatch turns into S3's XML.
 */
#pragma once

#include "access/access.h"
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
struct upload_stream;	/* s3/upload.h */

struct s3_req {
	unsigned magic;
#define S3_REQ_MAGIC 0x1f6a93e4
	struct store *store;
	struct http_req *http;
	struct http_head *head;		/* = http->head */
	struct arena *arena;
	struct resp *resp;
	struct body *body;		/* decoded by aws-chunked where the client encoded so */
	enum op op;
	str bucket_name;		/* "" for service calls */
	str key;			/* decoded; "" for bucket calls */
	bool virtual_host;
	struct principal who;		/* anonymous if who.anonymous */
	struct bucket bucket;		/* filled for operations on a bucket that must exist */
	struct which which;		/* versionId */
	struct aws_body *payload;	/* s3/aws_chunked.h: what the payload was declared to be; NULL: nothing */
	enum kv_wait wait;		/* KV_NO_WAIT on a loop */
};

/* Header of the request, STR_NONE if absent. */
static inline str s3_header(const struct s3_req *rq, str name) { return http_header(rq->head, name); }
