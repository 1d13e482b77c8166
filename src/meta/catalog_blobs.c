/*
 * catalog_blobs.c - which blobs the records of a space stand on: for copies of a whole store.
 *
 * A body of one blob has it in its L row. A multipart body has the blobs of its P rows: of those that its part table names once
 * the upload was completed, of all of them before. Parts that borrow stand on another body, which is seen on its own. What the
 * reaper has condemned, or finds outside of the part table, is left out.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

#define ONE_PART_MAX (4u << 20)

struct see {
	struct catalog *c;
	catalog_blob_f *visit;
	void *arg;
	bool stop;
};

static err
see_links(struct see *s, uint32_t space)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key from = row_kind_from(ROW_LINK), to = row_behind(from);
	struct id body, owner;
	bool is_owner;
	struct link l;

	TRY(kv_scan(s->c->kv, space, row_str(&from), row_str(&to), &it));
	for (; kv_iter_valid(it) && !s->stop; kv_iter_next(it)) {
		if (!row_link_parse(kv_iter_key(it), &body, &is_owner, &owner))
			return err_errno(EBADMSG, "name of a link's row");
		if (is_owner)
			continue;
		TRY(record_link_read(kv_iter_value(it), &l));
		if (l.has_blob && !l.condemned)
			s->stop = !s->visit(s->arg, &l.blob, NEED_OBJECT);
	}
	return kv_iter_error(it);
}

/* The body that a walk over P rows is at. */
struct parts_of {
	struct id body;
	bool skip;			/* condemned */
	struct part_run *runs;
	unsigned nruns;
};

static err
parts_begin(struct catalog *c, struct id body, struct arena *a, struct parts_of *ret)
{
	struct row_key row = row_link(body);
	struct parts_of p = { .body = body };
	struct link l;
	str raw;
	err_v e;

	arena_reset(a);
	TRY(part_table(c, body, a, &p.runs, &p.nruns));
	e = kv_get(c->kv, id_space(body), row_str(&row), KV_MAY_BLOCK, a, &raw);
	if (!err_is(e, ERR_NOT_FOUND.code)) {
		TRY(e);
		TRY(record_link_read(raw, &l));
		p.skip = l.condemned;
	}
	*ret = p;
	return ERR_OK;
}

static err
see_parts(struct see *s, uint32_t space)
{
	AUTO(arena_free) struct arena *table = arena_new(8192, ONE_PART_MAX), *one = arena_new(8192, ONE_PART_MAX);
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key from = row_kind_from(ROW_PART), to = row_behind(from);
	struct parts_of of = { .skip = true };
	uint32_t number;
	struct id body;
	struct part p;

	TRY(kv_scan(s->c->kv, space, row_str(&from), row_str(&to), &it));
	for (; kv_iter_valid(it) && !s->stop; kv_iter_next(it)) {
		if (!row_part_parse(kv_iter_key(it), &body, &number))
			return err_errno(EBADMSG, "name of a part's row");
		if (!id_eq(body, of.body))
			TRY(parts_begin(s->c, body, table, &of));
		if (of.skip || number == PART_TABLE || (of.nruns > 0 && !runs_have(of.runs, of.nruns, number)))
			continue;
		arena_reset(one);
		TRY(record_part_read(kv_iter_value(it), body, RECORD_FULL, one, &p));
		if (!part_is_own(&p, body))
			continue;
		for (unsigned i = 0; i < p.nextents && !s->stop; i++)
			s->stop = !s->visit(s->arg, &p.extents[i].blob, of.nruns > 0 ? NEED_OBJECT : NEED_UPLOAD);
	}
	return kv_iter_error(it);
}

err_v
catalog_blobs(struct catalog *c, uint32_t space, catalog_blob_f *visit, void *arg)
{
	struct see s = { .c = c, .visit = visit, .arg = arg };

	CHECK_OBJ(c, CATALOG_MAGIC);
	TRY(see_links(&s, space));
	return s.stop ? ERR_OK : see_parts(&s, space);
}
