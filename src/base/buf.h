/*
 * buf.h - a growing, owned run of bytes with a limit given at the start.
 *
 * Overflow of the limit is sticky: appends after it change nothing, and one
 * check of buf_overflow() at the end covers a whole chain of appends.
 */
#pragma once

#include <stdarg.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
	char *p;
	size_t len;
	size_t cap;
	size_t max;		/* never grows beyond this */
	bool overflow;
};

/* max: bytes, more than 0. Nothing is allocated yet. */
void buf_init(struct buf *, size_t max);
/* Frees the bytes; the buf may be used again as if just initialised. */
void buf_done(struct buf *);
/* Forget the content, keep the memory. */
void buf_clear(struct buf *);

void buf_add(struct buf *, str);
void buf_add_char(struct buf *, char);
void buf_add_c(struct buf *, const char *);
void buf_add_u64(struct buf *, uint64_t);
void buf_addf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *, const char *fmt, va_list) __attribute__((format(printf, 2, 0)));
/* Room for n more bytes to be written by the caller, or NULL on overflow; then buf_added(). */
char *buf_room(struct buf *, size_t n);
void buf_added(struct buf *, size_t n);

static inline str buf_str(const struct buf *b) { return (str){ b->p, b->len }; }
static inline bool buf_overflow(const struct buf *b) { return b->overflow; }
