/*
 * test_digest.c - digests against published values, against plain definitions,
 * and in pieces against whole.
 */
#include "test.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crc_impl.h"
#include "base/digest.h"
#include "base/md5.h"
#include "base/mem.h"
#include "base/text.h"

/* A random sequence that is the same each time. */
static uint64_t
next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static char *
noise(size_t n, uint64_t seed)
{
	char *p = mem_alloc(n + 8);

	for (size_t i = 0; i < n; i += 8)
		memcpy(p + i, &(uint64_t){ next(&seed) }, 8);
	return p;
}

static void
expect_hex(const char *what, enum digest_alg alg, str bytes, const char *want)
{
	uint8_t value[DIGEST_MAX];
	char hex[2 * DIGEST_MAX];

	digest_once(alg, bytes, value);
	hex_encode(str_n(value, digest_len(alg)), hex);
	EXPECT_STR(what, str_n(hex, 2 * digest_len(alg)), str_c(want));
}

TEST(published_values)
{
	static const struct { enum digest_alg alg; const char *text, *hex; } t[] = {
		{ DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
		{ DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72" },
		{ DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ DIGEST_CRC32, "", "00000000" },
		{ DIGEST_CRC32, "123456789", "cbf43926" },
		{ DIGEST_CRC32C, "", "00000000" },
		{ DIGEST_CRC32C, "123456789", "e3069283" },
		{ DIGEST_CRC64NVME, "", "0000000000000000" },
		{ DIGEST_CRC64NVME, "123456789", "ae8b14860a799888" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		expect_hex(t[i].text, t[i].alg, str_c(t[i].text), t[i].hex);
}

/* RFC 4231, test cases 1, 2, 3, 6. */
TEST(hmac)
{
	char key[131], data[50], hex[64];
	uint8_t mac[32];
	const struct { str key, data; const char *hex; } t[] = {
		{ str_n(key, 0), str_n(data, 0), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
		{ str_c("Jefe"), str_c("what do ya want for nothing?"),
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ str_n(key, 20), str_n(data, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ str_n(key, 131), str_c("Test Using Larger Than Block-Size Key - Hash Key First"),
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	};

	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	for (size_t i = 0; i < COUNT(t); i++) {
		hmac_sha256(t[i].key, t[i].data, mac);
		hex_encode(str_n(mac, 32), hex);
		EXPECT_STR("hmac", str_n(hex, 64), str_c(t[i].hex));
	}
}

/* The definition of a reflected CRC, bit by bit. */
static uint64_t
crc_slow(uint64_t seed, str bytes, uint64_t poly, uint64_t mask)
{
	uint64_t c = ~seed & mask;

	for (size_t i = 0; i < bytes.len; i++) {
		c ^= (uint8_t)bytes.p[i];
		for (int bit = 0; bit < 8; bit++)
			c = (c >> 1) ^ (poly & -(c & 1));
	}
	return ~c & mask;
}

/* Every length around the borders of the fast paths, at every alignment. */
TEST(crc_by_definition)
{
	char *p = noise(8192, 1);
	uint64_t seed = 7;

	for (size_t len = 0; len < 2600; len += len < 300 ? 1 : 37) {
		str s = str_n(p + len % 17, len);
		uint64_t from = next(&seed), slow = crc_slow(from, s, CRC64NVME_POLY, UINT64_MAX);

		EXPECT_EQ("crc64nvme", crc64nvme(from, s), slow);
		for (int way = 0; way < 3; way++) {
			uint64_t c = from;

			if (crc64nvme_way(way, &c, s) == 0)
				EXPECT_EQ("one way of crc64nvme", c, slow);
		}
		EXPECT_EQ("crc32", crc32((uint32_t)from, s), crc_slow((uint32_t)from, s, CRC32_POLY, UINT32_MAX));
		EXPECT_EQ("crc32c", crc32c((uint32_t)from, s), crc_slow((uint32_t)from, s, CRC32C_POLY, UINT32_MAX));
	}
	free(p);
}

TEST(crc_combine)
{
	char *p = noise(100000, 3);
	uint64_t seed = 5;

	for (int round = 0; round < 300; round++) {
		size_t a = next(&seed) % 50000, b = round % 3 ? next(&seed) % 50000 : (size_t)round / 3;
		str s = str_n(p, a + b), x = str_n(p, a), y = str_n(p + a, b);

		EXPECT_EQ("crc32", crc32_combine(crc32(0, x), crc32(0, y), b), crc32(0, s));
		EXPECT_EQ("crc32c", crc32c_combine(crc32c(0, x), crc32c(0, y), b), crc32c(0, s));
		EXPECT_EQ("crc64nvme", crc64nvme_combine(crc64nvme(0, x), crc64nvme(0, y), b), crc64nvme(0, s));
	}
	free(p);
}

/* Longer than anyone can hash here: joining must be associative, with the same length twice in between. */
TEST(crc_combine_long)
{
	const uint64_t n = UINT64_C(5) << 40;
	uint64_t a = 0x123456789abcdef0, b = 0xfedcba9876543210, c = 0x0f1e2d3c4b5a6978;
	uint64_t left = crc64nvme_combine(crc64nvme_combine(a, b, n), c, n + 1);
	uint64_t right = crc64nvme_combine(a, crc64nvme_combine(b, c, n + 1), n + n + 1);
	uint32_t left32 = crc32_combine(crc32_combine(1, 2, n), 3, n + 1);
	uint32_t right32 = crc32_combine(1, crc32_combine(2, 3, n + 1), n + n + 1);

	EXPECT_EQ("crc64nvme", left, right);
	EXPECT_EQ("crc32", left32, right32);
}

static const unsigned all = (1u << DIGEST_COUNT) - 1;

/* Random pieces; the buffers take turns and are overwritten as soon as the contract allows. */
static void
stream_once(uint64_t seed, bool help, size_t piece_max)
{
	size_t total = 1 + next(&seed) % 3000000, done = 0;
	char *p = noise(total, seed), *buf[DIGEST_BEHIND + 1];
	struct digests *d = digests_new(all);
	uint8_t got[DIGEST_MAX], want[DIGEST_MAX];

	for (size_t i = 0; i < COUNT(buf); i++)
		buf[i] = mem_alloc(piece_max);
	if (help)
		digests_help(d);
	for (size_t turn = 0; done < total; turn = (turn + 1) % COUNT(buf)) {
		size_t n = next(&seed) % piece_max;

		n = n < total - done ? n : total - done;
		memcpy(buf[turn], p + done, n);
		digests_add(d, str_n(buf[turn], n));
		memset(buf[(turn + 1) % COUNT(buf)], 0, piece_max);
		done += n;
	}
	for (unsigned alg = 0; alg < DIGEST_COUNT; alg++) {
		digests_get(d, alg, got);
		digest_once(alg, str_n(p, total), want);
		EXPECT_STR("stream", str_n(got, digest_len(alg)), str_n(want, digest_len(alg)));
	}
	digests_free(&d);
	EXPECT(d == NULL);
	for (size_t i = 0; i < COUNT(buf); i++)
		free(buf[i]);
	free(p);
}

TEST(stream_in_pieces)
{
	for (uint64_t i = 1; i < 6; i++) {
		stream_once(i, false, 3000);
		stream_once(i, false, 200000);
	}
}

static void *
stream_thread(void *arg)
{
	for (uint64_t i = 1; i < 6; i++)
		stream_once(i * 100 + (uint64_t)(uintptr_t)arg, true, 250000);
	return NULL;
}

/* More streams than helpers: some pieces go to helpers, some are taken back, some never handed over. */
TEST(stream_with_helpers)
{
	pthread_t t[6];

	for (size_t i = 0; i < COUNT(t); i++)
		REQUIRE(pthread_create(&t[i], NULL, stream_thread, (void *)(uintptr_t)(i + 1)) == 0);
	for (size_t i = 0; i < COUNT(t); i++)
		pthread_join(t[i], NULL);
}

/* Streams hashed side by side, of lengths that differ and may end within a block, are what each is alone. */
static void
md5_together(void)
{
	enum { ROUNDS = 5, MOST = 4096 };
	char *p = noise(MD5_LANES * ROUNDS * MOST, 11);
	uint64_t chance = 12;

	for (unsigned n = 0; n <= MD5_LANES; n++) {
		struct { MD5_CTX md5; char *begin; size_t len; } s[MD5_LANES];
		MD5_CTX *md5[MD5_LANES];
		str bytes[MD5_LANES];
		uint8_t got[16], want[16];

		for (unsigned i = 0; i < n; i++) {
			md5_init(md5[i] = &s[i].md5);
			s[i].begin = p + i * ROUNDS * MOST;
			s[i].len = 0;
		}
		for (unsigned round = 0; round < ROUNDS; round++) {
			for (unsigned i = 0; i < n; i++) {
				/* Whole blocks at first, so that the lanes are used. */
				size_t len = next(&chance) % MOST & ~(round < ROUNDS / 2 ? (size_t)63 : 0);

				bytes[i] = str_n(s[i].begin + s[i].len, len);
				s[i].len += len;
			}
			md5_add_many(md5, bytes, n);
		}
		for (unsigned i = 0; i < n; i++) {
			md5_end(&s[i].md5, got);
			MD5((uint8_t *)s[i].begin, s[i].len, want);
			EXPECT_STR("md5", str_n(got, 16), str_n(want, 16));
		}
	}
	free(p);
}

/* The best way is the last, and stays. */
TEST(md5_each_way)
{
	for (int way = MD5_PLAIN; way <= MD5_AVX512; way++)
		if (md5_way((enum md5_way)way))
			md5_together();
}

TEST(empty_set_and_unread_stream)
{
	struct digests *none = digests_new(0), *unread = digests_new(all);
	char *p = noise(1 << 20, 9);
	uint8_t md5[16], want[16];

	digests_help(none);
	digests_add(none, str_n(p, 1 << 20));
	digests_free(&none);
	digests_help(unread);
	digests_add(unread, str_n(p, 1 << 20));
	/* One algorithm ends, the others go on. */
	digests_get(unread, DIGEST_MD5, md5);
	digest_once(DIGEST_MD5, str_n(p, 1 << 20), want);
	EXPECT_STR("md5", str_n(md5, 16), str_n(want, 16));
	digests_add(unread, str_n(p, 1 << 20));
	digests_free(&unread);
	free(p);
}
