/* aws_chunked.c: Amazon's example, every fault of framing, any chunking read in any pieces. */
#include "test.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "s3/aws_chunked.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SCOPE "20130524/us-east-1/s3/aws4_request"
#define SEED "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
#define SEED_TRAILER "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"

/* A source that gives at most "step" bytes a time; 0: as many as fit. */
struct memory {
	str bytes;
	size_t step;
};

static err
memory_read(void *ctx, void *p, size_t max, size_t *ret_len)
{
	struct memory *m = ctx;
	size_t n = m->bytes.len < max ? m->bytes.len : max;

	if (m->step > 0 && n > m->step)
		n = m->step;
	if (n > 0)
		memcpy(p, m->bytes.p, n);
	m->bytes = str_skip(m->bytes, n);
	*ret_len = n;
	return ERR_OK;
}

static struct http_head head;
static struct arena *arena;

static void
header(const char *name, str value)
{
	head.header[head.headers++] = (struct http_header){ str_c(name), value };
}

static struct signature
signature(enum payload_mode mode, const char *seed)
{
	struct signature sig = { .payload = mode, .date = "20130524T000000Z", .scope = STR(SCOPE) };

	head.headers = 0;
	if (arena == NULL)
		arena = arena_new(4096, 1u << 24);
	sigv4_key(STR(SECRET), STR("20130524"), STR("us-east-1"), sig.key);
	memcpy(sig.seed, seed, sizeof(sig.seed));
	return sig;
}

/* Read all of it in pieces of "piece" bytes; the first failure. */
static err
drain(struct aws_body *b, size_t piece, struct buf *out, struct digest_values *v)
{
	size_t n = 1;

	while (n > 0) {
		char *p = buf_room(out, piece);

		TRY(aws_body_read(b, p, piece, &n));
		buf_added(out, n);
	}
	return aws_body_finish(b, v);
}

static err
decode(const struct signature *sig, struct memory m, size_t piece, struct buf *out)
{
	AUTO(aws_body_close) struct aws_body *b = NULL;
	struct digest_values v;

	TRY(aws_body_open(sig, &head, (struct byte_source){ &m, memory_read, m.bytes.len }, arena, &b));
	return drain(b, piece, out, &v);
}

static void
end(void)
{
	arena_free(&arena);
}

/* 65 KiB of 'a' in chunks of 64 KiB and 1 KiB, as in the API reference. */
static void
example(struct buf *b, const char *const sig[3], const char *tail)
{
	buf_init(b, 1u << 20);
	for (int i = 0; i < 3; i++) {
		size_t n = i == 0 ? 65536 : i == 1 ? 1024 : 0;

		buf_addf(b, "%zx;chunk-signature=%s\r\n", n, sig[i]);
		memset(buf_room(b, n + 1), 'a', n);
		buf_added(b, n);
		buf_add_c(b, i < 2 ? "\r\n" : tail);
	}
}

static const char *const chunk_signatures[3] = {
	"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
	"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
	"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
};
static const char *const trailer_signatures[3] = {
	"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
	"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
	"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
};
#define TRAILER "x-amz-checksum-crc32c:sOO8/Q==\n"
#define TRAILER_SIGNATURE "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"

TEST(published_examples)
{
	AUTO(buf_done) struct buf body, out;
	struct signature sig = signature(PAYLOAD_CHUNKS, SEED);

	buf_init(&out, 1u << 20);
	header("x-amz-decoded-content-length", STR("66560"));
	example(&body, chunk_signatures, "\r\n");
	EXPECT_OK(decode(&sig, (struct memory){ buf_str(&body), 0 }, 4096, &out));
	EXPECT_EQ("length", out.len, 66560);
	body.p[70000 - 4000]++;				/* one bit of the data */
	buf_clear(&out);
	EXPECT_ERR("tampered", decode(&sig, (struct memory){ buf_str(&body), 0 }, 4096, &out), S3_SignatureDoesNotMatch);
	buf_done(&body);

	sig = signature(PAYLOAD_CHUNKS_TRAILER, SEED_TRAILER);
	header("x-amz-decoded-content-length", STR("66560"));
	header("x-amz-trailer", STR("x-amz-checksum-crc32c"));
	example(&body, trailer_signatures, TRAILER TRAILER_SIGNATURE "\r\n\r\n");
	buf_clear(&out);
	EXPECT_OK(decode(&sig, (struct memory){ buf_str(&body), 7 }, 100000, &out));
	EXPECT_EQ("length", out.len, 66560);
	end();
}

/* The trailer of the example, changed. */
TEST(trailers_with_signature)
{
	static const struct { const char *name, *tail; int code; } rows[] = {
		{ "CRLF", "x-amz-checksum-crc32c:sOO8/Q==\r\n" TRAILER_SIGNATURE "\r\n\r\n", S3_OK },
		{ "blanks", "X-Amz-Checksum-Crc32c: sOO8/Q== \r\n" TRAILER_SIGNATURE "\r\n\r\n", S3_OK },
		{ "an empty line before its signature", TRAILER "\r\n" TRAILER_SIGNATURE "\r\n\r\n", S3_OK },
		{ "two of them", TRAILER "\r\n\r\n" TRAILER_SIGNATURE "\r\n\r\n", S3_MalformedTrailerError },
		{ "an empty line behind it", TRAILER TRAILER_SIGNATURE "\r\n\r\n\r\n", S3_OK },
		{ "two behind it", TRAILER TRAILER_SIGNATURE "\r\n\r\n\r\n\r\n", S3_InvalidRequest },
		{ "bytes behind it", TRAILER TRAILER_SIGNATURE "\r\n\r\nxx", S3_InvalidRequest },
		{ "no signature", TRAILER "\r\n", S3_MalformedTrailerError },
		{ "no checksum", TRAILER_SIGNATURE "\r\n\r\n", S3_MalformedTrailerError },
		{ "nothing", "\r\n", S3_MalformedTrailerError },
		{ "other checksum", "x-amz-checksum-crc32:sOO8/Q==\r\n" TRAILER_SIGNATURE "\r\n\r\n", S3_MalformedTrailerError },
		{ "twice", TRAILER TRAILER TRAILER_SIGNATURE "\r\n\r\n", S3_MalformedTrailerError },
		{ "behind its signature", TRAILER_SIGNATURE "\r\n" TRAILER "\r\n", S3_MalformedTrailerError },
		{ "other value", "x-amz-checksum-crc32c:sOO8/A==\r\n" TRAILER_SIGNATURE "\r\n\r\n", S3_SignatureDoesNotMatch },
		{ "value unreadable", "x-amz-checksum-crc32c:sOO8\r\n" TRAILER_SIGNATURE "\r\n\r\n", S3_InvalidRequest },
		{ "no colon", "x-amz-checksum-crc32c\r\n\r\n", S3_MalformedTrailerError },
		{ "short signature", TRAILER "x-amz-trailer-signature:d8\r\n\r\n", S3_InvalidRequest },
		{ "cut", TRAILER TRAILER_SIGNATURE "\r\n", S3_IncompleteBody },
		{ "more behind", TRAILER TRAILER_SIGNATURE "\r\n\r\nx", S3_InvalidRequest },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(buf_done) struct buf body, out;
		struct signature sig = signature(PAYLOAD_CHUNKS_TRAILER, SEED_TRAILER);

		header("x-amz-decoded-content-length", STR("66560"));
		header("x-amz-trailer", STR("x-amz-checksum-crc32c"));
		example(&body, trailer_signatures, rows[i].tail);
		buf_init(&out, 1u << 20);
		EXPECT_ERR(rows[i].name, decode(&sig, (struct memory){ buf_str(&body), 0 }, 65536, &out), rows[i].code);
	}
	end();
}

/* CRC32 of "hello" is 3610a686: NhCmhg== */
TEST(unsigned_framing)
{
	static const struct { const char *name, *length, *trailer, *body; int code; } rows[] = {
		{ "sound", "5", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", S3_OK },
		{ "no trailer announced, none sent", "5", NULL, "5\r\nhello\r\n0\r\n\r\n", S3_OK },
		{ "two chunks", "5", NULL, "2\r\nhe\r\n03\r\nllo\r\n0\r\n\r\n", S3_OK },
		{ "empty", "0", NULL, "0\r\n\r\n", S3_OK },
		{ "upper-case hex", "10", NULL, "A\r\n0123456789\r\n0\r\n\r\n", S3_OK },
		{ "sixteen digits", "5", NULL, "0000000000000005\r\nhello\r\n0\r\n\r\n", S3_OK },
		{ "seventeen digits", "5", NULL, "00000000000000005\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "huge", "5", NULL, "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "bad checksum", "5", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhA==\r\n\r\n", S3_BadDigest },
		{ "trailer missing", "5", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\n\r\n", S3_MalformedTrailerError },
		{ "trailer not announced", "5", NULL, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
		  S3_MalformedTrailerError },
		{ "trailer signed", "5", "x-amz-checksum-crc32",
		  "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:" SEED "\r\n\r\n",
		  S3_MalformedTrailerError },
		{ "shorter than said", "6", NULL, "5\r\nhello\r\n0\r\n\r\n", S3_IncompleteBody },
		{ "longer than said", "4", NULL, "5\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "longer than said, later", "4", NULL, "4\r\nhell\r\n1\r\no\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "cut in the data", "5", NULL, "5\r\nhel", S3_IncompleteBody },
		{ "cut before the last chunk", "5", NULL, "5\r\nhello\r\n", S3_IncompleteBody },
		{ "cut in the last chunk", "5", NULL, "5\r\nhello\r\n0\r\n", S3_IncompleteBody },
		{ "no size", "5", NULL, "\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "size no number", "5", NULL, "5x\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "extension", "5", NULL, "5;a=b\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "bare line feed", "5", NULL, "5x\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "chunk longer than its size", "5", NULL, "4\r\nhello\r\n1\r\nx\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "bytes behind", "5", NULL, "5\r\nhello\r\n0\r\n\r\n0\r\n", S3_InvalidRequest },
		{ "not chunked at all", "5", NULL, "hello", S3_IncompleteBody },
		{ "no length", NULL, NULL, "5\r\nhello\r\n0\r\n\r\n", S3_MissingContentLength },
		{ "length no number", "five", NULL, "5\r\nhello\r\n0\r\n\r\n", S3_InvalidArgument },
		{ "length beyond any", "18446744073709551615", NULL, "5\r\nhello\r\n0\r\n\r\n", S3_InvalidArgument },
		{ "unknown trailer", "5", "x-amz-checksum-crc8", "5\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(buf_done) struct buf out;
		struct signature sig = signature(PAYLOAD_UNSIGNED_TRAILER, SEED);

		if (rows[i].length != NULL)
			header("x-amz-decoded-content-length", str_c(rows[i].length));
		if (rows[i].trailer != NULL)
			header("x-amz-trailer", str_c(rows[i].trailer));
		for (size_t step = 0; step < 3; step++) {
			buf_init(&out, 1u << 16);
			EXPECT_ERR(rows[i].name, decode(&sig, (struct memory){ str_c(rows[i].body), step }, 3, &out), rows[i].code);
			if (rows[i].code == S3_OK)
				EXPECT_EQ(rows[i].name, out.len, atoll(rows[i].length));
			buf_done(&out);
		}
	}
	end();
}

TEST(signed_framing)
{
	static const struct { const char *name, *body; int code; } rows[] = {
		{ "no signature", "5\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "short signature", "5;chunk-signature=ad80\r\nhello\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "a line without end", "5;chunk-signature=" SEED SEED SEED SEED SEED "\r\nhello\r\n", S3_InvalidRequest },
		{ "another's signature", "5;chunk-signature=" SEED "\r\nhello\r\n0;chunk-signature=" SEED "\r\n\r\n",
		  S3_SignatureDoesNotMatch },
		{ "trailer without its mode", "0;chunk-signature=" SEED "\r\n" TRAILER "\r\n", S3_IncompleteBody },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(buf_done) struct buf out;
		struct signature sig = signature(PAYLOAD_CHUNKS, SEED);

		header("x-amz-decoded-content-length", STR("5"));
		buf_init(&out, 1u << 16);
		EXPECT_ERR(rows[i].name, decode(&sig, (struct memory){ str_c(rows[i].body), 0 }, 100, &out), rows[i].code);
	}
	end();
}

TEST(plain_payloads)
{
	static const uint8_t hello_md5[16] = {
		0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92 };
	static const struct { const char *name, *header, *value, *body; int code; } rows[] = {
		{ "MD5", "content-md5", "XUFAKrxLKna5cZ2REBfFkg==", "hello", S3_OK },
		{ "other MD5", "content-md5", "XUFAKrxLKna5cZ2REBfFkg==", "hellp", S3_BadDigest },
		{ "no MD5", "content-md5", "XUFAKrxL", "hello", S3_InvalidDigest },
		{ "CRC32", "x-amz-checksum-crc32", "NhCmhg==", "hello", S3_OK },
		{ "other CRC32", "x-amz-checksum-crc32", "NhCmhg==", "Hello", S3_BadDigest },
		{ "a trailer without a mode for it", "x-amz-trailer", "x-amz-checksum-crc32", "hello", S3_InvalidRequest },
	};
	AUTO(aws_body_close) struct aws_body *b = NULL;
	struct memory m = { STR("hello"), 2 };
	struct signature sig = signature(PAYLOAD_HASH, SEED);
	struct digest_values v;
	str all;

	digest_once(DIGEST_SHA256, STR("hello"), sig.payload_sha256);
	EXPECT_OK(aws_body_open(&sig, &head, (struct byte_source){ &m, memory_read, UINT64_MAX }, arena, &b));
	EXPECT(aws_body_length(b) == UINT64_MAX);
	aws_body_want(b, DIGEST_BIT(DIGEST_MD5), AWS_BODY_ALONE);
	EXPECT_OK(aws_body_read_all(b, arena, 5, &v, &all));
	EXPECT_STR("all", all, STR("hello"));
	EXPECT_EQ("set", v.set, DIGEST_BIT(DIGEST_MD5) | DIGEST_BIT(DIGEST_SHA256));
	EXPECT(memcmp(v.at[DIGEST_MD5], hello_md5, sizeof(hello_md5)) == 0);

	aws_body_close(&b);
	m = (struct memory){ STR("hellp"), 0 };
	EXPECT_OK(aws_body_open(&sig, &head, (struct byte_source){ &m, memory_read, 5 }, arena, &b));
	EXPECT_ERR("hash", aws_body_read_all(b, arena, 5, &v, &all), S3_XAmzContentSHA256Mismatch);
	aws_body_close(&b);
	m = (struct memory){ STR("hello!"), 0 };
	EXPECT_OK(aws_body_open(&sig, &head, (struct byte_source){ &m, memory_read, UINT64_MAX }, arena, &b));
	EXPECT_ERR("size", aws_body_read_all(b, arena, 5, &v, &all), S3_EntityTooLarge);

	for (size_t i = 0; i < COUNT(rows); i++) {
		AUTO(buf_done) struct buf out;

		sig = signature(PAYLOAD_UNSIGNED, SEED);
		header(rows[i].header, str_c(rows[i].value));
		buf_init(&out, 1u << 16);
		EXPECT_ERR(rows[i].name, decode(&sig, (struct memory){ str_c(rows[i].body), 0 }, 100, &out), rows[i].code);
	}
	aws_body_close(&b);
	end();
}

/* ---- any chunking ---- */

static unsigned seed = 1;

static size_t
below(size_t n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static void
signed_line(struct buf *b, const struct signature *sig, const char *kind, const uint8_t *hash, size_t hashes, char previous[64])
{
	AUTO(buf_done) struct buf text;
	uint8_t mac[32];
	char hex[64];

	buf_init(&text, 1024);
	buf_addf(&text, "%s\n%.16s\n%s\n%.64s", kind, sig->date, SCOPE, previous);
	for (size_t i = 0; i < hashes; i++) {
		hex_encode(str_n(hash + 32 * i, 32), hex);
		buf_addf(&text, "\n%.64s", hex);
	}
	hmac_sha256(str_n(sig->key, 32), buf_str(&text), mac);
	hex_encode(str_n(mac, 32), previous);
	buf_add(b, str_n(previous, 64));
}

/* The bytes in chunks of random sizes, with a checksum behind them. */
static void
encode(struct buf *b, const struct signature *sig, str data, size_t chunk_max)
{
	char previous[64];
	uint8_t crc[8];
	bool is_signed = sig->payload != PAYLOAD_UNSIGNED_TRAILER;
	str line;

	memcpy(previous, sig->seed, 64);
	digest_once(DIGEST_CRC64NVME, data, crc);
	for (;;) {
		str chunk = str_sub(data, 0, 1 + below(chunk_max));
		uint8_t hash[64];

		data = str_skip(data, chunk.len);
		buf_addf(b, "%zx", chunk.len);
		if (is_signed) {
			digest_once(DIGEST_SHA256, STR(""), hash);
			digest_once(DIGEST_SHA256, chunk, hash + 32);
			buf_add_c(b, ";chunk-signature=");
			signed_line(b, sig, "AWS4-HMAC-SHA256-PAYLOAD", hash, 2, previous);
		}
		buf_add_c(b, "\r\n");
		if (chunk.len == 0)
			break;
		buf_add(b, chunk);
		buf_add_c(b, "\r\n");
	}
	line = arena_fmt(arena, "x-amz-checksum-crc64nvme:%.*s\n", STR_FMT(base64_encode(arena, str_n(crc, 8))));
	if (sig->payload != PAYLOAD_CHUNKS)
		buf_addf(b, "%.*s\r\n", (int)line.len - 1, line.p);
	if (sig->payload == PAYLOAD_CHUNKS_TRAILER) {
		uint8_t hash[32];

		digest_once(DIGEST_SHA256, line, hash);
		buf_add_c(b, "x-amz-trailer-signature:");
		signed_line(b, sig, "AWS4-HMAC-SHA256-TRAILER", hash, 1, previous);
		buf_add_c(b, "\r\n");
	}
	buf_add_c(b, "\r\n");
}

static const enum payload_mode chunked_modes[] = { PAYLOAD_CHUNKS, PAYLOAD_CHUNKS_TRAILER, PAYLOAD_UNSIGNED_TRAILER };

static void
random_round(unsigned round)
{
	AUTO(buf_done) struct buf body, out, data;
	struct signature sig = signature(chunked_modes[round % 3], SEED);
	size_t size = below(round % 10 == 0 ? 300000 : 3000), at;

	buf_init(&body, 1u << 23);
	buf_init(&out, 1u << 22);
	buf_init(&data, 1u << 22);
	for (size_t i = 0; i < size; i++)
		buf_add_char(&data, (char)below(256));
	encode(&body, &sig, buf_str(&data), 1 + below(size + 10));
	header("x-amz-decoded-content-length", arena_fmt(arena, "%zu", size));
	if (sig.payload != PAYLOAD_CHUNKS)
		header("x-amz-trailer", STR("x-amz-checksum-crc64nvme"));
	EXPECT_OK(decode(&sig, (struct memory){ buf_str(&body), below(2) * (1 + below(9000)) }, 1 + below(5000), &out));
	EXPECT(str_eq(buf_str(&out), buf_str(&data)));

	/* Whatever single bit is turned, the bytes do not pass for whole. */
	if (size == 0)
		return;
	at = below(body.len);
	body.p[at] ^= (char)(1 << below(8));
	buf_clear(&out);
	if (err_ok(decode(&sig, (struct memory){ buf_str(&body), 0 }, 4096, &out)) && !str_eq(buf_str(&out), buf_str(&data)))
		TEST_FAIL("round %u: bit at %zu of %zu goes unseen", round, at, body.len);
}

TEST(random_chunkings)
{
	for (unsigned round = 0; round < 600; round++) {
		random_round(round);
		arena_reset(arena);
	}
	end();
}

/* Buffers in turn with a helper, as uploads use it; the caller stops at the last byte. */
TEST(with_helpers)
{
	AUTO(aws_body_close) struct aws_body *b = NULL;
	AUTO(buf_done) struct buf body, data;
	struct signature sig = signature(PAYLOAD_CHUNKS_TRAILER, SEED);
	static char buffer[DIGEST_BEHIND + 1][100000];
	uint8_t md5[16];
	struct digest_values v;
	struct memory m;
	size_t n;

	buf_init(&body, 1u << 22);
	buf_init(&data, 1u << 20);
	for (size_t i = 0; i < 400000; i++)
		buf_add_char(&data, (char)below(256));
	encode(&body, &sig, buf_str(&data), 65536);
	header("x-amz-decoded-content-length", STR("400000"));
	header("x-amz-trailer", STR("x-amz-checksum-crc64nvme"));
	m = (struct memory){ buf_str(&body), 16384 };
	REQUIRE(err_ok(aws_body_open(&sig, &head, (struct byte_source){ &m, memory_read, body.len }, arena, &b)));
	aws_body_want(b, DIGEST_BIT(DIGEST_MD5), AWS_BODY_HELP);
	for (size_t i = 0; i < 4; i++) {
		char *to = buffer[i % COUNT(buffer)];

		EXPECT_OK(aws_body_read_full(b, to, 100000, &n));
		EXPECT_EQ("full", n, 100000);
		EXPECT(memcmp(to, data.p + i * 100000, n) == 0);
	}
	EXPECT_OK(aws_body_finish(b, &v));
	digest_once(DIGEST_MD5, buf_str(&data), md5);
	EXPECT(memcmp(md5, v.at[DIGEST_MD5], 16) == 0);
	end();
}
