/*
 * mem.h - malloc that does not fail.
 *
 * For what is counted and capped elsewhere; a failure here is a panic. Sizes
 * that a request chooses go through buf or arena, which have limits.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

void *mem_alloc(size_t n);			/* zeroed; n > 0 */
void *mem_alloc_aligned(size_t align, size_t n);	/* not zeroed; free() it */
void *mem_grow(void *p, size_t n);		/* realloc */
/* For one more than n items, each of so many bytes: p, or where it is now with about twice the room. */
void *mem_more(void *p, size_t n, size_t *room, size_t item);
char *mem_strdup(const char *);
#define MEM_NEW(T) ((T *)mem_alloc(sizeof(T)))

/* free(*p) and *p = NULL, for AUTO(). */
void mem_free_p(void *p);

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
