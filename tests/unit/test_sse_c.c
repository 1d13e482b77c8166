/* SSE-C blocks: any range equals the slice of the plain text, and nothing altered opens. */
#include "test.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "base/digest.h"
#include "s3/sse_c.h"

static uint64_t seed = 20261124;

static uint64_t
random_below(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % n;
}

static void
key_make(struct sse_key *k, struct sse_c *sse, uint8_t fill)
{
	static uint8_t room[8][SSE_KEY_LEN];		/* by fill */

	*k = (struct sse_key){ .on = true, .key = room[fill] };
	memset(k->key, fill, SSE_KEY_LEN);
	digest_once(DIGEST_MD5, str_n(k->key, SSE_KEY_LEN), k->md5);
	sse_c_new(k, sse);
}

/* All of it sealed, block by block. */
static uint8_t *
seal_all(struct sse_cipher *c, const char *plain, uint64_t size)
{
	uint8_t *stored = malloc(sse_stored_size(size) + 1);

	for (uint64_t b = 0; b * SSE_C_BLOCK < size; b++)
		sse_seal(c, b, str_sub(str_n(plain, size), b * SSE_C_BLOCK, SSE_C_BLOCK),
		    stored + b * (SSE_C_BLOCK + SSE_C_TAG));
	return stored;
}

static void
open_range(struct sse_cipher *c, const uint8_t *stored, const char *plain, uint64_t size, uint64_t off, uint64_t len)
{
	static uint8_t block[SSE_C_BLOCK];
	struct sse_span s = sse_span(size, off, len);
	uint64_t at = s.off, number = s.block, done = 0;
	uint32_t skip = s.skip;

	EXPECT(s.off + s.len <= sse_stored_size(size));
	while (at < s.off + s.len) {
		uint64_t n = s.off + s.len - at, part;

		n = n < SSE_C_BLOCK + SSE_C_TAG ? n : SSE_C_BLOCK + SSE_C_TAG;
		EXPECT_OK(sse_open(c, number, str_n(stored + at, n), block));
		part = n - SSE_C_TAG - skip;
		part = part < len - done ? part : len - done;
		EXPECT(memcmp(block + skip, plain + off + done, part) == 0);
		done += part;
		at += n;
		number++;
		skip = 0;
	}
	EXPECT_EQ("bytes", done, len);
}

TEST(any_range_is_the_slice)
{
	static const uint64_t sizes[] = { 1, 15, 16, 65535, 65536, 65537, 131072, 200000, 1000000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t size = sizes[i];
		struct sse_key key;
		struct sse_c sse;
		char *plain = malloc(size);
		struct sse_cipher *seal, *open;
		uint8_t *stored;

		RAND_bytes((uint8_t *)plain, (int)size);
		key_make(&key, &sse, 7);
		seal = sse_cipher_new(&key, &sse, SSE_SEAL);
		open = sse_cipher_new(&key, &sse, SSE_OPEN);
		stored = seal_all(seal, plain, size);
		open_range(open, stored, plain, size, 0, size);
		for (int n = 0; n < 100; n++) {
			uint64_t off = random_below(size);

			open_range(open, stored, plain, size, off, 1 + random_below(size - off));
		}
		sse_cipher_free(&seal);
		sse_cipher_free(&open);
		free(stored);
		free(plain);
	}
}

TEST(a_range_costs_its_blocks)
{
	struct sse_span s = sse_span(10 * SSE_C_BLOCK, 3 * SSE_C_BLOCK - 1, 2);

	EXPECT_EQ("block", s.block, 2);
	EXPECT_EQ("skip", s.skip, SSE_C_BLOCK - 1);
	EXPECT_EQ("two blocks", s.len, 2 * (SSE_C_BLOCK + SSE_C_TAG));
	EXPECT_EQ("stored size of nothing", sse_stored_size(0), 0);
	EXPECT_EQ("stored size of a block", sse_stored_size(SSE_C_BLOCK), SSE_C_BLOCK + SSE_C_TAG);
	EXPECT_EQ("stored size of 5 TiB fits", sse_stored_size(5ull << 40), (5ull << 40) + (5ull << 24) * SSE_C_TAG);
}

TEST(what_was_altered_does_not_open)
{
	struct sse_key key, other;
	struct sse_c sse, sse2;
	uint8_t stored[100 + SSE_C_TAG], plain[100] = { 1, 2, 3 }, back[100];
	struct sse_cipher *seal, *open, *wrong;

	key_make(&key, &sse, 1);
	key_make(&other, &sse2, 2);
	seal = sse_cipher_new(&key, &sse, SSE_SEAL);
	open = sse_cipher_new(&key, &sse, SSE_OPEN);
	wrong = sse_cipher_new(&key, &sse2, SSE_OPEN);
	sse_seal(seal, 5, str_n(plain, sizeof(plain)), stored);
	EXPECT(memcmp(stored, plain, sizeof(plain)) != 0);
	EXPECT_OK(sse_open(open, 5, str_n(stored, sizeof(stored)), back));
	EXPECT(memcmp(back, plain, sizeof(plain)) == 0);
	EXPECT_ERR("another block's place", sse_open(open, 4, str_n(stored, sizeof(stored)), back), ERR_DAMAGED.code);
	EXPECT_ERR("another salt", sse_open(wrong, 5, str_n(stored, sizeof(stored)), back), ERR_DAMAGED.code);
	EXPECT_ERR("cut", sse_open(open, 5, str_n(stored, sizeof(stored) - 1), back), ERR_DAMAGED.code);
	EXPECT_ERR("only a tag", sse_open(open, 5, str_n(stored, SSE_C_TAG), back), ERR_DAMAGED.code);
	for (size_t i = 0; i < sizeof(stored); i++) {
		stored[i] ^= 1;
		EXPECT_ERR("a bit", sse_open(open, 5, str_n(stored, sizeof(stored)), back), ERR_DAMAGED.code);
		stored[i] ^= 1;
	}
	sse_cipher_free(&seal);
	sse_cipher_free(&open);
	sse_cipher_free(&wrong);
}

TEST(keys_are_recognised)
{
	struct sse_key key, other, none = { 0 };
	struct sse_c sse, sse2, plain = { 0 };
	const uint8_t *bytes;

	key_make(&key, &sse, 1);
	key_make(&other, &sse2, 2);
	EXPECT(memcmp(sse.salt, sse2.salt, sizeof(sse.salt)) != 0);
	EXPECT_OK(sse_c_check(&key, &sse));
	EXPECT_OK(sse_c_check(&none, &plain));
	EXPECT_ERR("another key", sse_c_check(&other, &sse), S3_AccessDenied);
	EXPECT_ERR("no key", sse_c_check(&none, &sse), S3_InvalidRequest);
	EXPECT_ERR("a key too many", sse_c_check(&key, &plain), S3_InvalidRequest);
	bytes = key.key;
	sse_key_wipe(&key);
	EXPECT(!key.on && bytes[0] == 0 && bytes[SSE_KEY_LEN - 1] == 0);
}
