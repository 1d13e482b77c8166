/*
 * verify_versions.c - rows O and V: a version can be read, its bytes are there as far as the index knows, its key's others agree.
 *
 * Only bodies that live in another bucket's space are asked for as they are now, and judged again if the answer is bad.
 */
#include "base/mem.h"
#include "base/text.h"
#include "job/verify_space.h"

/* ---- owners ---- */

uint64_t
bytes_of(struct id body, const struct blob_ref *blob)
{
	return id_eq(body, blob->id) ? blob->place * 31 + blob->size : 0;
}

/* Is the body, which lives in another space, linked to this owner now? */
static err
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

void
need_body(struct space *s, struct id body, struct id owner, const struct blob_ref *blob, str row, str value)
{
	uint32_t number = 0;
	struct id part_of;
	bool linked;

	if (id_space(body) == s->rows.space) {
		pairs_add(&s->pairs, PAIR_OWNER, NEEDS, body, owner, bytes_of(body, blob), row);
		return;
	}
	if (s->pairs.pass == PAIRS_SUM)
		verify_far(s->v, NEEDS, body, owner);
	if (s->pairs.pass != PAIRS_SUM || (err_ok(linked_across(s, body, owner, &linked)) && linked))
		return;
	if (!still_there(s, row, value))
		return;
	if (row_part_parse(row, &part_of, &number))
		suspect_add(s->v, &s->v->bodies, part_of, number, "bytes that it shares with another bucket are not linked to it");
	else
		space_tell_row(s, row, "bytes that it shares with another bucket are not linked to it");
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
		space_tell_object(s, o, "the table of its parts is of another object");
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
		space_tell_object(s, o, "its bytes do not match their checksum");
	if (o->data == DATA_MULTIPART)
		check_table(s, o);
	if (o->data == DATA_SINGLE || o->data == DATA_MULTIPART)
		need_body(s, o->body, o->oid, &o->extent.blob, row, value);
}

void
visit_object(struct space *s, str row, str value)
{
	char key[OBJECT_KEY_MAX];
	struct older older;
	struct object o;
	size_t len;
	str rest;

	if (!row_object_key(row, ROW_OBJECT, key, &len, &rest) || !str_empty(rest)) {
		space_tell_row(s, row, "not the name of an object");
		return;
	}
	if (!err_ok(record_object_read(value, RECORD_FULL, s->a, &older, &o))) {
		space_tell_row(s, row, err_context());
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
			space_tell_object(s, o, "an older version, but the newest one of its key is gone");
		return;
	}
	if (!err_ok(record_object_read(raw, RECORD_LISTED, s->a, &older, &newest)))
		return;			/* told where it stands */
	if (!older.any || memcmp(newest.version.id.byte, o->version.id.byte, ID_LEN) <= 0)
		space_tell_object(s, o, "the newest version of its key does not know of it");
}

void
visit_older(struct space *s, str row, str value)
{
	char key[OBJECT_KEY_MAX];
	struct older unused;
	struct object o;
	struct id id;
	size_t len;
	str rest;

	if (!row_object_key(row, ROW_VERSION, key, &len, &rest) || !row_version_id(rest, &id)) {
		space_tell_row(s, row, "not the name of a version");
		return;
	}
	if (!err_ok(record_object_read(value, RECORD_FULL, s->a, &unused, &o))) {
		space_tell_row(s, row, err_context());
		return;
	}
	o.key = str_n(key, len);
	if (!id_eq(o.version.id, id))
		space_tell_row(s, row, "the record of another version");
	if (o.version.null)
		pairs_add(&s->pairs, PAIR_NULL, SERVES, id, (struct id){ { 0 } }, pairs_hash(s->v, o.key), row);
	visit_version(s, &o, row, value);
	if (s->pairs.pass != PAIRS_SUM || str_eq(str_n(s->key, s->key_len), o.key))
		return;
	check_above(s, &o);
	memcpy(s->key, key, len);
	s->key_len = len;
}
