/*
 * aws_chunked.c - the payload of a request, decoded, hashed and checked while it is read.
 *
 * Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
 *
 *   signed     hex-size;chunk-signature=64-hex CRLF  bytes CRLF  ...  0;chunk-signature=64-hex CRLF  [trailer]  CRLF
 *   unsigned   hex-size CRLF  bytes CRLF  ...  0 CRLF  [trailer]  CRLF
 *   trailer    name:value CRLF ...  [x-amz-trailer-signature:64-hex CRLF]
 *
 * Lines of a trailer may end in a bare line feed, as in Amazon's own example. MinIO's SDK for Go means them to and sends a CRLF more
 * behind them: an empty line before the signature, or behind the end where there is none.
 *
 * Each signature covers the one before it, from the seed in the head on. States of a chunked payload: CHUNK_HEAD -> (CHUNK_DATA ->
 * CHUNK_HEAD)* -> END; a plain one is in PLAIN, then END. After a failure the stream is not read again.
 */
#include "s3/aws_chunked.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "s3/checksum.h"

#define LINE_MAX_LEN 256u	/* the head of a chunk: 16 digits and a signature */
#define TRAILER_LINE_MAX 2048u
#define TRAILERS_MAX 8u
#define BUFFER_LEN 8192u

#define CHUNK_SIGNATURE "chunk-signature="
#define TRAILER_SIGNATURE "x-amz-trailer-signature"

enum state { STATE_PLAIN, STATE_CHUNK_HEAD, STATE_CHUNK_DATA, STATE_END };

struct aws_body {
	unsigned magic;
#define AWS_BODY_MAGIC 0x3c9e7b15
	struct byte_source source;
	enum payload_mode mode;
	enum state state;
	uint64_t length;		/* decoded; UINT64_MAX: not known */
	uint64_t got;			/* decoded so far */
	uint64_t chunk_left;

	/* Of signed chunks. */
	uint8_t key[32];
	char date[SIGV4_DATE_LEN];
	str scope;
	char previous[64];		/* signature of what came before */
	char claimed[64];		/* signature of the chunk being read */
	struct digests *chunk;

	/* What the client declared of all the bytes, and what is computed over them. */
	uint8_t sha256[32];		/* PAYLOAD_HASH */
	struct checksum_want want;
	unsigned wanted;		/* by the caller */
	enum aws_body_help help;
	struct digests *digests;
	unsigned set;			/* of digests */
	bool started;

	size_t begin, end;
	char buffer[BUFFER_LEN];	/* undecoded, around heads of chunks; not zeroed */
};

static err
read_body(void *ctx, void *p, size_t max, size_t *ret_len)
{
	return body_read(ctx, p, max, ret_len);
}

struct byte_source
byte_source_body(struct body *b)
{
	return (struct byte_source){ b, read_body, body_length(b) };
}

/* ---- opening ---- */

static bool
is_signed(const struct aws_body *b)
{
	return b->mode == PAYLOAD_CHUNKS || b->mode == PAYLOAD_CHUNKS_TRAILER;
}

static bool
has_trailer(const struct aws_body *b)
{
	return b->mode == PAYLOAD_UNSIGNED_TRAILER || b->mode == PAYLOAD_CHUNKS_TRAILER;
}

/* The decoded length must be said, and cannot be more than arrives. */
static err
decoded_length(const struct http_head *head, const struct byte_source *source, uint64_t *ret)
{
	str text = http_header(head, STR("x-amz-decoded-content-length"));

	if (text.p == NULL)
		return err_s3f(S3_MissingContentLength,
		    "The body is aws-chunked: send its size without the chunks in x-amz-decoded-content-length.");
	if (!str_u64(text, ret) || *ret > INT64_MAX)
		return err_s3f(S3_InvalidArgument, "x-amz-decoded-content-length must be a number of bytes.");
	if (source->length != UINT64_MAX && *ret > source->length)
		return err_s3f(S3_InvalidRequest, "x-amz-decoded-content-length is larger than the body that Content-Length announces.");
	return ERR_OK;
}

err_v
aws_body_open(const struct signature *sig, const struct http_head *head, struct byte_source source, struct arena *arena,
    struct aws_body **ret)
{
	AUTO(aws_body_close) struct aws_body *b = mem_grow(NULL, sizeof(*b));

	memset(b, 0, offsetof(struct aws_body, buffer));
	b->magic = AWS_BODY_MAGIC;
	b->source = source;
	b->mode = sig->payload;
	b->length = source.length;
	if (payload_is_chunked(b->mode))
		TRY(decoded_length(head, &source, &b->length));
	TRY(checksum_want_read(head, &b->want));
	if (b->want.in_trailer && !has_trailer(b))
		return err_s3f(S3_InvalidRequest, "x-amz-trailer needs a payload with a trailer: see x-amz-content-sha256.");
	b->state = payload_is_chunked(b->mode) ? STATE_CHUNK_HEAD : STATE_PLAIN;
	memcpy(b->sha256, sig->payload_sha256, sizeof(b->sha256));
	if (is_signed(b)) {
		memcpy(b->key, sig->key, sizeof(b->key));
		memcpy(b->date, sig->date, sizeof(b->date));
		memcpy(b->previous, sig->seed, sizeof(b->previous));
		b->scope = arena_str(arena, sig->scope);
	}
	*ret = b;
	b = NULL;
	return ERR_OK;
}

void
aws_body_close(struct aws_body **bp)
{
	struct aws_body *b = *bp;

	if (b == NULL)
		return;
	CHECK_OBJ(b, AWS_BODY_MAGIC);
	digests_free(&b->chunk);
	digests_free(&b->digests);
	explicit_bzero(b->key, sizeof(b->key));
	b->magic = 0;
	free(b);
	*bp = NULL;
}

uint64_t
aws_body_length(const struct aws_body *b)
{
	CHECK_OBJ(b, AWS_BODY_MAGIC);
	return b->length;
}

void
aws_body_want(struct aws_body *b, unsigned set, enum aws_body_help help)
{
	CHECK_OBJ(b, AWS_BODY_MAGIC);
	assert(!b->started);
	b->wanted |= set;
	b->help = help;
}

static void
start(struct aws_body *b)
{
	if (b->started)
		return;
	b->started = true;
	b->set = b->wanted | checksum_want_set(&b->want) | (b->mode == PAYLOAD_HASH ? DIGEST_BIT(DIGEST_SHA256) : 0);
	if (b->set == 0)
		return;
	b->digests = digests_new(b->set);
	if (b->help == AWS_BODY_HELP)
		digests_help(b->digests);
}

/* ---- undecoded bytes ---- */

static err
incomplete(void)
{
	return err_s3f(S3_IncompleteBody, "The body ended before its last chunk. Send the request again.");
}

static err
framing(const char *why)
{
	return err_s3f(S3_InvalidRequest, "The aws-chunked body is not well-formed: %s.", why);
}

/* More bytes behind those in the buffer; none may be a whole buffer. */
static err
fill(struct aws_body *b)
{
	size_t n;

	if (b->begin > 0) {
		memmove(b->buffer, b->buffer + b->begin, b->end - b->begin);
		b->end -= b->begin;
		b->begin = 0;
	}
	assert(b->end < BUFFER_LEN);
	TRY(b->source.read(b->source.ctx, b->buffer + b->end, BUFFER_LEN - b->end, &n));
	if (n == 0)
		return incomplete();
	b->end += n;
	return ERR_OK;
}

static str
buffered(const struct aws_body *b)
{
	return str_n(b->buffer + b->begin, b->end - b->begin);
}

/* A line of at most max bytes up to '\n', which is cut off. It stays good until the next read. */
static err
take_line(struct aws_body *b, size_t max, str *ret)
{
	ptrdiff_t at;

	assert(max < BUFFER_LEN);
	while ((at = str_find(str_sub(buffered(b), 0, max), '\n')) < 0) {
		if (b->end - b->begin >= max)
			return framing("a line is too long");
		TRY(fill(b));
	}
	*ret = str_sub(buffered(b), 0, (size_t)at);
	b->begin += (size_t)at + 1;
	return ERR_OK;
}

/* A line that must end in CRLF. */
static err
take_crlf_line(struct aws_body *b, size_t max, str *ret)
{
	TRY(take_line(b, max, ret));
	if (!str_ends(*ret, STR("\r")))
		return framing("a line ends in a bare line feed");
	ret->len--;
	return ERR_OK;
}

/* Up to max bytes of data: what is in the buffer, else straight from the source. */
static err
take_bytes(struct aws_body *b, void *p, size_t max, size_t *ret_len)
{
	str have = str_sub(buffered(b), 0, max);

	if (have.len == 0)
		return b->source.read(b->source.ctx, p, max, ret_len);
	memcpy(p, have.p, have.len);
	b->begin += have.len;
	*ret_len = have.len;
	return ERR_OK;
}

/* Nothing may follow, but one empty line behind a trailer. */
static err
expect_end(struct aws_body *b)
{
	char rest[3];
	size_t len = 0, n = 1;

	while (n > 0 && len < sizeof(rest)) {
		TRY(take_bytes(b, rest + len, sizeof(rest) - len, &n));
		len += n;
	}
	if (len != 0 && !(has_trailer(b) && str_eq(str_n(rest, len), STR("\r\n"))))
		return framing("there are bytes behind its end");
	b->state = STATE_END;
	return ERR_OK;
}

/* ---- signatures ---- */

/* kind, time, scope, previous signature, and one or two hashes, a line each. */
static err
signature_step(struct aws_body *b, const char *kind, const uint8_t *hashes, unsigned n)
{
	AUTO(buf_done) struct buf text;
	uint8_t mac[32];
	char hex[64];

	buf_init(&text, 1024 + b->scope.len);
	buf_addf(&text, "%s\n%.*s\n%.*s\n%.*s", kind, (int)sizeof(b->date), b->date, STR_FMT(b->scope),
	    (int)sizeof(b->previous), b->previous);
	for (unsigned i = 0; i < n; i++) {
		hex_encode(str_n(hashes + 32 * i, 32), hex);
		buf_addf(&text, "\n%.*s", (int)sizeof(hex), hex);
	}
	assert(!buf_overflow(&text));
	hmac_sha256(str_n(b->key, sizeof(b->key)), buf_str(&text), mac);
	hex_encode(str_n(mac, sizeof(mac)), hex);
	if (!str_eq_secret(str_n(hex, sizeof(hex)), str_n(b->claimed, sizeof(b->claimed))))
		return err_s3f(S3_SignatureDoesNotMatch, "The signature of a chunk or of the trailer does not match what arrived.");
	memcpy(b->previous, hex, sizeof(b->previous));
	return ERR_OK;
}

static err
chunk_signature_check(struct aws_body *b)
{
	uint8_t hashes[2][32];

	digest_once(DIGEST_SHA256, STR(""), hashes[0]);
	digests_get(b->chunk, DIGEST_SHA256, hashes[1]);
	digests_free(&b->chunk);
	return signature_step(b, "AWS4-HMAC-SHA256-PAYLOAD", hashes[0], 2);
}

static err
claimed_set(struct aws_body *b, str hex)
{
	if (hex.len != sizeof(b->claimed))
		return framing("a signature is not 64 hex digits");
	memcpy(b->claimed, hex.p, sizeof(b->claimed));
	return ERR_OK;
}

/* ---- trailer ---- */

struct trailer {
	str value;			/* of the checksum announced; STR_NONE: not yet come */
	bool is_signed;
	struct buf canonical;		/* "name:value\n" each */
};

static void
trailer_done(struct trailer *t)
{
	buf_done(&t->canonical);
}

static err
malformed_trailer(void)
{
	return err_s3(S3_MalformedTrailerError);
}

static err
trailer_line(struct aws_body *b, str line, struct trailer *t)
{
	str value = line, name = str_trim(str_take_until(&value, ':'));

	if (value.p == NULL)
		return malformed_trailer();
	value = str_trim(value);
	if (t->is_signed)			/* its signature comes last */
		return malformed_trailer();
	if (str_eq_nocase(name, STR(TRAILER_SIGNATURE))) {
		if (b->mode != PAYLOAD_CHUNKS_TRAILER)
			return malformed_trailer();
		t->is_signed = true;
		return claimed_set(b, value);
	}
	if (!b->want.in_trailer || !str_eq_nocase(name, checksum_header(b->want.alg)) || b->want.has_value)
		return malformed_trailer();
	buf_add(&t->canonical, checksum_header(b->want.alg));
	buf_add_char(&t->canonical, ':');
	buf_add(&t->canonical, value);
	buf_add_char(&t->canonical, '\n');
	return checksum_want_trailer(&b->want, value);
}

/* The next line of a trailer, which may end in a bare line feed. */
static err
trailer_next(struct aws_body *b, str *ret)
{
	TRY(take_line(b, TRAILER_LINE_MAX, ret));
	if (str_ends(*ret, STR("\r")))
		ret->len--;
	return ERR_OK;
}

/* An empty line ends it, unless its signature is still to come. */
static err
trailer_gap(struct aws_body *b, const struct trailer *t, str *ret)
{
	err_v e;

	if (b->mode != PAYLOAD_CHUNKS_TRAILER || t->is_signed || !b->want.has_value)
		return ERR_OK;
	e = trailer_next(b, ret);
	return err_is(e, S3_IncompleteBody) ? malformed_trailer() : e;
}

/* Lines up to an empty one. */
static err
trailer_read(struct aws_body *b)
{
	AUTO(trailer_done) struct trailer t = { 0 };
	uint8_t hash[32];
	str line;

	buf_init(&t.canonical, 2 * TRAILER_LINE_MAX);
	for (unsigned n = 0;; n++) {
		TRY(trailer_next(b, &line));
		if (str_empty(line))
			TRY(trailer_gap(b, &t, &line));
		if (str_empty(line))
			break;
		if (n == TRAILERS_MAX || !has_trailer(b))
			return malformed_trailer();
		TRY(trailer_line(b, line, &t));
	}
	if (b->want.in_trailer && !b->want.has_value)
		return malformed_trailer();
	if (b->mode != PAYLOAD_CHUNKS_TRAILER)
		return ERR_OK;
	if (!t.is_signed)
		return malformed_trailer();
	digest_once(DIGEST_SHA256, buf_str(&t.canonical), hash);
	return signature_step(b, "AWS4-HMAC-SHA256-TRAILER", hash, 1);
}

/* ---- chunks ---- */

static bool
hex_u64(str s, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.len == 0 || s.len > 16)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char pair[2] = { '0', s.p[i] };
		uint8_t digit;

		if (!hex_decode(str_n(pair, 2), &digit))
			return false;
		n = n << 4 | digit;
	}
	*ret = n;
	return true;
}

/* The last chunk is empty: all that was announced must have come before it, and only a trailer comes after. */
static err
last_chunk(struct aws_body *b)
{
	if (b->got != b->length)
		return incomplete();
	if (is_signed(b))
		TRY(chunk_signature_check(b));
	TRY(trailer_read(b));
	return expect_end(b);
}

static err
chunk_head(struct aws_body *b)
{
	str line, size;
	uint64_t n;

	TRY(take_crlf_line(b, LINE_MAX_LEN, &line));
	size = str_take_until(&line, ';');
	if (!hex_u64(size, &n))
		return framing("the size of a chunk is not a hex number");
	if (is_signed(b)) {
		if (!str_starts(line, STR(CHUNK_SIGNATURE)))
			return framing("a chunk has no signature");
		TRY(claimed_set(b, str_skip(line, sizeof(CHUNK_SIGNATURE) - 1)));
		digests_free(&b->chunk);
		b->chunk = digests_new(DIGEST_BIT(DIGEST_SHA256));
	} else if (line.p != NULL) {
		return framing("a chunk has an extension that is not known");
	}
	if (n > b->length - b->got)
		return framing("there is more in it than x-amz-decoded-content-length says");
	if (n == 0)
		return last_chunk(b);
	b->chunk_left = n;
	b->state = STATE_CHUNK_DATA;
	return ERR_OK;
}

/* Behind the bytes of a chunk. */
static err
chunk_end(struct aws_body *b)
{
	str line;

	TRY(take_crlf_line(b, LINE_MAX_LEN, &line));
	if (!str_empty(line))
		return framing("a chunk is longer than its size");
	if (is_signed(b))
		TRY(chunk_signature_check(b));
	b->state = STATE_CHUNK_HEAD;
	return ERR_OK;
}

static err
chunked_read(struct aws_body *b, void *p, size_t max, size_t *ret_len)
{
	size_t n;

	while (b->state == STATE_CHUNK_HEAD)
		TRY(chunk_head(b));
	if (b->state == STATE_END) {
		*ret_len = 0;
		return ERR_OK;
	}
	TRY(take_bytes(b, p, max < b->chunk_left ? max : (size_t)b->chunk_left, &n));
	if (n == 0)
		return incomplete();
	if (b->chunk != NULL)
		digests_add(b->chunk, str_n(p, n));
	b->chunk_left -= n;
	if (b->chunk_left == 0)
		TRY(chunk_end(b));
	*ret_len = n;
	return ERR_OK;
}

/* Decoded bytes, not hashed yet. */
static err
decode(struct aws_body *b, void *p, size_t max, size_t *ret_len)
{
	assert(max > 0);
	start(b);
	if (b->state != STATE_PLAIN && b->state != STATE_END)
		TRY(chunked_read(b, p, max, ret_len));
	else if (b->state == STATE_END)
		*ret_len = 0;
	else
		TRY(b->source.read(b->source.ctx, p, max, ret_len));
	if (*ret_len == 0)
		b->state = STATE_END;
	b->got += *ret_len;
	return ERR_OK;
}

err_v
aws_body_read(struct aws_body *b, void *p, size_t max, size_t *ret_len)
{
	CHECK_OBJ(b, AWS_BODY_MAGIC);
	TRY(decode(b, p, max, ret_len));
	if (b->digests != NULL)
		digests_add(b->digests, str_n(p, *ret_len));
	return ERR_OK;
}

err_v
aws_body_read_full(struct aws_body *b, void *p, size_t len, size_t *ret_len)
{
	size_t at = 0, n = 1;

	CHECK_OBJ(b, AWS_BODY_MAGIC);
	while (at < len && n > 0) {
		TRY(decode(b, (char *)p + at, len - at, &n));
		at += n;
	}
	/* In one piece: a helper then hashes it while the caller fills its other buffer. */
	if (b->digests != NULL && at > 0)
		digests_add(b->digests, str_n(p, at));
	*ret_len = at;
	return ERR_OK;
}

/* ---- the end ---- */

err_v
aws_body_finish(struct aws_body *b, struct digest_values *ret)
{
	struct digest_values v = { 0 };
	size_t n = 0;
	char c;

	CHECK_OBJ(b, AWS_BODY_MAGIC);
	if (b->state != STATE_END)		/* the caller stopped at the last byte: framing and trailer are still to come */
		TRY(decode(b, &c, 1, &n));
	if (n > 0)
		return err_s3f(S3_InvalidRequest, "The body is longer than this call takes.");
	v.set = b->set;
	for (int alg = 0; alg < DIGEST_COUNT; alg++)
		if (b->set & DIGEST_BIT(alg))
			digests_get(b->digests, (enum digest_alg)alg, v.at[alg]);
	digests_free(&b->digests);
	b->set = 0;
	if (b->mode == PAYLOAD_HASH && memcmp(b->sha256, v.at[DIGEST_SHA256], sizeof(b->sha256)) != 0)
		return err_s3(S3_XAmzContentSHA256Mismatch);
	TRY(checksum_want_verify(&b->want, v.at));
	if (ret != NULL)
		*ret = v;
	return ERR_OK;
}

static err
too_large(size_t max)
{
	return err_s3f(S3_EntityTooLarge, "The body is larger than the %zu bytes that this call takes.", max);
}

err_v
aws_body_read_all(struct aws_body *b, struct arena *arena, size_t max, struct digest_values *ret_digests, str *ret)
{
	AUTO(buf_done) struct buf all = { 0 };
	size_t n = 1;

	CHECK_OBJ(b, AWS_BODY_MAGIC);
	if (b->length != UINT64_MAX && b->length > max)
		return too_large(max);
	buf_init(&all, max + BUFFER_LEN);
	while (n > 0) {
		char *room = buf_room(&all, BUFFER_LEN);

		TRY(aws_body_read(b, room, BUFFER_LEN, &n));
		buf_added(&all, n);
		if (all.len > max)
			return too_large(max);
	}
	TRY(aws_body_finish(b, ret_digests));
	*ret = arena_str(arena, buf_str(&all));
	return ERR_OK;
}
