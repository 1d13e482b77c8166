/*
 * catalog_link.c - who needs a body: a set of owners in its L rows, in the space where the body was made.
 *
 *   L <body>           generation, first owner, blob     every change of the set expects this row and raises the generation,
 *   L <body> <owner>   each further owner                so "there are no others" holds when it is committed
 *
 * A record in another space is linked before it is made. Until it is there a J row says where to look; if it never comes,
 * the reaper finds the J row, makes sure that it cannot come any more (by touching H of that space, which every
 * batch there expects), and takes the owner out.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

/* Many copies of one body at once: each lost race was won by another. */
#define TRIES_MAX 10000

void
write_first_link(struct write *w, const struct object *o)
{
	struct link l = { .generation = 1, .has_owner = true, .owner = o->oid, .has_blob = o->data == DATA_SINGLE,
	    .blob = o->extent.blob };

	assert(id_space(o->body) == w->bucket.space);
	record_link(&w->buf, &l);
	write_put(w, row_link(o->body));
}

/* Rows of a body outside of any bucket's write: its space may belong to a bucket that is gone. */
struct change {
	struct catalog *c;
	uint32_t space;
	struct kv_batch *batch;
	struct buf buf;
	struct arena *arena;
};

static struct change
change_begin(struct catalog *c, uint32_t space)
{
	struct change ch = { .c = c, .space = space, .batch = kv_batch_new(space), .arena = arena_new(4096, WRITE_ARENA_MAX) };

	buf_init(&ch.buf, KV_VALUE_MAX);
	return ch;
}

static void
change_done(struct change *ch)
{
	kv_batch_free(&ch->batch);
	buf_done(&ch->buf);
	arena_free(&ch->arena);
}

static void
change_put(struct change *ch, struct row_key k)
{
	kv_put(ch->batch, row_str(&k), buf_str(&ch->buf));
}

/* The link as it is, expected to be still so at the commit. ERR_NOT_FOUND. */
static err
expect_link(struct change *ch, struct id body, struct link *ret)
{
	struct row_key row = row_link(body);
	str raw;

	TRY(kv_get(ch->c->kv, ch->space, row_str(&row), KV_MAY_BLOCK, ch->arena, &raw));
	kv_expect_value(ch->batch, row_str(&row), raw);
	return record_link_read(raw, ret);
}

static err
reaped(err_v e)
{
	return err_is(e, ERR_NOT_FOUND.code) ? err_s3(S3_OperationAborted) : e;
}

static err
join_here(struct write *w, struct id body, struct id owner)
{
	struct link l;
	str raw;

	TRY(reaped(write_read(w, row_link(body), &raw)));
	TRY(record_link_read(raw, &l));
	if (l.condemned)
		return err_s3(S3_OperationAborted);
	l.generation++;
	record_link(&w->buf, &l);
	write_put(w, row_link(body));
	record_mark(&w->buf);
	write_put(w, row_owner(body, owner));
	return ERR_OK;
}

static err
join_across_once(struct catalog *c, struct id body, struct id owner, const struct pending *p)
{
	AUTO(change_done) struct change ch = change_begin(c, id_space(body));
	struct link l;

	TRY(reaped(expect_link(&ch, body, &l)));
	if (l.condemned)
		return err_s3(S3_OperationAborted);
	l.generation++;
	record_link(&ch.buf, &l);
	change_put(&ch, row_link(body));
	record_mark(&ch.buf);
	change_put(&ch, row_owner(body, owner));
	record_pending(&ch.buf, p);
	change_put(&ch, row_pending(owner));
	return kv_commit(c->kv, ch.batch);
}

err_v
write_join(struct write *w, struct id body, struct id owner, struct pending *p)
{
	err_v e = ERR_CONFLICT;

	if (id_space(body) == w->bucket.space)
		return join_here(w, body, owner);
	p->made_ms = clock_wall_ms();
	p->space = w->bucket.space;
	p->body = body;
	for (int i = 0; i < TRIES_MAX && err_is(e, ERR_CONFLICT.code); i++)
		e = join_across_once(w->c, body, owner, p);
	if (err_is(e, ERR_CONFLICT.code))
		return err_s3(S3_SlowDown);
	TRY(e);
	CRASH_POINT(link_made);
	return ERR_OK;
}

void
link_settled(struct catalog *c, uint32_t space, struct id body, struct id owner)
{
	AUTO(kv_batch_free) struct kv_batch *batch = kv_batch_new(id_space(body));
	struct row_key row = row_pending(owner);

	if (id_space(body) == space)
		return;
	kv_delete(batch, row_str(&row));
	(void)!kv_commit(c->kv, batch).code;
}

/* Is owner among the further ones, and is anyone else? */
static err
look_at_owners(struct change *ch, struct id body, struct id owner, bool *ret_has, bool *ret_others)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key from = row_next(row_link(body)), to = row_behind(row_link(body)), own = row_owner(body, owner);
	bool others = false;
	str unused;
	err_v e;

	e = kv_get(ch->c->kv, ch->space, row_str(&own), KV_MAY_BLOCK, ch->arena, &unused);
	if (!err_is(e, ERR_NOT_FOUND.code))
		TRY(e);
	*ret_has = err_ok(e);
	TRY(kv_scan(ch->c->kv, ch->space, row_str(&from), row_str(&to), &it));
	for (int i = 0; i < 2 && !others && kv_iter_valid(it); i++, kv_iter_next(it))
		others = !str_eq(kv_iter_key(it), row_str(&own));
	*ret_others = others;
	return kv_iter_error(it);
}

static err
leave_once(struct catalog *c, struct id body, struct id owner, const uint64_t *as_of, bool *ret_last, struct link *ret)
{
	AUTO(change_done) struct change ch = change_begin(c, id_space(body));
	struct row_key own = row_owner(body, owner);
	bool has = false, others = false, first;
	struct link l;
	err_v e = expect_link(&ch, body, &l);

	*ret_last = false;
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	if (l.condemned) {
		*ret_last = l.has_owner && id_eq(l.owner, owner);
		*ret = l;
		return ERR_OK;
	}
	if (as_of != NULL && l.generation != *as_of)
		return err_errno(ESTALE, "a link that has changed since it was judged");
	TRY(look_at_owners(&ch, body, owner, &has, &others));
	first = l.has_owner && id_eq(l.owner, owner);
	others |= l.has_owner && !first;
	if (others && !has && !first)
		return ERR_OK;		/* it has left before */
	l.generation++;
	if (first)
		l.has_owner = false;
	if (!others) {
		l.condemned = true;
		l.has_owner = true;
		l.owner = owner;
	}
	record_link(&ch.buf, &l);
	change_put(&ch, row_link(body));
	kv_delete(ch.batch, row_str(&own));
	TRY(kv_commit(c->kv, ch.batch));
	*ret_last = l.condemned;
	*ret = l;
	return ERR_OK;
}

err_v
link_leave(struct catalog *c, struct id body, struct id owner, const uint64_t *as_of, bool *ret_last, struct link *ret)
{
	err_v e = ERR_CONFLICT;

	for (int i = 0; i < TRIES_MAX && err_is(e, ERR_CONFLICT.code); i++)
		e = leave_once(c, body, owner, as_of, ret_last, ret);
	return e;
}

err_v
link_generation(struct catalog *c, struct id body, struct arena *a, uint64_t *ret)
{
	struct row_key row = row_link(body);
	struct link l;
	str raw;

	TRY(kv_get(c->kv, id_space(body), row_str(&row), KV_MAY_BLOCK, a, &raw));
	TRY(record_link_read(raw, &l));
	*ret = l.generation;
	return ERR_OK;
}

err_v
catalog_abandon(struct catalog *c, struct id body, struct id owner, uint64_t generation)
{
	AUTO(change_done) struct change ch = change_begin(c, id_space(body));
	struct dead_record d = { .kind = DEAD_BODY, .body = body, .owner = owner };
	struct link l;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	e = expect_link(&ch, body, &l);
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	if (l.condemned || l.generation != generation)
		return ERR_OK;
	record_dead(&ch.buf, &d);
	change_put(&ch, row_dead(clock_wall_ms(), owner));
	e = kv_commit(c->kv, ch.batch);
	return err_is(e, ERR_CONFLICT.code) ? ERR_OK : e;
}

err_v
link_forget(struct catalog *c, struct id body, struct id owner)
{
	AUTO(change_done) struct change ch = change_begin(c, id_space(body));
	struct row_key row = row_link(body), table = row_part(body, PART_TABLE);
	struct link l;
	err_v e = expect_link(&ch, body, &l);

	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	if (!l.condemned || !l.has_owner || !id_eq(l.owner, owner))
		return ERR_OK;
	if (!l.has_blob)
		TRY(parts_purge(c, body, PARTS_ALL));
	kv_delete(ch.batch, row_str(&row));
	kv_delete(ch.batch, row_str(&table));
	return kv_commit(c->kv, ch.batch);
}
