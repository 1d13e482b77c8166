/*
 * glob.c - match a text against a pattern.
 *
 * What stands between two stars is searched for by memmem(), which takes time of the text's length; parts with a "?" by an automaton
 * of 64 states a word, since a part like "?a?a?a" may all but match at every place: a 64th of the product of their lengths.
 */
#include "access/glob.h"

#include "base/panic.h"
#include "http/head.h"

#define GLOB_RUN '\xff'
#define GLOB_ONE '\xfe'

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Is byte i in the midst of a character? */
static bool
is_within(str s, size_t i)
{
	return i < s.len && ((unsigned char)s.p[i] & 0xc0) == 0x80;
}

/* Index behind the character that begins at i: UTF-8 continuation bytes belong to it. */
static size_t
next_char(str s, size_t i)
{
	for (i++; is_within(s, i); i++)
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

static_assert(GLOB_TEXT_MAX >= HTTP_HEAD_MAX, "whatever a request can bring");

/* ---- parts with a "?": up to 64 bytes of them at once ---- */

/* Bit j of the state: the bytes to j match what ends here. "?" takes a byte, and all continuation bytes behind it. */
struct automaton { uint64_t accepts[256], ones, last, state; };

static void
automaton_init(struct automaton *a, str bytes)
{
	*a = (struct automaton){ .last = UINT64_C(1) << (bytes.len - 1) };
	for (size_t j = 0; j < bytes.len; j++) {
		if (bytes.p[j] == GLOB_ONE)
			a->ones |= UINT64_C(1) << j;
		else
			a->accepts[(unsigned char)bytes.p[j]] |= UINT64_C(1) << j;
	}
}

/* Do they end before byte i of s? */
static bool
automaton_ends(const struct automaton *a, str s, size_t i)
{
	return (a->state & a->last) != 0 && !(is_within(s, i) && (a->ones & a->last) != 0);
}

/* Byte i of s. begin: 1 if they may begin with it, else 0. */
static void
automaton_take(struct automaton *a, str s, size_t i, uint64_t begin)
{
	uint64_t within = is_within(s, i) ? a->ones : 0;

	a->state = ((a->state << 1 | begin) & (a->accepts[(unsigned char)s.p[i]] | (a->ones & ~(within << 1)))) | (a->state & within);
}

/* May a part that follows a star begin there? */
static bool
is_begin(str s, size_t i)
{
	return i == 0 || !is_within(s, i);
}

/* A bit for each place of a text, its end among them. */
struct places { uint64_t bit[GLOB_TEXT_MAX / 64 + 1]; };

static uint64_t
places_at(const struct places *p, size_t i)
{
	return p->bit[i / 64] >> i % 64 & 1;
}

static void
places_put(struct places *p, size_t i, uint64_t bit)
{
	p->bit[i / 64] = (p->bit[i / 64] & ~(UINT64_C(1) << i % 64)) | bit << i % 64;
}

/* Where a part ends that begins at any character of s: all places. */
static void
places_find(struct places *places, str part, str s)
{
	struct automaton a;

	memset(places->bit, 0, (s.len / 64 + 1) * sizeof(places->bit[0]));
	for (size_t i = 0; i <= s.len; i++)
		places_put(places, i, is_begin(s, i));
	for (; part.len > 0; part = str_skip(part, 64)) {
		automaton_init(&a, str_sub(part, 0, 64));
		for (size_t i = 0; i <= s.len; i++) {
			uint64_t begin = places_at(places, i);

			places_put(places, i, automaton_ends(&a, s, i));
			if (i < s.len)
				automaton_take(&a, s, i, begin);
		}
	}
}

static bool
long_find(str part, str s, size_t *ret)
{
	struct places places;

	places_find(&places, part, s);
	for (size_t i = 0; i <= s.len; i++) {
		if (places_at(&places, i)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* Short ones may be many: no further than to the first place. */
static bool
short_find(str part, str s, size_t *ret)
{
	struct automaton a;

	automaton_init(&a, part);
	for (size_t i = 0; i <= s.len; i++) {
		if (automaton_ends(&a, s, i)) {
			*ret = i;
			return true;
		}
		if (i < s.len)
			automaton_take(&a, s, i, is_begin(s, i));
	}
	return false;
}

/* ---- matching ---- */

/* Does s begin with this part? Then *ret is where it ends. */
static bool
part_begins(str part, str s, size_t *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < part.len; i++) {
		if (at >= s.len || (part.p[i] != GLOB_ONE && part.p[i] != s.p[at]))
			return false;
		at = part.p[i] == GLOB_ONE ? next_char(s, at) : at + 1;
	}
	*ret = at;
	return true;
}

/* The first place where a part that lies somewhere in s ends. */
static bool
part_find(str part, str s, size_t *ret)
{
	ptrdiff_t at;

	if (part.len > s.len)		/* each of it takes a byte at least */
		return false;
	if (str_find(part, GLOB_ONE) >= 0)
		return part.len <= 64 ? short_find(part, s, ret) : long_find(part, s, ret);
	at = str_find_str(s, part);
	*ret = (size_t)at + part.len;
	return at >= 0;
}

static bool
part_ends(str part, str s)
{
	struct places places;

	if (str_find(part, GLOB_ONE) < 0)
		return str_ends(s, part);
	if (part.len > s.len)
		return false;
	places_find(&places, part, s);
	return places_at(&places, s.len);
}

/* The parts between the stars, each at the first place where it can be; the first at the beginning, the last at the end. */
static bool
match_parts(str pattern, str text)
{
	str part = str_take_until(&pattern, GLOB_RUN);
	size_t end = 0;

	if (text.len > GLOB_TEXT_MAX || !part_begins(part, text, &end))
		return false;
	if (pattern.p == NULL)
		return end == text.len;
	for (;;) {
		text = str_skip(text, end);
		part = str_take_until(&pattern, GLOB_RUN);
		if (pattern.p == NULL)
			return part_ends(part, text);
		if (!part_find(part, text, &end))
			return false;
	}
}

bool
glob_match(const struct glob *g, str text)
{
	if (g->kind == GLOB_EXACT)
		return str_eq(g->text, text);
	if (g->kind == GLOB_PREFIX)
		return str_starts(text, g->text);
	return match_parts(g->text, text);
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
