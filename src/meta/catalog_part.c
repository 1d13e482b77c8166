/*
 * catalog_part.c - the parts of a body: rows P, their blobs, and which of them an object consists of.
 *
 * After a completion the rows stay where they are, and P <body> 0 says which of them count; all others, even one that came
 * in at the last moment, belong to the reaper.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

/* Rows that go with one batch: so many, or so many bytes, as a part may have thousands of extents. */
#define PURGE_ROWS 500u
#define PURGE_BYTES (8u << 20)

err_v
part_table(struct catalog *c, struct id body, struct arena *a, struct part_run **ret, unsigned *ret_n)
{
	struct row_key row = row_part(body, PART_TABLE);
	str raw;
	err_v e = kv_get(c->kv, id_space(body), row_str(&row), KV_MAY_BLOCK, a, &raw);

	if (err_is(e, ERR_NOT_FOUND.code)) {
		*ret = NULL;
		*ret_n = 0;
		return ERR_OK;
	}
	TRY(e);
	return record_runs_read(raw, a, ret, ret_n);
}

bool
runs_have(const struct part_run *runs, unsigned n, uint32_t number)
{
	unsigned low = 0, high = n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (number < runs[middle].first)
			high = middle;
		else if (number - runs[middle].first >= runs[middle].count)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* A walk over the P rows of a body, from a number on: while (parts_next(&w)) ...; then TRY(w.failed). */
struct parts_walk {
	struct kv_iter *it;
	bool begun;
	uint32_t number;		/* of the row that it is at */
	str value;			/* borrowed from the iterator */
	err_v failed;
};

static void
walk_close(struct parts_walk *w)
{
	kv_iter_close(&w->it);
}

static err
walk_open(struct catalog *c, struct id body, uint32_t from, struct parts_walk *ret)
{
	struct row_key first = row_part(body, from), end = row_behind(row_of_body(ROW_PART, body));

	return kv_scan(c->kv, id_space(body), row_str(&first), row_str(&end), &ret->it);
}

static bool
parts_next(struct parts_walk *w)
{
	struct id body;

	if (w->begun && kv_iter_valid(w->it))
		kv_iter_next(w->it);
	w->begun = true;
	if (!kv_iter_valid(w->it)) {
		w->failed = kv_iter_error(w->it);
		return false;
	}
	w->value = kv_iter_value(w->it);
	if (row_part_parse(kv_iter_key(w->it), &body, &w->number))
		return true;
	w->failed = err_errno(EBADMSG, "name of a part's row");
	return false;
}

err_v
catalog_parts(struct catalog *c, const struct bucket *b, struct id upload, uint32_t after, unsigned max, struct arena *a,
    struct part **ret, unsigned *ret_n, bool *ret_more)
{
	AUTO(walk_close) struct parts_walk w = { .it = NULL };
	struct part_run *runs;
	struct part *list = ARENA_ARRAY(a, struct part, max + 1);
	unsigned n = 0, nruns;

	CHECK_OBJ(c, CATALOG_MAGIC);
	TRY(part_table(c, upload, a, &runs, &nruns));
	*ret = list;
	*ret_n = 0;
	*ret_more = false;
	if (after >= PART_NUMBER_MAX)
		return ERR_OK;
	TRY(walk_open(c, upload, after + 1, &w));
	while (n <= max && parts_next(&w)) {
		if (nruns > 0 && !runs_have(runs, nruns, w.number))
			continue;
		if (n < max) {
			TRY(record_part_read(w.value, upload, RECORD_LISTED, a, &list[n]));
			list[n].number = w.number;
			list[n].etag = arena_str(a, list[n].etag);
		}
		n++;
	}
	TRY(w.failed);
	*ret_more = n > max;
	*ret_n = n > max ? max : n;
	return ERR_OK;
}

/* ---- bytes of an object ---- */

struct pieces {
	struct arena *arena;
	struct piece *at;
	unsigned n, room;
};

static err
pieces_add(struct pieces *p, struct piece piece)
{
	if (p->n == p->room) {
		unsigned room = p->room == 0 ? 16 : 2 * p->room;
		struct piece *at = arena_try(p->arena, room * sizeof(*at));

		if (at == NULL)
			return err_errno(ENOMEM, "a range of more than %u pieces", p->n);
		if (p->n > 0)
			memcpy(at, p->at, p->n * sizeof(*at));
		p->at = at;
		p->room = room;
	}
	p->at[p->n++] = piece;
	return ERR_OK;
}

static uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The pieces of one part that lie in [off, end) of the object; the part begins at at. */
static err
part_pieces(struct pieces *ps, const struct part *p, uint64_t at, uint64_t off, uint64_t end)
{
	struct piece piece = { .part = p->number, .part_off = at, .part_size = p->size, .sse = p->sse };
	uint64_t from, to;

	if (p->nextents == 0) {
		from = off > at ? off - at : 0;
		to = min_u64(end - at, p->size);
		if (from >= to)
			return ERR_OK;
		piece.is_inlined = true;
		piece.inlined = arena_str(ps->arena, p->inlined);
		piece.extent.off = from;
		piece.extent.len = to - from;
		return pieces_add(ps, piece);
	}
	for (unsigned i = 0; i < p->nextents && at < end; at += p->extents[i++].len) {
		const struct extent *e = &p->extents[i];

		from = off > at ? off - at : 0;
		to = min_u64(end - at, e->len);
		if (from >= to)
			continue;
		piece.extent = *e;
		piece.extent.off += from;
		piece.extent.len = to - from;
		TRY(pieces_add(ps, piece));
	}
	return ERR_OK;
}

/* Where the walk through an object's parts has got to. */
struct place {
	unsigned run;
	uint32_t number;
	uint64_t at;			/* where the part begins in the object */
};

static struct place
place_of(const struct object *o, uint64_t off)
{
	struct place p = { .at = 0 };

	for (; p.run < o->nruns; p.run++) {
		const struct part_run *r = &o->runs[p.run];

		if (r->size > 0 && off - p.at < r->size * r->count) {
			p.number = r->first + (uint32_t)((off - p.at) / r->size);
			p.at += (off - p.at) / r->size * r->size;
			break;
		}
		p.at += r->size * r->count;
	}
	return p;
}

static void
place_next(const struct object *o, struct place *p)
{
	const struct part_run *r = &o->runs[p->run];

	p->at += r->size;
	if (++p->number < r->first + r->count)
		return;
	if (++p->run < o->nruns)
		p->number = o->runs[p->run].first;
}

static err
multipart_pieces(struct catalog *c, const struct object *o, uint64_t off, uint64_t end, struct pieces *ps)
{
	AUTO(walk_close) struct parts_walk w = { .it = NULL };
	AUTO(arena_free) struct arena *one = arena_new(8192, 2u << 20);	/* for one part at a time */
	struct place p = place_of(o, off);
	struct part part;

	TRY(walk_open(c, o->body, p.number, &w));
	for (; p.at < end && p.run < o->nruns; place_next(o, &p)) {
		while (parts_next(&w) && w.number < p.number)
			;			/* one that was not chosen */
		TRY(w.failed);
		if (!kv_iter_valid(w.it) || w.number != p.number)
			return err_errno(EBADMSG, "part %u of an object is gone", p.number);
		arena_reset(one);
		TRY(record_part_read(w.value, o->body, RECORD_FULL, one, &part));
		if (part.size != o->runs[p.run].size)
			return err_errno(EBADMSG, "part %u of an object has another size", p.number);
		part.number = p.number;
		TRY(part_pieces(ps, &part, p.at, off, end));
	}
	return ERR_OK;
}

err_v
catalog_pieces(struct catalog *c, const struct object *o, uint64_t off, uint64_t len, struct arena *a,
    struct piece **ret, unsigned *ret_n)
{
	struct pieces ps = { .arena = a };
	struct piece whole = { .extent = o->extent, .part_size = o->size, .sse = o->sse };

	CHECK_OBJ(c, CATALOG_MAGIC);
	assert(o->data == DATA_SINGLE || o->data == DATA_MULTIPART);
	assert(off <= o->size && len <= o->size - off);
	if (len > 0 && o->data == DATA_MULTIPART) {
		TRY(multipart_pieces(c, o, off, off + len, &ps));
	} else if (len > 0) {
		whole.extent.off += off;
		whole.extent.len = len;
		TRY(pieces_add(&ps, whole));
	}
	*ret = ps.at;
	*ret_n = ps.n;
	return ERR_OK;
}

err_v
object_part_range(const struct object *o, uint32_t number, uint64_t *ret_off, uint64_t *ret_len)
{
	uint64_t at = 0;

	if (o->data != DATA_MULTIPART) {
		if (number != 1)
			return err_s3(S3_InvalidPartNumber);
		*ret_off = 0;
		*ret_len = o->size;
		return ERR_OK;
	}
	for (unsigned i = 0; i < o->nruns; i++) {
		const struct part_run *r = &o->runs[i];

		if (number >= r->first && number - r->first < r->count) {
			*ret_off = at + (number - r->first) * r->size;
			*ret_len = r->size;
			return ERR_OK;
		}
		at += r->size * r->count;
	}
	return err_s3(S3_InvalidPartNumber);
}

/* ---- for the reaper ---- */

bool
part_is_own(const struct part *p, struct id body)
{
	return p->nextents > 0 && id_eq(p->extents[0].body, body);
}

static err
blobs_add(struct arena *a, const struct part *p, struct blob_ref **list, unsigned *n, unsigned *room)
{
	for (unsigned i = 0; i < p->nextents; i++) {
		if (*n == *room) {
			struct blob_ref *more = arena_try(a, 2 * (*room + 16) * sizeof(*more));

			if (more == NULL)
				return err_errno(ENOMEM, "the blobs of %u parts", *n);
			if (*n > 0)
				memcpy(more, *list, *n * sizeof(*more));
			*list = more;
			*room = 2 * (*room + 16);
		}
		(*list)[(*n)++] = p->extents[i].blob;
	}
	return ERR_OK;
}

err_v
parts_blobs(struct catalog *c, struct id body, enum which_parts which, struct arena *a, struct blob_ref **ret, unsigned *ret_n)
{
	AUTO(walk_close) struct parts_walk w = { .it = NULL };
	AUTO(arena_free) struct arena *one = arena_new(8192, 4u << 20);
	struct blob_ref *list = NULL;
	struct part_run *runs;
	unsigned n = 0, room = 0, nruns;
	struct part p;

	TRY(part_table(c, body, a, &runs, &nruns));
	TRY(walk_open(c, body, 1, &w));
	while (parts_next(&w)) {
		if (which == PARTS_OUTSIDE && runs_have(runs, nruns, w.number))
			continue;
		arena_reset(one);
		TRY(record_part_read(w.value, body, RECORD_FULL, one, &p));
		if (part_is_own(&p, body))
			TRY(blobs_add(a, &p, &list, &n, &room));
	}
	TRY(w.failed);
	*ret = list;
	*ret_n = n;
	return ERR_OK;
}

void
part_bury(struct write *w, struct id upload, const struct part *p, uint64_t when_ms)
{
	struct dead_record d = { .kind = DEAD_BODY, .owner = p->oid };

	if (p->nextents == 0)
		return;
	if (part_is_own(p, upload)) {
		for (unsigned i = 0; i < p->nextents; i++)
			write_delete(w, row_blob(p->extents[i].blob.id));
		return;
	}
	d.body = p->extents[0].body;
	write_dead(w, &d, p->oid, when_ms);
}

/* One batch full of rows. *ret_done: there are no more. Its space may have no living bucket, so H is not expected. */
static err
purge_some(struct write *w, struct id body, enum which_parts which, const struct part_run *runs, unsigned nruns, bool *ret_done)
{
	AUTO(walk_close) struct parts_walk walk = { .it = NULL };
	struct row_key counters = row_counters(), row;
	size_t bytes = 0;
	unsigned n = 0;
	struct part p;

	kv_batch_free(&w->batch);
	w->batch = kv_batch_new(w->bucket.space);
	memset(w->tally, 0, sizeof(w->tally));
	TRY(walk_open(w->c, body, 1, &walk));
	*ret_done = true;
	while (parts_next(&walk)) {
		bool outside = !runs_have(runs, nruns, walk.number);
		str raw;

		if (which == PARTS_OUTSIDE && !outside)
			continue;
		if (n == PURGE_ROWS || bytes >= PURGE_BYTES) {
			*ret_done = false;
			break;
		}
		raw = arena_str(w->arena, walk.value);
		bytes += raw.len;
		TRY(record_part_read(raw, body, RECORD_FULL, w->arena, &p));
		row = row_part(body, walk.number);
		kv_expect_value(w->batch, row_str(&row), raw);
		write_delete(w, row);
		part_bury(w, body, &p, w->now_ms);
		if (outside)
			w->tally[COUNTER_UPLOADS_BYTES] -= (int64_t)p.size;
		n++;
	}
	TRY(walk.failed);
	if (n == 0)
		return ERR_OK;
	kv_add(w->batch, row_str(&counters), w->tally, COUNTER_COUNT);
	return kv_commit(w->c->kv, w->batch);
}

err_v
parts_purge(struct catalog *c, struct id body, enum which_parts which)
{
	struct bucket space = { .space = id_space(body) };
	AUTO(write_done) struct write w = write_begin(c, &space);
	AUTO(arena_free) struct arena *kept = arena_new(4096, 1u << 20);
	struct part_run *runs;
	unsigned nruns;
	bool done = false;

	TRY(part_table(c, body, kept, &runs, &nruns));
	while (!done) {
		arena_reset(w.arena);
		TRY(purge_some(&w, body, which, runs, nruns, &done));
	}
	return ERR_OK;
}
