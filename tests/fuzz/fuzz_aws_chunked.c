/*
 * s3/aws_chunked.c: any bytes as a payload. The first three say the mode, the decoded length, and how finely it arrives.
 *
 * Or (a bit of the first) any bytes as a content, framed and signed here as a client does, with one byte of the stream turned: no
 * fuzzer finds a signature. Claims: how finely a stream arrives makes no difference; what was signed is decoded; whatever was turned,
 * nothing but what was signed is ever accepted.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/text.h"
#include "s3/aws_chunked.h"

struct memory {
	str bytes;
	size_t step;
};

static struct http_head head;

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

static err
decode(const struct signature *sig, str bytes, size_t step, size_t piece, struct arena *arena, struct buf *out)
{
	AUTO(aws_body_close) struct aws_body *b = NULL;
	struct memory m = { bytes, step };
	struct digest_values v;
	size_t n = 1;

	TRY(aws_body_open(sig, &head, (struct byte_source){ &m, memory_read, bytes.len }, arena, &b));
	while (n > 0) {
		char *p = buf_room(out, piece);

		CLAIM(p != NULL);
		TRY(aws_body_read(b, p, piece, &n));
		CLAIM(n <= piece);
		buf_added(out, n);
	}
	return aws_body_finish(b, &v);
}

/* ---- any bytes as a stream ---- */

static void
set_head(struct arena *arena, size_t length, bool trailer)
{
	head.headers = 0;
	head.header[head.headers++] = (struct http_header){ STR("x-amz-decoded-content-length"), arena_fmt(arena, "%zu", length) };
	if (trailer)
		head.header[head.headers++] = (struct http_header){ STR("x-amz-trailer"), STR("x-amz-checksum-crc32") };
}

static void
as_stream(struct signature *sig, const uint8_t *data, size_t size, struct arena *arena)
{
	AUTO(buf_done) struct buf whole, pieces;
	str bytes = fuzz_copy(arena, data + 3, size - 3);
	err_v e;

	buf_init(&whole, 1u << 20);
	buf_init(&pieces, 1u << 20);
	sig->payload = (enum payload_mode)(data[0] % 5);
	set_head(arena, data[1], data[0] & 0x80);
	e = decode(sig, bytes, 0, 65536, arena, &whole);
	CLAIM(decode(sig, bytes, 1u + data[2] % 32, 1u + data[2] / 32, arena, &pieces).code == e.code);
	if (err_ok(e)) {
		CLAIM(str_eq(buf_str(&whole), buf_str(&pieces)));
		CLAIM(!payload_is_chunked(sig->payload) || whole.len == data[1]);
	}
}

/* ---- any bytes as a content ---- */

/* Sign what follows on the previous signature, which is replaced. */
static void
sign(const struct signature *sig, const char *kind, const uint8_t *hashes, unsigned n, struct arena *arena, char previous[64])
{
	str text = arena_fmt(arena, "%s\n%.16s\n%.*s\n%.64s", kind, sig->date, STR_FMT(sig->scope), previous);
	uint8_t mac[32];

	for (unsigned i = 0; i < n; i++) {
		str lines[] = { text, STR("\n"), hex_str(arena, str_n(hashes + 32 * i, 32)) };

		text = arena_join(arena, lines, 3);
	}
	hmac_sha256(str_n(sig->key, 32), text, mac);
	hex_encode(str_n(mac, 32), previous);
}

static void
add_chunk(const struct signature *sig, str bytes, struct arena *arena, char previous[64], struct buf *b)
{
	uint8_t hashes[64];

	digest_once(DIGEST_SHA256, STR(""), hashes);
	digest_once(DIGEST_SHA256, bytes, hashes + 32);
	sign(sig, "AWS4-HMAC-SHA256-PAYLOAD", hashes, 2, arena, previous);
	buf_addf(b, "%zx;chunk-signature=%.64s\r\n", bytes.len, previous);
	if (bytes.len == 0)
		return;
	buf_add(b, bytes);
	buf_add(b, STR("\r\n"));
}

static void
add_trailer(const struct signature *sig, str content, struct arena *arena, char previous[64], struct buf *b)
{
	uint8_t hash[32];
	str line;

	digest_once(DIGEST_CRC32, content, hash);
	line = arena_fmt(arena, "x-amz-checksum-crc32:%.8s\n", base64_encode(arena, str_n(hash, 4)).p);
	digest_once(DIGEST_SHA256, line, hash);
	sign(sig, "AWS4-HMAC-SHA256-TRAILER", hash, 1, arena, previous);
	buf_add(b, line);
	buf_addf(b, "x-amz-trailer-signature:%.64s\r\n", previous);
}

/* data: mode; length of a chunk; which byte is turned (two); by what, 0: none. The content follows. */
static void
as_content(struct signature *sig, const uint8_t *data, size_t size, struct arena *arena)
{
	AUTO(buf_done) struct buf stream, out;
	str content = fuzz_copy(arena, data + 5, size - 5);
	size_t step = 1u + data[1];
	char previous[64];
	err_v e;

	buf_init(&stream, 1u << 24);
	buf_init(&out, 1u << 20);
	sig->payload = data[0] & 1 ? PAYLOAD_CHUNKS_TRAILER : PAYLOAD_CHUNKS;
	set_head(arena, content.len, data[0] & 1);
	memcpy(previous, sig->seed, sizeof(previous));
	for (str rest = content; rest.len > 0; rest = str_skip(rest, rest.len < step ? rest.len : step))
		add_chunk(sig, str_sub(rest, 0, rest.len < step ? rest.len : step), arena, previous, &stream);
	add_chunk(sig, STR(""), arena, previous, &stream);
	if (data[0] & 1)
		add_trailer(sig, content, arena, previous, &stream);
	buf_add(&stream, STR("\r\n"));
	CLAIM(!buf_overflow(&stream));
	stream.p[(data[2] * 256u + data[3]) % stream.len] ^= (char)data[4];
	e = decode(sig, buf_str(&stream), 0, 1u + data[3], arena, &out);
	CLAIM(err_ok(e) ? str_eq(buf_str(&out), content) : data[4] != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct signature sig = { .date = "20130524T000000Z", .scope = STR("20130524/us-east-1/s3/aws4_request") };

	memset(sig.seed, '0', sizeof(sig.seed));
	if (size >= 5 && data[0] & 0x40)
		as_content(&sig, data, size < 5000 ? size : 5000, arena);
	else if (size >= 3)
		as_stream(&sig, data, size, arena);
	return 0;
}
