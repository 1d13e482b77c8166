/*
 * verify_links.c - links of bodies to records in other buckets: none is left without its record.
 *
 * Spaces are read at different instants, so a sum over both sides (verify_far) only says whether there is anything to look for.
 * A link of which nobody looks after the record any more (no J row) has had its record before. If that is not in its space
 * later, nor the entry of its death, then the reaper has let go of the link since, which raises its generation; or it has been
 * left behind.
 */
#include "base/mem.h"
#include "base/text.h"
#include "job/verify_impl.h"

#define LINKS_MAX 1000000u
#define ROW_ARENA_MAX (16u << 20)
#define PACE_ROWS 1000u

struct far {
	struct id owner, body;
	uint64_t generation;
	bool needed;
};

struct fars {
	struct verify *v;
	struct arena *a;
	struct far *at;
	size_t n, room;
	uint64_t nrows;
	bool broken;			/* some rows cannot be read: nothing can be said */
};

static uint64_t
hash(const struct verify *v, struct id body, struct id owner)
{
	struct id both[2] = { body, owner };

	return pairs_hash(v, str_n(both, sizeof(both)));
}

void
verify_far(struct verify *v, enum side side, struct id body, struct id owner)
{
	uint64_t h = hash(v, body, owner);

	v->far[h >> (64 - BALANCE_BITS)] += side == NEEDS ? h : -h;
}

static int
by_owner(const void *a, const void *b)
{
	return memcmp(a, b, 2 * ID_LEN);
}

/* Links to other spaces that the sums do not explain, and whose records nobody is about to make. */
static void
collect(struct fars *f, struct rows *r)
{
	struct link l = { .condemned = true };

	rows_seek(r, row_kind_from(ROW_LINK));
	for (; !f->v->stopped && rows_here(r) && kv_iter_key(r->it).p[0] == ROW_LINK; rows_next(r)) {
		struct id body, owner;
		bool is_owner;
		str unused;

		if (!row_link_parse(kv_iter_key(r->it), &body, &is_owner, &owner))
			continue;
		if (!is_owner && !err_ok(record_link_read(kv_iter_value(r->it), &l)))
			l.condemned = true;
		if (!is_owner || l.condemned || id_space(owner) == r->space || f->n == LINKS_MAX ||
		    f->v->far[hash(f->v, body, owner) >> (64 - BALANCE_BITS)] == 0 || rows_look(r, row_pending(owner), &unused))
			continue;
		f->at = mem_more(f->at, f->n, &f->room, sizeof(*f->at));
		f->at[f->n++] = (struct far){ owner, body, l.generation, false };
	}
}

static void
needed(struct fars *f, struct id body, struct id owner)
{
	struct far key = { .owner = owner, .body = body }, *found = bsearch(&key, f->at, f->n, sizeof(key), by_owner);

	if (found != NULL)
		found->needed = true;
}

/* Whoever may need a body of another space. */
static void
visit(struct fars *f, str row, str value)
{
	struct dead_record d;
	struct older unused;
	struct object o;
	uint32_t number;
	struct id body;
	struct part p;

	switch ((enum row_kind)row.p[0]) {
	case ROW_OBJECT:
	case ROW_VERSION:
		if (err_ok(record_object_read(value, RECORD_FULL, f->a, &unused, &o)))
			needed(f, o.body, o.oid);
		break;
	case ROW_PART:
		if (row_part_parse(row, &body, &number) && number != PART_TABLE &&
		    err_ok(record_part_read(value, body, RECORD_FULL, f->a, &p)) && p.nextents > 0)
			needed(f, p.extents[0].body, p.oid);
		break;
	case ROW_DEAD:
		if (!err_ok(record_dead_read(value, &d)))
			break;
		needed(f, d.body, d.owner);
		if (d.kind == DEAD_PART && err_ok(record_part_read(d.part, d.body, RECORD_FULL, f->a, &p)) && p.nextents > 0)
			needed(f, p.extents[0].body, p.oid);
		break;
	default:
		break;
	}
}

static void
mark(struct fars *f, struct rows *r)
{
	rows_seek(r, (struct row_key){ .len = 1, .bytes = { 0 } });
	for (; !f->v->stopped && rows_here(r); rows_next(r), arena_reset(f->a)) {
		visit(f, kv_iter_key(r->it), kv_iter_value(r->it));
		if (++f->nrows % PACE_ROWS == 0)
			(void)verify_pace(f->v, VERIFY_ROWS, PACE_ROWS);
	}
}

static err
walk_spaces(struct fars *f, void (*walk)(struct fars *, struct rows *))
{
	for (unsigned i = 0; i < f->v->nspaces && !f->v->stopped; i++) {
		AUTO(rows_close) struct rows r = { .it = NULL };

		TRY(rows_open(f->v, f->v->space[i], &r));
		r.told = true;
		walk(f, &r);
		f->broken |= r.broken;
	}
	return ERR_OK;
}

/* Is the link as it was when the record was looked for? */
static bool
still_there(struct fars *f, const struct far *x)
{
	struct row_key row = row_link(x->body), own = row_owner(x->body, x->owner);
	uint32_t space = id_space(x->body);
	struct link l;
	str raw;

	return err_ok(kv_get(f->v->kv, space, row_str(&row), KV_MAY_BLOCK, f->a, &raw)) && err_ok(record_link_read(raw, &l)) &&
	    !l.condemned && l.generation == x->generation &&
	    err_ok(kv_get(f->v->kv, space, row_str(&own), KV_MAY_BLOCK, f->a, &raw));
}

static err
judge(struct fars *f)
{
	TRY(walk_spaces(f, collect));
	if (f->n == 0)
		return ERR_OK;
	qsort(f->at, f->n, sizeof(*f->at), by_owner);
	TRY(walk_spaces(f, mark));
	for (size_t i = 0; i < f->n && !f->v->stopped && !f->broken; i++) {
		const struct far *x = &f->at[i];
		struct abandoned link = { x->body, x->owner, x->generation };
		struct finding finding = { .kind = FINDING_LEAK, .abandoned = &link };

		arena_reset(f->a);
		if (x->needed || !still_there(f, x))
			continue;
		finding.what = arena_fmt(f->a, "bytes are kept for a copy in another bucket that is gone (%.*s)",
		    STR_FMT(hex_str(f->a, id_bytes(&x->body))));
		verify_found(f->v, &finding);
	}
	return ERR_OK;
}

err_v
verify_links(struct verify *v)
{
	AUTO(arena_free) struct arena *a = arena_new(64u << 10, ROW_ARENA_MAX);
	struct fars f = { .v = v, .a = a };
	uint64_t any = 0;
	err_v e = ERR_OK;

	for (size_t i = 0; i < (size_t)1 << BALANCE_BITS; i++)
		any |= v->far[i];
	if (any != 0)
		e = judge(&f);
	free(f.at);
	return e;
}
