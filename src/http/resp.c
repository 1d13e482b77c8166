/*
 * resp.c - answers: the head is written once, when it is certain, and goes out with the first bytes of the body.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "http/exchange.h"
#include "http/session.h"

static const struct { int status; const char *reason; } reasons[] = {
	{ 200, "OK" }, { 204, "No Content" }, { 206, "Partial Content" }, { 304, "Not Modified" },
	{ 400, "Bad Request" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 409, "Conflict" }, { 412, "Precondition Failed" },
	{ 201, "Created" }, { 202, "Accepted" }, { 301, "Moved Permanently" }, { 303, "See Other" },
	{ 307, "Temporary Redirect" }, { 401, "Unauthorized" }, { 405, "Method Not Allowed" }, { 408, "Request Timeout" },
	{ 411, "Length Required" }, { 413, "Content Too Large" }, { 416, "Range Not Satisfiable" }, { 429, "Too Many Requests" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 503, "Service Unavailable" }, { 507, "Insufficient Storage" },
};

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

void
resp_init(struct resp *r, struct exchange *x, const struct http_limits *lim)
{
	struct buf headers = r->headers, rest = r->rest;

	if (headers.max == 0) {
		buf_init(&headers, RESP_HEADERS_MAX);
		buf_init(&rest, RESP_REST_MAX);
	}
	buf_clear(&headers);
	buf_clear(&rest);
	r->magic = RESP_MAGIC;
	r->x = x;
	r->form = RESP_NOTHING;
	r->status = 200;
	r->close = r->head_sent = r->no_body = r->failed = r->held = false;
	r->headers = headers;
	r->rest = rest;
	r->top_len = 0;
	r->length = r->sent = r->head_bytes = r->head_sent_ns = 0;
	r->pace = pace_of(lim->body_rate_min, lim->rate_interval_ms);
}

void
resp_status(struct resp *r, int status)
{
	CHECK_OBJ(r, RESP_MAGIC);
	assert(status >= 200 && status <= 599 && r->form == RESP_NOTHING);
	r->status = status;
}

int
resp_status_sent(const struct resp *r)
{
	CHECK_OBJ(r, RESP_MAGIC);
	return r->head_sent ? r->status : 0;
}

uint64_t
resp_head_sent_ns(const struct resp *r)
{
	CHECK_OBJ(r, RESP_MAGIC);
	return r->head_sent_ns;
}

/* A line feed in a value would begin a header that nobody meant. Without a branch, so that compilers look at many bytes at once. */
static bool
breaks_line(str s)
{
	unsigned char any = 0;

	for (size_t i = 0; i < s.len; i++)
		any |= (unsigned char)((s.p[i] == '\n') | (s.p[i] == '\r') | (s.p[i] == '\0'));
	return any != 0;
}

void
resp_header(struct resp *r, str name, str value)
{
	CHECK_OBJ(r, RESP_MAGIC);
	assert(r->form == RESP_NOTHING);
	if (breaks_line(name) || breaks_line(value)) {
		session_count_bug(r->x->session);
		return;
	}
	buf_add(&r->headers, name);
	buf_add(&r->headers, STR(": "));
	buf_add(&r->headers, value);
	buf_add(&r->headers, STR("\r\n"));
}

void
resp_headerf(struct resp *r, const char *name, const char *fmt, ...)
{
	struct buf value;
	va_list ap;

	buf_init(&value, RESP_HEADERS_MAX);
	va_start(ap, fmt);
	buf_addv(&value, fmt, ap);
	va_end(ap);
	resp_header(r, str_c(name), buf_str(&value));
	buf_done(&value);
}

void
resp_reset(struct resp *r)
{
	CHECK_OBJ(r, RESP_MAGIC);
	assert(r->form == RESP_NOTHING);
	buf_clear(&r->headers);
	r->status = 200;
}

void
resp_close(struct resp *r)
{
	CHECK_OBJ(r, RESP_MAGIC);
	r->close = true;
}

uint64_t
resp_bytes_sent(const struct resp *r)
{
	CHECK_OBJ(r, RESP_MAGIC);
	return r->sent;
}

bool
resp_complete(const struct resp *r)
{
	return r->form == RESP_DONE && !r->failed;
}

/* The second of the newest date asked for by this thread, and its text: made once a second. */
static str
date_now(void)
{
	static _Thread_local char text[DATE_HTTP_LEN];
	static _Thread_local uint64_t second;
	uint64_t now = clock_wall_ms();

	if (now / 1000 != second) {
		date_http_text(now, text);
		second = now / 1000;
	}
	return str_n(text, sizeof(text));
}

static void
top_add(struct resp *r, str s)
{
	assert(s.len <= sizeof(r->top) - r->top_len);
	memcpy(r->top + r->top_len, s.p, s.len);
	r->top_len += s.len;
}

static void
top_add_u64(struct resp *r, uint64_t n)
{
	char digits[U64_DIGITS];

	top_add(r, u64_text(n, digits));
}

/* Decide what the rest of the answer looks like, and write its head; nothing is sent yet. */
static err
head_make(struct resp *r, enum resp_form form, uint64_t length)
{
	struct exchange *x = r->x;

	CHECK_OBJ(r, RESP_MAGIC);
	assert(r->form == RESP_NOTHING);
	if (buf_overflow(&r->headers))		/* another answer may take its place: resp_reset() */
		return err_errno(EMSGSIZE, "the headers of the answer are larger than %u bytes", RESP_HEADERS_MAX);
	r->form = form;
	r->length = length;
	r->no_body = x->head.method == HTTP_HEAD || r->status == 204 || r->status == 304;
	if (form == RESP_CHUNKED && x->head.minor == 0) {
		r->form = RESP_UNTIL_CLOSE;
		r->close = true;
	}
	r->close = r->close || !x->head.keep_alive || session_must_close(x->session) || !body_may_follow(&x->body);
	x->body.expect = false;		/* too late to invite the body */
	top_add(r, STR("HTTP/1.1 "));
	top_add_u64(r, (uint64_t)r->status);
	top_add(r, STR(" "));
	top_add(r, str_c(reason_of(r->status)));
	top_add(r, STR("\r\nDate: "));
	top_add(r, date_now());
	top_add(r, STR("\r\nServer: Caisson\r\nx-amz-request-id: "));
	top_add(r, str_n(x->req.id, 16));
	top_add(r, STR("\r\nx-amz-id-2: "));
	top_add(r, session_host_id(x->session));
	top_add(r, str_n(x->req.id, 16));
	top_add(r, r->close ? STR("\r\nConnection: close\r\n") : STR("\r\nConnection: keep-alive\r\n"));
	if (r->form == RESP_CHUNKED)
		top_add(r, STR("Transfer-Encoding: chunked\r\n"));
	if (r->form == RESP_LENGTH && r->status != 204 && r->status != 304) {
		top_add(r, STR("Content-Length: "));
		top_add_u64(r, length);
		top_add(r, STR("\r\n"));
	}
	buf_add(&r->headers, STR("\r\n"));
	r->head_bytes = r->top_len + r->headers.len;
	return ERR_OK;
}

static err
fail(struct resp *r, err_v e)
{
	r->failed = true;
	r->close = true;
	return e;
}

/* On a loop: what does not fit the socket now is kept for later. */
static err
put_now(struct resp *r, struct iovec *v, int n)
{
	ssize_t put = 0;

	while (n > 0 && r->rest.len == 0 && put >= 0 && !r->held) {
		put = conn_write(r->x->req.conn, v, n, CONN_LAST);
		if (put > 0)
			iovec_advance(&v, &n, (size_t)put);
	}
	if (put < 0 && put != -EAGAIN)
		return fail(r, err_errno((int)-put, "write to client"));
	for (int i = 0; i < n; i++)
		buf_add(&r->rest, str_n(v[i].iov_base, v[i].iov_len));
	if (buf_overflow(&r->rest))
		return fail(r, err_errno(EMSGSIZE, "an answer from a loop is larger than %u bytes", RESP_REST_MAX));
	return ERR_OK;
}

void
resp_hold(struct resp *r)
{
	CHECK_OBJ(r, RESP_MAGIC);
	assert(r->x->req.on_loop);
	r->held = true;
}

void
resp_let_go(struct resp *r)
{
	struct buf *b = &r->rest;
	ssize_t put = 0;
	size_t at = 0;

	if (!r->held)
		return;
	r->held = false;
	while (at < b->len && put >= 0) {
		struct iovec v = { b->p + at, b->len - at };

		put = conn_write(r->x->req.conn, &v, 1, CONN_LAST);
		at += put > 0 ? (size_t)put : 0;
	}
	if (put < 0 && put != -EAGAIN) {
		r->failed = r->close = true;
		at = b->len;
	}
	b->len -= at;
	memmove(b->p, b->p + at, b->len);
}

/* The head, unless it has been sent, and these bytes. */
static err
put(struct resp *r, struct iovec *body, int n, enum conn_more more)
{
	struct iovec v[6];
	int at = 0;
	err_v e;

	assert(n <= 4);
	if (r->failed)
		return err_errno(EPIPE, "the answer has failed before");
	if (!r->head_sent) {
		v[at++] = (struct iovec){ r->top, r->top_len };
		v[at++] = (struct iovec){ r->headers.p, r->headers.len };
	}
	for (int i = 0; i < n; i++)
		if (body[i].iov_len > 0)
			v[at++] = body[i];
	if (at == 0)
		return ERR_OK;
	if (r->x->req.on_loop) {
		r->head_sent = true;
		return put_now(r, v, at);
	}
	if (!r->head_sent)
		r->head_sent_ns = clock_mono_ns();
	r->head_sent = true;
	e = conn_write_all(r->x->req.conn, &r->pace, v, at, more);
	return err_ok(e) ? e : fail(r, e);
}

err_v
resp_send(struct resp *r, str body)
{
	struct iovec v = { (void *)body.p, body.len };

	TRY(head_make(r, RESP_LENGTH, body.len));
	r->form = RESP_DONE;
	if (r->no_body)
		return put(r, NULL, 0, CONN_LAST);
	r->sent = body.len;
	return put(r, &v, 1, CONN_LAST);
}

err_v
resp_send_head(struct resp *r, uint64_t content_length)
{
	TRY(head_make(r, RESP_LENGTH, content_length));
	if (!r->no_body && content_length > 0)
		return fail(r, err_errno(EINVAL, "only a HEAD request has a head alone"));
	r->form = RESP_DONE;
	return put(r, NULL, 0, CONN_LAST);
}

err_v
resp_begin(struct resp *r, uint64_t length)
{
	CHECK_OBJ(r, RESP_MAGIC);
	assert(!r->x->req.on_loop);
	return head_make(r, RESP_LENGTH, length);
}

err_v
resp_begin_chunked(struct resp *r)
{
	CHECK_OBJ(r, RESP_MAGIC);
	assert(!r->x->req.on_loop);
	return head_make(r, RESP_CHUNKED, 0);
}

err_v
resp_write(struct resp *r, str bytes)
{
	char size[24], line_end[2] = { '\r', '\n' };
	struct iovec v[3] = { { size, 0 }, { (void *)bytes.p, bytes.len }, { line_end, 2 } };

	CHECK_OBJ(r, RESP_MAGIC);
	assert(r->form != RESP_NOTHING && r->form != RESP_DONE);
	if (bytes.len == 0)
		return ERR_OK;
	assert(r->form != RESP_LENGTH || bytes.len <= r->length - r->sent);
	r->sent += bytes.len;
	if (r->no_body)
		return ERR_OK;
	if (r->form != RESP_CHUNKED)
		return put(r, &v[1], 1, CONN_LAST);
	v[0].iov_len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
	return put(r, v, 3, CONN_LAST);
}

err_v
resp_sendfile(struct resp *r, int fd, uint64_t pos, size_t len)
{
	err_v e;

	CHECK_OBJ(r, RESP_MAGIC);
	assert(r->form == RESP_LENGTH && len <= r->length - r->sent);
	r->sent += len;
	if (r->no_body || len == 0)
		return ERR_OK;
	TRY(put(r, NULL, 0, CONN_MORE));
	e = conn_send_file(r->x->req.conn, &r->pace, fd, pos, len);
	return err_ok(e) ? e : fail(r, e);
}

err_v
resp_end(struct resp *r)
{
	char end[] = "0\r\n\r\n";
	struct iovec last = { end, sizeof(end) - 1 };

	CHECK_OBJ(r, RESP_MAGIC);
	assert(r->form != RESP_NOTHING && r->form != RESP_DONE);
	if (r->form == RESP_LENGTH && r->sent != r->length && !r->no_body)
		return fail(r, err_errno(EIO, "the answer ends before its length"));
	TRY(put(r, &last, r->form == RESP_CHUNKED && !r->no_body ? 1 : 0, CONN_LAST));
	r->form = RESP_DONE;
	return ERR_OK;
}

void
resp_host_id(const struct resp *r, struct buf *b)
{
	CHECK_OBJ(r, RESP_MAGIC);
	buf_add(b, session_host_id(r->x->session));
	buf_add(b, str_n(r->x->req.id, 16));
}
