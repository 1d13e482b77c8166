/*
 * body.c - request bodies by Content-Length or in chunks.
 *
 * Chunk framing is taken strictly: sizes in 1 to 16 hex digits, lines end in CRLF, extensions and trailers are skipped within
 * bounds and may hold no control bytes. Whatever is broken is sticky, and closes the connection after the answer: where the
 * next request begins is not known then.
 */
#include "http/exchange.h"

#include "base/panic.h"
#include "base/text.h"

#define SIZE_LINE_MAX 256u
#define TRAILER_LINE_MAX 2048u
#define TRAILERS_MAX 8192u
#define DIRECT_MIN 4096u	/* a read of at least this goes straight into the caller's memory */
static_assert(TRAILER_LINE_MAX <= INPUT_ROOM_MIN, "a line fits behind any head");

void
body_init(struct body *b, struct conn *c, struct input *in, const struct http_head *h, const struct http_limits *lim)
{
	*b = (struct body){
		.magic = BODY_MAGIC,
		.conn = c,
		.in = in,
		.expect = h->expect_continue,
		.chunked = h->chunked,
		.announced = h->chunked ? UINT64_MAX : h->has_length ? h->length : 0,
		.pace = pace_of(lim->body_rate_min, lim->rate_interval_ms),
	};
	b->left = h->chunked ? 0 : b->announced;
	b->state = h->chunked ? BODY_CHUNK_SIZE : b->left > 0 ? BODY_BYTES : BODY_END;
}

static err
fail(struct body *b, err_v e)
{
	b->state = BODY_FAILED;
	b->failure = e;
	return e;
}

static err
fail_framing(struct body *b, const char *what)
{
	return fail(b, err_s3f(S3_InvalidRequest, "The chunked body is broken: %s.", what));
}

static size_t
input_len(const struct input *in)
{
	return in->end - in->at;
}

/* Who waits for 100 Continue gets it. */
static err
invite(struct body *b)
{
	static char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec v = { line, sizeof(line) - 1 };
	err_v e;

	if (!b->may_wait)
		return ERR_WOULD_BLOCK;
	if (!b->expect)
		return ERR_OK;
	b->expect = false;
	e = conn_write_all(b->conn, &b->pace, &v, 1, CONN_LAST);
	return err_ok(e) ? e : fail(b, err_s3f(S3_IncompleteBody, "The client went away: %s", err_context()));
}

/* Bytes from the client straight to p; at least one. */
static err
receive(struct body *b, void *p, size_t max, size_t *ret_len)
{
	size_t n = 0;
	err_v e;

	TRY(invite(b));
	e = conn_read_wait(b->conn, &b->pace, p, max, &n);
	if (err_is(e, -ETIMEDOUT))
		return fail(b, err_s3(S3_RequestTimeout));
	if (!err_ok(e))
		return fail(b, err_s3f(S3_IncompleteBody, "The client went away: %s", err_context()));
	if (n == 0)
		return fail(b, err_s3(S3_IncompleteBody));
	*ret_len = n;
	return ERR_OK;
}

/* More bytes into the input. */
static err
refill(struct body *b)
{
	struct input *in = b->in;
	size_t n = 0;

	if (!b->may_wait)
		return ERR_WOULD_BLOCK;
	if (in->at > in->keep) {
		memmove(in->p + in->keep, in->p + in->at, input_len(in));
		in->end -= in->at - in->keep;
		in->at = in->keep;
	}
	assert(in->end < in->size);
	TRY(receive(b, in->p + in->end, in->size - in->end, &n));
	in->end += n;
	return ERR_OK;
}

/* 1 to max of the bytes that come next. p NULL: throw them away. */
static err
take(struct body *b, void *p, size_t max, size_t *ret_len)
{
	struct input *in = b->in;
	size_t n;

	if (input_len(in) == 0 && p != NULL && max >= DIRECT_MIN)
		return receive(b, p, max, ret_len);
	if (input_len(in) == 0)
		TRY(refill(b));
	n = input_len(in) < max ? input_len(in) : max;
	if (p != NULL)
		memcpy(p, in->p + in->at, n);
	in->at += n;
	*ret_len = n;
	return ERR_OK;
}

static bool
has_control(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	return false;
}

/* A line of at most max bytes, without its CRLF. Borrowed until the next call. */
static err
line(struct body *b, size_t max, str *ret)
{
	struct input *in = b->in;

	for (;;) {
		str have = str_n(in->p + in->at, input_len(in));
		ptrdiff_t end = str_find(have, '\n');

		if ((end < 0 && have.len > max) || (end >= 0 && (size_t)end > max))
			return fail_framing(b, "a line is too long");
		if (end < 0) {
			TRY(refill(b));
			continue;
		}
		if (end == 0 || have.p[end - 1] != '\r')
			return fail_framing(b, "a line ends in a bare line feed");
		*ret = str_sub(have, 0, (size_t)end - 1);
		in->at += (size_t)end + 1;
		return has_control(*ret) ? fail_framing(b, "there is a control byte in a line") : ERR_OK;
	}
}

/* "1f4" or "1f4;extension" */
static err
chunk_size(struct body *b)
{
	uint64_t size = 0;
	size_t digits = 0;
	str s = STR_NONE;

	TRY(line(b, SIZE_LINE_MAX, &s));
	while (digits < s.len && hex_value(s.p[digits]) >= 0) {
		if (size >> 60 != 0 || digits == 16)
			return fail_framing(b, "a chunk size is too large");
		size = size << 4 | (uint64_t)hex_value(s.p[digits]);
		digits++;
	}
	if (digits == 0 || (digits < s.len && s.p[digits] != ';'))
		return fail_framing(b, "a chunk size is not a hexadecimal number");
	if (size > INT64_MAX)
		return fail_framing(b, "a chunk size is too large");
	b->left = size;
	b->state = size > 0 ? BODY_CHUNK : BODY_TRAILER;
	return ERR_OK;
}

static err
chunk_end(struct body *b)
{
	str s = STR_NONE;

	TRY(line(b, 2, &s));
	if (s.len != 0)
		return fail_framing(b, "a chunk is longer than its size");
	b->state = BODY_CHUNK_SIZE;
	return ERR_OK;
}

/* Trailers carry nothing that S3 knows: they are checked, bounded and dropped. */
static err
trailer(struct body *b)
{
	str s = STR_NONE;

	TRY(line(b, TRAILER_LINE_MAX, &s));
	if (s.len == 0) {
		b->state = BODY_END;
		return ERR_OK;
	}
	b->trailer_bytes += s.len;
	if (b->trailer_bytes > TRAILERS_MAX)
		return fail_framing(b, "its trailers are too long");
	if (str_find(s, ':') < 1 || s.p[0] == ' ' || s.p[0] == '\t')
		return fail_framing(b, "a trailer is not a header");
	return ERR_OK;
}

/* Get to the next bytes of the body, or to its end. */
static err
advance(struct body *b)
{
	for (;;) {
		switch (b->state) {
		case BODY_BYTES:
		case BODY_CHUNK:
		case BODY_END:
			return ERR_OK;
		case BODY_CHUNK_SIZE:
			TRY(chunk_size(b));
			break;
		case BODY_CHUNK_END:
			TRY(chunk_end(b));
			break;
		case BODY_TRAILER:
			TRY(trailer(b));
			break;
		case BODY_FAILED:
			return b->failure;
		}
	}
}

/* As body_read, p NULL throws away. */
static err
body_next(struct body *b, void *p, size_t max, size_t *ret_len)
{
	size_t n = 0;

	TRY(advance(b));
	if (b->state == BODY_END) {
		*ret_len = 0;
		return ERR_OK;
	}
	assert(b->left > 0);
	TRY(take(b, p, b->left < max ? (size_t)b->left : max, &n));
	b->left -= n;
	b->received += n;
	if (b->left == 0)
		b->state = b->state == BODY_BYTES ? BODY_END : BODY_CHUNK_END;
	*ret_len = n;
	return ERR_OK;
}

err_v
body_read(struct body *b, void *p, size_t max, size_t *ret_len)
{
	CHECK_OBJ(b, BODY_MAGIC);
	assert(p != NULL && max > 0);
	/*
	 * An empty body needs no invitation, but a client that is not invited once may mistake the next answer on the connection:
	 * botocore with urllib3 2.8 does, and hangs.
	 */
	if (b->expect && b->state == BODY_END)
		TRY(invite(b));
	return body_next(b, p, max, ret_len);
}

/* Fill p with exactly len bytes, or fewer only at the end. */
static err
body_read_full(struct body *b, void *p, size_t len, size_t *ret_len)
{
	size_t have = 0, n = 0;

	while (have < len) {
		TRY(body_read(b, (char *)p + have, len - have, &n));
		if (n == 0)
			break;
		have += n;
	}
	*ret_len = have;
	return ERR_OK;
}

err_v
body_read_all(struct body *b, struct arena *a, size_t max, str *ret)
{
	size_t cap, have = 0, n = 0;
	char *p;

	CHECK_OBJ(b, BODY_MAGIC);
	if (!b->chunked && b->announced > max)
		return err_s3(S3_EntityTooLarge);
	cap = b->chunked ? max : (size_t)b->announced;
	p = arena_try(a, cap + 1);
	if (p == NULL)
		return err_s3(S3_EntityTooLarge);
	TRY(body_read_full(b, p, cap, &have));
	/* Full, and there may be more: one byte further tells. */
	if (have == cap) {
		TRY(body_read(b, p + cap, 1, &n));
		if (n > 0)
			return err_s3(S3_EntityTooLarge);
	}
	*ret = str_n(p, have);
	return ERR_OK;
}

uint64_t
body_length(const struct body *b)
{
	CHECK_OBJ(b, BODY_MAGIC);
	return b->announced;
}

uint64_t
body_received(const struct body *b)
{
	CHECK_OBJ(b, BODY_MAGIC);
	return b->received;
}

bool
body_unread(const struct body *b)
{
	CHECK_OBJ(b, BODY_MAGIC);
	return b->state != BODY_END;
}

/* Throw away what has arrived. true: all of the body had. */
static bool
skip_arrived(struct body *b)
{
	size_t n = 0;
	err_v e;

	b->may_wait = false;
	do
		e = body_next(b, NULL, SIZE_MAX, &n);
	while (err_ok(e) && n > 0);
	return b->state == BODY_END;
}

bool
body_buffered(const struct body *b)
{
	struct body copy = *b;
	struct input in = *b->in;

	CHECK_OBJ(b, BODY_MAGIC);
	if (!b->chunked)
		return b->state == BODY_END || b->left <= input_len(b->in);
	copy.in = &in;		/* skipping changes positions only, never bytes */
	return skip_arrived(&copy);
}

bool
body_may_follow(const struct body *b)
{
	CHECK_OBJ(b, BODY_MAGIC);
	/* Who waits for 100 Continue may send the body or not: what comes next could be either. */
	if (b->state == BODY_FAILED || (b->expect && input_len(b->in) == 0))
		return false;
	if (b->state == BODY_END)
		return true;
	if (b->chunked)
		return body_buffered(b);
	return b->left <= input_len(b->in) + BODY_DRAIN_MAX;
}

bool
body_finish(struct body *b, uint64_t *ret_left)
{
	bool follow = body_may_follow(b);

	if (!follow)
		return false;
	skip_arrived(b);
	if (b->state == BODY_FAILED || (b->chunked && b->state != BODY_END))
		return false;
	*ret_left = b->left;
	return true;
}
