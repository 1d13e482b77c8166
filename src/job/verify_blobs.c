/*
 * verify_blobs.c - the blobs that the index names are there and whole; the blobs that are there are named.
 *
 * Rows are read in the order of birth of their blobs, which is how small ones lie on the disk, a batch at a time; no
 * snapshot is held while the disk works. A blob that is not well is only suspect here: it may have been deleted meanwhile.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "job/verify_impl.h"

#define BATCH 512u
#define BATCH_BYTES (16u << 20)
#define ROW_ARENA_MAX (16u << 20)
#define UNOWNED_MAX 100000u
#define WAIT_STEP_MS 100u
#define PLACE_SPACE 4u

struct batch {
	struct verify *v;
	uint32_t space;
	unsigned n;
	uint64_t bytes;
	struct blob_ref ref[BATCH];
	char why[BATCH][160];		/* empty: it is well */
	struct row_key last;		/* the row that the next batch begins with */
	bool end;
};

static void
scrub_one(void *arg, size_t i, struct arena *a)
{
	struct batch *b = arg;
	uint64_t off = 0;
	err_v e = blob_scrub(b->v->o->blobs, &b->ref[i], &off);

	b->why[i][0] = '\0';
	if (err_is(e, ERR_NOT_FOUND.code))
		snprintf(b->why[i], sizeof(b->why[i]), "it is not there");
	else if (err_is(e, ERR_DAMAGED.code))
		snprintf(b->why[i], sizeof(b->why[i]), "it does not match its checksum at byte %llu", (unsigned long long)off);
	else if (!err_ok(e))
		snprintf(b->why[i], sizeof(b->why[i]), "it cannot be read: %s", err_context());
}

static void
add(struct batch *b, const struct blob_ref *ref)
{
	b->ref[b->n++] = *ref;
	b->bytes += ref->size;
}

/* The blob of a body of one. */
static void
add_link(struct batch *b, str row, str value)
{
	struct id body, owner;
	bool is_owner;
	struct link l;

	if (row_link_parse(row, &body, &is_owner, &owner) && !is_owner && err_ok(record_link_read(value, &l)) && l.has_blob &&
	    !l.condemned)
		add(b, &l.blob);
}

/* Those that a part has of its own: fits, since a batch ends well before it is full. */
static void
add_part(struct batch *b, str row, str value, struct arena *a)
{
	uint32_t number;
	struct id body;
	struct part p;

	if (!row_part_parse(row, &body, &number) || number == PART_TABLE)
		return;
	if (!err_ok(record_part_read(value, body, RECORD_FULL, a, &p)) || p.nextents == 0 || !id_eq(p.extents[0].body, body))
		return;
	for (unsigned i = 0; i < p.nextents && b->n < BATCH; i++)
		add(b, &p.extents[i].blob);
}

/* From b->last on. What cannot be read has been told by the walk through the space. */
static err
gather(struct batch *b, enum row_kind kind)
{
	AUTO(arena_free) struct arena *a = arena_new(16u << 10, ROW_ARENA_MAX);
	AUTO(rows_close) struct rows r = { .it = NULL };

	b->n = 0;
	b->bytes = 0;
	b->end = true;
	TRY(rows_open(b->v, b->space, &r));
	r.told = true;
	rows_seek(&r, b->last);
	for (; rows_here(&r); rows_next(&r), arena_reset(a)) {
		str row = kv_iter_key(r.it);

		if (row.p[0] != (char)kind)
			return ERR_OK;
		if (b->n >= BATCH / 2 || b->bytes >= BATCH_BYTES)
			break;
		if (kind == ROW_LINK)
			add_link(b, row, kv_iter_value(r.it));
		else
			add_part(b, row, kv_iter_value(r.it), a);
	}
	b->last = r.last;
	b->end = !kv_iter_valid(r.it);
	return ERR_OK;
}

/* A place: space (4, big-endian), and the row to go on with. */
static void
tell_place(struct batch *b)
{
	char place[PLACE_SPACE + ROW_KEY_MAX];

	if (b->v->o->reached == NULL || b->end)
		return;
	for (unsigned i = 0; i < PLACE_SPACE; i++)
		place[i] = (char)(b->space >> (24 - 8 * i));
	memcpy(place + PLACE_SPACE, b->last.bytes, b->last.len);
	b->v->o->reached(b->v->o->arg, str_n(place, PLACE_SPACE + b->last.len));
}

/* Where to begin in this space; false: all of this kind lies before the place to go on from. */
static bool
begin_at(struct batch *b, enum row_kind kind)
{
	str from = b->v->from;
	uint32_t space = 0;

	b->last = row_kind_from(kind);
	if (from.len <= PLACE_SPACE || from.len > PLACE_SPACE + ROW_KEY_MAX)
		return true;
	for (unsigned i = 0; i < PLACE_SPACE; i++)
		space = space << 8 | (uint8_t)from.p[i];
	from = str_skip(from, PLACE_SPACE);
	if (b->space < space || (b->space == space && from.p[0] > (char)kind))
		return false;
	b->v->from = STR_NONE;
	if (b->space == space && from.p[0] == (char)kind) {
		b->last.len = from.len;
		memcpy(b->last.bytes, from.p, from.len);
	}
	return true;
}

static err
scrub_rows(struct batch *b, enum row_kind kind)
{
	if (!begin_at(b, kind))
		return ERR_OK;
	do {
		TRY(gather(b, kind));
		if (!verify_pace(b->v, VERIFY_BYTES, b->bytes))
			return ERR_OK;
		crew_run(b->v->o->crew, b->n, scrub_one, b);
		b->v->sum.blobs += b->n;
		for (unsigned i = 0; i < b->n; i++)
			if (b->why[i][0] != '\0')
				suspect_add(b->v, &b->v->blobs, b->ref[i].id, 0, "%s", b->why[i]);
		tell_place(b);
	} while (!b->end);
	return ERR_OK;
}

err_v
verify_blobs(struct verify *v, uint32_t space)
{
	AUTO(mem_free_p) struct batch *b = MEM_NEW(struct batch);

	b->v = v;
	b->space = space;
	TRY(scrub_rows(b, ROW_LINK));
	return v->stopped ? ERR_OK : scrub_rows(b, ROW_PART);
}

/* ---- blobs that nobody owns ---- */

struct unowned {
	struct verify *v;
	struct arena *a;
	struct blob_ref *ref;
	size_t n, room;
	err_v failed;
};

static bool
visit(void *arg, const struct blob_ref *ref)
{
	struct unowned *u = arg;
	bool owned;

	if (!verify_pace(u->v, VERIFY_ROWS, 1))
		return false;
	u->failed = catalog_blob_owned(u->v->o->catalog, ref, u->a, &owned);
	arena_reset(u->a);
	if (!err_ok(u->failed) || owned)
		return err_ok(u->failed);
	u->ref = mem_more(u->ref, u->n, &u->room, sizeof(*u->ref));
	u->ref[u->n++] = *ref;
	return u->n < UNOWNED_MAX;
}

/* An upload has its id for as long as it runs: so one that was under way when the store was opened does not exist. */
static bool
may_be_under_way(const struct verify *v, const struct blob_ref *ref)
{
	return !v->o->alone && id_time(ref->id) >= v->o->opened_ns;
}

/* Those whose commit was under way have been named by now. */
static void
wait_for_commits(struct unowned *u)
{
	uint64_t until = clock_mono_ms() + u->v->o->commit_ms;
	bool any = false;

	for (size_t i = 0; i < u->n && !any; i++)
		any = may_be_under_way(u->v, &u->ref[i]);
	while (any && clock_mono_ms() < until && verify_pace(u->v, VERIFY_ROWS, 0))
		nanosleep(&(struct timespec){ .tv_nsec = WAIT_STEP_MS * 1000000L }, NULL);
}

static void
judge_again(struct unowned *u)
{
	for (size_t i = 0; i < u->n && !u->v->stopped; i++) {
		const struct blob_ref *ref = &u->ref[i];
		struct finding f = { .kind = FINDING_LEAK, .unowned = may_be_under_way(u->v, ref) ? NULL : ref };
		struct blob_reader *reader = NULL;
		bool owned = true;

		if (!u->v->o->alone) {
			if (!err_ok(catalog_blob_owned(u->v->o->catalog, ref, u->a, &owned)) || owned)
				continue;
			if (err_is(blob_open(u->v->o->blobs, ref, &reader), ERR_NOT_FOUND.code))
				continue;
			blob_reader_close(&reader);
		}
		f.what = arena_fmt(u->a, "blob %.*s at place %llx is owned by nobody", STR_FMT(hex_str(u->a, id_bytes(&ref->id))),
		    (unsigned long long)ref->place);
		verify_found(u->v, &f);
		arena_reset(u->a);
	}
}

err_v
verify_owned(struct verify *v)
{
	AUTO(arena_free) struct arena *a = arena_new(16u << 10, ROW_ARENA_MAX);
	struct unowned u = { .v = v, .a = a };
	err_v e = blob_list(v->o->blobs, visit, &u);

	if (err_is(e, ERR_DAMAGED.code)) {
		verify_found(v, &(struct finding){ .kind = FINDING_DAMAGE, .what = str_c(err_context()) });
		e = ERR_OK;
	}
	if (err_ok(e))
		e = u.failed;
	if (err_ok(e) && u.n > 0) {
		wait_for_commits(&u);
		judge_again(&u);
	}
	free(u.ref);
	return e;
}
