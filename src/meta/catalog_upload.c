/*
 * catalog_upload.c - uploads and their parts, up to the completion.
 *
 * A new part does not touch the U row, so parts may come side by side; one that replaces another raises the upload's
 * generation there, so that a completion which has read the old one is refused and reads again. All of them expect the
 * U row: after its end an upload takes no more parts.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

static err
create_once(struct write *w, struct upload *u)
{
	TRY(write_open(w));
	record_upload(&w->buf, u);
	write_put(w, row_upload(u->key, u->id));
	w->tally[COUNTER_UPLOADS] = 1;
	return write_commit(w);
}

err_v
catalog_upload_create(struct catalog *c, const struct bucket *b, struct upload *u)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	TRY(key_check(u->key));
	u->id = id_new(b->space);
	u->started_ms = w.now_ms;
	u->generation = 0;
	do
		e = create_once(&w, u);
	while (write_retry(&w, &e));
	return e;
}

static err
no_such_upload(err_v e)
{
	return err_is(e, ERR_NOT_FOUND.code) ? err_s3(S3_NoSuchUpload) : e;
}

err_v
catalog_upload(struct catalog *c, const struct bucket *b, str key, struct id upload, struct arena *a, struct upload *ret)
{
	struct row_key row;
	struct upload u;
	str raw;

	CHECK_OBJ(c, CATALOG_MAGIC);
	TRY(key_check(key));
	row = row_upload(key, upload);
	TRY(no_such_upload(kv_get(c->kv, b->space, row_str(&row), KV_MAY_BLOCK, a, &raw)));
	TRY(record_upload_read(raw, RECORD_FULL, a, &u));
	u.key = key;
	u.id = upload;
	*ret = u;
	return ERR_OK;
}

/* The part that had this number goes to the reaper; the upload has changed under whoever read it. */
static err
replace_part(struct write *w, str key, struct id upload, str raw_upload, uint32_t number, str raw_part)
{
	struct upload u;
	struct part old;
	struct dead_record d = { .kind = DEAD_PART, .body = upload, .part = raw_part };

	TRY(record_upload_read(raw_upload, RECORD_FULL, w->arena, &u));
	TRY(record_part_read(raw_part, upload, RECORD_FULL, w->arena, &old));
	u.generation++;
	record_upload(&w->buf, &u);
	write_put(w, row_upload(key, upload));
	w->tally[COUNTER_UPLOADS_BYTES] -= (int64_t)old.size;
	d.owner = old.oid;
	if (old.nextents > 0)
		write_dead(w, &d, old.oid, w->now_ms);
	return ERR_OK;
}

/* borrowed: the body that the part's bytes belong to, or NULL: to itself. */
static err
part_once(struct write *w, const struct upload *u, const struct part *p, const struct id *borrowed)
{
	struct pending pending = { .upload = u->id, .part = p->number };
	str raw_upload, raw_part;
	err_v e;

	TRY(write_open(w));
	TRY(no_such_upload(write_read(w, row_upload(u->key, u->id), &raw_upload)));
	if (borrowed != NULL)
		TRY(write_join(w, *borrowed, p->oid, &pending));
	e = write_read(w, row_part(u->id, p->number), &raw_part);
	if (err_ok(e))
		e = replace_part(w, u->key, u->id, raw_upload, p->number, raw_part);
	if (!err_is(e, ERR_NOT_FOUND.code))
		TRY(e);
	record_part(&w->buf, u->id, p);
	write_put(w, row_part(u->id, p->number));
	for (unsigned i = 0; borrowed == NULL && i < p->nextents; i++) {
		record_blob_owner(&w->buf, u->id, p->number);
		write_put(w, row_blob(p->extents[i].blob.id));
	}
	w->tally[COUNTER_UPLOADS_BYTES] += (int64_t)p->size;
	return write_commit(w);
}

static err
put_part(struct catalog *c, const struct bucket *b, const struct upload *u, struct part *p, const struct id *borrowed)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	TRY(key_check(u->key));
	if (p->number == 0 || p->number > PART_NUMBER_MAX)
		return err_s3(S3_InvalidArgument);
	if (p->modified_ms == 0)
		p->modified_ms = w.now_ms;
	do
		e = part_once(&w, u, p, borrowed);
	while (write_retry(&w, &e));
	return e;
}

err_v
catalog_part_put(struct catalog *c, const struct bucket *b, const struct upload *u, struct part *p)
{
	for (unsigned i = 0; i < p->nextents; i++)
		p->extents[i].body = u->id;
	if (id_is_zero(p->oid))
		p->oid = id_new(b->space);
	return put_part(c, b, u, p, NULL);
}

/* Bytes [off, off + len) of src as those of a part: borrowed, or a few of them copied. */
static err
borrow(struct catalog *c, const struct object *src, uint64_t off, uint64_t len, struct arena *a, struct part *p)
{
	struct piece *pieces;
	unsigned n;

	p->size = len;
	p->extents = NULL;
	p->nextents = 0;
	p->inlined = STR_NONE;
	if (src->sse.on)
		return err_errno(ENOTSUP, "sealed bytes");
	if (len == 0)
		return ERR_OK;
	if (src->data == DATA_INLINE) {
		p->inlined = str_sub(src->inlined, (size_t)off, (size_t)len);
		return ERR_OK;
	}
	TRY(catalog_pieces(c, src, off, len, a, &pieces, &n));
	if (n == 1 && pieces[0].is_inlined && !pieces[0].sse.on) {
		p->inlined = str_sub(pieces[0].inlined, (size_t)pieces[0].extent.off, (size_t)len);
		return ERR_OK;
	}
	if (n > EXTENTS_MAX)
		return err_errno(ENOTSUP, "a range of %u pieces", n);
	p->extents = ARENA_ARRAY(a, struct extent, n);
	for (unsigned i = 0; i < n; i++) {
		if (pieces[i].is_inlined || pieces[i].sse.on)
			return err_errno(ENOTSUP, "a range with bytes that are not in blobs as they are");
		p->extents[i] = pieces[i].extent;
		p->extents[i].body = src->body;
	}
	p->nextents = n;
	return ERR_OK;
}

err_v
catalog_part_copy(struct catalog *c, const struct bucket *from, const struct object *src, uint64_t off, uint64_t len,
    const struct bucket *to, const struct upload *u, struct part *p, struct arena *a)
{
	if (off > src->size || len > src->size - off)
		return err_s3(S3_InvalidRange);
	TRY(borrow(c, src, off, len, a, p));
	if (id_is_zero(p->oid))
		p->oid = id_new(to->space);
	TRY(put_part(c, to, u, p, p->nextents > 0 ? &src->body : NULL));
	if (p->nextents > 0)
		link_settled(c, to->space, src->body, p->oid);
	return ERR_OK;
}

static err
abort_once(struct write *w, str key, struct id upload)
{
	struct dead_record d = { .kind = DEAD_PARTS, .body = upload, .owner = upload };
	str raw;

	TRY(write_open(w));
	TRY(no_such_upload(write_read(w, row_upload(key, upload), &raw)));
	write_delete(w, row_upload(key, upload));
	w->tally[COUNTER_UPLOADS] = -1;
	write_dead(w, &d, upload, w->now_ms);
	return write_commit(w);
}

err_v
catalog_upload_abort(struct catalog *c, const struct bucket *b, str key, struct id upload)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	TRY(key_check(key));
	do
		e = abort_once(&w, key, upload);
	while (write_retry(&w, &e));
	return e;
}
