/*
 * verify_space.c - everything that the index says of one bucket: each row can be read, and they agree.
 *
 *   version (O, V)     its body is linked to it; inlined bytes match their checksum; an older one has a newest above it
 *   link (L)           owned by a version, a part, or something dead; of parts: there is their table
 *   part (P)           blobs have their rows; it belongs to an object or an upload; none that an object needs is missing
 *   counters (N)       are what counting gives
 *
 * All of that is of one instant, so it holds to the row, whoever writes meanwhile. Only bodies that live in another bucket's
 * space are asked for as they are now, and judged again if the answer is bad.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "job/verify_space.h"

#define ROW_ARENA_MAX (16u << 20)
#define UPLOADS_MAX 16000000u
#define PACE_ROWS 1000u

/* ---- telling ---- */

void
space_tell(struct space *s, const struct finding *what)
{
	struct finding f = *what;

	if (s->pairs.pass != PAIRS_SUM)
		return;			/* this row was judged before */
	f.bucket = s->rows.bucket;
	verify_found(s->v, &f);
}

void
space_tell_object(struct space *s, const struct object *o, const char *what)
{
	struct finding f = { .kind = FINDING_DAMAGE, .key = o->key, .has_version = true, .version = o->version, .what = str_c(what) };

	space_tell(s, &f);
}

void
space_tell_row(struct space *s, str row, const char *what)
{
	struct finding f = { .kind = FINDING_DAMAGE };
	char key[OBJECT_KEY_MAX];
	size_t len;
	str rest;
	enum row_kind kind = (enum row_kind)row.p[0];

	if ((kind == ROW_OBJECT || kind == ROW_VERSION || kind == ROW_UPLOAD) && row_object_key(row, kind, key, &len, &rest)) {
		f.key = str_n(key, len);
		f.has_version = kind == ROW_VERSION && row_version_id(rest, &f.version.id);
		f.has_upload = kind == ROW_UPLOAD && row_upload_id(rest, &f.upload);
		f.what = str_c(what);
	} else {
		f.what = arena_fmt(s->a, "row %c %.*s: %s", row.p[0], STR_FMT(hex_str(s->a, str_skip(row, 1))), what);
	}
	space_tell(s, &f);
}

/* ---- sets of ids ---- */

static void
ids_add(struct ids *s, struct id id)
{
	if (s->n == UPLOADS_MAX)
		return;
	s->at = mem_more(s->at, s->n, &s->room, sizeof(*s->at));
	s->at[s->n++] = id;
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, ID_LEN);
}

bool
ids_have(const struct ids *s, struct id id)
{
	return s->n > 0 && bsearch(&id, s->at, s->n, sizeof(id), by_bytes) != NULL;
}

/* ---- the reaper's rows ---- */

/* Something dead may hold on to a body, or may have let go of it already: what the link says is right. */
static void
dead_need(struct space *s, struct id body, struct id owner, str row)
{
	struct link l;
	str raw;

	if (id_space(body) != s->rows.space || id_space(owner) != s->rows.space)
		return;
	if (!rows_look(&s->rows, row_link(body), &raw) || !err_ok(record_link_read(raw, &l)))
		return;
	if (l.condemned)
		return;
	if ((l.has_owner && id_eq(l.owner, owner)) || rows_look(&s->rows, row_owner(body, owner), &raw))
		pairs_add(&s->pairs, PAIR_OWNER, NEEDS, body, owner, l.has_blob ? bytes_of(body, &l.blob) : 0, row);
}

static void
dead_part(struct space *s, const struct dead_record *d, str row)
{
	uint32_t number = 0;
	struct id upload;
	struct part p;
	str raw;

	if (!err_ok(record_part_read(d->part, d->body, RECORD_FULL, s->a, &p)))
		space_tell_row(s, row, err_context());
	else if (p.nextents > 0 && !id_eq(p.extents[0].body, d->body))
		dead_need(s, p.extents[0].body, p.oid, row);
	else if (p.nextents > 0 && rows_look(&s->rows, row_blob(p.extents[0].blob.id), &raw) &&
	    err_ok(record_blob_owner_read(raw, &upload, &number)))
		need_extents(s, d->body, number, &p, row, STR_NONE);
	else if (p.nextents > 0 && !s->rows.broken)
		space_tell_row(s, row, "the blob of a part that was replaced is not known");
}

static void
visit_dead(struct space *s, str row, str value)
{
	struct dead_record d;
	uint64_t when;
	struct id name;

	if (!row_dead_parse(row, &when, &name))
		space_tell_row(s, row, "not the name of something dead");
	else if (!err_ok(record_dead_read(value, &d)))
		space_tell_row(s, row, err_context());
	else if (d.kind == DEAD_BODY)
		dead_need(s, d.body, d.owner, row);
	else if (d.kind == DEAD_PART)
		dead_part(s, &d, row);
	else if (d.kind == DEAD_PARTS && s->pairs.pass == PAIRS_SUM)
		ids_add(&s->ended, d.body);
}

static void
visit_pending(struct space *s, str row, str value)
{
	struct pending p;
	struct id owner;

	if (!row_id_parse(row, ROW_PENDING, &owner) || !err_ok(record_pending_read(value, &p)))
		space_tell_row(s, row, err_context());
}

static void
visit_token(struct space *s, str row, str value)
{
	struct token t;

	if (!err_ok(record_token_read(value, &t)))
		space_tell_row(s, row, err_context());
}

static void
visit_counters(struct space *s, str row, str value)
{
	if (!err_ok(catalog_usage_read(value, &s->usage)))
		space_tell_row(s, row, "not counters");
}

static void
visit_head(struct space *s, str row, str value)
{
	struct bucket b;

	if (!err_ok(record_bucket_read(value, &b)))
		space_tell_row(s, row, err_context());
}

static void
visit_config(struct space *s, str row, str value)
{
	if (s->has_head && s->head.state == BUCKET_DELETED)
		space_tell_row(s, row, "a configuration of a bucket that is gone");
}

/* The day of a read may be without its object: it is a hint. */
static void
visit_touch(struct space *s, str row, str value)
{
	char key[OBJECT_KEY_MAX];
	size_t len;
	str rest;

	if (!row_object_key(row, ROW_TOUCH, key, &len, &rest) || !str_empty(rest) || value.len != sizeof(uint32_t))
		space_tell_row(s, row, "not the day of a read");
	else if (s->has_head && s->head.state == BUCKET_DELETED)
		space_tell_row(s, row, "the day of a read in a bucket that is gone");
}

static void
visit_ages(struct space *s, str row, str value)
{
	int64_t n[KV_COUNTERS_MAX];

	if (row.len != 1 || !kv_counters(value, n, KV_COUNTERS_MAX))
		space_tell_row(s, row, "not counters");
}

static const struct { enum row_kind kind; void (*visit)(struct space *, str row, str value); } visits[] = {
	{ ROW_OBJECT, visit_object },		/* the most frequent first */
	{ ROW_LINK, visit_link }, { ROW_VERSION, visit_older }, { ROW_PART, visit_part }, { ROW_BLOB, visit_part_blob },
	{ ROW_DEAD, visit_dead }, { ROW_UPLOAD, visit_upload }, { ROW_PENDING, visit_pending }, { ROW_TOKEN, visit_token },
	{ ROW_TOUCH, visit_touch }, { ROW_AGES, visit_ages }, { ROW_COUNTERS, visit_counters }, { ROW_HEAD, visit_head },
	{ ROW_CONFIG, visit_config },
};

/* ---- the walk ---- */

static void
visit(struct space *s)
{
	str row = kv_iter_key(s->rows.it), value = kv_iter_value(s->rows.it);

	/* Those that look at other rows need copies. */
	if (row.p[0] == ROW_DEAD || row.p[0] == ROW_VERSION) {
		row = arena_str(s->a, row);
		value = arena_str(s->a, value);
	}
	for (unsigned i = 0; i < COUNT(visits); i++) {
		if (visits[i].kind == (enum row_kind)row.p[0]) {
			visits[i].visit(s, row, value);
			return;
		}
	}
	space_tell_row(s, row, "a row of no known kind");
}

/* What all else is judged by: the bucket, and which uploads there are. */
static void
look_ahead(struct space *s)
{
	str raw;

	s->has_head = rows_look(&s->rows, row_head(), &raw);
	if (s->has_head && err_ok(record_bucket_read(arena_str(s->keep, raw), &s->head)))
		s->rows.bucket = s->head.name;
	s->rows.told = true;		/* the walk meets it again */
	rows_seek(&s->rows, row_kind_from(ROW_UPLOAD));
	for (; rows_here(&s->rows); rows_next(&s->rows)) {
		char key[OBJECT_KEY_MAX];
		size_t len;
		struct id id;
		str rest;

		if (kv_iter_key(s->rows.it).p[0] != ROW_UPLOAD)
			break;
		if (row_object_key(kv_iter_key(s->rows.it), ROW_UPLOAD, key, &len, &rest) && row_upload_id(rest, &id))
			ids_add(&s->uploads, id);
	}
	s->rows.told = false;
	if (s->uploads.n > 0)
		qsort(s->uploads.at, s->uploads.n, sizeof(struct id), by_bytes);
}

static void
walk(struct space *s)
{
	enum row_kind kind = 0;

	rows_seek(&s->rows, (struct row_key){ .len = 1, .bytes = { 0 } });
	for (; rows_here(&s->rows) && !s->v->stopped; rows_next(&s->rows)) {
		if (kv_iter_key(s->rows.it).p[0] != (char)kind && s->ended.n > 0 && s->pairs.pass == PAIRS_SUM)
			qsort(s->ended.at, s->ended.n, sizeof(struct id), by_bytes);
		kind = (enum row_kind)kv_iter_key(s->rows.it).p[0];
		visit(s);
		arena_reset(s->a);
		if (++s->nrows % PACE_ROWS == 0)
			verify_pace(s->v, VERIFY_ROWS, PACE_ROWS);
	}
	parts_end(s);
}

static void
compare(struct space *s, const char *of, int64_t says, int64_t is)
{
	struct finding f = { .kind = FINDING_DAMAGE };

	if (says == is)
		return;
	f.what = arena_fmt(s->a, "usage says %" PRId64 " %s, counting gives %" PRId64, says, of, is);
	space_tell(s, &f);
}

static void
compare_usage(struct space *s)
{
	static const char *const objects[] = { "objects in STANDARD", "objects in STANDARD_IA" };
	static const char *const bytes[] = { "bytes in STANDARD", "bytes in STANDARD_IA" };

	static_assert(COUNT(objects) == CLASS_COUNT && COUNT(bytes) == CLASS_COUNT, "a name for each class");
	for (int c = 0; c < CLASS_COUNT; c++) {
		compare(s, objects[c], s->usage.objects[c], s->counted.objects[c]);
		compare(s, bytes[c], s->usage.bytes[c], s->counted.bytes[c]);
	}
	compare(s, "bytes in uploads", s->usage.uploads_bytes, s->counted.uploads_bytes);
	compare(s, "delete markers", s->usage.markers, s->counted.markers);
	compare(s, "uploads", s->usage.uploads, s->counted.uploads);
}

/* The bucket that this space belongs to can be found by its name. Asked now, so asked again. */
static err
check_name(struct space *s)
{
	struct finding f = { .kind = FINDING_DAMAGE, .what = STR("the bucket is there, but its name is gone") };
	struct row_key row = row_head(), name;
	struct bucket now;
	str raw;
	err_v e;

	if (!s->has_head) {
		if (s->nrows > 0)
			space_tell(s, &(struct finding){ .kind = FINDING_DAMAGE, .what = arena_fmt(s->a,
			    "space %u has rows but the record of its bucket is gone", s->rows.space) });
		return ERR_OK;
	}
	if (s->head.state == BUCKET_DELETED || str_empty(s->head.name) || s->head.name.len > BUCKET_NAME_MAX)
		return ERR_OK;
	name = row_bucket_name(s->head.name);
	e = kv_get(s->v->kv, KV_SYSTEM_SPACE, row_str(&name), KV_MAY_BLOCK, s->a, &raw);
	if (err_ok(e) && err_ok(record_bucket_read(raw, &now)) && now.space == s->rows.space)
		return ERR_OK;
	if (!err_is(e, ERR_NOT_FOUND.code))
		TRY(e);
	e = kv_get(s->v->kv, s->rows.space, row_str(&row), KV_MAY_BLOCK, s->a, &raw);
	if (err_ok(e) && err_ok(record_bucket_read(raw, &now)) && now.state != BUCKET_DELETED)
		space_tell(s, &f);
	return ERR_OK;
}

static err
judge(struct space *s)
{
	TRY(rows_open(s->v, s->rows.space, &s->rows));
	look_ahead(s);
	pairs_begin(&s->pairs, s->v);
	walk(s);
	verify_pace(s->v, VERIFY_ROWS, s->nrows % PACE_ROWS);
	/* With rows missing, figures and counterparts say nothing. */
	if (s->v->stopped || s->rows.broken)
		return ERR_OK;
	TRY(check_name(s));
	compare_usage(s);
	if (pairs_agree(&s->pairs))
		return ERR_OK;
	s->pairs.pass = PAIRS_COLLECT;
	walk(s);
	pairs_tell(&s->pairs, s->rows.bucket);
	return ERR_OK;
}

err_v
verify_space(struct verify *v, uint32_t space)
{
	AUTO(arena_free) struct arena *a = arena_new(64u << 10, ROW_ARENA_MAX), *keep = arena_new(4096, ROW_ARENA_MAX);
	AUTO(arena_free) struct arena *table = arena_new(4096, ROW_ARENA_MAX);
	AUTO(mem_free_p) struct space *s = MEM_NEW(struct space);
	err_v e;

	s->v = v;
	s->rows.space = space;
	s->a = a;
	s->keep = keep;
	s->table_arena = table;
	e = judge(s);
	if (s->pairs.v != NULL)
		pairs_done(&s->pairs);
	rows_close(&s->rows);
	free(s->uploads.at);
	free(s->ended.at);
	return e;
}
