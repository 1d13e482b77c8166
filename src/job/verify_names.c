/*
 * verify_names.c - which versions and uploads need what is suspect.
 *
 * Looked up in the index as it is now, after the suspicion arose: nobody else needs to be told of bytes that were deleted
 * since, and what a version needs now it has needed all the time, since blobs and bodies never come back. In two rounds
 * over all buckets, since a body may be shared with another: first the parts that lie on suspect blobs, then
 * the versions and uploads.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "job/verify_impl.h"

#define ROW_ARENA_MAX (16u << 20)
#define PACE_ROWS 1000u

struct namer {
	struct verify *v;
	struct rows rows;
	struct arena *a;
	uint64_t nrows;
};

static void
visit_part(struct namer *n, str row, str value)
{
	const struct suspect *s;
	uint32_t number;
	struct id body;
	struct part p;

	if (!row_part_parse(row, &body, &number) || number == PART_TABLE ||
	    !err_ok(record_part_read(value, body, RECORD_FULL, n->a, &p)))
		return;
	for (unsigned i = 0; i < p.nextents; i++) {
		s = suspect_find(&n->v->blobs, p.extents[i].blob.id);
		if (s != NULL)
			suspect_add(n->v, &n->v->bodies, body, number, "blob %.*s: %s",
			    STR_FMT(hex_str(n->a, id_bytes(&s->id))), s->what);
	}
}

static void
tell(struct namer *n, struct finding *f, const struct suspect *s)
{
	f->kind = FINDING_DAMAGE;
	f->bucket = n->rows.bucket;
	f->what = s->part > 0 ? arena_fmt(n->a, "part %u: %s", s->part, s->what) : str_c(s->what);
	verify_found(n->v, f);
}

/* All that is suspect of a body; of an object only the parts that it consists of. */
static void
tell_body(struct namer *n, struct finding *f, struct id body, const struct object *o)
{
	const struct suspect *s = suspect_find(&n->v->bodies, body), *end;
	struct part_run *runs = NULL;
	struct row_key row = row_part(body, PART_TABLE);
	bool table = false;
	unsigned nruns = 0;
	str raw;

	if (s == NULL)
		return;
	end = n->v->bodies.at + n->v->bodies.n;
	if (o != NULL)
		table = err_ok(kv_get(n->v->kv, id_space(body), row_str(&row), KV_MAY_BLOCK, n->a, &raw)) &&
		    err_ok(record_runs_read(raw, n->a, &runs, &nruns));
	for (; s < end && id_eq(s->id, body); s++) {
		bool inside = s->part == 0 || !table;

		for (unsigned i = 0; i < nruns && !inside; i++)
			inside = s->part >= runs[i].first && s->part - runs[i].first < runs[i].count;
		if (inside)
			tell(n, f, s);
	}
}

static void
visit_version(struct namer *n, str row, str value)
{
	const struct suspect *s;
	char key[OBJECT_KEY_MAX];
	struct older unused;
	struct object o;
	struct finding f;
	size_t len;
	str rest;

	if (!row_object_key(row, (enum row_kind)row.p[0], key, &len, &rest) ||
	    !err_ok(record_object_read(value, RECORD_FULL, n->a, &unused, &o)))
		return;
	f = (struct finding){ .key = str_n(key, len), .has_version = true, .version = o.version };
	if (o.data == DATA_MULTIPART)
		tell_body(n, &f, o.body, &o);
	s = o.data == DATA_SINGLE ? suspect_find(&n->v->blobs, o.extent.blob.id) : NULL;
	if (s != NULL)
		tell(n, &f, &(struct suspect){ .what = arena_fmt(n->a, "blob %.*s: %s", STR_FMT(hex_str(n->a, id_bytes(&s->id))),
		    s->what).p });
}

static void
visit_upload(struct namer *n, str row)
{
	char key[OBJECT_KEY_MAX];
	struct finding f = { .has_upload = true };
	size_t len;
	str rest;

	if (!row_object_key(row, ROW_UPLOAD, key, &len, &rest) || !row_upload_id(rest, &f.upload))
		return;
	f.key = str_n(key, len);
	tell_body(n, &f, f.upload, NULL);
}

enum round { ROUND_PARTS, ROUND_NAMES };

static void
visit(struct namer *n, enum round round)
{
	str row = kv_iter_key(n->rows.it), value = kv_iter_value(n->rows.it);
	char kind = row.p[0];

	if (round == ROUND_PARTS && kind == ROW_PART)
		visit_part(n, row, value);
	else if (round == ROUND_NAMES && (kind == ROW_OBJECT || kind == ROW_VERSION))
		visit_version(n, row, value);
	else if (round == ROUND_NAMES && kind == ROW_UPLOAD)
		visit_upload(n, row);
}

static err
walk(struct namer *n, enum round round)
{
	AUTO(arena_free) struct arena *keep = arena_new(4096, ROW_ARENA_MAX);
	struct bucket head;
	str raw;

	n->rows.told = true;
	if (rows_look(&n->rows, row_head(), &raw) && err_ok(record_bucket_read(arena_str(keep, raw), &head)))
		n->rows.bucket = head.name;
	rows_seek(&n->rows, row_kind_from(round == ROUND_PARTS ? ROW_PART : ROW_OBJECT));
	for (; !n->v->stopped && rows_here(&n->rows); rows_next(&n->rows), arena_reset(n->a)) {
		if (round == ROUND_PARTS && kv_iter_key(n->rows.it).p[0] != ROW_PART)
			break;
		visit(n, round);
		if (++n->nrows % PACE_ROWS == 0)
			(void)verify_pace(n->v, VERIFY_ROWS, PACE_ROWS);
	}
	return ERR_OK;
}

static err
walk_spaces(struct verify *v, enum round round)
{
	AUTO(arena_free) struct arena *a = arena_new(64u << 10, ROW_ARENA_MAX);

	for (unsigned i = 0; i < v->nspaces; i++) {
		struct namer n = { .v = v, .a = a };
		err_v e = rows_open(v, v->space[i], &n.rows);

		if (err_ok(e))
			e = walk(&n, round);
		rows_close(&n.rows);
		TRY(e);
	}
	return ERR_OK;
}

err_v
verify_names(struct verify *v)
{
	if (v->blobs.n == 0 && v->bodies.n == 0)
		return ERR_OK;
	suspects_sort(&v->blobs);
	suspects_sort(&v->bodies);
	if (v->blobs.n > 0)
		TRY(walk_spaces(v, ROUND_PARTS));
	suspects_sort(&v->bodies);
	return walk_spaces(v, ROUND_NAMES);
}
