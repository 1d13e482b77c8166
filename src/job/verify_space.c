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
#include "job/verify_impl.h"

#define ROW_ARENA_MAX (16u << 20)
#define UPLOADS_MAX 16000000u
#define PACE_ROWS 1000u

struct ids { struct id *at; size_t n, room; };

struct space {
	struct verify *v;
	struct rows rows;
	struct pairs_walk pairs;
	struct arena *a;		/* of the row at hand */
	struct arena *keep;		/* of the space */
	struct arena *table_arena;
	struct bucket head;
	bool has_head;
	uint64_t nrows;
	struct ids uploads, ended;	/* under way; aborted or completed, but not cleared away yet */
	struct bucket_usage usage, counted;	/* as the row N says; as it is */
	/* The link at hand, for its owners' rows. */
	struct id link_body;
	struct link link;
	bool has_link;
	/* The parts at hand. */
	struct id body;
	struct part_run *runs;
	unsigned nruns, run;
	uint32_t run_next;		/* the next part that must come */
	/* The key at hand, of V rows. */
	char key[OBJECT_KEY_MAX];
	size_t key_len;
};

/* ---- telling ---- */

static void
tell(struct space *s, const struct finding *what)
{
	struct finding f = *what;

	if (s->pairs.pass != PAIRS_SUM)
		return;			/* this row was judged before */
	f.bucket = s->rows.bucket;
	verify_found(s->v, &f);
}

static void
tell_object(struct space *s, const struct object *o, const char *what)
{
	struct finding f = { .kind = FINDING_DAMAGE, .key = o->key, .has_version = true, .version = o->version, .what = str_c(what) };

	tell(s, &f);
}

/* A row that cannot be read, by its own name. */
static void
tell_row(struct space *s, str row, const char *what)
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
	tell(s, &f);
}

/* ---- sets of ids ---- */

static void
ids_add(struct ids *s, struct id id)
{
	if (s->n == UPLOADS_MAX)
		return;
	if (s->n == s->room) {
		s->room = 2 * s->room + 64;
		s->at = mem_grow(s->at, s->room * sizeof(*s->at));
	}
	s->at[s->n++] = id;
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, ID_LEN);
}

static bool
ids_have(const struct ids *s, struct id id)
{
	return s->n > 0 && bsearch(&id, s->at, s->n, sizeof(id), by_bytes) != NULL;
}

/* ---- owners ---- */

/* What both sides of PAIR_OWNER must say of the bytes. */
static uint64_t
bytes_of(struct id body, const struct blob_ref *blob)
{
	return id_eq(body, blob->id) ? blob->place * 31 + blob->size : 0;
}

/* Is the body, which lives in another space, linked to this owner now? */
static err_v
linked_across(struct space *s, struct id body, struct id owner, bool *ret)
{
	struct row_key row = row_link(body), own = row_owner(body, owner);
	struct link l;
	str raw;
	err_v e = kv_get(s->v->kv, id_space(body), row_str(&row), KV_MAY_BLOCK, s->a, &raw);

	*ret = false;
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	TRY(record_link_read(raw, &l));
	*ret = !l.condemned && l.has_owner && id_eq(l.owner, owner);
	if (l.condemned || *ret)
		return ERR_OK;
	e = kv_get(s->v->kv, id_space(body), row_str(&own), KV_MAY_BLOCK, s->a, &raw);
	*ret = err_ok(e);
	return err_is(e, ERR_NOT_FOUND.code) ? ERR_OK : e;
}

/* The row is still what it was: whoever needs the body has been there all the time. */
static bool
still_there(struct space *s, str row, str value)
{
	str now;

	return err_ok(kv_get(s->v->kv, s->rows.space, row, KV_MAY_BLOCK, s->a, &now)) && str_eq(now, value);
}

/* A version or a part has its bytes in a body. row, value: its own; copies. */
static void
need_body(struct space *s, struct id body, struct id owner, const struct blob_ref *blob, str row, str value)
{
	uint32_t number = 0;
	struct id part_of;
	bool linked;

	if (id_space(body) == s->rows.space) {
		pairs_add(&s->pairs, PAIR_OWNER, NEEDS, body, owner, bytes_of(body, blob), row);
		return;
	}
	if (s->pairs.pass != PAIRS_SUM || (err_ok(linked_across(s, body, owner, &linked)) && linked))
		return;
	if (!still_there(s, row, value))
		return;
	if (row_part_parse(row, &part_of, &number))
		suspect_add(s->v, &s->v->bodies, part_of, number, "bytes that it shares with another bucket are not linked to it");
	else
		tell_row(s, row, "bytes that it shares with another bucket are not linked to it");
}

/* Something dead may hold on to a body, or may have let go of it already: what the link says is right. */
static void
dead_need(struct space *s, struct id body, struct id owner, str row)
{
	struct link l;
	str raw;

	if (id_space(body) != s->rows.space || !rows_look(&s->rows, row_link(body), &raw) || !err_ok(record_link_read(raw, &l)))
		return;
	if (l.condemned)
		return;
	if ((l.has_owner && id_eq(l.owner, owner)) || rows_look(&s->rows, row_owner(body, owner), &raw))
		pairs_add(&s->pairs, PAIR_OWNER, NEEDS, body, owner, l.has_blob ? bytes_of(body, &l.blob) : 0, row);
}

/* ---- versions ---- */

/* A checksum of all the bytes, or else the ETag if that is one. */
static bool
inlined_whole(const struct object *o)
{
	uint8_t want[16], got[DIGEST_MAX];

	if (o->sse.on)
		return true;		/* sealed: its seal is its checksum, and the key is the client's */
	if (o->checksum.set && o->checksum.type == CHECKSUM_FULL_OBJECT) {
		digest_once(o->checksum.alg, o->inlined, got);
		return memcmp(got, o->checksum.value, digest_len(o->checksum.alg)) == 0;
	}
	if (o->etag.len != 2 * sizeof(want) || !hex_decode(o->etag, want))
		return true;
	digest_once(DIGEST_MD5, o->inlined, got);
	return memcmp(got, want, sizeof(want)) == 0;
}

/* The part table never changes while anybody needs it, so what is read now is what was. */
static void
check_table(struct space *s, const struct object *o)
{
	struct row_key row = row_part(o->body, PART_TABLE);
	struct part_run *runs;
	unsigned n;
	str raw;

	if (s->pairs.pass != PAIRS_SUM || !err_ok(kv_get(s->v->kv, id_space(o->body), row_str(&row), KV_MAY_BLOCK, s->a, &raw)))
		return;			/* PAIR_TABLE tells if it is missing */
	if (!err_ok(record_runs_read(raw, s->a, &runs, &n)) || !runs_valid(runs, n, o->parts, o->size))
		tell_object(s, o, "the table of its parts is of another object");
}

static void
count(struct space *s, const struct object *o)
{
	if (o->delete_marker) {
		s->counted.markers++;
		return;
	}
	s->counted.objects[o->class]++;
	s->counted.bytes[o->class] += (int64_t)o->size;
}

static void
visit_version(struct space *s, const struct object *o, str row, str value)
{
	if (s->pairs.pass == PAIRS_SUM) {
		s->v->sum.objects++;
		count(s, o);
	}
	if (o->data == DATA_INLINE && s->pairs.pass == PAIRS_SUM && !inlined_whole(o))
		tell_object(s, o, "its bytes do not match their checksum");
	if (o->data == DATA_MULTIPART)
		check_table(s, o);
	if (o->data == DATA_SINGLE || o->data == DATA_MULTIPART)
		need_body(s, o->body, o->oid, &o->extent.blob, row, value);
}

static void
visit_object(struct space *s, str row, str value)
{
	char key[OBJECT_KEY_MAX];
	struct older older;
	struct object o;
	size_t len;
	str rest;

	if (!row_object_key(row, ROW_OBJECT, key, &len, &rest) || !str_empty(rest)) {
		tell_row(s, row, "not the name of an object");
		return;
	}
	if (!err_ok(record_object_read(value, RECORD_FULL, s->a, &older, &o))) {
		tell_row(s, row, err_context());
		return;
	}
	o.key = str_n(key, len);
	if (older.has_null)
		pairs_add(&s->pairs, PAIR_NULL, NEEDS, older.null, (struct id){ { 0 } }, pairs_hash(s->v, o.key), row);
	visit_version(s, &o, row, value);
}

/* The first V row of a key: there is a newer version above. */
static void
check_above(struct space *s, const struct object *o)
{
	struct row_key row;
	struct older older;
	struct object newest;
	str raw;

	row = row_object(o->key);
	if (!rows_look(&s->rows, row, &raw)) {
		if (!s->rows.broken)
			tell_object(s, o, "an older version, but the newest one of its key is gone");
		return;
	}
	if (!err_ok(record_object_read(raw, RECORD_LISTED, s->a, &older, &newest)))
		return;			/* told where it stands */
	if (!older.any || memcmp(newest.version.id.byte, o->version.id.byte, ID_LEN) <= 0)
		tell_object(s, o, "the newest version of its key does not know of it");
}

static void
visit_older(struct space *s, str row, str value)
{
	char key[OBJECT_KEY_MAX];
	struct older unused;
	struct object o;
	struct id id;
	size_t len;
	str rest;

	if (!row_object_key(row, ROW_VERSION, key, &len, &rest) || !row_version_id(rest, &id)) {
		tell_row(s, row, "not the name of a version");
		return;
	}
	if (!err_ok(record_object_read(value, RECORD_FULL, s->a, &unused, &o))) {
		tell_row(s, row, err_context());
		return;
	}
	o.key = str_n(key, len);
	if (!id_eq(o.version.id, id))
		tell_row(s, row, "the record of another version");
	if (o.version.null)
		pairs_add(&s->pairs, PAIR_NULL, SERVES, id, (struct id){ { 0 } }, pairs_hash(s->v, o.key), row);
	visit_version(s, &o, row, value);
	if (s->pairs.pass != PAIRS_SUM || str_eq(str_n(s->key, s->key_len), o.key))
		return;
	check_above(s, &o);
	memcpy(s->key, key, len);
	s->key_len = len;
}

/* ---- links, parts, uploads ---- */

static void
visit_link(struct space *s, str row, str value)
{
	struct id body, owner;
	bool is_owner;

	if (!row_link_parse(row, &body, &is_owner, &owner)) {
		tell_row(s, row, "not the name of a link");
		return;
	}
	if (is_owner) {
		if (!s->has_link || !id_eq(body, s->link_body))
			tell_row(s, row, "an owner of a body that is gone");
		else if (!s->link.condemned && id_space(owner) == s->rows.space)
			pairs_add(&s->pairs, PAIR_OWNER, SERVES, body, owner,
			    s->link.has_blob ? bytes_of(body, &s->link.blob) : 0, row);
		return;
	}
	s->has_link = err_ok(record_link_read(value, &s->link));
	s->link_body = body;
	if (!s->has_link) {
		tell_row(s, row, err_context());
		return;
	}
	if (s->link.has_blob && !id_eq(s->link.blob.id, body))
		tell_row(s, row, "the link of another body");
	if (!s->link.has_blob)
		pairs_add(&s->pairs, PAIR_TABLE, NEEDS, body, body, 0, row);
	if (!s->link.condemned && s->link.has_owner && id_space(s->link.owner) == s->rows.space)
		pairs_add(&s->pairs, PAIR_OWNER, SERVES, body, s->link.owner,
		    s->link.has_blob ? bytes_of(body, &s->link.blob) : 0, row);
}

static void
visit_part_blob(struct space *s, str row, str value)
{
	struct id blob, upload;
	uint32_t number;

	if (!row_id_parse(row, ROW_BLOB, &blob))
		tell_row(s, row, "not the name of a blob");
	else if (!err_ok(record_blob_owner_read(value, &upload, &number)))
		tell_row(s, row, err_context());
	else
		pairs_add(&s->pairs, PAIR_PART_BLOB, SERVES, blob, upload, number, row);
}

static void
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
		tell_row(s, row, err_context());
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
	tell(s, &f);
}

static void
visit_part(struct space *s, str row, str value)
{
	uint32_t number;
	struct id body;
	struct part p;

	if (!row_part_parse(row, &body, &number)) {
		tell_row(s, row, "not the name of a part");
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

static void
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
		tell_row(s, row, "not the name of an upload");
	else if (!err_ok(record_upload_read(value, RECORD_FULL, s->a, &u)))
		tell_row(s, row, err_context());
}

/* ---- the reaper's rows ---- */

static void
dead_part(struct space *s, const struct dead_record *d, str row)
{
	uint32_t number = 0;
	struct id upload;
	struct part p;
	str raw;

	if (!err_ok(record_part_read(d->part, d->body, RECORD_FULL, s->a, &p)))
		tell_row(s, row, err_context());
	else if (p.nextents > 0 && !id_eq(p.extents[0].body, d->body))
		dead_need(s, p.extents[0].body, p.oid, row);
	else if (p.nextents > 0 && rows_look(&s->rows, row_blob(p.extents[0].blob.id), &raw) &&
	    err_ok(record_blob_owner_read(raw, &upload, &number)))
		need_extents(s, d->body, number, &p, row, STR_NONE);
	else if (p.nextents > 0 && !s->rows.broken)
		tell_row(s, row, "the blob of a part that was replaced is not known");
}

static void
visit_dead(struct space *s, str row, str value)
{
	struct dead_record d;
	uint64_t when;
	struct id name;

	if (!row_dead_parse(row, &when, &name))
		tell_row(s, row, "not the name of something dead");
	else if (!err_ok(record_dead_read(value, &d)))
		tell_row(s, row, err_context());
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
		tell_row(s, row, err_context());
}

static void
visit_token(struct space *s, str row, str value)
{
	struct token t;

	if (!err_ok(record_token_read(value, &t)))
		tell_row(s, row, err_context());
}

static void
visit_counters(struct space *s, str row, str value)
{
	if (!err_ok(catalog_usage_read(value, &s->usage)))
		tell_row(s, row, "not counters");
}

static void
visit_head(struct space *s, str row, str value)
{
	struct bucket b;

	if (!err_ok(record_bucket_read(value, &b)))
		tell_row(s, row, err_context());
}

static void
visit_config(struct space *s, str row, str value)
{
	if (s->has_head && s->head.state == BUCKET_DELETED)
		tell_row(s, row, "a configuration of a bucket that is gone");
}

/* The day of a read may be without its object: it is a hint. */
static void
visit_touch(struct space *s, str row, str value)
{
	char key[OBJECT_KEY_MAX];
	size_t len;
	str rest;

	if (!row_object_key(row, ROW_TOUCH, key, &len, &rest) || !str_empty(rest) || value.len != sizeof(uint32_t))
		tell_row(s, row, "not the day of a read");
	else if (s->has_head && s->head.state == BUCKET_DELETED)
		tell_row(s, row, "the day of a read in a bucket that is gone");
}

static void
visit_ages(struct space *s, str row, str value)
{
	int64_t n[KV_COUNTERS_MAX];

	if (row.len != 1 || !kv_counters(value, n, KV_COUNTERS_MAX))
		tell_row(s, row, "not counters");
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
	tell_row(s, row, "a row of no known kind");
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
	parts_missing(s, UINT32_MAX);
}

static void
compare(struct space *s, const char *of, int64_t says, int64_t is)
{
	struct finding f = { .kind = FINDING_DAMAGE };

	if (says == is)
		return;
	f.what = arena_fmt(s->a, "usage says %" PRId64 " %s, counting gives %" PRId64, says, of, is);
	tell(s, &f);
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
static err_v
check_name(struct space *s)
{
	struct finding f = { .kind = FINDING_DAMAGE, .what = STR("the bucket is there, but its name is gone") };
	struct row_key row = row_head(), name;
	struct bucket now;
	str raw;
	err_v e;

	if (!s->has_head) {
		if (s->nrows > 0)
			tell(s, &(struct finding){ .kind = FINDING_DAMAGE, .what = arena_fmt(s->a,
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
		tell(s, &f);
	return ERR_OK;
}

static err_v
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
