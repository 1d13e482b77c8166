/*
 * mem.c - malloc that does not fail.
 */
#include "base/mem.h"

#include <string.h>

#include "base/panic.h"

static void *
must(void *p, size_t n)
{
	if (p == NULL)
		PANIC("out of memory: %zu bytes", n);
	return p;
}

void *
mem_alloc(size_t n)
{
	assert(n > 0);
	return must(calloc(1, n), n);
}

void *
mem_alloc_aligned(size_t align, size_t n)
{
	void *p = NULL;

	assert(n > 0);
	if (posix_memalign(&p, align, n) != 0)
		p = NULL;
	return must(p, n);
}

void *
mem_grow(void *p, size_t n)
{
	assert(n > 0);
	return must(realloc(p, n), n);
}

void *
mem_more(void *p, size_t n, size_t *room, size_t item)
{
	size_t bytes;

	assert(n <= *room);
	if (n < *room)
		return p;
	*room = 2 * *room + 16;
	if (__builtin_mul_overflow(*room, item, &bytes))
		PANIC("%zu items of %zu bytes", *room, item);
	return mem_grow(p, bytes);
}

char *
mem_strdup(const char *s)
{
	return must(strdup(s), strlen(s) + 1);
}

void
mem_free_p(void *p)
{
	void **slot = p;

	free(*slot);
	*slot = NULL;
}
