/*
 * text.h - bytes as letters: numbers, hex, base64, URL-encoding, JSON strings.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* In decimal, somewhere in room. */
#define U64_DIGITS 20
str u64_text(uint64_t, char room[U64_DIGITS]);

/* ret: 2 * s.len bytes, lower case, no NUL. */
void hex_encode(str s, char *ret);
/* 0 to 15, or -1. */
int hex_value(char);
/* ret: s.len / 2 bytes. false unless all of s is hex digits, in pairs. */
bool hex_decode(str s, void *ret);
str hex_str(struct arena *, str s);

/* Standard alphabet with padding (RFC 4648 section 4). */
str base64_encode(struct arena *, str s);
/* false on anything but whole, padded base64 of at most max bytes. ret: max bytes. */
bool base64_decode(str s, void *ret, size_t max, size_t *ret_len);

/* A JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void json_quote(struct buf *, str s);

/*
 * Percent-encoding as SigV4 and S3's encoding-type=url want it: unreserved
 * characters (A-Z a-z 0-9 - . _ ~) stay, every other byte becomes %XX in upper
 * case; URL_KEEP_SLASH leaves "/" as it is.
 */
enum url_slash { URL_ENCODE_SLASH, URL_KEEP_SLASH };
void url_encode(struct buf *, str s, enum url_slash);

/* One of those that stay. Every byte of every request is asked. */
static inline bool
url_unreserved(char c)
{
	static const bool stays[256] = {
		['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['-'] = true, ['.'] = true, ['_'] = true, ['~'] = true,
	};

	return stays[(unsigned char)c];
}

/* Into the arena, or s itself if there is nothing to decode; false on a broken %XX. plus: '+' means a space (query strings, form data). */
enum url_plus { URL_PLUS_IS_PLUS, URL_PLUS_IS_SPACE };
bool url_decode(struct arena *, str s, enum url_plus, str *ret);
