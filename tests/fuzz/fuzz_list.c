/*
 * s3/list_token.c and meta/catalog_list.c: any bytes as prefix, delimiter and continuation token of a listing.
 *
 * The input: maximum, length of the prefix, length of the delimiter, prefix, delimiter, token. Claims: the rows are what a plain
 * look through all keys gives; a page's own token leads to the next page.
 */
#include "fuzz.h"

#include "s3/list_token.h"

static const char *const keys[] = {	/* sorted */
	"\x01", "a", "a/", "a//b", "a/b", "a/b/c", "a/b/d", "a/c", "a0", "aa", "aaa", "b", "b-", "b.", "b/", "b/x", "b0", "c/1", "c/2",
	"c/3", "d", "~", "\xc3\xa9", "\xc3\xa9/x", "\xf0\x9f\x98\x80",
};

static struct catalog *catalog;
static struct bucket bucket;

static void
fill(void)
{
	struct bucket_new new = { .name = STR("bucket"), .org = STR("org"), .location = STR("HERE") };
	static struct arena *a;			/* lives as long as the bucket */
	struct version_id v;
	struct kv *kv;

	a = arena_new(1u << 16, 1u << 24);
	CLAIM(err_ok(kv_open(STR("memory:"), NULL, &kv)) && err_ok(catalog_open(kv, &catalog)));
	CLAIM(err_ok(catalog_bucket_create(catalog, &new)) && err_ok(catalog_bucket(catalog, new.name, KV_MAY_BLOCK, a, &bucket)));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct object o = { .key = str_c(keys[i]), .etag = STR("e"), .owner_org = STR("org") };

		CLAIM(err_ok(catalog_put(catalog, &bucket, &o, NULL, &v)));
	}
}

/* The common prefix that a key falls under, or STR_NONE. */
static str
common(const struct list_query *q, str key)
{
	ptrdiff_t at = str_empty(q->delimiter) ? -1 : str_find_str(str_skip(key, q->prefix.len), q->delimiter);

	return at < 0 ? STR_NONE : str_sub(key, 0, q->prefix.len + (size_t)at + q->delimiter.len);
}

/* Does an entry for this key come behind where the query begins? */
static bool
is_behind(const struct list_query *q, str key)
{
	if (q->after.p == NULL)
		return true;
	return str_cmp(key, q->after) > 0 && !(q->after_is_prefix && str_starts(key, q->after));
}

static void
check(const struct list_query *q, const struct list_page *page)
{
	str last = STR_NONE;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		str key = str_c(keys[i]), up;

		if (!str_starts(key, q->prefix) || !is_behind(q, key))
			continue;
		up = common(q, key);
		if (up.p != NULL && last.p != NULL && str_eq(up, last))
			continue;
		last = up;
		if (n == q->max) {
			CLAIM(page->more);
			return;
		}
		CLAIM(n < page->n && page->row[n].is_prefix == (up.p != NULL));
		CLAIM(str_eq(up.p != NULL ? page->row[n].prefix : page->row[n].object.key, up.p != NULL ? up : key));
		n++;
	}
	CLAIM(n == page->n && !page->more);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct list_query q = { .what = LIST_OBJECTS };
	struct list_page page;
	str rest;

	if (catalog == NULL)
		fill();
	if (size < 3 || size > 2000)
		return 0;
	rest = fuzz_copy(arena, data + 3, size - 3);
	q.max = data[0] % 40 + 1;
	q.prefix = str_sub(rest, 0, data[1] < rest.len ? data[1] : rest.len);
	rest = str_skip(rest, q.prefix.len);
	q.delimiter = str_sub(rest, 0, data[2] < rest.len ? data[2] : rest.len);
	rest = str_skip(rest, q.delimiter.len);
	if (rest.len > 0 && !list_token_parse(rest, arena, &q))
		return 0;
	for (unsigned pages = 0; pages < 3; pages++) {
		CLAIM(err_ok(catalog_list(catalog, &bucket, &q, arena, &page)));
		check(&q, &page);
		if (!page.more)
			return 0;
		CLAIM(list_token_parse(list_token(arena, &page), arena, &q));
	}
	return 0;
}
