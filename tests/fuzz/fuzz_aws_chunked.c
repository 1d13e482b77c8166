/*
 * s3/aws_chunked.c: any bytes as a payload. The first three say the mode, the decoded length, and how finely it arrives.
 */
#include "fuzz.h"

#include "base/buf.h"
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_done) struct buf whole, pieces;
	struct arena *arena = fuzz_arena();
	struct signature sig = { .date = "20130524T000000Z", .scope = STR("20130524/us-east-1/s3/aws4_request") };
	str bytes;
	err_v e;

	buf_init(&whole, 1u << 20);
	buf_init(&pieces, 1u << 20);
	if (size < 3)
		return 0;
	sig.payload = (enum payload_mode)(data[0] % 5);
	memset(sig.seed, '0', sizeof(sig.seed));
	head.headers = 0;
	head.header[head.headers++] = (struct http_header){ STR("x-amz-decoded-content-length"), arena_fmt(arena, "%u", data[1]) };
	if (data[0] & 0x80)
		head.header[head.headers++] = (struct http_header){ STR("x-amz-trailer"), STR("x-amz-checksum-crc32") };
	bytes = fuzz_copy(arena, data + 3, size - 3);
	e = decode(&sig, bytes, 0, 65536, arena, &whole);
	CLAIM(decode(&sig, bytes, 1u + data[2] % 32, 1u + data[2] / 32, arena, &pieces).code == e.code);
	if (err_ok(e)) {
		CLAIM(str_eq(buf_str(&whole), buf_str(&pieces)));
		CLAIM(!payload_is_chunked(sig.payload) || whole.len == data[1]);
	}
	return 0;
}
