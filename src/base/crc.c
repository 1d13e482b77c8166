/*
 * crc.c - CRC32 and CRC32C by ISA-L, and the joining of CRCs.
 *
 * All three CRCs start with all ones and end inverted, so that CRC(A|B) is
 * CRC(A) * x^(8 * length of B) + CRC(B) modulo the polynomial, whatever A and B.
 */
#include <limits.h>
#include <isa-l/crc.h>

#include "base/crc_impl.h"
#include "base/digest.h"
#include "base/panic.h"

#define TOP32 (UINT64_C(1) << 31)
#define TOP64 (UINT64_C(1) << 63)

uint32_t
crc32(uint32_t seed, str bytes)
{
	/* The same convention as zlib: inverted inside. */
	return crc32_gzip_refl(seed, (unsigned char *)bytes.p, bytes.len);
}

uint32_t
crc32c(uint32_t seed, str bytes)
{
	uint32_t crc = ~seed;

	/* The length is an int, and nothing is inverted inside. */
	while (bytes.len > 0) {
		size_t n = bytes.len < (1u << 30) ? bytes.len : (1u << 30);

		static_assert((1u << 30) <= INT_MAX, "the length of a step is an int");
		crc = crc32_iscsi((unsigned char *)bytes.p, (int)n, crc);
		bytes = str_skip(bytes, n);
	}
	return ~crc;
}

/* a * b modulo the polynomial. */
static uint64_t
crc_mul(uint64_t a, uint64_t b, uint64_t poly, uint64_t top)
{
	uint64_t product = 0;

	assert(top == TOP32 || top == TOP64);
	for (uint64_t bit = top; a != 0; bit >>= 1) {
		if (a & bit) {
			product ^= b;
			a ^= bit;
		}
		b = (b >> 1) ^ (poly & -(b & 1));
	}
	return product;
}

uint64_t
crc_x_pow(uint64_t n, uint64_t poly, uint64_t top)
{
	uint64_t result = top, square = top >> 1;

	for (; n != 0; n >>= 1) {
		if (n & 1)
			result = crc_mul(result, square, poly, top);
		square = crc_mul(square, square, poly, top);
	}
	return result;
}

/* One of the three, and the last x^(8 * len) that this thread needed: parts of one object are mostly of one size. */
struct joiner {
	uint64_t poly, top;
	uint64_t len, factor;
};

static uint64_t
join(struct joiner *j, uint64_t a, uint64_t b, uint64_t len_b)
{
	if (len_b != j->len || j->factor == 0) {
		/* (x^len)^8: 8 * len could overflow. */
		uint64_t f = crc_x_pow(len_b, j->poly, j->top);

		for (int i = 0; i < 3; i++)
			f = crc_mul(f, f, j->poly, j->top);
		j->len = len_b;
		j->factor = f;
	}
	return crc_mul(j->factor, a, j->poly, j->top) ^ b;
}

uint32_t
crc32_combine(uint32_t a, uint32_t b, uint64_t len_b)
{
	static _Thread_local struct joiner j = { .poly = CRC32_POLY, .top = TOP32 };

	return (uint32_t)join(&j, a, b, len_b);
}

uint32_t
crc32c_combine(uint32_t a, uint32_t b, uint64_t len_b)
{
	static _Thread_local struct joiner j = { .poly = CRC32C_POLY, .top = TOP32 };

	return (uint32_t)join(&j, a, b, len_b);
}

uint64_t
crc64nvme_combine(uint64_t a, uint64_t b, uint64_t len_b)
{
	static _Thread_local struct joiner j = { .poly = CRC64NVME_POLY, .top = TOP64 };

	return join(&j, a, b, len_b);
}
