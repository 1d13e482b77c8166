/*
 * text.c - numbers, hex, base64, URL-encoding, JSON strings.
 */
#include "base/text.h"

#include "base/panic.h"

static const char lower_digits[] = "0123456789abcdef";
static const char upper_digits[] = "0123456789ABCDEF";
static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

str
u64_text(uint64_t n, char room[U64_DIGITS])
{
	size_t at = U64_DIGITS;

	do {
		room[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return str_n(room + at, U64_DIGITS - at);
}

int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void
hex_encode(str s, char *ret)
{
	for (size_t i = 0; i < s.len; i++) {
		ret[2 * i] = lower_digits[(unsigned char)s.p[i] >> 4];
		ret[2 * i + 1] = lower_digits[s.p[i] & 15];
	}
}

bool
hex_decode(str s, void *ret)
{
	unsigned char *to = ret;

	if (s.len % 2 != 0)
		return false;
	for (size_t i = 0; i < s.len; i += 2) {
		int high = hex_value(s.p[i]), low = hex_value(s.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i / 2] = (unsigned char)(high << 4 | low);
	}
	return true;
}

str
hex_str(struct arena *a, str s)
{
	char *p = arena_alloc(a, 2 * s.len + 1);

	hex_encode(s, p);
	return str_n(p, 2 * s.len);
}

str
base64_encode(struct arena *a, str s)
{
	size_t len = (s.len + 2) / 3 * 4, at = 0;
	char *p = arena_alloc(a, len + 1);

	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			p[at++] = k <= n ? base64_letters[v >> (18 - 6 * k) & 63] : '=';
	}
	assert(at == len);
	return str_n(p, len);
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
base64_decode(str s, void *ret, size_t max, size_t *ret_len)
{
	unsigned char *to = ret;
	size_t len, pad = 0, at = 0;

	if (s.len % 4 != 0)
		return false;
	while (pad < 2 && pad < s.len && s.p[s.len - 1 - pad] == '=')
		pad++;
	len = s.len / 4 * 3 - pad;
	if (len > max)
		return false;
	for (size_t i = 0; i < s.len; i += 4) {
		size_t n = i + 4 == s.len ? 4 - pad : 4;	/* letters that are not padding */
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = k < n ? base64_value(s.p[i + k]) : 0;

			if (d < 0)
				return false;
			v = v << 6 | (uint32_t)d;
		}
		/* The bits that padding cuts off must be zero: one text for one value. */
		if ((n == 3 && (v & 0xFF) != 0) || (n == 2 && (v & 0xFFFF) != 0))
			return false;
		for (size_t k = 0; k + 1 < n; k++)
			to[at++] = (unsigned char)(v >> (16 - 8 * k));
	}
	assert(at == len);
	*ret_len = len;
	return true;
}

void
url_encode(struct buf *b, str s, enum url_slash slash)
{
	for (size_t i = 0; i < s.len;) {
		size_t n = i;

		while (n < s.len && (url_unreserved(s.p[n]) || (s.p[n] == '/' && slash == URL_KEEP_SLASH)))
			n++;
		buf_add(b, str_sub(s, i, n - i));
		if (n < s.len) {
			unsigned char c = (unsigned char)s.p[n++];

			buf_add(b, str_n((char[]){ '%', upper_digits[c >> 4], upper_digits[c & 15] }, 3));
		}
		i = n;
	}
}

bool
url_decode(struct arena *a, str s, enum url_plus plus, str *ret)
{
	char *p;
	size_t at = 0;

	if (str_find(s, '%') < 0 && (plus == URL_PLUS_IS_PLUS || str_find(s, '+') < 0)) {
		*ret = s;
		return true;
	}
	p = arena_try(a, s.len + 1);
	if (p == NULL)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '%') {
			if (s.len - i < 3 || !hex_decode(str_sub(s, i + 1, 2), &c))
				return false;
			i += 2;
		} else if (c == '+' && plus == URL_PLUS_IS_SPACE) {
			c = ' ';
		}
		p[at++] = c;
	}
	*ret = str_n(p, at);
	return true;
}

void
json_quote(struct buf *b, str s)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\u%04x", c);
		else if (len > s.len - i || !str_is_utf8(str_sub(s, i, len))) {
			buf_add_c(b, "\\ufffd");
			len = 1;
		} else {
			buf_add(b, str_sub(s, i, len));
		}
		i += len;
	}
	buf_add_char(b, '"');
}
