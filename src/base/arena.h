/*
 * arena.h - memory that lives as long as one request.
 *
 * A bump allocator in blocks, with a limit given at the start. Everything is
 * given back at once by arena_reset(). It never returns NULL: a request that
 * needs more than its limit is refused earlier, by the limits on its parts, so
 * running over is a bug of ours and a panic. Where the size follows from
 * input, use arena_try() and answer an error.
 * Built with -Darena_malloc=true each piece is a malloc of its own, so that
 * the address sanitizer sees every overrun.
 */
#pragma once

#include <stdarg.h>

#include "base/str.h"

struct arena;

/* first: bytes kept over resets. max: bytes in all. */
struct arena *arena_new(size_t first, size_t max);
/* For what may hold secrets (base/private.h): the first block is left out of core files, others are wiped when they are given back. */
struct arena *arena_new_private(size_t first, size_t max);
void arena_free(struct arena **);
/* All pieces are gone; keeps the first block. */
void arena_reset(struct arena *);

/* Zeroed, aligned for any type, n > 0. */
void *arena_alloc(struct arena *, size_t n);
/* The same, or NULL when the limit would be passed. */
void *arena_try(struct arena *, size_t n);
/* The same, not zeroed: for what is written over at once. */
void *arena_room(struct arena *, size_t n);
#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), arena_mul(sizeof(T), (n))))
/* a * b, or a panic on overflow. */
size_t arena_mul(size_t a, size_t b);

/* A copy of s in the arena (also NUL-ended behind its last byte). */
str arena_str(struct arena *, str s);
/* The same with ASCII letters in lower case. */
str arena_lower(struct arena *, str s);
/* All of them, one behind the other. */
str arena_join(struct arena *, const str *, size_t n);
/* printf into the arena. */
str arena_fmt(struct arena *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
