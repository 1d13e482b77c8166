/*
 * object_read.h - the plain bytes of an object on their way out, verified and decrypted.
 */
#pragma once

#include "s3/aws_chunked.h"
#include "s3/sse_c.h"

/*
 * Send [off, off + len) as the body of the answer; status and headers are set already. Plain objects go by sendfile,
 * sealed ones through user space. Everything that can be found out before the first byte is an error; damage met later closes the
 * connection, so that a client never takes a part for the whole. On a loop: ERR_WOULD_BLOCK unless inlined.
 */
err object_send(struct s3_req *, const struct object *, const struct sse_key *, uint64_t off, uint64_t len);

/* The same bytes for a copy that must re-encrypt. The reader is a byte_source until it is closed. */
struct object_reader;
err object_reader_open(struct s3_req *, const struct object *, const struct sse_key *, uint64_t off, uint64_t len,
    struct object_reader **ret);
struct byte_source object_reader_source(struct object_reader *);
void object_reader_close(struct object_reader **);
