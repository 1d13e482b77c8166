/*
 * buf.c - growing bytes with a limit.
 *
 * Invariant: len <= cap <= max, and once overflow is set nothing changes until
 * buf_clear() or buf_done().
 */
#include "base/buf.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

void
buf_init(struct buf *b, size_t max)
{
	assert(max > 0);
	*b = (struct buf){ .max = max };
}

void
buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t want, cap;

	assert(b->max > 0);
	if (b->overflow || n > b->max - b->len) {
		b->overflow = true;
		return NULL;
	}
	want = b->len + n;
	if (want > b->cap) {
		cap = b->cap < 128 ? 256 : b->cap * 2;
		if (cap < want)
			cap = want;
		if (cap > b->max)
			cap = b->max;
		b->p = mem_grow(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->len;
}

void
buf_added(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->len);
	b->len += n;
}

void
buf_add(struct buf *b, str s)
{
	char *to;

	if (s.len == 0)
		return;
	to = buf_room(b, s.len);
	if (to == NULL)
		return;
	memcpy(to, s.p, s.len);
	buf_added(b, s.len);
}

void
buf_add_char(struct buf *b, char c)
{
	buf_add(b, str_n(&c, 1));
}

void
buf_add_c(struct buf *b, const char *c)
{
	buf_add(b, str_c(c));
}

void
buf_add_u64(struct buf *b, uint64_t n)
{
	char digits[U64_DIGITS];

	buf_add(b, u64_text(n, digits));
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(b, fmt, ap);
	va_end(ap);
}

void
buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	AUTO(mem_free_p) char *large = NULL;
	char small[512];
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	assert(n >= 0);
	if ((size_t)n >= sizeof(small)) {	/* not in place: vsnprintf() wants room for its NUL, the limit may not have it */
		large = mem_grow(NULL, (size_t)n + 1);
		vsnprintf(large, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	buf_add(b, str_n(large != NULL ? large : small, (size_t)n));
}
