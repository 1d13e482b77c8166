/*
 * verify_system.c - buckets' names and spaces, in the system space.
 *
 * Half-made and half-deleted buckets are in order: see meta/catalog_bucket.c. Rows of access control are read for their
 * checksums only; what they say is judged by who opens them.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "job/verify_impl.h"

#define ROW_ARENA_MAX (4u << 20)

struct system {
	struct verify *v;
	struct rows rows;
	struct arena *a;		/* of the row at hand */
	uint64_t nrows, names, owned;
	uint32_t next;			/* all spaces are below */
	uint8_t *listed;		/* by number */
};

static void
tell(struct system *s, str bucket, const char *what)
{
	verify_found(s->v, &(struct finding){ .kind = FINDING_DAMAGE, .bucket = bucket, .what = str_c(what) });
}

/* Numbers up to the next one have been given out. */
static void
read_next(struct system *s)
{
	struct bucket next;
	str raw;

	s->next = 1;
	if (!rows_look(&s->rows, row_next_space(), &raw))
		return;
	if (!err_ok(record_bucket_read(raw, &next)) || next.space == 0)
		tell(s, STR_NONE, "the number of the next space cannot be read");
	else
		s->next = next.space;
}

static void
visit_name(struct system *s, str row, str value)
{
	struct row_key head = row_head();
	struct bucket named, b;
	str name, raw, unused;
	err_v e;

	s->names++;
	if (!row_bucket_parse(row, &name) || !err_ok(record_bucket_read(value, &named)) || named.space == 0) {
		tell(s, STR_NONE, "the row of a bucket's name cannot be read");
		return;
	}
	if (named.space >= s->next)
		tell(s, name, "its space was never given out");
	if (!str_eq(named.name, name) || named.org.len > ORG_MAX || name.len > BUCKET_NAME_MAX ||
	    !rows_look(&s->rows, row_bucket_of(named.org, name), &unused))
		tell(s, name, "its owner does not have it");
	e = kv_get(s->v->kv, named.space, row_str(&head), KV_MAY_BLOCK, s->a, &raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		return;			/* half made */
	if (!err_ok(e) || !err_ok(record_bucket_read(raw, &b)) || !str_eq(b.name, name))
		tell(s, name, "its record cannot be read, or is of another bucket");
}

static void
visit(struct system *s, str row, str value)
{
	struct row_key names = row_bucket_names(STR("")), spaces = row_spaces();
	uint32_t space;

	if (str_starts(row, row_str(&names))) {
		visit_name(s, arena_str(s->a, row), arena_str(s->a, value));
	} else if (str_starts(row, row_str(&spaces))) {
		if (!row_space_parse(row, &space) || space == 0 || space >= s->next)
			tell(s, STR_NONE, "the row of a space that was never given out");
		else
			s->listed[space] = 1;
	}
}

static err
walk(struct system *s, struct arena *spaces)
{
	unsigned n = 0;
	err_v e;

	TRY(rows_open(s->v, KV_SYSTEM_SPACE, &s->rows));
	read_next(s);
	s->listed = mem_alloc(s->next);
	rows_seek(&s->rows, (struct row_key){ .len = 1, .bytes = { 0 } });
	for (; rows_here(&s->rows); rows_next(&s->rows), arena_reset(s->a)) {
		s->nrows++;
		visit(s, kv_iter_key(s->rows.it), kv_iter_value(s->rows.it));
	}
	verify_pace(s->v, VERIFY_ROWS, s->nrows);
	s->v->space = arena_try(spaces, s->next * sizeof(*s->v->space));
	if (s->v->space == NULL)
		return err_errno(ENOMEM, "a list of %u spaces", s->next);
	/* One that lacks its row is looked at all the same. */
	for (uint32_t at = 0; err_ok(e = kv_space_after(s->v->kv, at, &at)) && at < s->next;) {
		s->v->space[n++] = at;
		if (!s->listed[at] && !s->rows.broken)
			tell(s, STR_NONE, "the row of a bucket's space is gone: jobs do not find it");
	}
	s->v->nspaces = n;
	return err_is(e, ERR_NOT_FOUND.code) ? ERR_OK : e;
}

err_v
verify_system(struct verify *v, struct arena *spaces)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, ROW_ARENA_MAX);
	struct system s = { .v = v, .a = a };
	err_v e = walk(&s, spaces);

	rows_close(&s.rows);
	free(s.listed);
	return e;
}
