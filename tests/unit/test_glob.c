/*
 * test_glob.c - patterns against a matcher that fills in a table, and the patterns that cost the most.
 *
 * tests/bench/test_instructions.py counts the instructions of the test "worst".
 */
#include "access/glob.h"
#include "base/mem.h"
#include "chance.h"
#include "test.h"

#define TEXT_MAX 32768u
#define PATTERN_MAX 20480u		/* of a bucket policy, all of it */

/* ---- the model ---- */

#define SIDE 400u

static size_t
char_end(str s, size_t i)
{
	for (i++; i < s.len && ((unsigned char)s.p[i] & 0xc0) == 0x80; i++)
		;
	return i;
}

/* row[p][t]: does what is left of the pattern at p match what is left of the text at t? */
static bool
model(str pattern, str text)
{
	static bool row[SIDE + 1][SIDE + 1];

	for (size_t p = pattern.len + 1; p-- > 0;) {
		for (size_t t = text.len + 1; t-- > 0;) {
			bool more = t < text.len;

			if (p == pattern.len)
				row[p][t] = !more;
			else if (pattern.p[p] == '*')
				row[p][t] = row[p + 1][t] || (more && row[p][char_end(text, t)]);
			else if (pattern.p[p] == '?')
				row[p][t] = more && row[p + 1][char_end(text, t)];
			else
				row[p][t] = more && pattern.p[p] == text.p[t] && row[p + 1][t + 1];
		}
	}
	return row[0][0];
}

/* The wildcards come last: a text has none. */
static const char *const letters[] = { "a", "a", "b", "\xc3\xa4", "\xe2\x82\xac", "*", "?", "?" };
#define PLAIN 5u

static str
random_text(char *to, unsigned max, unsigned kinds)
{
	size_t n = 0;

	for (unsigned i = below(max + 1); i > 0; i--) {
		const char *c = letters[below(kinds)];

		memcpy(to + n, c, strlen(c));
		n += strlen(c);
	}
	return str_n(to, n);
}

/* Of the text, so that most match, or all but match: a character in "rare" becomes something else. */
static str
random_pattern(char *to, str text, unsigned rare)
{
	size_t n = 0;

	for (size_t t = 0; t < text.len;) {
		size_t next = char_end(text, t);

		switch (below(rare)) {
		case 0:
			to[n++] = '*';
			for (unsigned skip = below(8); skip > 0 && next < text.len; skip--)
				next = char_end(text, next);
			break;
		case 1:
			to[n++] = 'b';
			break;
		case 2: case 3: case 4:
			to[n++] = '?';
			break;
		default:
			memcpy(to + n, text.p + t, next - t);
			n += next - t;
		}
		t = next;
	}
	return str_n(to, n);
}

TEST(model)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
	unsigned matched = 0, rounds = 20000;

	for (unsigned i = 0; i < rounds; i++) {
		char text_room[SIDE + 1], pattern_room[SIDE + 1];
		bool is_long = i % 16 == 0, is_tiny = i % 4 == 1;
		str text = random_text(text_room, is_long ? SIDE / 3 : is_tiny ? 4 : 10, PLAIN);
		str pattern = is_tiny ? random_text(pattern_room, 5, COUNT(letters)) :
		    random_pattern(pattern_room, text, is_long ? 120 : 10);
		bool want = model(pattern, text);
		struct glob g;

		arena_reset(a);
		REQUIRE(glob_compile(pattern, GLOB_WILDCARDS, a, &g));
		if (glob_match(&g, text) != want)
			TEST_FAIL("%.*s and %.*s: want %d", STR_FMT(pattern), STR_FMT(text), want);
		matched += want;
	}
	EXPECT(matched > rounds / 5 && matched < rounds - rounds / 5);	/* else it says nothing */
}

/* ---- what costs the most ---- */

TEST(worst)
{
	/* head, then body again and again, then tail; texts of "a" only */
	static const struct { const char *head, *body, *tail; int want; } cases[] = {
		{ "*", "a", "b*", 0 },		/* all but matches at each place */
		{ "*", "?a", "b*", 0 },
		{ "*", "a?", "b", 0 },
		{ "*", "a*", "b", 0 },		/* many parts */
		{ "*", "?a*", "b", 0 },
		{ "*", "?a*", "", 1 },
		/* many of more than 64 */
		{ "*", "a????????????????????????????????????????????????????????????????*", "b", 0 },
		{ "", "?", "*b", 0 },
	};
	AUTO(arena_free) struct arena *a = arena_new(PATTERN_MAX, 1 << 20);
	AUTO(mem_free_p) char *text = mem_alloc(TEXT_MAX), *pattern = mem_alloc(PATTERN_MAX);

	memset(text, 'a', TEXT_MAX);
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = strlen(cases[i].head), body = strlen(cases[i].body), tail = strlen(cases[i].tail);
		struct glob g;

		memcpy(pattern, cases[i].head, n);
		for (; n + body + tail <= PATTERN_MAX; n += body)
			memcpy(pattern + n, cases[i].body, body);
		memcpy(pattern + n, cases[i].tail, tail);
		arena_reset(a);
		REQUIRE(glob_compile(str_n(pattern, n + tail), GLOB_WILDCARDS, a, &g));
		EXPECT_EQ(cases[i].body, glob_match(&g, str_n(text, TEXT_MAX)), cases[i].want);
	}
}
