/*
 * verify_parts.c - rows L, P, B and U: links of bodies, the parts that bodies and uploads are made of.
 */
#include "base/text.h"
#include "job/verify_space.h"

void
visit_link(struct space *s, str row, str value)
{
	struct id body, owner;
	bool is_owner;

	if (!row_link_parse(row, &body, &is_owner, &owner)) {
		space_tell_row(s, row, "not the name of a link");
		return;
	}
	if (is_owner) {
		if (!s->has_link || !id_eq(body, s->link_body))
			space_tell_row(s, row, "an owner of a body that is gone");
		else if (!s->link.condemned && id_space(owner) == s->rows.space)
			pairs_add(&s->pairs, PAIR_OWNER, SERVES, body, owner,
			    s->link.has_blob ? bytes_of(body, &s->link.blob) : 0, row);
		else if (!s->link.condemned && s->pairs.pass == PAIRS_SUM)
			verify_far(s->v, SERVES, body, owner);
		return;
	}
	s->has_link = err_ok(record_link_read(value, &s->link));
	s->link_body = body;
	if (!s->has_link) {
		space_tell_row(s, row, err_context());
		return;
	}
	if (s->link.has_blob && !id_eq(s->link.blob.id, body))
		space_tell_row(s, row, "the link of another body");
	if (!s->link.has_blob)
		pairs_add(&s->pairs, PAIR_TABLE, NEEDS, body, body, 0, row);
	if (!s->link.condemned && s->link.has_owner && id_space(s->link.owner) == s->rows.space)
		pairs_add(&s->pairs, PAIR_OWNER, SERVES, body, s->link.owner,
		    s->link.has_blob ? bytes_of(body, &s->link.blob) : 0, row);
}

void
visit_part_blob(struct space *s, str row, str value)
{
	struct id blob, upload;
	uint32_t number;

	if (!row_id_parse(row, ROW_BLOB, &blob))
		space_tell_row(s, row, "not the name of a blob");
	else if (!err_ok(record_blob_owner_read(value, &upload, &number)))
		space_tell_row(s, row, err_context());
	else
		pairs_add(&s->pairs, PAIR_PART_BLOB, SERVES, blob, upload, number, row);
}

void
need_extents(struct space *s, struct id upload, uint32_t number, const struct part *p, str row, str value)
{
	if (p->nextents == 0)
		return;
	if (!id_eq(p->extents[0].body, upload)) {
		need_body(s, p->extents[0].body, p->oid, &p->extents[0].blob, row, value);
		return;
	}
	for (unsigned i = 0; i < p->nextents; i++)
		pairs_add(&s->pairs, PAIR_PART_BLOB, NEEDS, p->extents[i].blob.id, upload, number, row);
}

/* Which part of the body at hand must come next; 0: none. */
static uint32_t
part_due(const struct space *s)
{
	return s->run < s->nruns ? s->run_next : 0;
}

static void
part_came(struct space *s)
{
	const struct part_run *r = &s->runs[s->run];

	if (++s->run_next < r->first + r->count)
		return;
	if (++s->run < s->nruns)
		s->run_next = s->runs[s->run].first;
}

/* Those up to number have not come. */
static void
parts_missing(struct space *s, uint32_t number)
{
	uint32_t due;

	while ((due = part_due(s)) != 0 && due < number) {
		if (s->pairs.pass == PAIRS_SUM)
			suspect_add(s->v, &s->v->bodies, s->body, due, "its record in the index is gone");
		part_came(s);
	}
}

static void
visit_table(struct space *s, struct id body, str row, str value)
{
	s->nruns = s->run = 0;
	arena_reset(s->table_arena);
	if (!err_ok(record_runs_read(arena_str(s->table_arena, value), s->table_arena, &s->runs, &s->nruns))) {
		s->nruns = 0;
		space_tell_row(s, row, err_context());
		return;
	}
	s->run_next = s->runs[0].first;
	pairs_add(&s->pairs, PAIR_TABLE, SERVES, body, body, 0, row);
}

/* A part that no object consists of. */
static void
visit_outside(struct space *s, struct id body, const struct part *p, str row)
{
	struct finding f = { .kind = FINDING_LEAK };

	s->counted.uploads_bytes += (int64_t)p->size;
	if (ids_have(&s->uploads, body) || ids_have(&s->ended, body))
		return;
	f.what = arena_fmt(s->a, "a part of an upload that is gone (%.*s)", STR_FMT(hex_str(s->a, str_skip(row, 1))));
	space_tell(s, &f);
}

void
visit_part(struct space *s, str row, str value)
{
	uint32_t number;
	struct id body;
	struct part p;

	if (!row_part_parse(row, &body, &number)) {
		space_tell_row(s, row, "not the name of a part");
		return;
	}
	if (!id_eq(body, s->body)) {
		parts_missing(s, UINT32_MAX);
		s->body = body;
		s->nruns = s->run = 0;
	}
	if (number == PART_TABLE) {
		visit_table(s, body, row, value);
		return;
	}
	parts_missing(s, number);
	if (!err_ok(record_part_read(value, body, RECORD_FULL, s->a, &p))) {
		suspect_add(s->v, &s->v->bodies, body, number, "%s", err_context());
		if (part_due(s) == number)
			part_came(s);
		return;
	}
	need_extents(s, body, number, &p, row, value);
	if (part_due(s) != number) {
		if (s->pairs.pass == PAIRS_SUM)
			visit_outside(s, body, &p, row);
		return;
	}
	if (p.size != s->runs[s->run].size && s->pairs.pass == PAIRS_SUM)
		suspect_add(s->v, &s->v->bodies, body, number, "it has another size than the object's table of parts says");
	part_came(s);
}

void
visit_upload(struct space *s, str row, str value)
{
	char key[OBJECT_KEY_MAX];
	struct upload u;
	struct id id;
	size_t len;
	str rest;

	if (s->pairs.pass != PAIRS_SUM)
		return;
	s->counted.uploads++;
	s->v->sum.uploads++;
	if (!row_object_key(row, ROW_UPLOAD, key, &len, &rest) || !row_upload_id(rest, &id) || id_space(id) != s->rows.space)
		space_tell_row(s, row, "not the name of an upload");
	else if (!err_ok(record_upload_read(value, RECORD_FULL, s->a, &u)))
		space_tell_row(s, row, err_context());
}

void
parts_end(struct space *s)
{
	parts_missing(s, UINT32_MAX);
}
