/*
 * crc64.c - CRC64-NVME, which ISA-L lacks.
 *
 * The bytes are a polynomial over GF(2), the first byte highest. "Folding"
 * replaces a 128-bit block by its product with x^D, D bits further on, where it
 * is added to the block that stands there; the remainder modulo the CRC's
 * polynomial stays the same. What is left at the end (16 bytes) goes through
 * the tables. A product of two reflected numbers comes out one bit low, which
 * is why the constants are x^(D+63) and x^(D-1) rather than x^(D+64) and x^D.
 *
 * Three ways, chosen at start by what the processor can: tables (1.4 GB/s),
 * 8 x 128 bits (12 GB/s), 4 x 512 bits (44 GB/s).
 */
#include <endian.h>
#include <string.h>

#include "base/crc_impl.h"
#include "base/digest.h"
#include "base/panic.h"

#define TOP (UINT64_C(1) << 63)

typedef uint64_t crc64_f(uint64_t crc, const uint8_t *p, size_t n);

static uint64_t table[8][256];
static crc64_f *crc64_best;

/* Slice-by-8. crc: the register, not inverted. */
static uint64_t
crc64_table(uint64_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		crc ^= le64toh(v);
		crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^
		      table[4][crc >> 24 & 0xff] ^ table[3][crc >> 32 & 0xff] ^ table[2][crc >> 40 & 0xff] ^
		      table[1][crc >> 48 & 0xff] ^ table[0][crc >> 56];
	}
	for (; n > 0; p++, n--)
		crc = table[0][(crc ^ *p) & 0xff] ^ crc >> 8;
	return crc;
}

static void
tables_make(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = (c >> 1) ^ (CRC64NVME_POLY & -(c & 1));
		table[0][i] = c;
	}
	for (unsigned t = 1; t < 8; t++)
		for (unsigned i = 0; i < 256; i++)
			table[t][i] = table[0][table[t - 1][i] & 0xff] ^ table[t - 1][i] >> 8;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Low half: for the first 8 bytes of a block; high half: for the second. */
struct fold { uint64_t low, high; };
static struct fold fold_128, fold_1024, fold_2048;

static struct fold
fold_make(uint64_t distance)
{
	return (struct fold){ crc_x_pow(distance + 63, CRC64NVME_POLY, TOP),
		crc_x_pow(distance - 1, CRC64NVME_POLY, TOP) };
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i
fold_add(__m128i x, __m128i k, __m128i next)
{
	return _mm_xor_si128(next,
	    _mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)));
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i
load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

__attribute__((target("pclmul,sse4.1"))) static uint64_t
crc64_pclmul(uint64_t crc, const uint8_t *p, size_t n)
{
	__m128i x[8], k;
	uint8_t left[16];

	if (n < 256)
		return crc64_table(crc, p, n);
	for (int i = 0; i < 8; i++)
		x[i] = load(p + 16 * i);
	x[0] = _mm_xor_si128(x[0], _mm_set_epi64x(0, (long long)crc));
	p += 128;
	n -= 128;
	k = _mm_set_epi64x((long long)fold_1024.high, (long long)fold_1024.low);
	for (; n >= 128; p += 128, n -= 128)
		for (int i = 0; i < 8; i++)
			x[i] = fold_add(x[i], k, load(p + 16 * i));
	k = _mm_set_epi64x((long long)fold_128.high, (long long)fold_128.low);
	for (int i = 1; i < 8; i++)
		x[0] = fold_add(x[0], k, x[i]);
	for (; n >= 16; p += 16, n -= 16)
		x[0] = fold_add(x[0], k, load(p));
	_mm_storeu_si128((__m128i *)(void *)left, x[0]);
	return crc64_table(crc64_table(0, left, sizeof(left)), p, n);
}

/* What is left after folding stands for all that came before it: it goes through the narrower way. */
__attribute__((target("avx512f,vpclmulqdq,pclmul"))) static uint64_t
crc64_vpclmul(uint64_t crc, const uint8_t *p, size_t n)
{
	uint8_t left[256];
	__m512i x[4], k;

	if (n < 1024)
		return crc64_pclmul(crc, p, n);
	for (int i = 0; i < 4; i++)
		x[i] = _mm512_loadu_si512(p + 64 * i);
	x[0] = _mm512_xor_si512(x[0], _mm512_zextsi128_si512(_mm_set_epi64x(0, (long long)crc)));
	p += 256;
	n -= 256;
	k = _mm512_broadcast_i32x4(_mm_set_epi64x((long long)fold_2048.high, (long long)fold_2048.low));
	for (; n >= 256; p += 256, n -= 256)
		for (int i = 0; i < 4; i++)
			x[i] = _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x[i], k, 0x00),
			    _mm512_clmulepi64_epi128(x[i], k, 0x11), _mm512_loadu_si512(p + 64 * i), 0x96);
	for (int i = 0; i < 4; i++)
		_mm512_storeu_si512(left + 64 * i, x[i]);
	return crc64_pclmul(crc64_pclmul(0, left, sizeof(left)), p, n);
}

static crc64_f *
choose(void)
{
	fold_128 = fold_make(128);
	fold_1024 = fold_make(1024);
	fold_2048 = fold_make(2048);
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1"))
		return crc64_table;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq"))
		return crc64_vpclmul;
	return crc64_pclmul;
}
#else
static crc64_f *
choose(void)
{
	return crc64_table;
}
#endif

/* Before main: no call has to ask whether the tables are there. */
__attribute__((constructor)) static void
crc64_start(void)
{
	tables_make();
	crc64_best = choose();
}

uint64_t
crc64nvme(uint64_t seed, str bytes)
{
	assert(crc64_best != NULL);
	return ~crc64_best(~seed, (const uint8_t *)bytes.p, bytes.len);
}

int
crc64nvme_way(int way, uint64_t *crc, str bytes)
{
	crc64_f *f = crc64_table;

#if defined(__x86_64__)
	if (way == 1 && crc64_best != crc64_table)
		f = crc64_pclmul;
	else if (way == 2 && crc64_best == crc64_vpclmul)
		f = crc64_vpclmul;
	else
#endif
	if (way != 0)
		return -1;
	*crc = ~f(~*crc, (const uint8_t *)bytes.p, bytes.len);
	return 0;
}
