/*
 * test_catalog.c - buckets and objects: put, get, delete, conditions, listings, counters.
 */
#include "catalog_help.h"

#include "meta/keys.h"
#include "meta/kv_impl.h"
#include "meta/record.h"

TEST(bucket_create_find_delete)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct bucket_new same = { .name = STR("bucket"), .org = STR("org"), .location = STR("HERE"), .same_ok = true };
	struct bucket_new strict = { .name = STR("bucket"), .org = STR("org"), .location = STR("HERE") };
	struct bucket_new there = { .name = STR("bucket"), .org = STR("org"), .location = STR("THERE"), .same_ok = true };
	struct bucket_new other = { .name = STR("bucket"), .org = STR("other"), .location = STR("HERE"), .same_ok = true };
	struct bucket_new second = { .name = STR("second"), .org = STR("org"), .limit = 1 };
	struct bucket b;

	EXPECT_STR("name", t.b.name, STR("bucket"));
	EXPECT_STR("location", t.b.location, STR("HERE"));
	EXPECT(t.b.created_ms > 0 && t.b.space > 0 && t.b.versioning == VERSIONING_NEVER);
	EXPECT_OK(catalog_bucket_create(t.c, &same));
	EXPECT_ERR("strict", catalog_bucket_create(t.c, &strict), S3_BucketAlreadyOwnedByYou);
	EXPECT_ERR("elsewhere", catalog_bucket_create(t.c, &there), S3_BucketAlreadyOwnedByYou);
	EXPECT_ERR("another's", catalog_bucket_create(t.c, &other), S3_BucketAlreadyExists);
	EXPECT_ERR("limit", catalog_bucket_create(t.c, &second), S3_TooManyBuckets);
	EXPECT_ERR("none", catalog_bucket(t.c, STR("none"), KV_MAY_BLOCK, t.a, &b), S3_NoSuchBucket);
	put(&t, STR("k"), STR("v"));
	EXPECT_ERR("not empty", catalog_bucket_delete(t.c, &t.b), S3_BucketNotEmpty);
	del(&t, STR("k"), current);
	EXPECT_OK(catalog_bucket_delete(t.c, &t.b));
	EXPECT_ERR("gone", catalog_bucket(t.c, STR("bucket"), KV_MAY_BLOCK, t.a, &b), S3_NoSuchBucket);
	EXPECT_ERR("again", catalog_bucket_delete(t.c, &t.b), S3_NoSuchBucket);
	EXPECT_ERR("late put", put_if(&t, STR("k"), STR("v"), NULL, &(struct version_id){ 0 }), S3_NoSuchBucket);
	EXPECT_OK(catalog_bucket_create(t.c, &other));
	EXPECT_OK(catalog_bucket(t.c, STR("bucket"), KV_MAY_BLOCK, t.a, &b));
	EXPECT(b.space != t.b.space);
	EXPECT_STR("new owner", b.org, STR("other"));
}

static unsigned
spaces(struct bed *t)
{
	uint32_t *list;
	unsigned n = 0;

	EXPECT_OK(catalog_spaces(t->c, t->a, &list, &n));
	return n;
}

static err
retire(struct bed *t, uint64_t before_ms)
{
	return catalog_space_retire(t->c, t->b.space, before_ms, t->a);
}

/* It stays as long as anything in it is needed, and is found by nobody afterwards. */
TEST(space_of_a_deleted_bucket)
{
	static const struct bucket_new new = { .name = STR("bucket"), .org = STR("org") };
	static const struct bucket_new other = { .name = STR("other"), .org = STR("org") };
	AUTO(bed_done) struct bed t = bed_new();
	struct object o = large(&t, STR("k"), 1 << 20), copied = { .owner_org = STR("org"), .key = STR("copy") };
	struct bucket to;
	struct version_id v;
	uint32_t space = t.b.space;

	EXPECT_OK(catalog_bucket_create(t.c, &other));
	EXPECT_OK(catalog_bucket(t.c, STR("other"), KV_MAY_BLOCK, t.a, &to));
	EXPECT_OK(catalog_put(t.c, &t.b, &o, NULL, &v));
	EXPECT_OK(get(&t, STR("k"), current, &o));
	EXPECT_OK(catalog_copy(t.c, &t.b, &o, &to, &copied, NULL, &v));
	del(&t, STR("k"), current);
	EXPECT_OK(retire(&t, UINT64_MAX));
	EXPECT_OK(catalog_bucket_delete(t.c, &t.b));
	EXPECT_OK(retire(&t, UINT64_MAX));
	EXPECT(spaces(&t) == 2);	/* a dead entry */
	EXPECT(reap_all(&t) == 0);
	EXPECT_OK(retire(&t, UINT64_MAX));
	EXPECT(spaces(&t) == 2);	/* a link */
	t.b = to;
	del(&t, STR("copy"), current);
	EXPECT(reap_all(&t) == 1);
	t.b.space = space;
	EXPECT_OK(retire(&t, 1));
	EXPECT(spaces(&t) == 2);	/* young */
	EXPECT_OK(retire(&t, UINT64_MAX));
	EXPECT(spaces(&t) == 1 && rows(&t, 'H') == 0 && rows(&t, 'N') == 0);
	EXPECT_OK(retire(&t, UINT64_MAX));
	EXPECT_OK(catalog_bucket_create(t.c, &new));
	bed_reload(&t);
	EXPECT(spaces(&t) == 2 && t.b.space > to.space);
}

static void
remove_row(struct bed *t, uint32_t space, struct row_key row)
{
	AUTO(kv_batch_free) struct kv_batch *batch = kv_batch_new(space);

	kv_delete(batch, row_str(&row));
	EXPECT_OK(kv_commit(t->kv, batch));
}

/* What crashes leave: a bucket half made is one to come, the rest goes. */
TEST(space_without_a_bucket)
{
	static const struct bucket_new new = { .name = STR("bucket"), .org = STR("org"), .location = STR("HERE"), .same_ok = true };
	AUTO(bed_done) struct bed t = bed_new();
	uint32_t space = t.b.space;

	remove_row(&t, t.b.space, row_head());
	EXPECT_OK(retire(&t, UINT64_MAX));
	EXPECT(spaces(&t) == 1);
	EXPECT_OK(catalog_bucket_create(t.c, &new));
	bed_reload(&t);
	EXPECT(t.b.space == space);
	remove_row(&t, t.b.space, row_head());
	remove_row(&t, KV_SYSTEM_SPACE, row_bucket_name(STR("bucket")));
	EXPECT_OK(retire(&t, UINT64_MAX));
	EXPECT(spaces(&t) == 0);
}

/* More than there are hints: some share one, and must not be taken for each other. */
TEST(bucket_find_among_many)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct bucket b;

	for (unsigned i = 0; i < 1100; i++) {
		struct bucket_new new = { .name = arena_fmt(t.a, "many-%u", i), .org = STR("org"), .location = STR("HERE") };

		EXPECT_OK(catalog_bucket_create(t.c, &new));
	}
	for (unsigned i = 0; i < 2200; i++) {
		str name = arena_fmt(t.a, "many-%u", i * 7 % 1100);

		EXPECT_OK(catalog_bucket(t.c, name, KV_MAY_BLOCK, t.a, &b));
		EXPECT_STR("found", b.name, name);
	}
}

TEST(bucket_list_pages)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct bucket *list;
	unsigned n;
	bool more;

	for (int i = 0; i < 5; i++) {
		struct bucket_new new = { .name = arena_fmt(t.a, "b-%d", i), .org = i == 2 ? STR("other") : STR("org") };

		EXPECT_OK(catalog_bucket_create(t.c, &new));
	}
	EXPECT_OK(catalog_bucket_list(t.c, STR_NONE, STR(""), STR(""), 1000, t.a, &list, &n, &more));
	EXPECT(n == 6 && !more);
	EXPECT_OK(catalog_bucket_list(t.c, STR("org"), STR("b-"), STR("b-0"), 2, t.a, &list, &n, &more));
	EXPECT(n == 2 && more);
	EXPECT_STR("first", list[0].name, STR("b-1"));
	EXPECT_STR("not other's", list[1].name, STR("b-3"));
	EXPECT_OK(catalog_bucket_list(t.c, STR("org"), STR("b-"), STR("b-3"), 2, t.a, &list, &n, &more));
	EXPECT(n == 1 && !more);
}

TEST(bucket_configuration)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct bucket want;
	str text;

	EXPECT_ERR("none", catalog_config_get(t.c, &t.b, CONFIG_POLICY, t.a, &text), -ENOENT);
	EXPECT_OK(catalog_config_set(t.c, &t.b, CONFIG_POLICY, STR("{}")));
	bed_reload(&t);
	EXPECT(t.b.has_policy && !t.b.has_cors && t.b.generation == 1);
	EXPECT_OK(catalog_config_get(t.c, &t.b, CONFIG_POLICY, t.a, &text));
	EXPECT_STR("text", text, STR("{}"));
	want = t.b;
	want.audit = true;
	want.capacity_cap = 10;
	EXPECT_OK(catalog_bucket_settings(t.c, &t.b, &want));
	EXPECT_OK(catalog_config_set(t.c, &t.b, CONFIG_POLICY, STR_NONE));
	bed_reload(&t);
	EXPECT(!t.b.has_policy && t.b.audit && t.b.capacity_cap == 10 && t.b.generation == 3);
	put(&t, STR("k"), STR("0123456789"));
	put(&t, STR("k"), STR("9876543210"));
	EXPECT_ERR("cap", put_if(&t, STR("l"), STR("1"), NULL, &(struct version_id){ 0 }), S3_QuotaExceeded);
	put(&t, STR("l"), STR(""));
}

TEST(put_get_delete)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct object o;
	struct version_id v;

	EXPECT_STR("nothing", etag_now(&t, STR("k")), STR("(none)"));
	v = put(&t, STR("k"), STR("one"));
	EXPECT(v.null);
	put(&t, STR("k"), STR("two"));
	EXPECT_OK(get(&t, STR("k"), current, &o));
	EXPECT_STR("bytes", o.inlined, STR("two"));
	EXPECT_OK(get(&t, STR("k"), which_of((struct version_id){ .null = true }), &o));
	EXPECT_ERR("by id", get(&t, STR("k"), which_of((struct version_id){ .id = o.version.id }), &o), S3_NoSuchVersion);
	EXPECT_EQ("objects", usage(&t).objects[0], 1);
	EXPECT_EQ("bytes", usage(&t).bytes[0], 3);
	EXPECT(!del(&t, STR("k"), current).has_version);
	EXPECT(!del(&t, STR("k"), current).has_version);
	EXPECT_STR("gone", etag_now(&t, STR("k")), STR("(none)"));
	EXPECT_EQ("objects", usage(&t).objects[0], 0);
	EXPECT_EQ("bytes", usage(&t).bytes[0], 0);
	EXPECT_ERR("long key", get(&t, str_n(memset(arena_alloc(t.a, 1025), 'x', 1025), 1025), current, &o), S3_KeyTooLongError);
}

TEST(put_with_conditions)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct conditions none = { .if_none_match = STR("*") }, one = { .if_match = STR("\"one\"") }, any = { .if_match = STR("*") };
	struct version_id v;

	EXPECT_ERR("if-match on nothing", put_if(&t, STR("k"), STR("one"), &one, &v), S3_NoSuchKey);
	EXPECT_ERR("if-match * on nothing", put_if(&t, STR("k"), STR("one"), &any, &v), S3_NoSuchKey);
	EXPECT_OK(put_if(&t, STR("k"), STR("one"), &none, &v));
	EXPECT_ERR("there", put_if(&t, STR("k"), STR("two"), &none, &v), S3_PreconditionFailed);
	EXPECT_OK(put_if(&t, STR("k"), STR("two"), &one, &v));
	EXPECT_ERR("stale", put_if(&t, STR("k"), STR("three"), &one, &v), S3_PreconditionFailed);
	EXPECT_OK(put_if(&t, STR("k"), STR("three"), &any, &v));
	EXPECT_STR("now", etag_now(&t, STR("k")), STR("three"));
}

static const struct {
	const char *name;
	struct conditions c;
	int read, write;
} judged[] = {
	{ "none", { .if_match = { NULL, 0 } }, 0, 0 },
	{ "match", { .if_match = { "\"e\"", 3 } }, 0, 0 },
	{ "bare", { .if_match = { "e", 1 } }, 0, 0 },
	{ "list", { .if_match = { "\"x, y\", \"e\"", 11 } }, 0, 0 },
	{ "weak", { .if_match = { "W/\"e\"", 5 } }, S3_PreconditionFailed, S3_PreconditionFailed },
	{ "differs", { .if_match = { "\"f\"", 3 } }, S3_PreconditionFailed, S3_PreconditionFailed },
	{ "empty", { .if_match = { "", 0 } }, S3_PreconditionFailed, S3_PreconditionFailed },
	{ "none match", { .if_none_match = { "\"f\"", 3 } }, 0, 0 },
	{ "none match weak", { .if_none_match = { "W/\"e\"", 5 } }, S3_NotModified, S3_PreconditionFailed },
	{ "none match list", { .if_none_match = { "\"f\",\"e\"", 7 } }, S3_NotModified, S3_PreconditionFailed },
	{ "modified", { .has_modified_since = true, .if_modified_since = 99 }, 0, 0 },
	{ "not modified", { .has_modified_since = true, .if_modified_since = 100 }, S3_NotModified, S3_PreconditionFailed },
	{ "unmodified", { .has_unmodified_since = true, .if_unmodified_since = 100 }, 0, 0 },
	{ "not unmodified", { .has_unmodified_since = true, .if_unmodified_since = 99 }, S3_PreconditionFailed, S3_PreconditionFailed },
	{ "match beats time", { .if_match = { "e", 1 }, .has_unmodified_since = true, .if_unmodified_since = 1 }, 0, 0 },
	{ "none match beats time", { .if_none_match = { "f", 1 }, .has_modified_since = true, .if_modified_since = 1000 }, 0, 0 },
};

TEST(conditions)
{
	struct object o = { .etag = STR("e"), .modified_ms = 100999 };

	for (size_t i = 0; i < COUNT(judged); i++) {
		EXPECT_ERR(judged[i].name, conditions_read(&judged[i].c, &o), judged[i].read);
		EXPECT_ERR(judged[i].name, conditions_write(&judged[i].c, &o), judged[i].write);
	}
}

TEST(listing)
{
	static const char *keys[] = { "a", "b/1", "b/2", "b/c/3", "c", "c/", "d//e", "\xc3\xa9" };
	AUTO(bed_done) struct bed t = bed_new();
	struct list_query q = { .what = LIST_OBJECTS, .max = 1000 };
	bool more;

	for (size_t i = 0; i < COUNT(keys); i++)
		put(&t, str_c(keys[i]), STR("x"));
	EXPECT_STR("all", list_text(&t, &q, &more), STR("a b/1 b/2 b/c/3 c c/ d//e \xc3\xa9"));
	EXPECT(!more);
	q.delimiter = STR("/");
	EXPECT_STR("delimiter", list_text(&t, &q, &more), STR("a b/ c c/ d/ \xc3\xa9"));
	q.prefix = STR("b/");
	EXPECT_STR("below", list_text(&t, &q, &more), STR("b/1 b/2 b/c/"));
	q.max = 2;
	EXPECT_STR("two", list_text(&t, &q, &more), STR("b/1 b/2"));
	EXPECT(more);
	q.after = STR("b/2");
	EXPECT_STR("rest", list_text(&t, &q, &more), STR("b/c/"));
	EXPECT(!more);
	q = (struct list_query){ .what = LIST_OBJECTS, .max = 2, .delimiter = STR("/"), .after = STR("b/"), .after_is_prefix = true };
	EXPECT_STR("behind a prefix", list_text(&t, &q, &more), STR("c c/"));
	EXPECT(more);
	q = (struct list_query){ .what = LIST_OBJECTS, .max = 1, .delimiter = STR("/"), .after = STR("b/1") };
	EXPECT_STR("within a prefix", list_text(&t, &q, &more), STR("b/"));
	q = (struct list_query){ .what = LIST_OBJECTS, .max = 9, .delimiter = STR("//") };
	EXPECT_STR("long delimiter", list_text(&t, &q, &more), STR("a b/1 b/2 b/c/3 c c/ d// \xc3\xa9"));
	q = (struct list_query){ .what = LIST_OBJECTS, .max = 9, .prefix = STR("b"), .after = STR("c") };
	EXPECT_STR("after the end", list_text(&t, &q, &more), STR(""));
}

TEST(listing_skips_markers)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct list_query q = { .what = LIST_OBJECTS, .max = 2, .delimiter = STR("/") };
	bool more;

	bed_versioning(&t, VERSIONING_ENABLED);
	put(&t, STR("a/1"), STR("x"));
	put(&t, STR("b/1"), STR("x"));
	put(&t, STR("b/2"), STR("x"));
	put(&t, STR("c"), STR("x"));
	put(&t, STR("d"), STR("x"));
	del(&t, STR("a/1"), current);
	del(&t, STR("b/1"), current);
	del(&t, STR("d"), current);
	EXPECT_STR("live ones", list_text(&t, &q, &more), STR("b/ c"));
	EXPECT(!more);
}

TEST(versions)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct version_id null = { .null = true }, v1, v2;
	struct deleted d;
	struct object o;

	put(&t, STR("k"), STR("n0"));
	bed_versioning(&t, VERSIONING_ENABLED);
	v1 = put(&t, STR("k"), STR("v1"));
	v2 = put(&t, STR("k"), STR("v2"));
	EXPECT(!v1.null && !v2.null);
	EXPECT_STR("all", list_all(&t, LIST_VERSIONS), STR("k=v2* k=v1 k=n0"));
	EXPECT_OK(get(&t, STR("k"), which_of(null), &o));
	EXPECT_STR("null", o.etag, STR("n0"));
	EXPECT_OK(get(&t, STR("k"), which_of(v1), &o));
	EXPECT_STR("v1", o.etag, STR("v1"));
	d = del(&t, STR("k"), current);
	EXPECT(d.marker && d.has_version && !d.version.null);
	EXPECT_STR("marker", etag_now(&t, STR("k")), STR("(marker)"));
	EXPECT_STR("not listed", list_all(&t, LIST_OBJECTS), STR(""));
	EXPECT_EQ("markers", usage(&t).markers, 1);
	d = del(&t, STR("k"), which_of(d.version));
	EXPECT(d.marker);
	EXPECT_STR("promoted", etag_now(&t, STR("k")), STR("v2"));
	bed_versioning(&t, VERSIONING_SUSPENDED);
	EXPECT(put(&t, STR("k"), STR("n1")).null);
	EXPECT_STR("null replaced", list_all(&t, LIST_VERSIONS), STR("k=n1* k=v2 k=v1"));
	EXPECT(put(&t, STR("k"), STR("n2")).null);
	EXPECT_STR("null in place", list_all(&t, LIST_VERSIONS), STR("k=n2* k=v2 k=v1"));
	d = del(&t, STR("k"), current);
	EXPECT(d.marker && d.version.null);
	EXPECT_STR("null marker", list_all(&t, LIST_VERSIONS), STR("k=marker* k=v2 k=v1"));
	bed_versioning(&t, VERSIONING_ENABLED);
	put(&t, STR("k"), STR("v3"));
	EXPECT_STR("over a marker", list_all(&t, LIST_VERSIONS), STR("k=v3* k=marker k=v2 k=v1"));
	d = del(&t, STR("k"), which_of(null));
	EXPECT(d.marker && d.version.null);
	del(&t, STR("k"), which_of(v1));
	d = del(&t, STR("k"), which_of(v1));
	EXPECT(!d.marker && d.has_version);
	EXPECT_STR("left", list_all(&t, LIST_VERSIONS), STR("k=v3* k=v2"));
	EXPECT_EQ("objects", usage(&t).objects[0], 2);
	EXPECT_EQ("bytes", usage(&t).bytes[0], 4);
	EXPECT_EQ("markers", usage(&t).markers, 0);
	EXPECT_ERR("gone", get(&t, STR("k"), which_of(null), &o), S3_NoSuchVersion);
}

TEST(versions_in_pages)
{
	AUTO(bed_done) struct bed t = bed_new();
	str all = STR("");

	put(&t, STR("b"), STR("n"));
	bed_versioning(&t, VERSIONING_ENABLED);
	put(&t, STR("a"), STR("a1"));
	put(&t, STR("b"), STR("b1"));
	put(&t, STR("b"), STR("b2"));
	put(&t, STR("c"), STR("c1"));
	bed_versioning(&t, VERSIONING_SUSPENDED);
	put(&t, STR("c"), STR("cn"));
	for (unsigned max = 1; max <= 6; max++) {
		struct list_query q = { .what = LIST_VERSIONS, .max = max };
		struct list_page page;

		all = STR("");
		do {
			EXPECT_OK(catalog_list(t.c, &t.b, &q, t.a, &page));
			REQUIRE(page.n > 0);
			all = arena_fmt(t.a, "%.*s%.*s ", STR_FMT(all), STR_FMT(list_text(&t, &q, NULL)));
			q.after = page.row[page.n - 1].object.key;
			q.has_after_version = true;
			q.after_version = page.row[page.n - 1].object.version;
			if (q.after_version.null)
				q.after_version.id = (struct id){ { 0 } };
		} while (page.more);
		EXPECT_STR("pages", all, STR("a=a1* b=b2* b=b1 b=n c=cn* c=c1 "));
	}
}

TEST(delete_expected_only)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct conditions stale = { .if_match = STR("old") };
	struct deleted d;
	struct object o;
	struct id first;

	put(&t, STR("k"), STR("one"));
	EXPECT_OK(get(&t, STR("k"), current, &o));
	first = o.oid;
	put(&t, STR("k"), STR("two"));
	EXPECT_ERR("replaced", catalog_delete(t.c, &t.b, STR("k"), &current, NULL, &first, &d), S3_PreconditionFailed);
	EXPECT_ERR("stale", catalog_delete(t.c, &t.b, STR("k"), &current, &stale, NULL, &d), S3_PreconditionFailed);
	EXPECT_ERR("nothing", catalog_delete(t.c, &t.b, STR("l"), &current, &stale, NULL, &d), S3_NoSuchKey);
	EXPECT_OK(get(&t, STR("k"), current, &o));
	EXPECT_OK(catalog_delete(t.c, &t.b, STR("k"), &current, NULL, &o.oid, &d));
}

/* ---- two keys at once ---- */

static struct bed *meddled;		/* NULL: nobody meddles, or no more */
static struct kv_ops meddling;

/* Between the look at the source and the look at the target another client renames the one to the other. */
static err
meddling_get(struct kv *kv, str full, enum kv_wait wait, struct arena *a, str *ret)
{
	struct rename other = { .from = STR("a"), .to = STR("b"), .principal = STR("other") };
	struct bed *t = meddled;
	err_v e;

	kv->ops = &kv_mem_ops;
	if (str_ends(full, STR("Ob\0\1"))) {
		meddled = NULL;
		EXPECT_OK(catalog_rename(t->c, &t->b, &other));
	}
	e = kv_mem_ops.get(kv, full, wait, a, ret);
	if (meddled != NULL)
		kv->ops = &meddling;
	return e;
}

static void
meddle(struct bed *t)
{
	meddling = kv_mem_ops;
	meddling.get = meddling_get;
	t->kv->ops = &meddling;
	meddled = t;
}

/* "The target is there" says that the source was there too: never an answer here, as at no instant both are. */
TEST(refusals_see_one_instant)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct conditions absent = { .if_none_match = STR("*") };
	struct rename r = { .from = STR("a"), .to = STR("b"), .principal = STR("p"), .destination = absent };
	struct object src, o = { .key = STR("b"), .etag = STR("x"), .owner_org = STR("org") };
	struct version_id v;
	struct deleted d;

	put(&t, STR("a"), STR("one"));
	meddle(&t);
	EXPECT_ERR("rename", catalog_rename(t.c, &t.b, &r), S3_NoSuchKey);
	EXPECT(meddled == NULL);
	EXPECT_OK(catalog_delete(t.c, &t.b, STR("b"), &current, NULL, NULL, &d));
	put(&t, STR("a"), STR("two"));
	EXPECT_OK(get(&t, STR("a"), current, &src));
	meddle(&t);
	EXPECT_ERR("copy", catalog_copy(t.c, &t.b, &src, &t.b, &o, &absent, &v), S3_OperationAborted);
	EXPECT(meddled == NULL);
	/* And when both were there all the time it is one. */
	put(&t, STR("a"), STR("three"));
	EXPECT_ERR("rename", catalog_rename(t.c, &t.b, &r), S3_PreconditionFailed);
}

/*
 * A client decides how many extents a part has (UploadPartCopy), and how many such parts there are: what reads pages of them must not
 * need memory for all at once.
 */
TEST(pages_of_large_rows_stay_small)
{
	enum { PARTS = 200 };
	AUTO(bed_done) struct bed t = bed_new();
	AUTO(arena_free) struct arena *even = arena_new(4096, 4 << 20), *odd = arena_new(4096, 4 << 20);
	AUTO(mem_free_p) struct extent *extents = mem_alloc(EXTENTS_MAX * sizeof(*extents));
	AUTO(buf_done) struct buf part, entry;
	struct arena *page[2] = { even, odd };
	struct id upload = id_new(t.b.space), other = id_new(t.b.space);
	struct part p = { .size = EXTENTS_MAX, .oid = id_new(t.b.space), .extents = extents, .nextents = EXTENTS_MAX, .etag = STR("e") };
	struct row_key name = row_dead(0, upload);
	struct dead all = { .space = t.b.space, .kind = DEAD_PARTS, .body = upload, .owner = upload, .row_key = row_str(&name) };
	const struct dead *after = NULL;
	struct part *listed;
	struct dead *dead;
	unsigned n = 1, seen = 0;
	bool more;

	buf_init(&part, KV_VALUE_MAX);
	buf_init(&entry, KV_VALUE_MAX);
	for (unsigned i = 0; i < EXTENTS_MAX; i++)
		extents[i] = (struct extent){ .body = other, .blob = { .id = other, .size = 1 }, .len = 1 };
	record_part(&part, upload, &p);
	record_dead(&entry, &(struct dead_record){ .kind = DEAD_PART, .body = upload, .owner = p.oid, .part = buf_str(&part) });
	for (unsigned i = 1; i <= PARTS; i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(t.b.space);
		struct row_key row = row_part(upload, i), mark = row_dead(i, p.oid);

		kv_put(b, row_str(&row), buf_str(&part));
		kv_put(b, row_str(&mark), buf_str(&entry));
		REQUIRE(err_ok(kv_commit(t.kv, b)));
	}
	for (unsigned turn = 0; n > 0; turn ^= 1) {
		arena_reset(page[turn]);
		REQUIRE(err_ok(catalog_dead(t.c, t.b.space, UINT64_MAX, after, 512, page[turn], &dead, &n)));
		seen += n;
		after = n > 0 ? &dead[n - 1] : NULL;
	}
	EXPECT_EQ("dead entries", seen, PARTS);
	arena_reset(even);
	REQUIRE(err_ok(catalog_parts(t.c, &t.b, upload, 0, 1000, even, &listed, &n, &more)));
	EXPECT_EQ("parts", n, PARTS);
	EXPECT_EQ("size", listed[PARTS - 1].size, EXTENTS_MAX);
	EXPECT_STR("etag", listed[PARTS - 1].etag, STR("e"));
	EXPECT_OK(catalog_dead_done(t.c, &all));
	EXPECT_EQ("no row is left", rows(&t, 'P'), 0);
}
