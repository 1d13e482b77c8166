/*
 * glob.c - match a text against a pattern, in time of the product of their lengths at worst.
 */
#include "access/glob.h"

#include "base/panic.h"

#define GLOB_RUN '\xff'
#define GLOB_ONE '\xfe'

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Index behind the character that begins at i: UTF-8 continuation bytes belong to it. */
static size_t
next_char(str s, size_t i)
{
	for (i++; i < s.len && ((unsigned char)s.p[i] & 0xc0) == 0x80; i++)
		;
	return i;
}

bool
glob_compile(str pattern, unsigned how, struct arena *a, struct glob *ret)
{
	char *to = pattern.len > 0 ? arena_alloc(a, pattern.len) : NULL;
	size_t n = 0, wild = 0;

	for (size_t i = 0; i < pattern.len; i++) {
		char c = pattern.p[i];

		if ((how & GLOB_VARIABLES) && c == '$' && i + 1 < pattern.len && pattern.p[i + 1] == '{') {
			if (i + 3 >= pattern.len || pattern.p[i + 3] != '}' || strchr("*?$", pattern.p[i + 2]) == NULL ||
			    pattern.p[i + 2] == '\0')
				return false;
			to[n++] = pattern.p[i + 2];
			i += 3;
			continue;
		}
		if ((how & GLOB_WILDCARDS) && (c == '*' || c == '?')) {
			c = c == '*' ? GLOB_RUN : GLOB_ONE;
			if (c == GLOB_RUN && n > 0 && to[n - 1] == GLOB_RUN)
				continue;
			wild++;
		}
		to[n++] = c;
	}
	*ret = (struct glob){ .text = str_n(to, n), .kind = wild == 0 ? GLOB_EXACT : GLOB_ANY };
	if (wild == 1 && to[n - 1] == GLOB_RUN) {
		ret->kind = GLOB_PREFIX;
		ret->text.len--;
	}
	return true;
}

bool
glob_match(const struct glob *g, str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;

	if (g->kind == GLOB_EXACT)
		return str_eq(g->text, text);
	if (g->kind == GLOB_PREFIX)
		return str_starts(text, g->text);
	while (t < text.len) {
		if (p < g->text.len && g->text.p[p] == GLOB_RUN) {
			star = p++;
			star_t = t;
		} else if (p < g->text.len && g->text.p[p] == GLOB_ONE) {
			p++;
			t = next_char(text, t);
		} else if (p < g->text.len && g->text.p[p] == text.p[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;		/* let the last run take one more */
			t = star_t = next_char(text, star_t);
		} else {
			return false;
		}
	}
	while (p < g->text.len && g->text.p[p] == GLOB_RUN)
		p++;
	return p == g->text.len;
}

bool
glob_match_nocase(str pattern, str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			star_t = t;
		} else if (p < pattern.len && (pattern.p[p] == '?' || lower(pattern.p[p]) == lower(text.p[t]))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_t;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}
