/*
 * catalog_bucket.c - buckets: a name in the system space, everything else in a space of their own.
 *
 * Two spaces cannot change in one batch, so the order of steps is what keeps them right:
 *
 *   create   1. BN name, BO owner, BZ space, the next space's number	(a crash here: the name is taken, nothing answers to it;
 *            2. H								 the next creation of that name makes H)
 *   delete   1. H marked; look whether anything is there; H says deleted
 *            2. BN, BO go							(a crash before: the next creation does it)
 *
 *   retire  1. H, N	(links and dead entries outlive the bucket: the reaper does this when they have gone)
 *            2. BZ	(a crash before: no name leads to a space without rows, so it goes the next time)
 *
 * Numbers of spaces are never used twice.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

/* Lost races of creations and deletions of one name; each is won by another one that went on. */
#define TRIES_MAX 1000

static const struct bucket system_bucket = { .space = KV_SYSTEM_SPACE };

/* H of a space. ERR_NOT_FOUND. */
static err
read_head(struct catalog *c, uint32_t space, enum kv_wait wait, struct arena *a, struct bucket *ret)
{
	struct row_key row = row_head();
	uint64_t stamp = kv_stamp(c->kv, space, row_str(&row));
	str raw;

	TRY(kv_get_hot(c->kv, space, row_str(&row), wait, a, &raw));
	TRY(record_bucket_read(raw, ret));
	ret->header_stamp = stamp;
	return ERR_OK;
}

/* The row of the name: where the bucket is, and whose. ERR_NOT_FOUND. */
static err
read_name(struct catalog *c, str name, enum kv_wait wait, struct arena *a, struct bucket *ret)
{
	struct row_key row;
	str raw;

	if (name.len == 0 || name.len > BUCKET_NAME_MAX)
		return ERR_NOT_FOUND;
	row = row_bucket_name(name);
	TRY(kv_get(c->kv, KV_SYSTEM_SPACE, row_str(&row), wait, a, &raw));
	return record_bucket_read(raw, ret);
}

static atomic_uint *
space_hint(struct catalog *c, str name)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.p[i]) * 0x01000193u;
	return &c->space_hint[(hash ^ hash >> 16) % SPACE_HINTS];
}

/*
 * An H that is not deleted has its name to itself: BN comes before it and goes after it. So one look at the space where this name
 * was found last decides, unless the name has moved on.
 */
err_v
catalog_bucket(struct catalog *c, str name, enum kv_wait wait, struct arena *a, struct bucket *ret)
{
	atomic_uint *hint = space_hint(c, name);
	uint32_t space = atomic_load_explicit(hint, memory_order_relaxed);
	struct bucket named, b;
	err_v e = ERR_NOT_FOUND;

	CHECK_OBJ(c, CATALOG_MAGIC);
	if (space != KV_SYSTEM_SPACE)
		e = read_head(c, space, wait, a, &b);
	if (err_is(e, ERR_NOT_FOUND.code) || (err_ok(e) && (b.state == BUCKET_DELETED || !str_eq(b.name, name)))) {
		e = read_name(c, name, wait, a, &named);
		if (err_ok(e))
			e = read_head(c, named.space, wait, a, &b);
	}
	if (err_is(e, ERR_NOT_FOUND.code) || (err_ok(e) && b.state == BUCKET_DELETED))
		return err_s3(S3_NoSuchBucket);
	TRY(e);
	atomic_store_explicit(hint, b.space, memory_order_relaxed);
	*ret = b;
	return ERR_OK;
}

/* Step 2 of a creation, with tags or without (STR_NONE). That H is there already is as good. */
static err
make_head(struct catalog *c, const struct bucket *named, str tags)
{
	AUTO(kv_batch_free) struct kv_batch *batch = kv_batch_new(named->space);
	AUTO(buf_done) struct buf buf;
	struct row_key row = row_head();
	struct bucket b = *named;
	err_v e;

	b.has_tags = tags.p != NULL;
	buf_init(&buf, KV_VALUE_MAX);
	record_bucket(&buf, &b);
	kv_expect_absent(batch, row_str(&row));
	kv_put(batch, row_str(&row), buf_str(&buf));
	if (b.has_tags)
		config_put(batch, CONFIG_TAGS, tags);
	e = kv_commit(c->kv, batch);
	return err_is(e, ERR_CONFLICT.code) ? ERR_OK : e;
}

/* Step 2 of a deletion. That the name is gone already, or taken anew, is as good. */
static err
drop_name(struct catalog *c, const struct bucket *named)
{
	AUTO(kv_batch_free) struct kv_batch *batch = kv_batch_new(KV_SYSTEM_SPACE);
	struct row_key name = row_bucket_name(named->name), owned = row_bucket_of(named->org, named->name);
	err_v e;

	kv_expect_value(batch, row_str(&name), named->header);
	kv_delete(batch, row_str(&name));
	kv_delete(batch, row_str(&owned));
	e = kv_commit(c->kv, batch);
	return err_is(e, ERR_CONFLICT.code) ? ERR_OK : e;
}

/* How many buckets the owner has, counted up to limit. */
static err
count_owned(struct catalog *c, str org, unsigned limit, unsigned *ret)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key from = row_buckets_of(org, STR("")), to = row_behind(from);
	unsigned n = 0;

	TRY(kv_scan(c->kv, KV_SYSTEM_SPACE, row_str(&from), row_str(&to), &it));
	for (; kv_iter_valid(it) && n < limit; kv_iter_next(it))
		n++;
	*ret = n;
	return kv_iter_error(it);
}

/* Step 1 of a creation. ERR_CONFLICT: the name, or the number of the next space, was taken meanwhile. */
static err
take_name(struct write *w, const struct bucket_new *new, struct bucket *ret)
{
	struct bucket b = { .name = new->name, .org = new->org, .location = new->location, .creator = new->creator,
	    .created_ms = w->now_ms, .space = 1 };
	struct bucket next = { .name = STR("next") };
	unsigned have;
	str raw;
	err_v e;

	kv_batch_free(&w->batch);
	w->batch = kv_batch_new(KV_SYSTEM_SPACE);
	e = write_read(w, row_bucket_name(new->name), &raw);
	if (!err_is(e, ERR_NOT_FOUND.code))
		return err_ok(e) ? ERR_CONFLICT : e;
	e = write_read(w, row_next_space(), &raw);
	if (err_ok(e)) {
		TRY(record_bucket_read(raw, &next));
		b.space = next.space;
	} else if (!err_is(e, ERR_NOT_FOUND.code)) {
		return e;
	}
	if (new->limit > 0) {
		TRY(count_owned(w->c, new->org, new->limit, &have));
		if (have >= new->limit)
			return err_s3(S3_TooManyBuckets);
	}
	if (b.space == UINT32_MAX)
		return err_errno(ENOSPC, "numbers of spaces");
	next.space = b.space + 1;
	record_bucket(&w->buf, &next);
	write_put(w, row_next_space());
	record_bucket(&w->buf, &b);
	write_put(w, row_bucket_name(b.name));
	write_put(w, row_space(b.space));
	record_mark(&w->buf);
	write_put(w, row_bucket_of(b.org, b.name));
	TRY(kv_commit(w->c->kv, w->batch));
	*ret = b;
	return ERR_OK;
}

/* Does a bucket have the tags that a creation asks for? */
static err
tags_agree(struct catalog *c, const struct bucket *b, str want, struct arena *a, bool *ret)
{
	str have;
	err_v e;

	*ret = want.p == NULL;
	if (*ret || !b->has_tags)
		return ERR_OK;
	e = catalog_config_get(c, b, CONFIG_TAGS, a, &have);
	*ret = err_ok(e) && str_eq(have, want);
	return err_is(e, ERR_NOT_FOUND.code) ? ERR_OK : e;
}

/* What a creation answers where there is a bucket of this name. ERR_CONFLICT: it is gone now, try again. */
static err
already_there(struct catalog *c, const struct bucket_new *new, const struct bucket *named, struct arena *a)
{
	struct bucket b;
	bool same = str_eq(named->org, new->org) && str_eq(named->location, new->location);
	err_v e = read_head(c, named->space, KV_MAY_BLOCK, a, &b);

	if (err_is(e, ERR_NOT_FOUND.code)) {
		TRY(make_head(c, named, same ? new->tags : STR_NONE));
		e = read_head(c, named->space, KV_MAY_BLOCK, a, &b);
	}
	TRY(e);
	if (b.state == BUCKET_DELETED) {
		TRY(drop_name(c, named));
		return ERR_CONFLICT;
	}
	if (!str_eq(b.org, new->org))
		return err_s3(S3_BucketAlreadyExists);
	if (same)
		TRY(tags_agree(c, &b, new->tags, a, &same));
	return new->same_ok && same ? ERR_OK : err_s3(S3_BucketAlreadyOwnedByYou);
}

err_v
catalog_bucket_create(struct catalog *c, const struct bucket_new *new)
{
	AUTO(write_done) struct write w = write_begin(c, &system_bucket);
	struct bucket named;
	err_v e = ERR_CONFLICT;

	if (new->name.len == 0 || new->name.len > BUCKET_NAME_MAX)
		return err_s3(S3_InvalidBucketName);
	if (new->org.len > ORG_MAX)
		return err_s3(S3_InvalidArgument);
	for (int i = 0; i < TRIES_MAX && err_is(e, ERR_CONFLICT.code); i++) {
		arena_reset(w.arena);
		e = read_name(c, new->name, KV_MAY_BLOCK, w.arena, &named);
		if (err_ok(e)) {
			e = already_there(c, new, &named, w.arena);
			continue;
		}
		if (!err_is(e, ERR_NOT_FOUND.code))
			return e;
		e = take_name(&w, new, &named);
		if (!err_ok(e))
			continue;
		CRASH_POINT(bucket_named);
		return make_head(c, &named, new->tags);
	}
	return err_is(e, ERR_CONFLICT.code) ? err_s3(S3_OperationAborted) : e;
}

static err
is_empty(struct catalog *c, uint32_t space, bool *ret)
{
	static const enum row_kind kinds[] = { ROW_OBJECT, ROW_UPLOAD };
	bool empty = true;

	for (unsigned i = 0; i < 2 && empty; i++) {
		AUTO(kv_iter_close) struct kv_iter *it = NULL;
		struct row_key from = row_kind_from(kinds[i]), to = row_behind(from);

		TRY(kv_scan(c->kv, space, row_str(&from), row_str(&to), &it));
		empty = !kv_iter_valid(it);
		TRY(kv_iter_error(it));
	}
	*ret = empty;
	return ERR_OK;
}

/* H goes from one state to the next; other rows of the batch are the caller's. b->header: what is expected. */
static err
change_state(struct write *w, struct bucket *b, enum bucket_state state)
{
	struct row_key head = row_head();

	b->state = state;
	b->generation++;
	kv_expect_value(w->batch, row_str(&head), b->header);
	record_bucket(&w->buf, b);
	write_put(w, head);
	TRY(kv_commit(w->c->kv, w->batch));
	b->header = arena_str(w->arena, buf_str(&w->buf));
	return ERR_OK;
}

static void
new_batch(struct write *w, uint32_t space)
{
	kv_batch_free(&w->batch);
	w->batch = kv_batch_new(space);
}

/* Step 1. Whoever writes between mark and end takes the mark away, so that the end is ERR_CONFLICT. */
static err
empty_once(struct write *w, uint32_t space)
{
	struct row_key config = row_kind_from(ROW_CONFIG), config_end = row_behind(config);
	struct row_key token = row_kind_from(ROW_TOKEN), token_end = row_behind(token);
	struct row_key touch = row_kind_from(ROW_TOUCH), touch_end = row_behind(touch), ages = row_kind_from(ROW_AGES);
	struct bucket b;
	bool empty;
	err_v e;

	e = read_head(w->c, space, KV_MAY_BLOCK, w->arena, &b);
	if (err_is(e, ERR_NOT_FOUND.code) || (err_ok(e) && b.state == BUCKET_DELETED))
		return err_s3(S3_NoSuchBucket);
	TRY(e);
	TRY(is_empty(w->c, space, &empty));
	if (!empty)
		return err_s3(S3_BucketNotEmpty);
	new_batch(w, space);
	TRY(change_state(w, &b, BUCKET_DELETING));
	TRY(is_empty(w->c, space, &empty));
	new_batch(w, space);
	if (!empty) {
		TRY(change_state(w, &b, BUCKET_LIVE));
		return err_s3(S3_BucketNotEmpty);
	}
	kv_delete_range(w->batch, row_str(&config), row_str(&config_end));
	kv_delete_range(w->batch, row_str(&token), row_str(&token_end));
	kv_delete_range(w->batch, row_str(&touch), row_str(&touch_end));
	kv_delete(w->batch, row_str(&ages));
	b.deleted_ms = w->now_ms;
	return change_state(w, &b, BUCKET_DELETED);
}

err_v
catalog_bucket_delete(struct catalog *c, const struct bucket *b)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	struct bucket named;
	err_v e = ERR_CONFLICT;

	for (int i = 0; i < TRIES_MAX && err_is(e, ERR_CONFLICT.code); i++) {
		arena_reset(w.arena);
		e = empty_once(&w, b->space);
	}
	if (err_is(e, ERR_CONFLICT.code))
		return err_s3(S3_OperationAborted);
	TRY(e);
	CRASH_POINT(bucket_emptied);
	e = read_name(c, b->name, KV_MAY_BLOCK, w.arena, &named);
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	return named.space == b->space ? drop_name(c, &named) : ERR_OK;
}

/* The bucket behind a row of names, if it is there: half made and half deleted ones are not. */
static err
listed(struct catalog *c, str row, struct arena *a, struct bucket *ret, bool *ret_there)
{
	str name;
	err_v e;

	if (!row_bucket_parse(row, &name))
		return err_errno(EBADMSG, "the row of a bucket's name");
	e = catalog_bucket(c, name, KV_MAY_BLOCK, a, ret);
	*ret_there = err_ok(e);
	return err_is(e, S3_NoSuchBucket) ? ERR_OK : e;
}

err_v
catalog_bucket_list(struct catalog *c, str org, str prefix, str after, unsigned max, struct arena *a,
    struct bucket **ret, unsigned *ret_n, bool *ret_more)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key from, to, start;
	struct bucket *list = ARENA_ARRAY(a, struct bucket, max + 1);
	unsigned n = 0;
	bool there = false;

	if (prefix.len > BUCKET_NAME_MAX || org.len > ORG_MAX) {
		*ret = list;
		*ret_n = 0;
		*ret_more = false;
		return ERR_OK;
	}
	after = str_sub(after, 0, BUCKET_NAME_MAX);
	from = org.p == NULL ? row_bucket_names(prefix) : row_buckets_of(org, prefix);
	to = row_behind(from);
	if (after.len > 0) {
		start = row_next(org.p == NULL ? row_bucket_names(after) : row_buckets_of(org, after));
		if (str_cmp(row_str(&start), row_str(&from)) > 0)
			from = start;
	}
	if (str_cmp(row_str(&from), row_str(&to)) < 0) {
		TRY(kv_scan(c->kv, KV_SYSTEM_SPACE, row_str(&from), row_str(&to), &it));
		for (; kv_iter_valid(it) && n <= max; kv_iter_next(it)) {
			TRY(listed(c, kv_iter_key(it), a, &list[n], &there));
			n += there;
		}
		TRY(kv_iter_error(it));
	}
	*ret_more = n > max;
	*ret_n = n > max ? max : n;
	*ret = list;
	return ERR_OK;
}

err_v
catalog_spaces(struct catalog *c, struct arena *a, uint32_t **ret, unsigned *ret_n)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key from = row_spaces(), to = row_behind(from);
	uint32_t *list;
	unsigned n = 0;

	TRY(kv_scan(c->kv, KV_SYSTEM_SPACE, row_str(&from), row_str(&to), &it));
	for (; kv_iter_valid(it); kv_iter_next(it))
		n++;
	TRY(kv_iter_error(it));
	list = arena_try(a, (n + 1) * sizeof(*list));
	if (list == NULL)
		return err_errno(ENOMEM, "a list of %u spaces", n);
	kv_iter_seek(it, row_str(&from));
	for (n = 0; kv_iter_valid(it); kv_iter_next(it))
		if (!row_space_parse(kv_iter_key(it), &list[n++]))
			return err_errno(EBADMSG, "the row of a space");
	TRY(kv_iter_error(it));
	*ret = list;
	*ret_n = n;
	return ERR_OK;
}

/* Does a name lead there? Then *ret_row is what it says. */
static err
is_named(struct catalog *c, const struct bucket *b, struct arena *a, bool *ret, struct bucket *ret_row)
{
	err_v e = read_name(c, b->name, KV_MAY_BLOCK, a, ret_row);

	*ret = err_ok(e) && ret_row->space == b->space;
	return err_is(e, ERR_NOT_FOUND.code) ? ERR_OK : e;
}

/* Nothing but H, and counters that say so? Once true of a deleted bucket it stays true: every other row comes of one that is there. */
static err
is_bare(struct catalog *c, uint32_t space, bool *ret)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key head = row_head(), counters = row_counters();
	int64_t n[KV_COUNTERS_MAX];
	bool bare = true;

	TRY(kv_scan(c->kv, space, STR_NONE, STR_NONE, &it));
	for (; kv_iter_valid(it) && bare; kv_iter_next(it)) {
		if (str_eq(kv_iter_key(it), row_str(&head)))
			continue;
		bare = str_eq(kv_iter_key(it), row_str(&counters)) && kv_counters(kv_iter_value(it), n, KV_COUNTERS_MAX);
		for (int i = 0; i < KV_COUNTERS_MAX && bare; i++)
			bare = n[i] == 0;
	}
	*ret = bare;
	return kv_iter_error(it);
}

static err
drop_head(struct catalog *c, const struct bucket *b)
{
	AUTO(kv_batch_free) struct kv_batch *batch = kv_batch_new(b->space);
	struct row_key head = row_head(), counters = row_counters();

	kv_expect_value(batch, row_str(&head), b->header);
	kv_delete(batch, row_str(&head));
	kv_delete(batch, row_str(&counters));
	return kv_commit(c->kv, batch);
}

static err
drop_space(struct catalog *c, uint32_t space)
{
	AUTO(kv_batch_free) struct kv_batch *batch = kv_batch_new(KV_SYSTEM_SPACE);
	struct row_key row = row_space(space);

	kv_delete(batch, row_str(&row));
	return kv_commit(c->kv, batch);
}

/* Without H: half made if a name leads there, else half retired. BZ says which name. */
static err
retire_rest(struct catalog *c, uint32_t space, struct arena *a)
{
	struct row_key row = row_space(space);
	struct bucket b, of_name;
	bool named;
	str raw;
	err_v e = kv_get(c->kv, KV_SYSTEM_SPACE, row_str(&row), KV_MAY_BLOCK, a, &raw);

	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	if (!err_ok(record_bucket_read(raw, &b)) || b.space != space)
		return ERR_OK;		/* of a version that did not say */
	TRY(is_named(c, &b, a, &named, &of_name));
	return named ? ERR_OK : drop_space(c, space);
}

err_v
catalog_space_retire(struct catalog *c, uint32_t space, uint64_t before_ms, struct arena *a)
{
	struct bucket b, of_name;
	bool bare, named;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	e = read_head(c, space, KV_MAY_BLOCK, a, &b);
	if (err_is(e, ERR_NOT_FOUND.code))
		return retire_rest(c, space, a);
	TRY(e);
	/* A creation that saw the half-made bucket of this name may still make H: not after such a time. */
	if (b.state != BUCKET_DELETED || b.deleted_ms >= before_ms)
		return ERR_OK;
	TRY(is_bare(c, space, &bare));
	if (!bare)
		return ERR_OK;
	TRY(is_named(c, &b, a, &named, &of_name));
	if (named)			/* half deleted */
		TRY(drop_name(c, &of_name));
	TRY(drop_head(c, &b));
	CRASH_POINT(space_emptied);
	return drop_space(c, space);
}
