/*
 * str.c - borrowed strings: comparing, cutting, reading numbers and UTF-8.
 */
#include "base/str.h"

#include <openssl/crypto.h>
#include <strings.h>

int
str_cmp(str a, str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

static unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool
str_same_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool
str_starts(str s, str prefix)
{
	return s.len >= prefix.len && str_eq(str_sub(s, 0, prefix.len), prefix);
}

bool
str_starts_nocase(str s, str prefix)
{
	return s.len >= prefix.len && str_eq_nocase(str_sub(s, 0, prefix.len), prefix);
}

bool
str_ends(str s, str suffix)
{
	return s.len >= suffix.len && str_eq(str_skip(s, s.len - suffix.len), suffix);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

str
str_trim(str s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

ptrdiff_t
str_find(str s, char c)
{
	const char *at = s.len ? memchr(s.p, c, s.len) : NULL;

	return at == NULL ? -1 : at - s.p;
}

ptrdiff_t
str_find_str(str s, str needle)
{
	const char *at;

	if (needle.len == 0)
		return 0;
	at = s.len ? memmem(s.p, s.len, needle.p, needle.len) : NULL;
	return at == NULL ? -1 : at - s.p;
}

str
str_take_until(str *rest, char c)
{
	ptrdiff_t at = str_find(*rest, c);
	str head = *rest;

	if (at < 0) {
		*rest = STR_NONE;
		return head;
	}
	head.len = (size_t)at;
	*rest = str_n(rest->p + at + 1, rest->len - (size_t)at - 1);
	return head;
}

bool
str_u64(str s, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s.p[i] - '0'), &n))
			return false;
	}
	*ret = n;
	return true;
}

/* Length of the sequence that a first byte begins, and the smallest code point it may encode; 0: not a first byte. */
static size_t
utf8_length(unsigned char c, uint32_t *ret_min)
{
	if (c < 0x80) {
		*ret_min = 0;
		return 1;
	}
	if (c >= 0xC2 && c <= 0xDF) {
		*ret_min = 0x80;
		return 2;
	}
	if ((c & 0xF0) == 0xE0) {
		*ret_min = 0x800;
		return 3;
	}
	if (c >= 0xF0 && c <= 0xF4) {
		*ret_min = 0x10000;
		return 4;
	}
	return 0;
}

bool
str_is_utf8(str s)
{
	static const unsigned char first_mask[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };

	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.p[i];
		uint32_t min, point;
		size_t n = utf8_length(c, &min);

		if (n == 0 || n > s.len - i)
			return false;
		point = c & first_mask[n];
		for (size_t k = 1; k < n; k++) {
			c = (unsigned char)s.p[i + k];
			if ((c & 0xC0) != 0x80)
				return false;
			point = point << 6 | (c & 0x3F);
		}
		if (point < min || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
			return false;
		i += n;
	}
	return true;
}

bool
str_eq_secret(str a, str b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.p, b.p, a.len) == 0);
}
