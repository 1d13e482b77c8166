/*
 * test_delete_many.c - many deletions at once do what the same do one by one.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "catalog_help.h"

#define KEYS 4u
#define PUTS 40u
#define ITEMS 60u
#define ROUNDS 300u

static unsigned long long seed;

static unsigned
draw(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static str
key_of(struct bed *t, unsigned k)
{
	return arena_fmt(t->a, "k%u", k);
}

/* Every version, newest first, by ETag: ids differ from one catalog to the next. */
static str
all_versions(struct bed *t)
{
	struct list_query q = { .what = LIST_VERSIONS, .max = 1000 };
	struct list_page page = { .n = 0 };
	str s = STR("");

	EXPECT_OK(catalog_list(t->c, &t->b, &q, t->a, &page));
	for (unsigned i = 0; i < page.n; i++) {
		const struct object *o = &page.row[i].object;

		s = arena_fmt(t->a, "%.*s %.*s=%.*s%s%s", STR_FMT(s), STR_FMT(o->key), STR_FMT(o->etag), o->delete_marker ? "(marker)" : "",
		    o->version.null ? "(null)" : "");
	}
	return s;
}

static str
usage_text(struct bed *t)
{
	struct bucket_usage u = usage(t);

	return arena_fmt(t->a, "%lld objects %lld bytes %lld markers", (long long)u.objects[0], (long long)u.bytes[0],
	    (long long)u.markers);
}

/* Two catalogs with the same history, and the versions that it made in each. */
struct pair_of_beds {
	struct bed one, many;
	struct version_id made_one[PUTS], made_many[PUTS];
	unsigned key[PUTS], n;
};

static void
history(struct pair_of_beds *p)
{
	p->n = draw(PUTS) + 1;
	for (unsigned i = 0; i < p->n; i++) {
		unsigned state = draw(8);
		str text = arena_fmt(p->one.a, "e%u", i);

		if (state <= 1) {
			bed_versioning(&p->one, state == 0 ? VERSIONING_ENABLED : VERSIONING_SUSPENDED);
			bed_versioning(&p->many, state == 0 ? VERSIONING_ENABLED : VERSIONING_SUSPENDED);
		}
		p->key[i] = draw(KEYS);
		p->made_one[i] = put(&p->one, key_of(&p->one, p->key[i]), text);
		p->made_many[i] = put(&p->many, key_of(&p->many, p->key[i]), text);
	}
}

/* The same deletion, for each of the two. */
static void
items_draw(struct pair_of_beds *p, struct delete_item *one, struct delete_item *many)
{
	unsigned i = draw(p->n), how = draw(8);

	*one = (struct delete_item){ .key = key_of(&p->one, how == 0 ? draw(KEYS) : p->key[i]) };
	one->which = how <= 1 ? current : which_of(p->made_one[i]);
	if (draw(10) == 0)
		one->conditions.if_match = STR("e0");
	*many = *one;
	if (many->which.kind == WHICH_VERSION)
		many->which.version = p->made_many[i];
}

static void
items_compare(struct bed *t, const struct delete_item *one, const struct delete_item *many)
{
	str what = arena_fmt(t->a, "%.*s, seed %llu", STR_FMT(one->key), seed);

	EXPECT_EQ(what.p, many->error.code, one->error.code);
	EXPECT_EQ(what.p, many->result.has_version, one->result.has_version);
	EXPECT_EQ(what.p, many->result.marker, one->result.marker);
	EXPECT_EQ(what.p, many->result.version.null, one->result.version.null);
}

TEST(many_is_one_by_one)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair_of_beds p = { .one = bed_new(), .many = bed_new() };
		struct delete_item one[ITEMS], many[ITEMS];
		unsigned n = draw(ITEMS) + 1;

		history(&p);
		for (unsigned i = 0; i < n; i++)
			items_draw(&p, &one[i], &many[i]);
		for (unsigned i = 0; i < n; i++)
			one[i].error = catalog_delete(p.one.c, &p.one.b, one[i].key, &one[i].which, &one[i].conditions, NULL,
			    &one[i].result);
		if (round % 3 == 0)	/* our bucket becomes an old one: every batch meets a conflict */
			EXPECT_OK(catalog_config_set(p.many.c, &p.many.b, CONFIG_CORS, STR("x")));
		catalog_delete_many(p.many.c, &p.many.b, many, n);
		/* After a conflict, a condition that does not hold may say so with another code. */
		for (unsigned i = 0; i < n; i++)
			if (round % 3 != 0 || err_ok(one[i].error))
				items_compare(&p.one, &one[i], &many[i]);
		EXPECT_STR("left", all_versions(&p.many), all_versions(&p.one));
		EXPECT_STR("counted", usage_text(&p.many), usage_text(&p.one));
		bed_done(&p.one);
		bed_done(&p.many);
	}
}

/* What one flush does for many. */
TEST(many_share_batches)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct delete_item item[600] = { 0 };
	struct kv_stats before, after;

	bed_versioning(&t, VERSIONING_ENABLED);
	for (unsigned i = 0; i < COUNT(item); i++) {
		item[i].key = key_of(&t, i / 3);
		item[i].which = which_of(put(&t, item[i].key, STR("x")));
	}
	kv_stats(t.kv, &before);
	catalog_delete_many(t.c, &t.b, item, COUNT(item));
	kv_stats(t.kv, &after);
	EXPECT_EQ("batches", after.commits - before.commits, 3);	/* 400 older versions in two, then 200 newest */
	EXPECT_STR("left", usage_text(&t), STR("0 objects 0 bytes 0 markers"));
}

/* What was replaced since it was judged stays. */
TEST(many_expect)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct delete_item item[300] = { 0 };

	for (unsigned i = 0; i < COUNT(item); i++) {
		struct object *o = ARENA_NEW(t.a, struct object);

		item[i].key = key_of(&t, i);
		put(&t, item[i].key, STR("x"));
		EXPECT_OK(catalog_get(t.c, &t.b, item[i].key, &current, KV_MAY_BLOCK, t.a, o));
		item[i].expected = &o->oid;
		if (i % 3 == 0)
			put(&t, item[i].key, STR("y"));
	}
	catalog_delete_many(t.c, &t.b, item, COUNT(item));
	for (unsigned i = 0; i < COUNT(item); i++)
		EXPECT_ERR("delete", item[i].error, i % 3 == 0 ? S3_PreconditionFailed : 0);
	EXPECT_STR("left", usage_text(&t), STR("100 objects 100 bytes 0 markers"));
}

/* ---- while others write ---- */

#define BUSY_KEYS 50u
#define WRITERS 3u
#define BUSY_ROUNDS 100u

struct writer {
	struct bed *bed;
	atomic_bool stop;
};

static void *
write_on(void *arg)
{
	struct writer *w = arg;
	struct arena *a = arena_new(1 << 16, 1 << 26);

	for (unsigned i = 0; !atomic_load(&w->stop); i++) {
		struct object o = small(arena_fmt(a, "k%u", i % BUSY_KEYS), STR("text"));
		struct version_id v;

		EXPECT_OK(catalog_put(w->bed->c, &w->bed->b, &o, NULL, &v));
		if (i % 1000 == 0)
			arena_reset(a);
	}
	arena_free(&a);
	return NULL;
}

/* Batches that met another writer are done one by one, and everything is counted once. */
TEST(many_while_others_write)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct writer w = { .bed = &t };
	struct bucket_usage u;
	long long objects = 0, markers = 0;
	struct kv_stats stats;
	pthread_t thread[WRITERS];

	bed_versioning(&t, VERSIONING_ENABLED);
	for (unsigned i = 0; i < WRITERS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, write_on, &w) == 0);
	for (unsigned round = 0; round < BUSY_ROUNDS; round++) {
		struct delete_item item[BUSY_KEYS] = { 0 };

		for (unsigned i = 0; i < BUSY_KEYS; i++)
			item[i].key = key_of(&t, i);
		catalog_delete_many(t.c, &t.b, item, BUSY_KEYS);
		for (unsigned i = 0; i < BUSY_KEYS; i++)
			EXPECT(err_ok(item[i].error) && item[i].result.marker && item[i].result.has_version);
	}
	atomic_store(&w.stop, true);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	for (struct list_query q = { .what = LIST_VERSIONS, .max = 1000 };;) {
		struct list_page page;

		EXPECT_OK(catalog_list(t.c, &t.b, &q, t.a, &page));
		for (unsigned i = 0; i < page.n; i++)
			*(page.row[i].object.delete_marker ? &markers : &objects) += 1;
		if (!page.more)
			break;
		q.after = page.row[page.n - 1].object.key;
		q.has_after_version = true;
		q.after_version = page.row[page.n - 1].object.version;
	}
	u = usage(&t);
	EXPECT_EQ("markers", markers, BUSY_ROUNDS * BUSY_KEYS);
	EXPECT_EQ("markers counted", u.markers, markers);
	EXPECT_EQ("objects counted", u.objects[0], objects);
	kv_stats(t.kv, &stats);
	printf("     %llu commits, %llu conflicts, %lld objects\n", (unsigned long long)stats.commits, (unsigned long long)stats.conflicts,
	    objects);
}
