/* What clients declare of their bytes, and the checksums and ETags of multipart objects. */
#include "test.h"

#include "base/arena.h"
#include "base/digest.h"
#include "base/text.h"
#include "s3/checksum.h"

/* A head with these headers: "name: value" lines. */
static struct http_head *
head_of(struct arena *a, const char *lines)
{
	struct http_head *h = ARENA_NEW(a, struct http_head);
	str rest = str_c(lines);

	while (rest.p != NULL && rest.len > 0) {
		str line = str_take_until(&rest, '\n');
		str name = str_take_until(&line, ':');

		h->header[h->headers++] = (struct http_header){ name, str_trim(line) };
	}
	return h;
}

TEST(declared)
{
	static const struct { const char *head; int code; bool named, trailer, md5; } cases[] = {
		{ "", 0, false, false, false },
		{ "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", 0, false, false, true },
		{ "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=", S3_InvalidDigest, false, false, false },
		{ "Content-MD5: AAAA", S3_InvalidDigest, false, false, false },
		{ "x-amz-checksum-crc32: AAAAAA==", 0, true, false, false },
		{ "X-AMZ-Checksum-CRC64NVME: AAAAAAAAAAA=", 0, true, false, false },
		{ "x-amz-checksum-crc32: AAAA", S3_InvalidRequest, false, false, false },
		{ "x-amz-checksum-crc32: AAAAAA==\nx-amz-checksum-crc32c: AAAAAA==", S3_InvalidRequest, false, false, false },
		{ "x-amz-checksum-type: FULL_OBJECT", 0, false, false, false },
		{ "x-amz-trailer: x-amz-checksum-sha256", 0, true, true, false },
		{ "x-amz-trailer: x-amz-checksum-crc17", S3_InvalidRequest, false, false, false },
		{ "x-amz-trailer: x-amz-checksum-crc32\nx-amz-checksum-crc32: AAAAAA==", S3_InvalidRequest, false, false, false },
		{ "x-amz-sdk-checksum-algorithm: CRC32", S3_InvalidRequest, false, false, false },
		{ "x-amz-sdk-checksum-algorithm: CRC32\nx-amz-trailer: x-amz-checksum-crc32", 0, true, true, false },
		{ "x-amz-sdk-checksum-algorithm: CRC32C\nx-amz-trailer: x-amz-checksum-crc32", S3_InvalidRequest, false, false, false },
		{ "x-amz-sdk-checksum-algorithm: CRC17\nx-amz-checksum-crc32: AAAAAA==", S3_InvalidRequest, false, false, false },
	};
	struct arena *a = arena_new(4096, 1 << 20);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct checksum_want w = { 0 };

		EXPECT_ERR(cases[i].head, checksum_want_read(head_of(a, cases[i].head), &w), cases[i].code);
		EXPECT_EQ(cases[i].head, w.named, cases[i].named);
		EXPECT_EQ(cases[i].head, w.in_trailer, cases[i].trailer);
		EXPECT_EQ(cases[i].head, w.has_md5, cases[i].md5);
	}
	arena_free(&a);
}

TEST(verified)
{
	struct arena *a = arena_new(4096, 1 << 20);
	uint8_t got[DIGEST_COUNT][DIGEST_MAX] = { 0 };
	struct checksum_want w = { 0 };

	/* "123456789": the check value of every CRC catalogue. */
	digest_once(DIGEST_CRC32C, STR("123456789"), got[DIGEST_CRC32C]);
	digest_once(DIGEST_MD5, STR("123456789"), got[DIGEST_MD5]);
	EXPECT_OK(checksum_want_read(head_of(a, "x-amz-checksum-crc32c: 4waSgw==\nContent-MD5: JfnnlDI7RTiF9RgfG2JNCw=="), &w));
	EXPECT_EQ("set", checksum_want_set(&w), DIGEST_BIT(DIGEST_MD5) | DIGEST_BIT(DIGEST_CRC32C));
	EXPECT_OK(checksum_want_verify(&w, got));
	got[DIGEST_CRC32C][3] ^= 1;
	EXPECT_ERR("crc", checksum_want_verify(&w, got), S3_BadDigest);
	got[DIGEST_CRC32C][3] ^= 1;
	got[DIGEST_MD5][15] ^= 1;
	EXPECT_ERR("md5", checksum_want_verify(&w, got), S3_BadDigest);

	EXPECT_OK(checksum_want_read(head_of(a, "x-amz-trailer: x-amz-checksum-crc32c"), &w));
	EXPECT_ERR("missing", checksum_want_trailer(&w, STR_NONE), S3_MalformedTrailerError);
	EXPECT_ERR("bad", checksum_want_trailer(&w, STR("AAAA")), S3_InvalidRequest);
	EXPECT_OK(checksum_want_trailer(&w, STR("4waSgw==")));
	EXPECT_OK(checksum_want_verify(&w, got));
	arena_free(&a);
}

TEST(upload_types)
{
	static const struct { const char *head; int code; bool set; int alg, type; } cases[] = {
		{ "", 0, false, DIGEST_CRC64NVME, CHECKSUM_FULL_OBJECT },
		{ "x-amz-checksum-algorithm: CRC32", 0, true, DIGEST_CRC32, CHECKSUM_COMPOSITE },
		{ "x-amz-checksum-algorithm: CRC32\nx-amz-checksum-type: FULL_OBJECT", 0, true, DIGEST_CRC32, CHECKSUM_FULL_OBJECT },
		{ "x-amz-checksum-algorithm: CRC64NVME", 0, true, DIGEST_CRC64NVME, CHECKSUM_FULL_OBJECT },
		{ "x-amz-checksum-algorithm: CRC64NVME\nx-amz-checksum-type: COMPOSITE", S3_InvalidRequest, false, 0, 0 },
		{ "x-amz-checksum-algorithm: SHA256\nx-amz-checksum-type: FULL_OBJECT", S3_InvalidRequest, false, 0, 0 },
		{ "x-amz-checksum-algorithm: SHA256", 0, true, DIGEST_SHA256, CHECKSUM_COMPOSITE },
		{ "x-amz-checksum-type: COMPOSITE", S3_InvalidRequest, false, 0, 0 },
		{ "x-amz-checksum-algorithm: MD4", S3_InvalidRequest, false, 0, 0 },
	};
	struct arena *a = arena_new(4096, 1 << 20);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool set = false;
		enum digest_alg alg = DIGEST_MD5;
		enum checksum_type type = CHECKSUM_FULL_OBJECT;

		EXPECT_ERR(cases[i].head, checksum_upload_read(head_of(a, cases[i].head), &set, &alg, &type), cases[i].code);
		EXPECT_EQ(cases[i].head, set, cases[i].set);
		EXPECT_EQ(cases[i].head, alg, cases[i].alg);
		EXPECT_EQ(cases[i].head, type, cases[i].type);
	}
	arena_free(&a);
}

/* Any cut of a text into parts gives the full-object checksum of the text. */
TEST(full_object_of_any_cut)
{
	static const enum digest_alg algs[] = { DIGEST_CRC32, DIGEST_CRC32C, DIGEST_CRC64NVME };
	static char text[5000];
	uint64_t seed = 42;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(seed = seed * 6364136223846793005u + 1, seed >> 56);
	for (int round = 0; round < 50; round++) {
		struct part parts[8] = { 0 };
		unsigned n = 0;
		size_t at = 0;

		while (at < sizeof(text)) {
			size_t len = n == 7 ? sizeof(text) - at : (seed = seed * 6364136223846793005u + 1, (size_t)(seed >> 40) % 1500);

			parts[n++].size = len < sizeof(text) - at ? len : sizeof(text) - at;
			at += parts[n - 1].size;
		}
		for (size_t k = 0; k < sizeof(algs) / sizeof(algs[0]); k++) {
			struct checksum whole;
			uint8_t want[DIGEST_MAX] = { 0 };

			at = 0;
			for (unsigned i = 0; i < n; i++) {
				uint8_t v[DIGEST_MAX] = { 0 };

				digest_once(algs[k], str_n(text + at, parts[i].size), v);
				parts[i].checksum = checksum_of(algs[k], CHECKSUM_FULL_OBJECT, v);
				at += parts[i].size;
			}
			digest_once(algs[k], str_n(text, sizeof(text)), want);
			checksum_of_parts(algs[k], CHECKSUM_FULL_OBJECT, parts, n, &whole);
			EXPECT(whole.set);
			EXPECT(memcmp(whole.value, want, digest_len(algs[k])) == 0);
		}
	}
}

TEST(composites)
{
	struct arena *a = arena_new(4096, 1 << 20);
	struct part parts[2] = { 0 };
	struct checksum c;
	uint8_t v[DIGEST_MAX], both[64], want[DIGEST_MAX];
	str text;

	digest_once(DIGEST_SHA256, STR("a"), v);
	memcpy(both, v, 32);
	parts[0].checksum = checksum_of(DIGEST_SHA256, CHECKSUM_FULL_OBJECT, v);
	digest_once(DIGEST_SHA256, STR("b"), v);
	memcpy(both + 32, v, 32);
	parts[1].checksum = checksum_of(DIGEST_SHA256, CHECKSUM_FULL_OBJECT, v);
	digest_once(DIGEST_SHA256, str_n(both, 64), want);
	checksum_of_parts(DIGEST_SHA256, CHECKSUM_COMPOSITE, parts, 2, &c);
	EXPECT(c.set && memcmp(c.value, want, 32) == 0);
	text = checksum_text(a, &c, 2);
	EXPECT(str_ends(text, STR("-2")));
	EXPECT(checksum_text_parse(DIGEST_SHA256, text, 2, v));
	EXPECT(!checksum_text_parse(DIGEST_SHA256, text, 3, v));
	parts[1].checksum.set = false;
	checksum_of_parts(DIGEST_SHA256, CHECKSUM_COMPOSITE, parts, 2, &c);
	EXPECT(!c.set);

	digest_once(DIGEST_MD5, STR("a"), parts[0].md5);
	digest_once(DIGEST_MD5, STR("b"), parts[1].md5);
	EXPECT_STR("etag", etag_of_parts(a, parts, 2), STR("96e024ba2074fe77e8e965ba43a704be-2"));
	arena_free(&a);
}
