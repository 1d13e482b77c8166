/*
 * digest.c - digests of streams and of single strings.
 *
 * OpenSSL 3 looks algorithms up by name at each use unless they are fetched
 * once, and a context costs more than a short digest: so the algorithms are
 * fetched at the first use, and each thread keeps one context for one-shot
 * digests. For SHA-256, of which each signature takes three, even that costs too much:
 * there it is the older interface, which OpenSSL 3 calls deprecated.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/digest.h"

#include <pthread.h>
#include <string.h>

#include "base/be.h"
#include "base/digest_impl.h"
#include "base/mem.h"
#include "base/panic.h"

/* An algorithm that fails in the middle is a broken build of the library: nothing a caller could do. */
#define EVP_OK(x)                                  \
	do {                                       \
		if ((x) != 1)                      \
			PANIC("%s fails", #x);     \
	} while (0)

static const struct {
	size_t len;
	const char *name;
} algs[DIGEST_COUNT] = {
	[DIGEST_MD5] = { 16, NULL },
	[DIGEST_SHA1] = { 20, "SHA1" },
	[DIGEST_SHA256] = { 32, "SHA256" },
	[DIGEST_CRC32] = { 4, NULL },
	[DIGEST_CRC32C] = { 4, NULL },
	[DIGEST_CRC64NVME] = { 8, NULL },
};

static EVP_MD *md[DIGEST_EVP_COUNT];
static pthread_once_t md_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;

static void
scratch_free(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void
md_fetch(void)
{
	for (unsigned i = DIGEST_SHA1; i < DIGEST_EVP_COUNT; i++) {
		md[i] = EVP_MD_fetch(NULL, algs[i].name, NULL);
		if (md[i] == NULL)
			PANIC("OpenSSL has no %s", algs[i].name);
		assert((size_t)EVP_MD_get_size(md[i]) == algs[i].len);
	}
	if (pthread_key_create(&scratch_key, scratch_free) != 0)
		PANIC("pthread_key_create");
}

/* This thread's context for one-shot digests. */
static EVP_MD_CTX *
scratch(void)
{
	static _Thread_local EVP_MD_CTX *ctx;

	if (ctx == NULL) {
		pthread_once(&md_once, md_fetch);
		ctx = EVP_MD_CTX_new();
		if (ctx == NULL || pthread_setspecific(scratch_key, ctx) != 0)
			PANIC("no digest context");
	}
	return ctx;
}

size_t
digest_len(enum digest_alg alg)
{
	assert(alg < DIGEST_COUNT);
	return algs[alg].len;
}

struct digests *
digests_new(unsigned set)
{
	struct digests *d = MEM_NEW(struct digests);

	assert(set >> DIGEST_COUNT == 0);
	pthread_once(&md_once, md_fetch);
	d->magic = DIGESTS_MAGIC;
	d->set = set;
	cond_init(&d->done);
	md5_init(&d->md5);
	for (unsigned i = DIGEST_SHA1; i < DIGEST_EVP_COUNT; i++) {
		if ((set & DIGEST_BIT(i)) == 0)
			continue;
		d->evp[i] = EVP_MD_CTX_new();
		if (d->evp[i] == NULL)
			PANIC("no digest context");
		EVP_OK(EVP_DigestInit_ex2(d->evp[i], md[i], NULL));
	}
	return d;
}

void
digests_free(struct digests **dp)
{
	struct digests *d = *dp;

	if (d == NULL)
		return;
	CHECK_OBJ(d, DIGESTS_MAGIC);
	digests_drain(d);
	if (d->help)
		digest_help_leave();
	for (unsigned i = 0; i < DIGEST_EVP_COUNT; i++)
		EVP_MD_CTX_free(d->evp[i]);
	cond_done(&d->done);
	d->magic = 0;
	free(d);
	*dp = NULL;
}

#define SLICE 65536u

static bool
wants(const struct digests *d, enum digest_alg alg)
{
	return (d->set & ~d->ended & DIGEST_BIT(alg)) != 0;
}

static void
step_crc(struct digests *d, str bytes)
{
	if (wants(d, DIGEST_CRC32))
		d->crc32 = crc32(d->crc32, bytes);
	if (wants(d, DIGEST_CRC32C))
		d->crc32c = crc32c(d->crc32c, bytes);
	if (wants(d, DIGEST_CRC64NVME))
		d->crc64 = crc64nvme(d->crc64, bytes);
}

static void
step_sha(struct digests *d, str bytes)
{
	for (unsigned i = DIGEST_SHA1; i < DIGEST_EVP_COUNT; i++)
		if (wants(d, i))
			EVP_OK(EVP_DigestUpdate(d->evp[i], bytes.p, bytes.len));
}

/* Of each piece the slice at that place. false: there is none. */
static bool
step_slice(struct digests *const d[], unsigned n, size_t at)
{
	MD5_CTX *md5[MD5_LANES] = { NULL };
	str bytes[MD5_LANES] = { STR_NONE };
	unsigned lanes = 0;
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		str slice = str_sub(d[i]->piece[0], at, SLICE);

		if (slice.len == 0)
			continue;
		any = true;
		step_sha(d[i], slice);
		if (!wants(d[i], DIGEST_MD5))
			continue;
		md5[lanes] = &d[i]->md5;
		bytes[lanes++] = slice;
	}
	md5_add_many(md5, bytes, lanes);
	return any;
}

/* In slices, so that one digest finds in the processor's cache what another has read. */
void
digests_step_many(struct digests *const d[], unsigned n)
{
	for (size_t at = 0; step_slice(d, n, at); at += SLICE)
		;
}

/* Below this a hand-over costs more than it saves: waking a thread takes some 5 us, MD5 of this 50. */
#define HELP_MIN 32768u
#define HELP_WORTH (DIGEST_BIT(DIGEST_MD5) | DIGEST_BIT(DIGEST_SHA1) | DIGEST_BIT(DIGEST_SHA256))

/* CRCs run at the speed of memory: they are done at once, while the bytes are in the cache of who has received them. */
void
digests_add(struct digests *d, str bytes)
{
	CHECK_OBJ(d, DIGESTS_MAGIC);
	step_crc(d, bytes);
	if ((d->set & ~d->ended & HELP_WORTH) == 0)
		return;
	if (d->help && bytes.len >= HELP_MIN) {
		digest_help_give(d, bytes);
		return;
	}
	digests_drain(d);
	if (wants(d, DIGEST_MD5))
		md5_add(&d->md5, bytes);
	step_sha(d, bytes);
}

void
digests_help(struct digests *d)
{
	CHECK_OBJ(d, DIGESTS_MAGIC);
	if (!d->help)
		digest_help_join();
	d->help = true;
}

void
digests_drain(struct digests *d)
{
	CHECK_OBJ(d, DIGESTS_MAGIC);
	if (d->help)
		digest_help_wait(d, 0);
}

void
digests_get(struct digests *d, enum digest_alg alg, void *ret)
{
	CHECK_OBJ(d, DIGESTS_MAGIC);
	assert(alg < DIGEST_COUNT);
	assert(d->set & ~d->ended & DIGEST_BIT(alg));
	digests_drain(d);
	d->ended |= DIGEST_BIT(alg);
	switch (alg) {
	case DIGEST_MD5:
		md5_end(&d->md5, ret);
		break;
	case DIGEST_SHA1:
	case DIGEST_SHA256:
		EVP_OK(EVP_DigestFinal_ex(d->evp[alg], ret, NULL));
		break;
	case DIGEST_CRC32:
		be_put(ret, d->crc32, 4);
		break;
	case DIGEST_CRC32C:
		be_put(ret, d->crc32c, 4);
		break;
	case DIGEST_CRC64NVME:
		be_put(ret, d->crc64, 8);
		break;
	case DIGEST_COUNT:
		PANIC("not an algorithm");
	}
}

static void
evp_once(enum digest_alg alg, str bytes, void *ret)
{
	EVP_MD_CTX *ctx = scratch();

	assert(alg < DIGEST_EVP_COUNT);
	EVP_OK(EVP_DigestInit_ex2(ctx, md[alg], NULL));
	EVP_OK(EVP_DigestUpdate(ctx, bytes.p, bytes.len));
	EVP_OK(EVP_DigestFinal_ex(ctx, ret, NULL));
}

/* The digest of a|b. */
static void
sha256_two(str a, str b, void *ret)
{
	SHA256_CTX ctx;

	EVP_OK(SHA256_Init(&ctx));
	EVP_OK(SHA256_Update(&ctx, a.p, a.len));
	EVP_OK(SHA256_Update(&ctx, b.p, b.len));
	EVP_OK(SHA256_Final(ret, &ctx));
	explicit_bzero(&ctx, sizeof(ctx));	/* a may be a key */
}

void
digest_once(enum digest_alg alg, str bytes, void *ret)
{
	MD5_CTX md5;

	switch (alg) {
	case DIGEST_MD5:
		md5_init(&md5);
		md5_add(&md5, bytes);
		md5_end(&md5, ret);
		break;
	case DIGEST_SHA1:
		evp_once(alg, bytes, ret);
		break;
	case DIGEST_SHA256:
		sha256_two(bytes, STR_NONE, ret);
		break;
	case DIGEST_CRC32:
		be_put(ret, crc32(0, bytes), 4);
		break;
	case DIGEST_CRC32C:
		be_put(ret, crc32c(0, bytes), 4);
		break;
	case DIGEST_CRC64NVME:
		be_put(ret, crc64nvme(0, bytes), 8);
		break;
	case DIGEST_COUNT:
		PANIC("not an algorithm");
	}
}

/* RFC 2104: H(key ^ outer | H(key ^ inner | bytes)). */
void
hmac_sha256(str key, str bytes, uint8_t ret[32])
{
	uint8_t block[64] = { 0 }, inner[32];

	if (key.len > sizeof(block))
		sha256_two(key, STR_NONE, block);
	else if (key.len > 0)
		memcpy(block, key.p, key.len);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	sha256_two(str_n(block, sizeof(block)), bytes, inner);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	sha256_two(str_n(block, sizeof(block)), str_n(inner, sizeof(inner)), ret);
	explicit_bzero(block, sizeof(block));
	explicit_bzero(inner, sizeof(inner));
}
