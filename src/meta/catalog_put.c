/*
 * catalog_put.c - new versions, deletions, tags: one key, one batch.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

static err_v
put_once(struct write *w, struct object *o, const struct conditions *conditions)
{
	struct chain ch;

	TRY(write_open(w));
	TRY(chain_read(w, o->key, &ch));
	TRY(write_judged(w, conditions_write(conditions, chain_current(&ch))));
	TRY(chain_push(w, o->key, &ch, o));
	if (o->data == DATA_SINGLE)
		write_first_link(w, o);
	return write_commit(w);
}

err_v
catalog_put(struct catalog *c, const struct bucket *b, struct object *o, const struct conditions *conditions,
    struct arena *a, struct version_id *ret_version)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	assert(o->data != DATA_MULTIPART);
	TRY(key_check(o->key));
	if (id_is_zero(o->oid))
		o->oid = id_new(b->space);
	if (o->modified_ms == 0)
		o->modified_ms = w.now_ms;
	if (o->data == DATA_SINGLE) {
		assert(id_space(o->extent.blob.id) == b->space);
		o->body = o->extent.body = o->extent.blob.id;
	}
	do
		e = put_once(&w, o, conditions);
	while (write_retry(&w, &e));
	TRY(e);
	*ret_version = o->version;
	return ERR_OK;
}

struct deletion {
	str key;
	const struct which *which;
	const struct conditions *conditions;
	const struct id *expected;
	struct deleted result;
};

static void
deleted_version(struct deletion *d, const struct object *o)
{
	d->result.has_version = true;
	d->result.version = o->version;
	d->result.marker = o->delete_marker;
}

/* The simple delete: what it does follows from the bucket's state. */
static err_v
delete_current(struct write *w, struct deletion *d, const struct chain *ch)
{
	struct object marker = { .key = d->key, .delete_marker = true, .modified_ms = w->now_ms, .owner_org = w->bucket.org };

	TRY(write_judged(w, conditions_write(d->conditions, chain_current(ch))));
	if (d->expected != NULL && (!ch->exists || !id_eq(*d->expected, ch->newest.oid)))
		return err_s3(S3_PreconditionFailed);
	if (w->bucket.versioning == VERSIONING_NEVER) {
		if (!ch->exists)
			return ERR_OK;		/* nothing is there: nothing to write */
		TRY(chain_pop(w, d->key, ch));
		return write_commit(w);
	}
	marker.oid = id_new(w->bucket.space);
	TRY(chain_push(w, d->key, ch, &marker));
	deleted_version(d, &marker);
	return write_commit(w);
}

static err_v
delete_version(struct write *w, struct deletion *d, const struct chain *ch)
{
	struct version_id want = d->which->version;
	struct version v;
	bool newest;
	err_v e;

	d->result.has_version = true;
	d->result.version = want;
	newest = ch->exists && ch->newest.version.null == want.null && (want.null || id_eq(ch->newest.version.id, want.id));
	if (newest) {
		v = (struct version){ ch->raw, ch->newest };
		e = ERR_OK;
	} else if (want.null) {
		e = ch->exists && ch->older.has_null ? chain_find(w, d->key, ch, ch->older.null, &v) : err_s3(S3_NoSuchVersion);
	} else {
		e = ch->exists ? chain_find(w, d->key, ch, want.id, &v) : err_s3(S3_NoSuchVersion);
		if (err_ok(e) && v.object.version.null)
			e = err_s3(S3_NoSuchVersion);
	}
	if (err_is(e, S3_NoSuchVersion)) {
		TRY(write_judged(w, conditions_write(d->conditions, NULL)));
		return d->expected != NULL ? err_s3(S3_PreconditionFailed) : ERR_OK;
	}
	TRY(e);
	TRY(write_judged(w, conditions_write(d->conditions, &v.object)));
	if (d->expected != NULL && !id_eq(*d->expected, v.object.oid))
		return err_s3(S3_PreconditionFailed);
	deleted_version(d, &v.object);
	TRY(newest ? chain_pop(w, d->key, ch) : chain_drop(w, d->key, ch, &v));
	return write_commit(w);
}

static err_v
delete_once(struct write *w, struct deletion *d)
{
	struct chain ch;

	d->result = (struct deleted){ .marker = false };
	TRY(write_open(w));
	TRY(chain_read(w, d->key, &ch));
	if (d->which->kind == WHICH_CURRENT)
		return delete_current(w, d, &ch);
	return delete_version(w, d, &ch);
}

err_v
catalog_delete(struct catalog *c, const struct bucket *b, str key, const struct which *which, const struct conditions *conditions,
    const struct id *expected, struct arena *a, struct deleted *ret)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	struct deletion d = { .key = key, .which = which, .conditions = conditions, .expected = expected };
	err_v e;

	TRY(key_check(key));
	do
		e = delete_once(&w, &d);
	while (write_retry(&w, &e));
	TRY(e);
	*ret = d.result;
	return ERR_OK;
}
