/*
 * copy_bytes.h - copies whose bytes must be read: to be sealed anew, or hashed.
 *
 * Most copies move no bytes. Those that do may take long, so the answer is begun when a few seconds have
 * passed and kept alive with white space, as Amazon does; what fails then is told inside a 200.
 */
#pragma once

#include "base/buf.h"
#include "s3/aws_chunked.h"
#include "s3/object_read.h"
#include "s3/stream.h"

struct alive {
	struct s3_req *rq;
	bool begun;			/* status and headers are out */
	uint64_t next_ms;		/* when to send the next byte */
	struct byte_source source;	/* what is being read */
};
void alive_init(struct alive *, struct s3_req *);
/* The end of the request: the XML, or the error e; 200 has perhaps been sent already. */
err alive_answer(struct alive *, err_v e, const struct buf *xml);

/* Bytes [off, off + len) of an object go through stream_from(). */
err copy_rewrite(struct alive *, const struct object *, const struct sse_key *, uint64_t off, uint64_t len,
    const struct stream_plan *, struct stream_result *ret);
/* Their digests, by DIGEST_BIT()s. */
err copy_hash(struct alive *, const struct object *, const struct sse_key *, uint64_t off, uint64_t len, unsigned set,
    struct digest_values *ret);
