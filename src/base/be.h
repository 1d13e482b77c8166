/* be.h - numbers as big-endian bytes: so written, they sort as numbers do. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The lowest n bytes of v; n <= 8. */
static inline void
be_put(void *ret, uint64_t v, size_t n)
{
	uint8_t *p = ret;

	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static inline uint64_t
be_get(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}
