/*
 * catalog_chain.c - the versions of a key: the newest in its O row, the older ones in V rows behind it.
 *
 * The O row says whether there may be V rows and which of them is the null version, so that an ordinary write reads one
 * row. V rows are made and go only in batches that expect the O row; those that a batch relies on, it expects too.
 *
 *   bucket       put                                   simple delete
 *   never        replaces                              removes
 *   enabled      goes on top, new id                   marker on top, new id
 *   suspended    replaces the null version wherever    the same with a null marker
 *                it is, goes on top as null
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

static err
get_object(struct write *w, str raw, str key, struct older *ret_older, struct object *ret)
{
	TRY(record_object_read(raw, RECORD_FULL, w->arena, ret_older, ret));
	ret->key = key;
	return ERR_OK;
}

err_v
chain_read(struct write *w, str key, struct chain *ret)
{
	struct chain ch = { .exists = true };
	err_v e = write_read(w, row_object(key), &ch.raw);

	if (err_is(e, ERR_NOT_FOUND.code)) {
		*ret = (struct chain){ .exists = false };
		return ERR_OK;
	}
	TRY(e);
	TRY(get_object(w, ch.raw, key, &ch.older, &ch.newest));
	*ret = ch;
	return ERR_OK;
}

const struct object *
chain_current(const struct chain *ch)
{
	return ch->exists && !ch->newest.delete_marker ? &ch->newest : NULL;
}

/* A new id that sorts above the newest, even if the clock was set back. */
static struct id
version_after(uint32_t space, const struct chain *ch)
{
	struct id id = id_new(space);
	uint64_t last;

	if (!ch->exists)
		return id;
	last = id_time(ch->newest.version.id);
	if (id_time(id) > last)
		return id;
	id_set_time(&id, last + 1);
	return id;
}

err_v
chain_find(struct write *w, str key, const struct chain *ch, struct id id, struct version *ret)
{
	struct older unused;
	struct version v;
	err_v e;

	if (!ch->older.any)
		return err_s3(S3_NoSuchVersion);
	e = write_read(w, row_version(key, id), &v.raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3(S3_NoSuchVersion);
	TRY(e);
	TRY(get_object(w, v.raw, key, &unused, &v.object));
	*ret = v;
	return ERR_OK;
}

/* The newest moves to a V row; *older: what is then below the one that comes on top. */
static void
demote(struct write *w, str key, const struct chain *ch, struct older *older)
{
	static const struct older none = { .any = false };

	record_object_again(&w->buf, &none, ch->raw);
	write_put(w, row_version(key, ch->newest.version.id));
	older->any = true;
	if (ch->newest.version.null) {
		older->has_null = true;
		older->null = ch->newest.version.id;
	}
}

/* There is one null version at most: the old one goes, wherever it is. */
static err
replace_null(struct write *w, str key, const struct chain *ch, struct older *older)
{
	struct version v;
	err_v e;

	if (!ch->exists)
		return ERR_OK;
	if (ch->newest.version.null) {
		write_bury(w, &ch->newest);
		return ERR_OK;
	}
	if (ch->older.has_null) {
		e = chain_find(w, key, ch, ch->older.null, &v);
		if (err_is(e, S3_NoSuchVersion))
			return ERR_CONFLICT;	/* gone since the O row was read */
		TRY(e);
		write_bury(w, &v.object);
		write_delete(w, row_version(key, ch->older.null));
		older->has_null = false;
	}
	demote(w, key, ch, older);
	return ERR_OK;
}

static void
write_count(struct write *w, const struct object *o, int sign)
{
	if (o->delete_marker) {
		w->tally[COUNTER_MARKERS] += sign;
		return;
	}
	w->tally[COUNTER_OBJECTS + o->class] += sign;
	w->tally[COUNTER_BYTES + o->class] += sign * (int64_t)o->size;
}

err_v
chain_push(struct write *w, str key, const struct chain *ch, struct object *o)
{
	struct older older = ch->older;

	o->version.id = version_after(w->bucket.space, ch);
	o->version.null = w->bucket.versioning != VERSIONING_ENABLED;
	if (o->version.null)
		TRY(replace_null(w, key, ch, &older));
	else if (ch->exists)
		demote(w, key, ch, &older);
	record_object(&w->buf, &older, o);
	write_put(w, row_object(key));
	write_count(w, o, 1);
	return ERR_OK;
}

/*
 * The newest of the V rows, and whether there is another. ERR_NOT_FOUND. All are older than the newest version: what was deleted in front
 * of them need not be passed again.
 */
static err
first_older(struct write *w, str key, struct id newest, struct id *ret_id, str *ret_raw, bool *ret_more)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key all = row_of_key(ROW_VERSION, key), from = row_version(key, newest), to = row_behind(all);

	TRY(kv_scan(w->c->kv, w->bucket.space, row_str(&from), row_str(&to), &it));
	if (!kv_iter_valid(it)) {
		TRY(kv_iter_error(it));
		return ERR_NOT_FOUND;
	}
	if (!row_version_id(str_skip(kv_iter_key(it), all.len), ret_id))
		return err_errno(EBADMSG, "name of a version's row");
	*ret_raw = arena_str(w->arena, kv_iter_value(it));
	kv_iter_next(it);
	*ret_more = kv_iter_valid(it);
	return kv_iter_error(it);
}

err_v
chain_pop(struct write *w, str key, const struct chain *ch)
{
	struct older older = ch->older, unused;
	struct row_key row;
	struct object next;
	struct id id;
	bool more = false;
	str raw;
	err_v e = ERR_NOT_FOUND;

	assert(ch->exists);
	write_bury(w, &ch->newest);
	if (older.any)
		e = first_older(w, key, ch->newest.version.id, &id, &raw, &more);
	if (err_is(e, ERR_NOT_FOUND.code)) {
		write_delete(w, row_object(key));
		return ERR_OK;
	}
	TRY(e);
	TRY(get_object(w, raw, key, &unused, &next));
	if (!id_eq(next.version.id, id))
		return err_errno(EBADMSG, "a version in another's row");
	row = row_version(key, id);
	kv_expect_value(w->batch, row_str(&row), raw);
	write_delete(w, row);
	older.any = more;
	if (next.version.null)
		older.has_null = false;
	record_object_again(&w->buf, &older, raw);
	write_put(w, row_object(key));
	return ERR_OK;
}

err_v
chain_drop(struct write *w, str key, const struct chain *ch, const struct version *v)
{
	struct older older = ch->older;

	write_bury(w, &v->object);
	write_delete(w, row_version(key, v->object.version.id));
	if (!older.has_null || !id_eq(older.null, v->object.version.id))
		return ERR_OK;
	older.has_null = false;
	record_object_again(&w->buf, &older, ch->raw);
	write_put(w, row_object(key));
	return ERR_OK;
}

void
write_dead(struct write *w, const struct dead_record *d, struct id name, uint64_t when_ms)
{
	record_dead(&w->buf, d);
	write_put(w, row_dead(when_ms, name));
}

void
write_bury(struct write *w, const struct object *o)
{
	struct dead_record d = { .kind = DEAD_BODY, .body = o->body, .owner = o->oid };

	write_count(w, o, -1);
	if (o->data == DATA_SINGLE || o->data == DATA_MULTIPART)
		write_dead(w, &d, o->oid, w->now_ms);
}
