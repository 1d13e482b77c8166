/*
 * test_links.c - a copy into another bucket, the reaper beside it, and who comes first: each of the races that matters, made to happen.
 *
 * The index is the one in memory, with hands in between: at a chosen read or commit something else happens first.
 */
#include <time.h>

#include "catalog_help.h"
#include "meta/keys.h"
#include "meta/kv_impl.h"
#include "meta/record.h"

struct race {
	struct bed bed;
	struct bucket other;
	struct object src, copy;	/* copy: of one and the same request, whatever it takes */
};

/* ---- hands in between ---- */

static struct {
	struct kv *real;
	struct race *race;
	uint32_t fail_commits;		/* of this space; */
	uint32_t fail_settling;		/* of this one those that only strike off a pending link */
	uint32_t commit_space;		/* before a commit there ... */
	str get_row;			/* ... or before the get_count-th read of this row of the first bucket */
	unsigned get_count;
	void (*meanwhile)(struct race *);
} hands;

static void
act(void)
{
	void (*now)(struct race *) = hands.meanwhile;

	hands.meanwhile = NULL;
	if (now != NULL)
		now(hands.race);
}

static err
get_between(struct kv *kv, str full, enum kv_wait wait, struct arena *a, str *ret)
{
	struct kv_full row;

	if (hands.get_count > 0 && kv_full(hands.race->bed.b.space, hands.get_row, &row) && str_eq(full, kv_full_str(&row)) &&
	    --hands.get_count == 0)
		act();
	return hands.real->ops->get(hands.real, full, wait, a, ret);
}

struct iter { struct kv_iter base; struct kv_iter *real; };

static struct kv_iter *real_of(struct kv_iter *it) { return ((struct iter *)it)->real; }
static bool iter_valid(struct kv_iter *it) { return hands.real->ops->iter_valid(real_of(it)); }
static str iter_key(struct kv_iter *it) { return hands.real->ops->iter_key(real_of(it)); }
static str iter_value(struct kv_iter *it) { return hands.real->ops->iter_value(real_of(it)); }
static void iter_next(struct kv_iter *it) { hands.real->ops->iter_next(real_of(it)); }
static void iter_seek(struct kv_iter *it, str full) { hands.real->ops->iter_seek(real_of(it), full); }
static err_v iter_error(struct kv_iter *it) { return hands.real->ops->iter_error(real_of(it)); }

static void
iter_close(struct kv_iter *it)
{
	hands.real->ops->iter_close(real_of(it));
	free(it);
}

static err
scan(struct kv *kv, const struct kv_full *from, const struct kv_full *to, enum kv_scan_how how, struct kv_iter **ret)
{
	struct iter *it;
	struct kv_iter *real;

	TRY(hands.real->ops->scan(hands.real, from, to, how, &real));
	it = MEM_NEW(struct iter);
	kv_iter_init(&it->base, kv, from, to);
	it->real = real;
	*ret = &it->base;
	return ERR_OK;
}

static err
room(struct kv *kv)
{
	return ERR_OK;
}

static err
commit_between(struct kv *kv, struct kv_batch *b)
{
	if (b->space == hands.fail_commits || (b->space == hands.fail_settling && b->n == 1))
		return err_errno(EIO, "as if the server had died");
	if (b->space == hands.commit_space)
		act();
	return hands.real->ops->commit(hands.real, b);
}

static void
close_real(struct kv *kv)
{
	kv_close(&hands.real);
}

static const struct kv_ops ops = {
	.close = close_real, .get = get_between, .scan = scan, .iter_valid = iter_valid, .iter_key = iter_key, .iter_value = iter_value,
	.iter_next = iter_next, .iter_seek = iter_seek, .iter_error = iter_error, .iter_close = iter_close, .commit = commit_between,
	.room = room,
};
static struct kv between = { KV_MAGIC, &ops };

/* The store's index, through our hands. */
static void
put_between(struct race *r)
{
	memset(&hands, 0, sizeof(hands));
	hands.race = r;
	hands.real = r->bed.kv;
	r->bed.kv = &between;
	catalog_close(&r->bed.c);
	EXPECT_OK(catalog_open(r->bed.kv, &r->bed.c));
}

/* ---- the store ---- */

static err
copy_again(struct race *r)
{
	struct version_id v;

	return catalog_copy(r->bed.c, &r->bed.b, &r->src, &r->other, &r->copy, NULL, &v);
}

static void
copy_works(struct race *r)
{
	EXPECT_OK(copy_again(r));
}

/* The link is made, its record is not. */
static void
copy_dies(struct race *r)
{
	hands.fail_commits = r->other.space;
	EXPECT_ERR("the copy", copy_again(r), -EIO);
	hands.fail_commits = 0;
}

static struct race *
race_new(void)
{
	struct race *r = MEM_NEW(struct race);
	struct bucket_new new = { .name = STR("other"), .org = STR("org"), .location = STR("HERE") };
	struct object o;
	struct version_id v;

	r->bed = bed_new();
	EXPECT_OK(catalog_bucket_create(r->bed.c, &new));
	EXPECT_OK(catalog_bucket(r->bed.c, STR("other"), KV_MAY_BLOCK, r->bed.a, &r->other));
	o = large(&r->bed, STR("source"), 100000);
	EXPECT_OK(catalog_put(r->bed.c, &r->bed.b, &o, NULL, &v));
	EXPECT_OK(get(&r->bed, STR("source"), current, &r->src));
	r->copy = (struct object){ .key = STR("copy"), .etag = STR("copy"), .owner_org = STR("org"), .oid = id_new(r->other.space) };
	put_between(r);
	return r;
}

static void
race_free(struct race **rp)
{
	bed_done(&(*rp)->bed);
	mem_free_p(rp);
}

/* What the reaper has to do with this kind; one of them. */
static struct dead
dead_of(struct race *r, enum dead_kind kind)
{
	struct dead *dead = NULL, found = { .space = 0 };
	unsigned n = 0, seen = 0;

	/* Not of the millisecond that it was made in: a link made anew is another one. */
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	EXPECT_OK(catalog_dead(r->bed.c, r->bed.b.space, UINT64_MAX, NULL, 100, r->bed.a, &dead, &n));
	for (unsigned i = 0; i < n; i++) {
		if (dead[i].kind != kind)
			continue;
		found = dead[i];
		seen++;
	}
	EXPECT_EQ("dead entries of this kind", seen, 1);
	return found;
}

static unsigned
unlink_it(struct race *r, const struct dead *d)
{
	struct blob_ref *blobs;
	unsigned n = 99;

	EXPECT_OK(catalog_dead_unlink(r->bed.c, d, r->bed.a, &blobs, &n));
	return n;
}

static void
reap(struct race *r, enum dead_kind kind, unsigned want_blobs)
{
	struct dead d = dead_of(r, kind);

	EXPECT_EQ("blobs to delete", unlink_it(r, &d), want_blobs);
	EXPECT_OK(catalog_dead_done(r->bed.c, &d));
}

static void
delete_copy(struct race *r)
{
	struct deleted d;

	EXPECT_OK(catalog_delete(r->bed.c, &r->other, STR("copy"), &current, NULL, NULL, &d));
}

/* The copy is there, and its bytes belong to it alone: they go when it goes, not before. */
static void
expect_owned(struct race *r)
{
	struct object o;

	EXPECT_OK(catalog_get(r->bed.c, &r->other, STR("copy"), &current, KV_MAY_BLOCK, r->bed.a, &o));
	EXPECT_EQ("blobs of others", reap_all(&r->bed), 0);
	delete_copy(r);
	EXPECT_EQ("its blob", reap_all(&r->bed), 1);
}

/* ---- the races ---- */

/* The reaper has found that no record came of a link; before it acts the request tries once more, and succeeds. */
TEST(link_made_anew_before_it_is_taken)
{
	AUTO(race_free) struct race *r = race_new();
	struct row_key row = row_link(r->src.body);

	copy_dies(r);
	del(&r->bed, STR("source"), current);
	reap(r, DEAD_BODY, 0);			/* now the link is the only owner */
	hands.get_row = row_str(&row);
	hands.get_count = 2;			/* its generation is read; then it is read to be changed */
	hands.meanwhile = copy_works;
	reap(r, DEAD_LINK, 0);
	EXPECT(hands.meanwhile == NULL);
	expect_owned(r);
}

/* The reaper has taken a link away; before it strikes the entry off the request makes both anew, and the server dies. */
TEST(link_made_anew_before_it_is_struck_off)
{
	AUTO(race_free) struct race *r = race_new();
	struct dead d;

	copy_dies(r);
	d = dead_of(r, DEAD_LINK);
	EXPECT_EQ("blobs to delete", unlink_it(r, &d), 0);
	copy_dies(r);
	EXPECT_OK(catalog_dead_done(r->bed.c, &d));
	reap(r, DEAD_LINK, 0);			/* somebody still looks after it */
	del(&r->bed, STR("source"), current);
	EXPECT_EQ("the blob", reap_all(&r->bed), 1);
}

static void
reap_link(struct race *r)
{
	reap(r, DEAD_LINK, 0);
}

/* The reaper takes a link away while the batch that makes its record is about to be applied. */
TEST(link_taken_before_the_record)
{
	AUTO(race_free) struct race *r = race_new();

	hands.commit_space = r->other.space;
	hands.meanwhile = reap_link;
	copy_works(r);
	EXPECT(hands.meanwhile == NULL);
	del(&r->bed, STR("source"), current);
	expect_owned(r);
}

/* The reaper comes when the record is there and the link is not settled yet: the link stays. */
TEST(link_of_a_record)
{
	AUTO(race_free) struct race *r = race_new();

	hands.fail_settling = r->bed.b.space;
	copy_works(r);
	hands.fail_settling = 0;
	reap(r, DEAD_LINK, 0);
	del(&r->bed, STR("source"), current);
	expect_owned(r);
}
