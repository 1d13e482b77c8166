/*
 * object_read.h - the plain bytes of an object on their way out, verified and decrypted.
 *
 * The caller has checked the SSE-C key with sse_c_check(). Memory is constant, whatever size and number of parts.
 */
#pragma once

#include "s3/aws_chunked.h"
#include "s3/sse_c.h"

/*
 * Send [off, off + len) as the body of the answer; status and headers are set already. Plain bytes of files go by
 * sendfile, the rest through user space. Everything that can be found out before the first byte is an error that can
 * still be answered; damage met later is an error too, after which the connection closes because Content-Length is not
 * reached: a client never takes a part for the whole. On a loop: ERR_WOULD_BLOCK unless inlined and plain.
 */
err object_send(struct s3_req *, const struct object *, const struct sse_key *, uint64_t off, uint64_t len);

/*
 * The same bytes for a copy that must re-encrypt. Object and key must outlive the reader, which is a byte_source until it
 * is closed. Workers only.
 */
struct object_reader;
err object_reader_open(struct s3_req *, const struct object *, const struct sse_key *, uint64_t off, uint64_t len,
    struct object_reader **ret);
struct byte_source object_reader_source(struct object_reader *);
void object_reader_close(struct object_reader **);
