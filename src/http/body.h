/*
 * body.h - the bytes of a request, as a stream.
 *
 * Reads Content-Length and chunked bodies, answers "Expect: 100-continue" at the
 * first read and not before, holds the client to the minimum rate. It may be wrapped: s3/aws_chunked.h
 * puts a decoder on top. Memory is constant. On a loop thread only bytes that
 * have already arrived may be read (body_buffered()).
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "http/head.h"

struct body;

/* Bytes announced by Content-Length; UINT64_MAX if chunked. No body: 0. */
uint64_t body_length(const struct body *);
/*
 * Read 1 to max bytes into p; *ret_len = 0 at the true end. S3_IncompleteBody: the
 * client closed early. S3_RequestTimeout: too slow. S3_InvalidRequest: broken chunk framing.
 */
err body_read(struct body *, void *p, size_t max, size_t *ret_len);
/* All of it (XML, JSON), at most max bytes, into the arena; more: S3_EntityTooLarge. */
err body_read_all(struct body *, struct arena *, size_t max, str *ret);
/* Is the whole rest of the body already in our buffers (so that reading it cannot block)? */
bool body_buffered(const struct body *);
/* Was anything of it left unread? Then the connection is closed after the answer, or a small rest is drained. */
bool body_unread(const struct body *);
/* Bytes read so far. */
uint64_t body_received(const struct body *);
