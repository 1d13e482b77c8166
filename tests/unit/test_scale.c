/*
 * test_scale.c - what a call costs does not depend on how much there is: versions of a key, pending uploads, parts.
 *
 * Cost is the number of calls of the index engine and rows of batches, plus what RocksDB counts in each read: comparisons of keys,
 * rows and tombstones passed over. The index lies in memory (/dev/shm), so that a flush costs nothing. CAISSON_SCALE: how many
 * (default 10,000; 100,000 in the long form).
 */
#include <stdlib.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "catalog_help.h"
#include "meta/kv_impl.h"

#define FEW 100u
#define PAGE 50u
/* The deeper index costs some comparisons more, never a multiple of the rows. */
#define FACTOR 4u
#define ALLOWANCE 400u

/* ---- an engine that counts ---- */

static rocksdb_perfcontext_t *context;
static uint64_t cost;

static void
counted_begin(void)
{
	if (context == NULL)
		context = rocksdb_perfcontext_create();
	rocksdb_set_perf_level(rocksdb_enable_count);
	rocksdb_perfcontext_reset(context);
}

static void
counted_end(void)
{
	rocksdb_set_perf_level(rocksdb_disable);
	cost += 1 + rocksdb_perfcontext_metric(context, rocksdb_user_key_comparison_count) +
	    rocksdb_perfcontext_metric(context, rocksdb_internal_key_skipped_count) +
	    rocksdb_perfcontext_metric(context, rocksdb_internal_delete_skipped_count);
}

static err
counted_get(struct kv *kv, str full, enum kv_wait wait, struct arena *a, str *ret)
{
	err_v e;

	counted_begin();
	e = kv_rocksdb_ops.get(kv, full, wait, a, ret);
	counted_end();
	return e;
}

static err
counted_scan(struct kv *kv, const struct kv_full *from, const struct kv_full *to, enum kv_scan_how how, struct kv_iter **ret)
{
	err_v e;

	counted_begin();
	e = kv_rocksdb_ops.scan(kv, from, to, how, ret);
	counted_end();
	return e;
}

static void
counted_next(struct kv_iter *it)
{
	counted_begin();
	kv_rocksdb_ops.iter_next(it);
	counted_end();
}

static void
counted_seek(struct kv_iter *it, str full)
{
	counted_begin();
	kv_rocksdb_ops.iter_seek(it, full);
	counted_end();
}

static err
counted_commit(struct kv *kv, struct kv_batch *b)
{
	cost += b->n;
	return kv_rocksdb_ops.commit(kv, b);
}

static struct kv_ops counting;

static void
count_calls(struct kv *kv)
{
	counting = kv_rocksdb_ops;
	counting.get = counted_get;
	counting.scan = counted_scan;
	counting.iter_next = counted_next;
	counting.iter_seek = counted_seek;
	counting.commit = counted_commit;
	kv->ops = &counting;
}

/* ---- a store ---- */

static const struct kv_options options = { .cache_bytes = 64u << 20, .background_threads = 2 };

static void
counted_place(struct place *p)
{
	place_new(p, &options);
	count_calls(p->bed.kv);
}

static unsigned
many(void)
{
	const char *text = getenv("CAISSON_SCALE");

	return text != NULL ? (unsigned)atoi(text) : 10000;
}

/* One call whose cost must be flat. n: how many there are. */
struct call {
	const char *name;
	void (*run)(struct bed *, unsigned n);
};

/* Each call, with few and with many, in the same order. fill: makes n. */
static void
flat(void (*fill)(struct bed *, unsigned n), const struct call *call, size_t calls)
{
	const unsigned sizes[] = { FEW, many() };
	uint64_t was[2][32];

	for (unsigned s = 0; s < 2; s++) {
		struct place p;

		counted_place(&p);
		fill(&p.bed, sizes[s]);
		for (size_t i = 0; i < calls; i++) {
			cost = 0;
			call[i].run(&p.bed, sizes[s]);
			was[s][i] = cost;
		}
		place_done(&p);
	}
	for (size_t i = 0; i < calls; i++) {
		printf("     %-32s %6llu of %u, %6llu of %u\n", call[i].name, (unsigned long long)was[0][i], sizes[0],
		    (unsigned long long)was[1][i], sizes[1]);
		if (was[1][i] > FACTOR * was[0][i] + ALLOWANCE)
			TEST_FAIL("%s: costs %llu with %u and %llu with %u", call[i].name, (unsigned long long)was[0][i], sizes[0],
			    (unsigned long long)was[1][i], sizes[1]);
	}
}

/* ---- versions of one key ---- */

static struct version_id *made;		/* oldest first */
static unsigned nmade;

static void
fill_versions(struct bed *t, unsigned n)
{
	bed_versioning(t, VERSIONING_ENABLED);
	put(t, STR("j"), STR("x"));
	put(t, STR("l"), STR("x"));
	made = mem_grow(made, (n + 16) * sizeof(*made));
	for (nmade = 0; nmade < n; nmade++)
		made[nmade] = put(t, STR("k"), STR("x"));
}

static void
get_newest(struct bed *t, unsigned n)
{
	struct object o;

	EXPECT_OK(get(t, STR("k"), current, &o));
}

static void
get_middle(struct bed *t, unsigned n)
{
	struct object o;

	EXPECT_OK(get(t, STR("k"), which_of(made[n / 2]), &o));
}

static void
put_one(struct bed *t, unsigned n)
{
	made[nmade++] = put(t, STR("k"), STR("y"));
}

static void
delete_newest(struct bed *t, unsigned n)
{
	del(t, STR("k"), which_of(made[--nmade]));
}

static void
delete_oldest(struct bed *t, unsigned n)
{
	del(t, STR("k"), which_of(made[0]));
}

static void
put_marker(struct bed *t, unsigned n)
{
	made[nmade++] = del(t, STR("k"), current).version;
}

/* Each leaves a tombstone in front of the next; cost is taken of the last alone. */
static void
delete_newest_again(struct bed *t, unsigned n)
{
	while (nmade > n / 2)
		delete_newest(t, n);
	cost = 0;
	delete_newest(t, n);
}

static void
list_keys(struct bed *t, unsigned n)
{
	struct list_query q = { .what = LIST_OBJECTS, .max = PAGE };

	list_text(t, &q, NULL);
}

static void
list_versions_first(struct bed *t, unsigned n)
{
	struct list_query q = { .what = LIST_VERSIONS, .max = PAGE };

	list_text(t, &q, NULL);
}

static void
list_versions_middle(struct bed *t, unsigned n)
{
	struct list_query q = { .what = LIST_VERSIONS, .max = PAGE / 2, .after = STR("k"), .has_after_version = true,
	    .after_version = made[n / 4 + PAGE / 2] };

	list_text(t, &q, NULL);
}

TEST(versions_of_a_key)
{
	static const struct call calls[] = {
		{ "get newest", get_newest }, { "get one by id", get_middle }, { "put", put_one }, { "delete the newest", delete_newest },
		{ "delete the oldest", delete_oldest }, { "lay a marker", put_marker }, { "delete the marker", delete_newest },
		{ "list keys", list_keys }, { "first page of versions", list_versions_first }, { "a later page", list_versions_middle },
		{ "delete the newest, n/2 times", delete_newest_again }, { "first page then", list_versions_first },
		{ "put then", put_one }, { "list keys then", list_keys },
	};

	flat(fill_versions, calls, COUNT(calls));
	free(made);
	made = NULL;
}

/* ---- pending uploads ---- */

static struct upload middle, last;

static struct upload
upload_new(struct bed *t, str key)
{
	struct upload u = { .key = key, .started_ms = 1, .owner_org = STR("org"), .initiator = STR("me") };

	EXPECT_OK(catalog_upload_create(t->c, &t->b, &u));
	return u;
}

/* Half of them of one key. */
static void
fill_uploads(struct bed *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		last = upload_new(t, i % 2 == 0 ? STR("k") : arena_fmt(t->a, "m%06u", i));
		if (i == n / 2)
			middle = last;
	}
}

static void
create_upload(struct bed *t, unsigned n)
{
	last = upload_new(t, STR("k"));
}

static void
find_upload(struct bed *t, unsigned n)
{
	struct upload u;

	EXPECT_OK(catalog_upload(t->c, &t->b, middle.key, middle.id, t->a, &u));
}

static err
part_put(struct bed *t, const struct upload *u, unsigned number, uint64_t size)
{
	struct extent extent = { .body = u->id, .blob = { id_new(t->b.space), 1, size }, .len = size };
	struct part p = { .number = number, .size = size, .etag = STR("00000000000000000000000000000000"), .modified_ms = 1,
	    .extents = &extent, .nextents = 1 };

	return catalog_part_put(t->c, &t->b, u, &p);
}

static void
put_part(struct bed *t, unsigned n)
{
	EXPECT_OK(part_put(t, &last, 1, 5u << 20));
}

static void
abort_upload(struct bed *t, unsigned n)
{
	EXPECT_OK(catalog_upload_abort(t->c, &t->b, last.key, last.id));
}

static void
list_uploads_first(struct bed *t, unsigned n)
{
	struct list_query q = { .what = LIST_UPLOADS, .max = PAGE / 2 };

	list_text(t, &q, NULL);
}

static void
list_uploads_middle(struct bed *t, unsigned n)
{
	struct list_query q = { .what = LIST_UPLOADS, .max = PAGE / 2, .after = STR("k"), .has_after_version = true,
	    .after_upload = middle.id };

	list_text(t, &q, NULL);
}

static void
list_uploads_folded(struct bed *t, unsigned n)
{
	struct list_query q = { .what = LIST_UPLOADS, .max = PAGE / 2, .delimiter = STR("m") };

	list_text(t, &q, NULL);
}

TEST(pending_uploads)
{
	static const struct call calls[] = {
		{ "find one", find_upload }, { "begin one", create_upload }, { "put a part", put_part }, { "put it again", put_part },
		{ "abort it", abort_upload }, { "list keys", list_keys }, { "first page of uploads", list_uploads_first },
		{ "a later page", list_uploads_middle }, { "a page of common prefixes", list_uploads_folded },
	};

	flat(fill_uploads, calls, COUNT(calls));
}

/* ---- parts of one upload ---- */

#define PARTS_MOST 10000u		/* as many as there may be */

static void
fill_parts(struct bed *t, unsigned n)
{
	last = upload_new(t, STR("k"));
	for (unsigned i = 1; i <= n && i <= PARTS_MOST; i++)
		EXPECT_OK(part_put(t, &last, i, 5u << 20));
}

static void
list_parts(struct bed *t, unsigned n)
{
	struct part *part;
	unsigned got;
	bool more;

	EXPECT_OK(catalog_parts(t->c, &t->b, last.id, 25, PAGE, t->a, &part, &got, &more));
	EXPECT_EQ("parts of a page", got, PAGE);
}

static err
finish(void *arg, const struct upload *u, const struct part *parts, unsigned n, struct object *o)
{
	o->etag = STR("whole");
	return ERR_OK;
}

static void
complete(struct bed *t, unsigned n)
{
	unsigned parts = n < PARTS_MOST ? n : PARTS_MOST;
	struct part_choice *choice = ARENA_ARRAY(t->a, struct part_choice, parts);
	struct version_id v;
	struct object o;

	for (unsigned i = 0; i < parts; i++)
		choice[i] = (struct part_choice){ .number = i + 1, .etag = STR("00000000000000000000000000000000") };
	EXPECT_OK(catalog_upload_complete(t->c, &t->b, STR("k"), last.id, choice, parts, NULL, finish, NULL, t->a, &o, &v));
	EXPECT_EQ("parts", o.parts, parts);
}

static void
read_end(struct bed *t, unsigned n)
{
	struct piece *piece;
	struct object o;
	unsigned pieces;

	EXPECT_OK(get(t, STR("k"), current, &o));
	EXPECT_OK(catalog_pieces(t->c, &o, o.size - 1000, 1000, t->a, &piece, &pieces));
	EXPECT_EQ("pieces", pieces, 1);
}

static void
put_over(struct bed *t, unsigned n)
{
	put(t, STR("k"), STR("small"));
}

static void
fill_object(struct bed *t, unsigned n)
{
	fill_parts(t, n);
	complete(t, n);
}

TEST(parts_of_an_upload)
{
	static const struct call calls[] = {
		{ "put a part again", put_part }, { "a page of parts", list_parts },
	};
	static const struct call calls_after[] = {
		{ "read the end of the object", read_end }, { "put over it", put_over },
	};

	flat(fill_parts, calls, COUNT(calls));
	flat(fill_object, calls_after, COUNT(calls_after));
}
