/*
 * arena.c - memory of one request.
 *
 * A list of blocks, newest first; the last in the list is the first block, which
 * outlives resets. With ARENA_MALLOC every piece is a block of its own.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/panic.h"
#include "base/private.h"

#ifdef ARENA_MALLOC
#define PIECEWISE true
#else
#define PIECEWISE false
#endif

struct block {
	struct block *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *top;	/* pieces are cut from this one */
	struct block *first;	/* kept over resets */
	size_t total, max;	/* bytes in blocks, and the limit */
	bool private;
};

static struct block *
block_init(struct block *b, size_t size, struct block *next)
{
	b->next = next;
	b->size = size;
	b->used = 0;
	return b;
}

static struct block *
block_new(size_t size, struct block *next)
{
	return block_init(mem_grow(NULL, sizeof(struct block) + size), size, next);
}

static struct arena *
arena_with(struct block *first, size_t max)
{
	struct arena *a = MEM_NEW(struct arena);

	assert(first->size > 0 && first->size <= max);
	a->first = a->top = first;
	a->total = first->size;
	a->max = max;
	return a;
}

struct arena *
arena_new(size_t first, size_t max)
{
	return arena_with(block_new(first, NULL), max);
}

struct arena *
arena_new_private(size_t first, size_t max)
{
	struct arena *a = arena_with(block_init(private_alloc(sizeof(struct block) + first), first, NULL), max);

	a->private = true;
	return a;
}

void
arena_free(struct arena **ap)
{
	struct arena *a = *ap;

	if (a == NULL)
		return;
	arena_reset(a);
	if (a->private)
		private_free(a->first, sizeof(struct block) + a->first->size);
	else
		free(a->first);
	free(a);
	*ap = NULL;
}

void
arena_reset(struct arena *a)
{
	while (a->top != a->first) {
		struct block *b = a->top;

		a->top = b->next;
		if (a->private)
			explicit_bzero(b->bytes, b->used);
		free(b);
	}
	a->first->used = 0;
	a->total = a->first->size;
}

void *
arena_room(struct arena *a, size_t n)
{
	size_t need, size;
	void *p;

	assert(n > 0);
	if (n > a->max)
		return NULL;
	need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (PIECEWISE || need > a->top->size - a->top->used) {
		size = PIECEWISE ? n : need > a->first->size ? need : a->first->size;
		if (size > a->max - a->total)
			return NULL;
		a->top = block_new(size, a->top);
		a->total += size;
	}
	if (PIECEWISE)
		need = n;
	p = a->top->bytes + a->top->used;
	a->top->used += need;
	return p;
}

static void *
must(struct arena *a, size_t n)
{
	void *p = arena_room(a, n);

	if (p == NULL)
		PANIC("arena: %zu bytes more than its limit of %zu", n, a->max);
	return p;
}

void *
arena_try(struct arena *a, size_t n)
{
	void *p = arena_room(a, n);

	return p != NULL ? memset(p, 0, n) : NULL;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	return memset(must(a, n), 0, n);
}

size_t
arena_mul(size_t a, size_t b)
{
	size_t n;

	if (__builtin_mul_overflow(a, b, &n))
		PANIC("arena: %zu times %zu", a, b);
	return n;
}

str
arena_str(struct arena *a, str s)
{
	char *p = must(a, s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return str_n(p, s.len);
}

str
arena_lower(struct arena *a, str s)
{
	char *p = must(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + ('a' - 'A') : s.p[i]);
	p[s.len] = '\0';
	return str_n(p, s.len);
}

str
arena_join(struct arena *a, const str *s, size_t n)
{
	size_t len = 0, at = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		len += s[i].len;
	p = must(a, len + 1);
	for (size_t i = 0; i < n; at += s[i++].len)
		if (s[i].len > 0)
			memcpy(p + at, s[i].p, s[i].len);
	p[len] = '\0';
	return str_n(p, len);
}

str
arena_fmt(struct arena *a, const char *fmt, ...)
{
	char small[256], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n < sizeof(small))
		return arena_str(a, str_n(small, (size_t)n));
	p = must(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return str_n(p, (size_t)n);
}
