/*
 * store.h - everything a handler works with: built once by main, shared by all workers.
 */
#pragma once

#include "access/access.h"
#include "blob/blob.h"
#include "meta/catalog.h"

struct expiry;			/* s3/expiry.h */
struct signing_cache;		/* s3/sigv4.h */
struct audit;			/* access/audit.h, may be NULL */

/* What became of a request: for metrics. */
struct s3_outcome {
	unsigned op;			/* enum op; OP_NONE if it never got that far */
	int status;			/* HTTP; 0: no answer could be sent */
	const char *error;		/* S3 code, or NULL */
	bool on_loop;
	uint64_t bytes_in, bytes_out, duration_ns;
	uint64_t first_byte_ns;		/* until the head of the answer was sent; all of it where there is no answer */
};

enum dialect { DIALECT_CAIOS, DIALECT_AWS };
enum access_form { ACCESS_TEXT, ACCESS_JSON };

struct store {
	struct catalog *catalog;
	struct blobs *blobs;
	struct access *access;
	struct signing_cache *signing;
	struct expiry *expiry;
	struct audit *audit;
	struct touch *touch;		/* notes of reads; may be NULL */
	/* From parameters (tbl/params.h); fixed at start. */
	enum dialect dialect;
	bool require_virtual_host;
	bool verify_reads;
	uint64_t inline_max;		/* objects up to this size live in the index */
	uint64_t put_max;		/* a single PUT or part: 5 GiB */
	str *domains;			/* endpoint domains, lower case */
	unsigned ndomains;
	str *zones;			/* allowed location constraints; none: any */
	unsigned nzones;
	str region;			/* location of buckets made without a constraint (dialect aws) */
	unsigned buckets_max;		/* an organization */
	bool sse_c_plain_http;		/* SSE-C over plain HTTP from anywhere; loopback is always allowed */
	unsigned alive_ms;		/* how often a long copy says that it is still at it */
	unsigned day_seconds;		/* a lifecycle day */
	enum access_form access_form;	/* of the access log */
	/* Called once a request when its answer is out; may be NULL. Must not block. */
	void (*observe)(void *arg, const struct s3_outcome *);
	void *observe_arg;
};
