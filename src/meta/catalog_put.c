/*
 * catalog_put.c - new versions: one key, one batch.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

static err
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

static err
put_begin(struct write *w, struct object *o)
{
	assert(o->data != DATA_MULTIPART);
	TRY(key_check(o->key));
	if (id_is_zero(o->oid))
		o->oid = id_new(w->bucket.space);
	if (o->modified_ms == 0)
		o->modified_ms = w->now_ms;
	if (o->data == DATA_SINGLE) {
		assert(id_space(o->extent.blob.id) == w->bucket.space);
		o->body = o->extent.body = o->extent.blob.id;
	}
	return ERR_OK;
}

err_v
catalog_put(struct catalog *c, const struct bucket *b, struct object *o, const struct conditions *conditions,
    struct version_id *ret_version)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	TRY(put_begin(&w, o));
	do
		e = put_once(&w, o, conditions);
	while (write_retry(&w, &e));
	TRY(e);
	*ret_version = o->version;
	return ERR_OK;
}

err_v
catalog_put_submit(struct catalog *c, const struct bucket *b, struct object *o, const struct conditions *conditions,
    struct kv_done *done, struct version_id *ret_version)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	w.done = done;
	TRY(put_begin(&w, o));
	e = put_once(&w, o, conditions);
	if (err_is(e, ERR_CONFLICT.code))
		return ERR_WOULD_BLOCK;
	TRY(e);
	*ret_version = o->version;
	return ERR_OK;
}
