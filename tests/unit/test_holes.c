/*
 * test_holes.c - a page of a listing takes bounded time however many rows it must pass over: delete markers, and deleted rows that
 * RocksDB has not tidied up yet.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "base/clock.h"
#include "catalog_help.h"
#include "meta/keys.h"
#include "meta/record.h"
#include "s3/list.h"

#define MARKERS (3 * LIST_PASS_MAX)
#define GONE 30000u
#define PASS_MAX 5000u

static const struct kv_options options = { .cache_bytes = 64u << 20, .background_threads = 2, .pass_max = PASS_MAX };

/* ---- delete markers ---- */

static void
add_markers(struct bed *t)
{
	struct older none = { .any = false };
	struct buf buf;

	buf_init(&buf, KV_VALUE_MAX);
	for (unsigned from = 0; from < MARKERS; from += 1000) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(t->b.space);

		for (unsigned i = from; i < from + 1000; i++) {
			struct object marker = { .key = arena_fmt(t->a, "dir/%08u", i), .delete_marker = true, .owner_org = STR("org") };
			struct row_key row = row_object(marker.key);

			marker.oid = marker.version.id = id_new(t->b.space);
			record_object(&buf, &none, &marker);
			kv_put(b, row_str(&row), buf_str(&buf));
			buf_clear(&buf);
		}
		EXPECT_OK(kv_commit(t->kv, b));
	}
	buf_done(&buf);
}

/* All that the pages show, walked with tokens or by keys as a client would. */
static str
walk(struct bed *t, struct list_query q, unsigned *ret_pages)
{
	struct list_page page = { .more = true };
	str all = STR("");

	for (*ret_pages = 0; page.more && *ret_pages < 100; ++*ret_pages) {
		EXPECT_OK(catalog_list(t->c, &t->b, &q, t->a, &page));
		for (unsigned i = 0; i < page.n; i++)
			all = arena_fmt(t->a, "%.*s %.*s", STR_FMT(all), STR_FMT(page.row[i].is_prefix ? page.row[i].prefix :
			    page.row[i].object.key));
		if (!page.more)
			continue;
		q.after = page.end.is_prefix ? page.end.prefix : page.end.object.key;
		q.after_is_prefix = page.end.is_prefix;
		if (q.early == LIST_EARLY_AT_KEY)
			list_after(&q, q.after);
	}
	return all;
}

TEST(delete_markers)
{
	static const char *const keys[] = { "a", "dir/0zz", "dir/key", "z" };
	static const struct { const char *delimiter, *want; enum list_early early; unsigned max, pages; } cases[] = {
		{ "", " a dir/0zz dir/key z", LIST_FULL, 1000, 1 },
		{ "", " a dir/0zz dir/key z", LIST_EARLY, 1000, 4 },
		{ "", " a dir/0zz dir/key z", LIST_EARLY, 1, 6 },
		{ "", " a dir/0zz dir/key z", LIST_EARLY_AT_KEY, 1000, 4 },
		/* what lies below a prefix is shown once, and not left out when a page has ended below it */
		{ "r/0", " a dir/0 dir/key z", LIST_EARLY, 1000, 4 },
		{ "r/0", " a dir/0 dir/key z", LIST_EARLY_AT_KEY, 1000, 1 },
		{ "/", " a dir/ z", LIST_EARLY, 1, 5 },
	};
	struct place p;

	place_new(&p, &options);
	for (size_t i = 0; i < COUNT(keys); i++)
		put(&p.bed, str_c(keys[i]), STR("x"));
	add_markers(&p.bed);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct list_query q = { .what = LIST_OBJECTS, .delimiter = str_c(cases[i].delimiter), .max = cases[i].max,
			.early = cases[i].early };
		unsigned pages = 0;

		EXPECT_STR(cases[i].delimiter, walk(&p.bed, q, &pages), str_c(cases[i].want));
		EXPECT_EQ(cases[i].delimiter, pages, cases[i].pages);
	}
	place_done(&p);
}

/* ---- deleted rows ---- */

/* Rows that were never there leave the same tombstones. */
static void
delete_rows(struct bed *t)
{
	for (unsigned from = 0; from < GONE; from += 1000) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(t->b.space);

		for (unsigned i = from; i < from + 1000; i++) {
			struct row_key row = row_object(arena_fmt(t->a, "m/%08u", i));

			kv_delete(b, row_str(&row));
		}
		EXPECT_OK(kv_commit(t->kv, b));
	}
}

/* And the rows passed over. */
static err
list_counted(struct bed *t, struct arena *room, const struct list_query *q, uint64_t *ret_passed, struct list_page *ret)
{
	rocksdb_perfcontext_t *context = rocksdb_perfcontext_create();
	err_v e;

	rocksdb_set_perf_level(rocksdb_enable_count);
	rocksdb_perfcontext_reset(context);
	e = catalog_list(t->c, &t->b, q, room, ret);
	*ret_passed = rocksdb_perfcontext_metric(context, rocksdb_internal_delete_skipped_count);
	rocksdb_set_perf_level(rocksdb_disable);
	rocksdb_perfcontext_destroy(context);
	return e;
}

/* Opened anew, so that what was in memory is in a table. Written to since: RocksDB leaves alone what may still be asked for. */
static void
reopen(struct place *p)
{
	struct bed *t = &p->bed;

	catalog_close(&t->c);
	kv_close(&t->kv);
	EXPECT_OK(kv_open(arena_fmt(t->a, "rocksdb:%s/index", p->dir), &options, &t->kv));
	EXPECT_OK(catalog_open(t->kv, &t->c));
	put(t, STR("zz"), STR("x"));
}

/* List over them until they are gone. */
static void
outlast(const struct list_query *q, err_v at_first)
{
	AUTO(arena_free) struct arena *room = arena_new(1 << 20, 1 << 24);
	uint64_t passed = 0, until = clock_mono_ms() + 60000;
	struct list_page page = { .n = 0 };
	struct place p;
	err_v e;

	place_new(&p, &options);
	put(&p.bed, STR("a"), STR("x"));
	delete_rows(&p.bed);
	reopen(&p);
	EXPECT_ERR("at first", list_counted(&p.bed, room, q, &passed, &page), at_first.code);
	do {
		arena_reset(room);
		e = list_counted(&p.bed, room, q, &passed, &page);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	} while (passed > 0 && clock_mono_ms() < until);
	EXPECT_OK(e);
	EXPECT_EQ("passed in the end", passed, 0);
	EXPECT_EQ("rows", page.n, 2);
	place_done(&p);
}

TEST(deleted_rows)
{
	struct list_query q = { .what = LIST_OBJECTS, .max = 1000, .early = LIST_EARLY }, whole = { .what = LIST_OBJECTS, .max = 1000 };
	struct list_page page = { .n = 0 };
	uint64_t passed = 0;
	struct place p;
	struct bed *t = &p.bed;

	place_new(&p, &options);
	put(t, STR("a"), STR("x"));
	put(t, STR("z"), STR("x"));
	delete_rows(t);
	EXPECT_ERR("too many", list_counted(t, t->a, &q, &passed, &page), -EAGAIN);
	EXPECT(passed >= PASS_MAX && passed <= PASS_MAX + 10);
	EXPECT_OK(list_counted(t, t->a, &whole, &passed, &page));	/* who has time */
	EXPECT(page.n == 2 && passed >= GONE);
	q.after = STR("m/00029000");
	EXPECT_OK(list_counted(t, t->a, &q, &passed, &page));		/* few of them */
	EXPECT_EQ("rows", page.n, 1);
	place_done(&p);
}

TEST(deleted_rows_go)
{
	outlast(&(struct list_query){ .what = LIST_OBJECTS, .max = 1000, .early = LIST_EARLY }, (err_v){ -EAGAIN });
	outlast(&(struct list_query){ .what = LIST_OBJECTS, .max = 1000, .once = true }, ERR_OK);
}
