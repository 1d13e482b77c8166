/*
 * chance.h - the same random numbers in each run, for models.
 */
#pragma once

#include <stdint.h>

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static inline unsigned
below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}
