/*
 * resp.h - the answer to one request.
 *
 * Status and headers are collected, then one of the resp_send_* calls sends the
 * head and the body. Nothing reaches the socket before that, so until then any
 * error can still become a clean answer (resp_reset). Date, Server, x-amz-request-id,
 * x-amz-id-2, Connection and Content-Length are added here. HEAD requests and 204/304 send no body
 * bytes whatever is given. After a failed send the connection is closed.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct buf;
struct resp;

void resp_status(struct resp *, int status);
int resp_status_sent(const struct resp *);	/* 0: nothing sent yet */
/* Copies. A value with CR, LF or NUL is dropped and counted as a bug of the caller: values are checked on input. */
void resp_header(struct resp *, str name, str value);
void resp_headerf(struct resp *, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Forget status and headers. Only before anything is sent. */
void resp_reset(struct resp *);
/* On a loop: the answer stays in memory until http_release(), or until quick has returned something else than HTTP_HELD. */
void resp_hold(struct resp *);
/* Close the connection after this answer. */
void resp_close(struct resp *);

/* Head and a body from memory. On a loop: what the socket does not take at once is kept and sent by the loop. */
err resp_send(struct resp *, str body);
/* For HEAD of something with this many bytes: sets Content-Length, sends no body. */
err resp_send_head(struct resp *, uint64_t content_length);

/*
 * Head, then bytes by pieces (workers only). length: of the whole body. Then resp_write / resp_sendfile until length bytes are out,
 * then resp_end. Stopping early closes the connection, so that a client never takes a part for the whole.
 */
err resp_begin(struct resp *, uint64_t length);
err resp_write(struct resp *, str bytes);
/* sendfile from fd at pos; under TLS read and written. At most len bytes; sends all or fails. */
err resp_sendfile(struct resp *, int fd, uint64_t pos, size_t len);
err resp_end(struct resp *);

/*
 * An answer of unknown length that may be kept alive with white space while work
 * goes on (CopyObject, CompleteMultipartUpload): chunked.
 */
err resp_begin_chunked(struct resp *);

uint64_t resp_bytes_sent(const struct resp *);	/* of the body */
/* clock_mono_ns() when a worker gave the head to the kernel. 0: not sent, or on a loop: then all of the answer went with it. */
uint64_t resp_head_sent_ns(const struct resp *);
/* Appends the value of x-amz-id-2, for bodies that repeat it: this server, then the request id. */
void resp_host_id(const struct resp *, struct buf *);
