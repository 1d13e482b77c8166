/*
 * str.h - a borrowed run of bytes, passed by value.
 *
 * A str never owns and is not NUL-ended. NUL-ended strings exist only where
 * libc is called. Input is taken apart with these functions and with the
 * cursors below, never with pointer arithmetic at the call site.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	const char *p;
	size_t len;
} str;

#define STR(lit) ((str){ "" lit "", sizeof(lit) - 1 })
#define STR_NONE ((str){ NULL, 0 })
#define STR_FMT(s) (int)(s).len, (s).p ? (s).p : ""	/* for "%.*s" */

static inline str str_n(const void *p, size_t len) { return (str){ p, len }; }
static inline str str_c(const char *c) { return (str){ c, c ? strlen(c) : 0 }; }
static inline bool str_empty(str s) { return s.len == 0; }

static inline bool
str_eq(str a, str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* memcmp order, shorter first on a tie: the order of the index. */
int str_cmp(str a, str b);
/* ASCII letters compare without case: header names and the like. */
bool str_same_nocase(const char *a, const char *b, size_t len);
static inline bool str_eq_nocase(str a, str b) { return a.len == b.len && str_same_nocase(a.p, b.p, a.len); }
bool str_starts(str s, str prefix);
bool str_starts_nocase(str s, str prefix);
bool str_ends(str s, str suffix);

/* Without the first n bytes (all of it gone if n is larger). */
static inline str
str_skip(str s, size_t n)
{
	if (n > s.len)
		n = s.len;
	return n == 0 ? s : (str){ s.p + n, s.len - n };	/* s.p may be NULL */
}

/* Bytes [from, from + len), clipped to s. */
static inline str
str_sub(str s, size_t from, size_t len)
{
	s = str_skip(s, from);
	return (str){ s.p, len < s.len ? len : s.len };
}

/* Without spaces and tabs at both ends. */
str str_trim(str s);
/* Index of the first c, or -1. */
ptrdiff_t str_find(str s, char c);
/* Index of the first "needle", or -1. */
ptrdiff_t str_find_str(str s, str needle);

/*
 * Cut *rest at the first c: what stood before it is returned, *rest keeps what
 * came after. Without a c all of *rest is returned, and *rest is empty with
 * p == NULL, which tells "no more" from "an empty last field".
 */
str str_take_until(str *rest, char c);

/* A whole decimal number, digits only, no sign, no overflow: else false. */
bool str_u64(str s, uint64_t *ret);

/* Is it well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool str_is_utf8(str s);

/* Time depends on the lengths only: for secrets and signatures. */
bool str_eq_secret(str a, str b);
