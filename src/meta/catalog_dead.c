/*
 * catalog_dead.c - the reaper's side: what has gone, and what its bytes are.
 *
 *   dead entry   unlink                                      done
 *   body         owner leaves; last: body condemned, blobs   parts' rows, link, entry go
 *   parts        blobs of the parts outside the object       their rows, entry go
 *   part         its blobs                                   its blob's row, entry go
 *   link (J)     if no record came of it: as body            as body
 *   token        -                                           token, entry go
 *
 * Bodies that parts borrowed from get an entry of their own when the part's row goes, in the same batch.
 */
#include "base/crash.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

#define TRIES_MAX 1000
#define DEAD_PAGE_BYTES (1u << 20)	/* and one entry more */

/* Borrows from both. */
static err
read_entry(uint32_t space, str key, str value, struct dead *ret)
{
	struct dead d = { .space = space, .row_key = key, .detail = value };
	struct dead_record r;
	struct pending p;
	struct id name;

	if (key.p[0] == ROW_PENDING) {
		if (!row_id_parse(key, ROW_PENDING, &d.owner))
			return err_errno(EBADMSG, "name of a pending link's row");
		TRY(record_pending_read(d.detail, &p));
		d.kind = DEAD_LINK;
		d.body = p.body;
		d.died_ms = p.made_ms;
	} else {
		if (!row_dead_parse(key, &d.died_ms, &name))
			return err_errno(EBADMSG, "name of a dead entry's row");
		TRY(record_dead_read(d.detail, &r));
		d.kind = r.kind;
		d.body = r.body;
		d.owner = r.owner;
	}
	*ret = d;
	return ERR_OK;
}

/* A page of them; full by number, or by bytes: an entry may hold a part of thousands of extents. */
struct dead_page {
	struct dead *at;
	unsigned n, max;
	size_t bytes;
};

/* Entries in [from, to) that died before. */
static err
scan_dead(struct catalog *c, uint32_t space, struct row_key from, struct row_key to, uint64_t before_ms, struct arena *a,
    struct dead_page *page)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;

	if (str_cmp(row_str(&from), row_str(&to)) >= 0)
		return ERR_OK;
	TRY(kv_scan(c->kv, space, row_str(&from), row_str(&to), &it));
	for (; page->n < page->max && page->bytes < DEAD_PAGE_BYTES && kv_iter_valid(it); kv_iter_next(it)) {
		struct dead d;

		TRY(read_entry(space, kv_iter_key(it), kv_iter_value(it), &d));
		if (d.died_ms >= before_ms)
			continue;
		d.row_key = arena_str(a, d.row_key);
		d.detail = arena_str(a, d.detail);
		page->bytes += d.detail.len;
		page->at[page->n++] = d;
	}
	return kv_iter_error(it);
}

err_v
catalog_dead(struct catalog *c, uint32_t space, uint64_t before_ms, const struct dead *after, unsigned max, struct arena *a,
    struct dead **ret, unsigned *ret_n)
{
	struct row_key dead = row_kind_from(ROW_DEAD), pending = row_kind_from(ROW_PENDING), start;
	struct dead_page page = { .at = ARENA_ARRAY(a, struct dead, max), .max = max };

	CHECK_OBJ(c, CATALOG_MAGIC);
	static_assert(ROW_DEAD < ROW_PENDING, "the order of the two scans");
	if (after != NULL) {
		assert(after->row_key.len < sizeof(start.bytes));
		start.len = after->row_key.len;
		memcpy(start.bytes, after->row_key.p, start.len);
		start = row_next(start);
		if (str_cmp(row_str(&start), row_str(&dead)) > 0)
			dead = start;
		if (str_cmp(row_str(&start), row_str(&pending)) > 0)
			pending = start;
	}
	TRY(scan_dead(c, space, dead, row_dead(before_ms, (struct id){ { 0 } }), before_ms, a, &page));
	TRY(scan_dead(c, space, pending, row_behind(row_kind_from(ROW_PENDING)), before_ms, a, &page));
	*ret = page.at;
	*ret_n = page.n;
	return ERR_OK;
}

/* The owner leaves the body; if it was the last, the body's blobs. */
static err
leave(struct catalog *c, struct id body, struct id owner, const uint64_t *as_of, struct arena *a, struct blob_ref **ret,
    unsigned *ret_n)
{
	struct link l;
	bool last;

	TRY(link_leave(c, body, owner, as_of, &last, &l));
	if (!last)
		return ERR_OK;
	CRASH_POINT(dead_unlinked);
	if (!l.has_blob)
		return parts_blobs(c, body, PARTS_ALL, a, ret, ret_n);
	*ret = ARENA_NEW(a, struct blob_ref);
	**ret = l.blob;
	*ret_n = 1;
	return ERR_OK;
}

static err
part_blobs(const struct dead *d, struct arena *a, struct blob_ref **ret, unsigned *ret_n)
{
	struct dead_record r;
	struct part p;

	TRY(record_dead_read(d->detail, &r));
	TRY(record_part_read(r.part, d->body, RECORD_FULL, a, &p));
	if (p.nextents == 0 || !id_eq(p.extents[0].body, d->body))
		return ERR_OK;
	*ret = ARENA_ARRAY(a, struct blob_ref, p.nextents);
	for (unsigned i = 0; i < p.nextents; i++)
		(*ret)[i] = p.extents[i].blob;
	*ret_n = p.nextents;
	return ERR_OK;
}

/* Every batch of that space that is under way will be refused and read again. */
static err
fence(struct catalog *c, uint32_t space)
{
	err_v e = ERR_CONFLICT;

	for (int i = 0; i < TRIES_MAX && err_is(e, ERR_CONFLICT.code); i++) {
		struct bucket any = { .space = space };
		AUTO(write_done) struct write w = write_begin(c, &any);
		struct row_key head = row_head();
		struct bucket now;
		str raw;

		w.batch = kv_batch_new(space);
		e = write_read(&w, head, &raw);
		if (err_is(e, ERR_NOT_FOUND.code))
			return ERR_OK;
		TRY(e);
		TRY(record_bucket_read(raw, &now));
		if (now.state == BUCKET_DELETED)
			return ERR_OK;
		now.generation++;
		record_bucket(&w.buf, &now);
		write_put(&w, head);
		e = kv_commit(c->kv, w.batch);
	}
	return e;
}

static err
object_has(struct catalog *c, uint32_t space, str key, struct id oid, struct arena *a, bool *ret)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key row = row_object(key), from = row_of_key(ROW_VERSION, key), to = row_behind(from);
	struct older older;
	struct object o;
	str raw;
	err_v e;

	*ret = false;
	e = kv_get(c->kv, space, row_str(&row), KV_MAY_BLOCK, a, &raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	TRY(record_object_read(raw, RECORD_LISTED, a, &older, &o));
	*ret = id_eq(o.oid, oid);
	if (*ret || !older.any)
		return ERR_OK;
	TRY(kv_scan(c->kv, space, row_str(&from), row_str(&to), &it));
	for (; kv_iter_valid(it) && !*ret; kv_iter_next(it)) {
		TRY(record_object_read(kv_iter_value(it), RECORD_LISTED, a, &older, &o));
		*ret = id_eq(o.oid, oid);
	}
	return kv_iter_error(it);
}

/* Did a record come of the link? A version that moves between its rows may be missed once: looked at twice. */
static err
link_used(struct catalog *c, const struct dead *d, struct arena *a, bool *ret)
{
	struct row_key row;
	struct pending p;
	struct part part;
	str raw;
	err_v e;

	TRY(record_pending_read(d->detail, &p));
	if (p.key.len > OBJECT_KEY_MAX || p.part > PART_NUMBER_MAX)
		return err_errno(EBADMSG, "a pending link of no possible record");
	if (p.key.len > 0) {
		TRY(object_has(c, p.space, p.key, d->owner, a, ret));
		return *ret ? ERR_OK : object_has(c, p.space, p.key, d->owner, a, ret);
	}
	row = row_part(p.upload, p.part);
	e = kv_get(c->kv, p.space, row_str(&row), KV_MAY_BLOCK, a, &raw);
	*ret = false;
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	TRY(record_part_read(raw, p.upload, RECORD_LISTED, a, &part));
	*ret = id_eq(part.oid, d->owner);
	return ERR_OK;
}

/*
 * Behind the fence the record may still be made, by an attempt that begins with linking anew. That raises the link's generation: so
 * what was judged before is not acted upon.
 */
static err
unlink_pending(struct catalog *c, const struct dead *d, struct arena *a, struct blob_ref **ret, unsigned *ret_n)
{
	err_v e = err_errno(ESTALE, "a link of which nothing is known");

	for (int i = 0; i < TRIES_MAX && err_is(e, -ESTALE); i++) {
		uint64_t as_of;
		struct pending p;
		bool used;

		e = link_generation(c, d->body, a, &as_of);
		if (err_is(e, ERR_NOT_FOUND.code))
			return ERR_OK;
		TRY(e);
		TRY(record_pending_read(d->detail, &p));
		TRY(fence(c, p.space));
		TRY(link_used(c, d, a, &used));
		if (used)
			return ERR_OK;
		e = leave(c, d->body, d->owner, &as_of, a, ret, ret_n);
	}
	return e;
}

err_v
catalog_dead_unlink(struct catalog *c, const struct dead *d, struct arena *a, struct blob_ref **ret_blobs, unsigned *ret_n)
{
	CHECK_OBJ(c, CATALOG_MAGIC);
	*ret_blobs = NULL;
	*ret_n = 0;
	switch (d->kind) {
	case DEAD_BODY:
		return leave(c, d->body, d->owner, NULL, a, ret_blobs, ret_n);
	case DEAD_PARTS:
		return parts_blobs(c, d->body, PARTS_OUTSIDE, a, ret_blobs, ret_n);
	case DEAD_PART:
		return part_blobs(d, a, ret_blobs, ret_n);
	case DEAD_LINK:
		return unlink_pending(c, d, a, ret_blobs, ret_n);
	case DEAD_TOKEN:
		return ERR_OK;
	}
	return ERR_OK;
}

/* A token that was used anew after its time stays, with a dead entry of its own. */
static err
forget_token(struct write *w, str name)
{
	struct token t;
	struct row_key row;
	str raw;
	err_v e;

	if (name.len > sizeof(row.bytes))
		return err_errno(EBADMSG, "name of a token's row");
	row.len = name.len;
	memcpy(row.bytes, name.p, name.len);
	e = write_read(w, row, &raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	TRY(record_token_read(raw, &t));
	if (w->now_ms >= t.made_ms + TOKEN_KEPT_MS)
		write_delete(w, row);
	return ERR_OK;
}

/* What goes with the entry, in its own batch. */
static err
done_here(struct write *w, const struct dead *d)
{
	struct dead_record r;
	struct part p;

	if (d->kind != DEAD_PART && d->kind != DEAD_TOKEN)
		return ERR_OK;
	TRY(record_dead_read(d->detail, &r));
	if (d->kind == DEAD_TOKEN)
		return forget_token(w, r.token);
	TRY(record_part_read(r.part, d->body, RECORD_FULL, w->arena, &p));
	part_bury(w, d->body, &p, w->now_ms);
	return ERR_OK;
}

/* A pending link that was made anew since it was judged has an entry of its own, under the same name: that stays. */
err_v
catalog_dead_done(struct catalog *c, const struct dead *d)
{
	struct bucket space = { .space = d->space };
	AUTO(write_done) struct write w = write_begin(c, &space);
	err_v e;

	if (d->kind == DEAD_BODY || d->kind == DEAD_LINK)
		TRY(link_forget(c, d->body, d->owner));
	if (d->kind == DEAD_PARTS)
		TRY(parts_purge(c, d->body, PARTS_OUTSIDE));
	w.batch = kv_batch_new(d->space);
	TRY(done_here(&w, d));
	if (d->kind == DEAD_LINK)
		kv_expect_value(w.batch, d->row_key, d->detail);
	kv_delete(w.batch, d->row_key);
	e = kv_commit(c->kv, w.batch);
	return d->kind == DEAD_LINK && err_is(e, ERR_CONFLICT.code) ? ERR_OK : e;
}

err_v
catalog_blob_owned(struct catalog *c, const struct blob_ref *blob, struct arena *a, bool *ret)
{
	struct row_key rows[] = { row_link(blob->id), row_blob(blob->id) };
	str unused;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	*ret = false;
	for (unsigned i = 0; i < 2 && !*ret; i++) {
		e = kv_get(c->kv, id_space(blob->id), row_str(&rows[i]), KV_MAY_BLOCK, a, &unused);
		if (!err_is(e, ERR_NOT_FOUND.code))
			TRY(e);
		*ret = err_ok(e);
	}
	return ERR_OK;
}

err_v
catalog_memo_get(struct catalog *c, str job, struct arena *a, str *ret)
{
	struct row_key row = row_memo(job);

	CHECK_OBJ(c, CATALOG_MAGIC);
	return kv_get(c->kv, KV_SYSTEM_SPACE, row_str(&row), KV_MAY_BLOCK, a, ret);
}

err_v
catalog_memo_set(struct catalog *c, str job, str memo)
{
	AUTO(kv_batch_free) struct kv_batch *batch = kv_batch_new(KV_SYSTEM_SPACE);
	struct row_key row = row_memo(job);

	CHECK_OBJ(c, CATALOG_MAGIC);
	kv_put(batch, row_str(&row), memo);
	return kv_commit(c->kv, batch);
}
