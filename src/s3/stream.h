/*
 * stream.h - the bytes of an upload on their way in: received, hashed, sealed and written at once, in constant memory.
 *
 * Used by PutObject, UploadPart, form uploads, and by copies that must re-encrypt. Everything that the request declared of its
 * bytes (payload hash, chunk signatures, Content-MD5, checksums) is verified here before anything is durable in the index;
 * nothing is visible before the caller commits its record.
 */
#pragma once

#include "s3/aws_chunked.h"
#include "s3/checksum.h"
#include "s3/sse_c.h"

struct stream_plan {
	struct id body;			/* names the blob, if one is made */
	uint64_t size_max;		/* plain bytes; more: S3_EntityTooLarge */
	uint64_t inline_max;		/* up to this many plain bytes stay in memory */
	const struct sse_key *key;	/* NULL, or off: plain; on: sealed with sse */
	const struct sse_c *sse;
	bool md5;			/* wanted for the ETag; not for SSE-C, whose ETag is random */
	struct checksum_want want;	/* what the client declared: checksum_want_read() */
	bool alg_default;		/* compute alg where the client named none */
	bool alg_also;			/* compute alg whatever the client named */
	enum digest_alg alg;
};

struct stream_result {
	uint64_t size;			/* plain bytes */
	bool is_inlined;		/* size > 0 only */
	str inlined;			/* as stored: sealed if SSE-C; in the arena */
	struct blob_ref blob;		/* !is_inlined and size > 0: durable */
	uint8_t md5[16];		/* if plan->md5 */
	struct checksum checksum;	/* of the full bytes: the client's algorithm, or plan->alg; unset if neither */
	struct checksum also;		/* if plan->alg_also: of plan->alg */
};

/*
 * Receive rq->payload. On failure nothing is left behind, and rq->payload may be closed. S3_MissingContentLength is for the
 * caller to say, before. 100 Continue goes out with the first read.
 */
err stream_receive(struct s3_req *, const struct stream_plan *, struct stream_result *ret);
/* The same from memory, a form or another object. */
err stream_from(struct s3_req *, const struct stream_plan *, struct byte_source, struct stream_result *ret);
/*
 * The catalog answered why, not OK: delete the blob, unless the fate of the record is unknown (catalog.h). What is not
 * deleted here is left to the sweep.
 */
void stream_drop(struct s3_req *, const struct stream_result *, err_v why);
/* The ETag of a single upload: hex of md5, or random without (SSE-C). */
str stream_etag(struct arena *, const struct stream_plan *, const struct stream_result *);
/* size, data, body, extent or inlined bytes, checksum, sse and ETag of an object made of this. */
void stream_object(struct arena *, const struct stream_plan *, const struct stream_result *, struct object *);
