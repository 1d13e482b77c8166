/*
 * route.h - which bucket, key and operation a request head means.
 *
 * Pure: looks at the head and the configured endpoint domains only.
 */
#pragma once

#include "s3/s3.h"
#include "s3/store.h"

enum op_scope { OP_SERVICE, OP_BUCKET, OP_OBJECT, OP_CONTROL };
enum op_class { OP_QUICK, OP_HELD, OP_SMALL, OP_LARGE };

struct operation {
	const char *name;
	enum http_method method;
	enum op_scope scope;
	const char *match;		/* see tbl/operations.h */
	const char *permissions;
	const char *source;
	enum op_class class;
};

/* The row of the table, op < OP_COUNT. */
const struct operation *operation(enum op);

struct route {
	enum op op;
	bool virtual_host;
	str bucket;
	str key;
};

/*
 * S3_InvalidURI, S3_KeyTooLongError, S3_MethodNotAllowed, S3_PathStyleRequestNotAllowed (unless the call names no
 * bucket), S3_InvalidArgument for half of uploadId and partNumber. On failure *ret holds what was found out so far.
 */
err route_find(const struct store *, const struct http_head *, struct arena *, struct route *ret);
