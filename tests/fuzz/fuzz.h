/*
 * fuzz.h - what the targets share: an arena for each input, and a check that also counts in release builds.
 *
 * A target must return 0 for every input. What it finds is a crash, a report of a sanitizer, or a CLAIM that does not hold.
 */
#pragma once

#include "base/arena.h"
#include "base/panic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLAIM(cond) assert(cond)

/* Empty again for each input. Never freed: it lives as long as the target. */
static inline struct arena *
fuzz_arena(void)
{
	static struct arena *arena;

	if (arena == NULL)
		arena = arena_new(1u << 16, 1u << 26);
	arena_reset(arena);
	return arena;
}

/* A copy of exactly that size on the heap, so that the address sanitizer sees a read beyond it. */
static inline str
fuzz_copy(struct arena *arena, const uint8_t *data, size_t size)
{
	char *p = arena_alloc(arena, size > 0 ? size : 1);

	if (size > 0)
		memcpy(p, data, size);
	return str_n(p, size);
}
