/*
 * catalog_delete.c - deletions: of one version of one key, or of many at once.
 *
 * A deletion is judged first, from the rows of its key, and then applied to a batch: what fails with an S3 error has changed
 * nothing of it. So many go into one batch, as long as none of them relies on a row that another of them changes:
 *
 *   of one key and batch     older versions, any number    one that rewrites the O row    a second one of the same version
 *                            yes                           if it is the first             no
 *
 * What does not fit waits for the next round. A batch that another writer came between is taken apart.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

#define MANY_ITEMS 256u			/* of a batch */
#define MANY_BYTES (4u << 20)

struct deletion {
	str key;
	const struct which *which;
	const struct conditions *conditions;
	const struct id *expected;
	enum { DELETE_NOTHING, DELETE_NEWEST, DELETE_OLDER, DELETE_MARK } change;
	struct version version;		/* the one that DELETE_OLDER means */
	struct deleted result;
};

static void
result_version(struct deletion *d, const struct object *o)
{
	d->result.has_version = true;
	d->result.version = o->version;
	d->result.marker = o->delete_marker;
}

/* The simple delete: what it does follows from the bucket's state. */
static err
judge_current(struct write *w, struct deletion *d, const struct chain *ch)
{
	TRY(write_judged(w, conditions_write(d->conditions, chain_current(ch))));
	if (d->expected != NULL && (!ch->exists || !id_eq(*d->expected, ch->newest.oid)))
		return err_s3(S3_PreconditionFailed);
	if (w->bucket.versioning != VERSIONING_NEVER)
		d->change = DELETE_MARK;
	else if (ch->exists)
		d->change = DELETE_NEWEST;
	return ERR_OK;
}

/* An older version: S3_NoSuchVersion. */
static err
find_older(struct write *w, struct deletion *d, const struct chain *ch)
{
	struct version_id want = d->which->version;

	if (!ch->exists || (want.null && !ch->older.has_null))
		return err_s3(S3_NoSuchVersion);
	TRY(chain_find(w, d->key, ch, want.null ? ch->older.null : want.id, &d->version));
	return d->version.object.version.null == want.null ? ERR_OK : err_s3(S3_NoSuchVersion);
}

static err
judge_version(struct write *w, struct deletion *d, const struct chain *ch)
{
	struct version_id want = d->which->version;
	const struct object *o = &ch->newest;
	bool newest = ch->exists && o->version.null == want.null && (want.null || id_eq(o->version.id, want.id));

	d->result.has_version = true;
	d->result.version = want;
	if (!newest) {
		err_v e = find_older(w, d, ch);

		if (err_is(e, S3_NoSuchVersion)) {
			TRY(write_judged(w, conditions_write(d->conditions, NULL)));
			return d->expected != NULL ? err_s3(S3_PreconditionFailed) : ERR_OK;
		}
		TRY(e);
		o = &d->version.object;
	}
	TRY(write_judged(w, conditions_write(d->conditions, o)));
	if (d->expected != NULL && !id_eq(*d->expected, o->oid))
		return err_s3(S3_PreconditionFailed);
	result_version(d, o);
	d->change = newest ? DELETE_NEWEST : DELETE_OLDER;
	return ERR_OK;
}

/* What is to be done, and what will be answered. Nothing is in the batch but expectations. */
static err
judge(struct write *w, struct deletion *d, struct chain *ret)
{
	d->result = (struct deleted){ .marker = false };
	d->change = DELETE_NOTHING;
	TRY(chain_read(w, d->key, ret));
	return d->which->kind == WHICH_CURRENT ? judge_current(w, d, ret) : judge_version(w, d, ret);
}

static err
apply(struct write *w, struct deletion *d, const struct chain *ch)
{
	struct object marker = { .key = d->key, .delete_marker = true, .modified_ms = w->now_ms, .owner_org = w->bucket.org };

	switch (d->change) {
	case DELETE_NOTHING:
		return ERR_OK;
	case DELETE_NEWEST:
		return chain_pop(w, d->key, ch);
	case DELETE_OLDER:
		return chain_drop(w, d->key, ch, &d->version);
	case DELETE_MARK:
		break;
	}
	marker.oid = id_new(w->bucket.space);
	TRY(chain_push(w, d->key, ch, &marker));
	result_version(d, &marker);
	return ERR_OK;
}

static err
delete_once(struct write *w, struct deletion *d)
{
	struct chain ch;

	TRY(write_open(w));
	TRY(judge(w, d, &ch));
	TRY(apply(w, d, &ch));
	return d->change == DELETE_NOTHING ? ERR_OK : write_commit(w);
}

static err
delete_one(struct catalog *c, const struct bucket *b, struct deletion *d)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	do
		e = delete_once(&w, d);
	while (write_retry(&w, &e));
	return e;
}

err_v
catalog_delete(struct catalog *c, const struct bucket *b, str key, const struct which *which, const struct conditions *conditions,
    const struct id *expected, struct deleted *ret)
{
	struct deletion d = { .key = key, .which = which, .conditions = conditions, .expected = expected };

	TRY(key_check(key));
	TRY(delete_one(c, b, &d));
	*ret = d.result;
	return ERR_OK;
}

/* ---- many ---- */

/* Those of a key that do not all name versions keep their order, each in a batch of its own. */
struct many_item {
	struct delete_item *item;
	bool ordered;
};

struct many {
	struct write w;
	struct delete_item *held[MANY_ITEMS];	/* in the batch */
	unsigned n;
	bool spoilt;			/* the batch is of no use: what it holds is done one by one */
	bool touched;			/* the key at hand has something in the batch */
};

static struct deletion
deletion_of(const struct delete_item *item)
{
	return (struct deletion){ .key = item->key, .which = &item->which, .conditions = &item->conditions,
		.expected = item->expected };
}

static void
many_open(struct many *m)
{
	m->n = 0;
	m->touched = false;
	arena_reset(m->w.arena);
	m->spoilt = !err_ok(write_open(&m->w));
}

static void
many_commit(struct many *m)
{
	err_v e = m->spoilt ? ERR_CONFLICT : m->n > 0 ? write_commit(&m->w) : ERR_OK;
	bool one_by_one = err_is(e, ERR_CONFLICT.code);

	for (unsigned i = 0; i < m->n; i++) {
		struct delete_item *item = m->held[i];
		struct deletion d = deletion_of(item);

		item->error = one_by_one ? delete_one(m->w.c, &m->w.bucket, &d) : e;
		if (one_by_one)
			item->result = d.result;
	}
}

/* Does this deletion rewrite the O row of its key? */
static bool
changes_newest(const struct deletion *d)
{
	return d->change == DELETE_NEWEST || d->change == DELETE_MARK ||
	    (d->change == DELETE_OLDER && d->version.object.version.null);
}

/* false: not now. *ret_last: no other of this key in this round. */
static bool
many_add(struct many *m, const struct many_item *add, bool *ret_last)
{
	struct delete_item *item = add->item;
	struct deletion d = deletion_of(item);
	struct chain ch;
	err_v e;

	*ret_last = add->ordered;
	if (m->n == MANY_ITEMS || kv_batch_bytes(m->w.batch) >= MANY_BYTES) {
		many_commit(m);
		many_open(m);
	}
	if (m->spoilt) {
		m->held[m->n++] = item;
		return true;
	}
	e = judge(&m->w, &d, &ch);
	if (e.code > 0) {
		item->error = e;
		return true;
	}
	if (err_ok(e) && changes_newest(&d))
		*ret_last = true;
	if (*ret_last && m->touched)
		return false;
	if (err_ok(e))
		e = apply(&m->w, &d, &ch);
	item->result = d.result;
	m->held[m->n++] = item;
	m->touched = true;
	m->spoilt = !err_ok(e);
	return true;
}

static bool
same_version(const struct delete_item *a, const struct delete_item *b)
{
	return a->which.kind == b->which.kind && a->which.version.null == b->which.version.null &&
	    (a->which.version.null || id_eq(a->which.version.id, b->which.version.id));
}

/* Once through all that are left, by key. Those that have to wait are moved to the front; their number. */
static unsigned
many_round(struct many *m, struct many_item *item, unsigned n)
{
	const struct delete_item *before = NULL;
	unsigned left = 0;
	bool wait = false;

	many_open(m);
	for (unsigned i = 0; i < n; i++) {
		struct many_item now = item[i];
		bool last = false;

		if (before == NULL || !str_eq(before->key, now.item->key))
			wait = m->touched = false;
		else if (same_version(before, now.item))
			wait = true;
		if (wait || !many_add(m, &now, &last)) {
			item[left++] = now;
			last = true;
		}
		wait = wait || last;
		before = now.item;
	}
	many_commit(m);
	return left;
}

static int
by_key(const void *a, const void *b)
{
	const struct delete_item *x = ((const struct many_item *)a)->item, *y = ((const struct many_item *)b)->item;
	int c = str_cmp(x->key, y->key);

	return c != 0 ? c : x < y ? -1 : x > y;
}

/* Oldest first: as long as it is not the newest that goes, the O row stays as it is. */
static int
by_age(const void *a, const void *b)
{
	const struct delete_item *x = ((const struct many_item *)a)->item, *y = ((const struct many_item *)b)->item;
	int c = 0;

	if (x->which.version.null != y->which.version.null)
		return x->which.version.null ? 1 : -1;
	if (!x->which.version.null)
		c = str_cmp(id_bytes(&x->which.version.id), id_bytes(&y->which.version.id));
	return c != 0 ? c : x < y ? -1 : x > y;
}

static void
many_sort(struct many_item *item, unsigned n)
{
	qsort(item, n, sizeof(*item), by_key);
	for (unsigned i = 0, end; i < n; i = end) {
		bool versions = true;

		for (end = i; end < n && str_eq(item[i].item->key, item[end].item->key); end++)
			versions = versions && item[end].item->which.kind == WHICH_VERSION;
		if (versions)
			qsort(item + i, end - i, sizeof(*item), by_age);
		for (unsigned j = i; j < end; j++)
			item[j].ordered = !versions;
	}
}

void
catalog_delete_many(struct catalog *c, const struct bucket *b, struct delete_item *items, unsigned n)
{
	struct many_item *order = mem_alloc((n + 1) * sizeof(*order));
	struct many m = { .w = write_begin(c, b) };
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		items[i].result = (struct deleted){ .marker = false };
		items[i].error = key_check(items[i].key);
		if (err_ok(items[i].error))
			order[left++].item = &items[i];
	}
	many_sort(order, left);
	while (left > 0)
		left = many_round(&m, order, left);
	write_done(&m.w);
	free(order);
}
