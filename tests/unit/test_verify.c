/*
 * test_verify.c - the verifier says nothing of a store that is whole, and something of each that lacks any one thing.
 *
 * A small store with everything that the index knows: versions, null versions, copies within and across buckets, borrowed
 * parts, uploads, things dead. Then each row in turn is taken away, cut short, or changed, each blob spoilt or deleted.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "blob/blob_impl.h"
#include "catalog_help.h"
#include "job/verify.h"
#include "meta/keys.h"
#include "meta/record.h"

#define PART_BYTES (5u << 20)

struct store {
	struct bed bed;
	struct bucket other;
	struct blobs *blobs;
	struct crew *crew;
	struct buf said;		/* the findings of the last verify */
	unsigned damaged, leaked, free;	/* free: of those leaked, what may be deleted */
	struct abandoned abandoned;	/* the last link of which only the link is left */
	uint64_t opened_ns;		/* 0: nobody else has it open */
};

static void
store_done(struct store *s)
{
	crew_free(&s->crew);
	blobs_close(&s->blobs);
	buf_done(&s->said);
	bed_done(&s->bed);
}

/* ---- verifying ---- */

static bool
pace(void *arg, enum verify_unit unit, uint64_t n)
{
	return true;
}

static void
found(void *arg, const struct finding *f)
{
	struct store *s = arg;

	*(f->kind == FINDING_DAMAGE ? &s->damaged : &s->leaked) += 1;
	s->free += f->unowned != NULL;
	if (f->abandoned != NULL)
		s->abandoned = *f->abandoned;
	finding_text(f, &s->said);
	buf_add_char(&s->said, '\n');
}

static unsigned
verify(struct store *s)
{
	struct verify_options o = { .catalog = s->bed.c, .blobs = s->blobs, .crew = s->crew, .alone = s->opened_ns == 0,
		.opened_ns = s->opened_ns, .pace = pace, .found = found, .arg = s };
	struct verify_sum sum = { 0 };

	buf_clear(&s->said);
	s->damaged = s->leaked = s->free = 0;
	EXPECT_OK(verify_store(&o, &sum));
	EXPECT_EQ("damaged", sum.damaged, s->damaged);
	EXPECT_EQ("leaked", sum.leaked, s->leaked);
	return s->damaged + s->leaked;
}

static void
expect_whole(struct store *s, const char *when)
{
	if (verify(s) > 0)
		TEST_FAIL("%s: %.*s", when, STR_FMT(buf_str(&s->said)));
}

/* ---- filling ---- */

static struct blob_ref
blob(struct store *s, uint32_t space, size_t size)
{
	AUTO(mem_free_p) char *p = mem_alloc(size);
	struct blob_writer *w;
	struct blob_ref ref = { .size = 0 };

	memset(p, (int)size, size);
	EXPECT_OK(blob_begin(s->blobs, id_new(space), size, &w));
	EXPECT_OK(blob_append(w, str_n(p, size)));
	EXPECT_OK(blob_commit(&w, &ref));
	return ref;
}

static void
put_blob(struct store *s, str key, size_t size)
{
	struct object o = large(&s->bed, key, size);
	struct version_id v;

	o.extent.blob = blob(s, s->bed.b.space, size);
	EXPECT_OK(catalog_put(s->bed.c, &s->bed.b, &o, NULL, &v));
}

static void
put_inline(struct store *s, str key, str text)
{
	struct object o = small(key, text);
	struct version_id v;
	uint8_t md5[16];
	char hex[32];

	digest_once(DIGEST_MD5, text, md5);
	for (unsigned i = 0; i < 32; i++)
		hex[i] = "0123456789abcdef"[i % 2 == 0 ? md5[i / 2] >> 4 : md5[i / 2] & 15];
	o.etag = str_n(hex, sizeof(hex));
	EXPECT_OK(catalog_put(s->bed.c, &s->bed.b, &o, NULL, &v));
}

static void
copy(struct store *s, str key, const struct bucket *to, str as)
{
	struct object src, o = { .key = as, .etag = STR("copy"), .owner_org = STR("org") };
	struct version_id v;

	EXPECT_OK(get(&s->bed, key, current, &src));
	EXPECT_OK(catalog_copy(s->bed.c, &s->bed.b, &src, to, &o, NULL, &v));
}

static err
finish(void *arg, const struct upload *u, const struct part *parts, unsigned n, struct object *o)
{
	o->etag = STR("0123456789abcdef0123456789abcdef-2");
	return ERR_OK;
}

static void
put_part(struct store *s, const struct bucket *b, const struct upload *u, uint32_t number, size_t size)
{
	struct part p = { .number = number, .size = size, .etag = STR("part"), .nextents = 1 };
	struct extent extent = { .len = size, .blob = blob(s, b->space, size) };

	p.extents = &extent;
	EXPECT_OK(catalog_part_put(s->bed.c, b, u, &p));
}

/* Part 1 is borrowed from "big", or of its own; 2 too; 7 is not chosen. */
static void
put_parts(struct store *s, const struct bucket *b, str key, str borrow_from, bool complete)
{
	struct upload u = { .key = key, .owner_org = STR("org") };
	struct part_choice choice[] = { { .number = 1, .etag = STR("part") }, { .number = 2, .etag = STR("part") } };
	struct part p = { .number = 1, .etag = STR("part") };
	struct object src, o;
	struct version_id v;

	EXPECT_OK(catalog_upload_create(s->bed.c, b, &u));
	if (borrow_from.len > 0) {
		EXPECT_OK(get(&s->bed, borrow_from, current, &src));
		EXPECT_OK(catalog_part_copy(s->bed.c, &s->bed.b, &src, 0, PART_BYTES, b, &u, &p, s->bed.a));
	} else {
		put_part(s, b, &u, 1, PART_BYTES);
	}
	put_part(s, b, &u, 2, 100);
	put_part(s, b, &u, 2, 200);		/* replaces it */
	put_part(s, b, &u, 7, 300);
	if (complete)
		EXPECT_OK(catalog_upload_complete(s->bed.c, b, key, u.id, choice, 2, NULL, finish, NULL, s->bed.a, &o, &v));
}

static void
fill(struct store *s)
{
	struct bed *t = &s->bed;

	put_inline(s, STR("a"), STR("some bytes"));
	put_inline(s, STR("gone"), STR("bytes"));
	put(t, STR("empty"), STR(""));
	put_blob(s, STR("b"), 70000);
	put_blob(s, STR("replaced"), 3000);
	put_blob(s, STR("replaced"), 4000);
	put_blob(s, STR("big"), PART_BYTES + 10);
	put_blob(s, STR("deleted"), 5000);
	copy(s, STR("b"), &t->b, STR("b copied"));
	copy(s, STR("b"), &s->other, STR("b copied"));
	copy(s, STR("big"), &s->other, STR("big copied"));
	del(t, STR("deleted"), current);
	bed_versioning(t, VERSIONING_ENABLED);
	put_inline(s, STR("a"), STR("newer bytes"));
	put_blob(s, STR("b"), 80000);
	put_blob(s, STR("b"), 90000);
	del(t, STR("replaced"), current);	/* a marker */
	bed_versioning(t, VERSIONING_SUSPENDED);
	put_inline(s, STR("gone"), STR("null again"));
	put_parts(s, &t->b, STR("parts"), STR(""), true);
	put_parts(s, &t->b, STR("borrowed"), STR("big"), true);
	put_parts(s, &s->other, STR("borrowed far"), STR("big"), true);
	put_parts(s, &s->other, STR("borrowed parts"), STR("parts"), true);
	put_parts(s, &t->b, STR("under way"), STR(""), false);
	copy(s, STR("parts"), &s->other, STR("parts copied"));
	EXPECT_OK(catalog_config_set(t->c, &t->b, CONFIG_CORS, STR("text")));
	bed_reload(t);
}

static struct store
store_new(void)
{
	struct store s = { .bed = bed_new() };
	struct bucket_new new = { .name = STR("other"), .org = STR("org"), .location = STR("HERE") };

	EXPECT_OK(blobs_open(STR("memory:"), NULL, &s.blobs));
	s.crew = crew_new(2);
	buf_init(&s.said, 1u << 20);
	EXPECT_OK(catalog_bucket_create(s.bed.c, &new));
	EXPECT_OK(catalog_bucket(s.bed.c, STR("other"), KV_MAY_BLOCK, s.bed.a, &s.other));
	fill(&s);
	return s;
}

/* ---- rows, one at a time ---- */

struct row { uint32_t space; str name, value; };

static unsigned
all_rows(struct store *s, struct row *ret, unsigned max)
{
	unsigned n = 0;

	for (uint32_t space = 0; space < 3; space++) {
		AUTO(kv_iter_close) struct kv_iter *it = NULL;

		EXPECT_OK(kv_scan(s->bed.kv, space, STR_NONE, STR_NONE, &it));
		for (; kv_iter_valid(it) && n < max; kv_iter_next(it))
			ret[n++] = (struct row){ space, arena_str(s->bed.a, kv_iter_key(it)), arena_str(s->bed.a, kv_iter_value(it)) };
	}
	return n;
}

static void
set_row(struct store *s, const struct row *r, const str *value)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(r->space);

	if (value != NULL)
		kv_put(b, r->name, *value);
	else
		kv_delete(b, r->name);
	EXPECT_OK(kv_commit(s->bed.kv, b));
}

static void
expect_found(struct store *s, const struct row *r, const char *what)
{
	if (verify(s) == 0)
		TEST_FAIL("%s is not found: space %u row %.*s", what, r->space, STR_FMT(r->name));
}

/* Missing ones of these are what nobody can tell: the reaper has been there, or nothing was ever set. */
static bool
may_be_missing(const struct row *r)
{
	return r->space > 0 && (r->name.p[0] == ROW_CONFIG || r->name.p[0] == ROW_TOKEN || r->name.p[0] == ROW_PENDING);
}

TEST(verify_whole)
{
	AUTO(store_done) struct store s = store_new();

	expect_whole(&s, "filled");
	reap_all(&s.bed);
	if (verify(&s) > 0 && s.damaged > 0)
		TEST_FAIL("reaped: %.*s", STR_FMT(buf_str(&s.said)));
	EXPECT(s.leaked > 0);		/* reap_all() leaves the blobs */
}

TEST(verify_row_missing)
{
	AUTO(store_done) struct store s = store_new();
	static struct row row[1000];
	unsigned n = all_rows(&s, row, COUNT(row));

	EXPECT(n > 60 && n < COUNT(row));
	for (unsigned i = 0; i < n; i++) {
		if (may_be_missing(&row[i]))
			continue;
		set_row(&s, &row[i], NULL);
		expect_found(&s, &row[i], "a missing row");
		set_row(&s, &row[i], &row[i].value);
	}
	expect_whole(&s, "all rows are back");
}

/* Values that are nothing but there, and the texts of configurations, may be anything. */
static bool
has_form(const struct row *r)
{
	struct id body, owner;
	bool is_owner = false;
	char kind = r->name.p[0];

	if (r->space == 0)
		return str_starts(r->name, STR("BN")) || str_starts(r->name, STR("BS"));
	if (kind == ROW_LINK)
		return row_link_parse(r->name, &body, &is_owner, &owner) && !is_owner;
	return kind != ROW_CONFIG;
}

TEST(verify_row_cut)
{
	AUTO(store_done) struct store s = store_new();
	static struct row row[1000];
	unsigned n = all_rows(&s, row, COUNT(row));

	for (unsigned i = 0; i < n; i++) {
		str half = str_sub(row[i].value, 0, row[i].value.len - 1);

		if (!has_form(&row[i]))
			continue;
		set_row(&s, &row[i], &half);
		expect_found(&s, &row[i], "a row cut short");
		set_row(&s, &row[i], &row[i].value);
	}
	expect_whole(&s, "all rows are whole again");
}

/* A row that is sound but another's. */
TEST(verify_row_swapped)
{
	AUTO(store_done) struct store s = store_new();
	static struct row row[1000];
	unsigned n = all_rows(&s, row, COUNT(row));

	for (unsigned i = 1; i < n; i++) {
		const struct row *a = &row[i - 1], *b = &row[i];

		if (!has_form(a) || !has_form(b) || a->space != b->space || a->name.p[0] != b->name.p[0] || str_eq(a->value, b->value) ||
		    a->name.p[0] == ROW_UPLOAD || a->name.p[0] == ROW_BLOB)	/* of which part: not kept of those replaced */
			continue;
		set_row(&s, b, &a->value);
		expect_found(&s, b, "another's row");
		set_row(&s, b, &b->value);
	}
	expect_whole(&s, "all rows are their own again");
}

/* Bytes in the index that are not what their ETag says. */
TEST(verify_inlined)
{
	AUTO(store_done) struct store s = store_new();
	static struct row row[1000];
	unsigned n = all_rows(&s, row, COUNT(row)), spoilt = 0;

	for (unsigned i = 0; i < n; i++) {
		str value = arena_str(s.bed.a, row[i].value);
		ptrdiff_t at = str_find_str(value, STR("bytes"));

		if (row[i].name.p[0] != ROW_OBJECT || row[i].space != s.bed.b.space || at < 0)
			continue;
		((char *)value.p)[at] ^= 1;
		set_row(&s, &row[i], &value);
		EXPECT_EQ("one finding", verify(&s), 1);
		EXPECT(str_find_str(buf_str(&s.said), STR("do not match their checksum")) >= 0);
		set_row(&s, &row[i], &row[i].value);
		spoilt++;
	}
	EXPECT(spoilt > 0);
}

/* ---- blobs ---- */

struct all { struct blob_ref ref[100]; unsigned n; };

static bool
remember(void *arg, const struct blob_ref *ref)
{
	struct all *all = arg;

	all->ref[all->n++] = *ref;
	return all->n < COUNT(all->ref);
}

TEST(verify_blob_rotten)
{
	AUTO(store_done) struct store s = store_new();
	struct all all = { .n = 0 };
	unsigned named = 0;

	EXPECT_OK(blob_list(s.blobs, remember, &all));
	for (unsigned i = 0; i < all.n; i++) {
		EXPECT(blob_mem_rot(s.blobs, &all.ref[i], 77));
		verify(&s);
		/* What is dead, or was not chosen, is nobody's loss. */
		named += s.damaged > 0;
		EXPECT(blob_mem_rot(s.blobs, &all.ref[i], 77));
	}
	/* b, b copied (the same), b's two versions, replaced's last one, big; 1 and 2 of "parts", 2 of three others, 3 of the upload */
	EXPECT_EQ("blobs that somebody needs", named, 5 + 2 + 3 + 3);
	expect_whole(&s, "no blob is rotten");
}

/* All who share the bytes are named, in both buckets, whether they copied or borrowed. */
TEST(verify_names_all)
{
	AUTO(store_done) struct store s = store_new();
	static const char *const want[] = {
		"bucket=bucket key=big version=null", "bucket=other key=big%20copied version=null",
		"bucket=bucket key=borrowed version=null: part 1", "bucket=other key=borrowed%20far version=null: part 1",
	};
	struct object big;

	EXPECT_OK(get(&s.bed, STR("big"), current, &big));
	EXPECT_OK(blob_delete(s.blobs, &big.extent.blob));
	verify(&s);
	EXPECT_EQ("all of them", s.damaged, COUNT(want));
	for (unsigned i = 0; i < COUNT(want); i++)
		if (str_find_str(buf_str(&s.said), str_c(want[i])) < 0)
			TEST_FAIL("%s is not in %.*s", want[i], STR_FMT(buf_str(&s.said)));
}

TEST(verify_blob_unowned)
{
	AUTO(store_done) struct store s = store_new();

	blob(&s, s.bed.b.space, 1000);
	EXPECT_EQ("one finding", verify(&s), 1);
	EXPECT_EQ("a leak", s.leaked, 1);
	EXPECT_EQ("that may be deleted", s.free, 1);
}

/* What an upload has written that may still be under way is never handed out to be deleted. */
TEST(verify_blob_under_way)
{
	AUTO(store_done) struct store s = store_new();
	struct blob_ref before, after;

	before = blob(&s, s.bed.b.space, 1000);
	s.opened_ns = clock_unique_ns();
	after = blob(&s, s.bed.b.space, 1000);
	EXPECT_EQ("both are seen", verify(&s), 2);
	EXPECT_EQ("the older one may be deleted", s.free, 1);
	EXPECT_OK(blob_delete(s.blobs, &before));
	EXPECT_EQ("the younger one is left", verify(&s), 1);
	EXPECT_EQ("and stays", s.free, 0);
	EXPECT_OK(blob_delete(s.blobs, &after));
	expect_whole(&s, "both are gone");
}

/* A link to a record in another bucket that is gone without a trace is seen, and the reaper takes it once it is told. */
TEST(verify_link_abandoned)
{
	AUTO(store_done) struct store s = store_new();
	struct bed *t = &s.bed;
	struct id owner = id_new(s.other.space);
	struct row_key link, own;
	struct object o;
	struct link l;
	str raw, empty = STR("");
	unsigned blobs;

	put_blob(&s, STR("linked"), 6000);
	EXPECT_OK(get(t, STR("linked"), current, &o));
	del(t, STR("linked"), which_of(o.version));
	link = row_link(o.body);
	own = row_owner(o.body, owner);
	EXPECT_OK(kv_get(t->kv, t->b.space, row_str(&link), KV_MAY_BLOCK, t->a, &raw));
	EXPECT_OK(record_link_read(raw, &l));
	set_row(&s, &(struct row){ t->b.space, row_str(&own) }, &empty);
	EXPECT_EQ("one finding", verify(&s), 1);
	EXPECT_EQ("a leak", s.leaked, 1);
	EXPECT(id_eq(s.abandoned.body, o.body) && id_eq(s.abandoned.owner, owner) && s.abandoned.generation == l.generation);
	/* The link has changed since it was judged: nothing happens. */
	EXPECT_OK(catalog_abandon(t->c, o.body, owner, l.generation + 1));
	EXPECT_EQ("as before", verify(&s), 1);
	EXPECT_OK(catalog_abandon(t->c, o.body, owner, l.generation));
	expect_whole(&s, "left to the reaper");
	blobs = reap_all(t);
	EXPECT_ERR("the link", kv_get(t->kv, t->b.space, row_str(&link), KV_MAY_BLOCK, t->a, &raw), -ENOENT);
	EXPECT(blobs > 0);
}
