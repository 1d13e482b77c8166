/*
 * catalog_get.c - reading one version of one key.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

/* A version may move between its two rows while we look: look again, this often. */
#define LOOKS_MAX 16

err_v
catalog_runs(struct catalog *c, enum kv_wait wait, struct arena *a, struct object *o)
{
	struct row_key row;
	str raw;
	err_v e;

	if (o->data != DATA_MULTIPART || o->nruns > 0)
		return ERR_OK;
	row = row_part(o->body, PART_TABLE);
	e = kv_get(c->kv, id_space(o->body), row_str(&row), wait, a, &raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		return err_errno(EBADMSG, "the part table of an object is gone");
	TRY(e);
	TRY(record_runs_read(raw, a, &o->runs, &o->nruns));
	if (!runs_valid(o->runs, o->nruns, o->parts, o->size))
		return err_errno(EBADMSG, "the part table of an object does not fit it");
	return ERR_OK;
}

struct look {
	struct catalog *c;
	uint32_t space;
	str key;
	enum kv_wait wait;
	struct arena *arena;
};

static err
read_row(const struct look *l, struct row_key row, str *ret_raw, struct older *ret_older, struct object *ret)
{
	str raw;

	TRY(kv_get(l->c->kv, l->space, row_str(&row), l->wait, l->arena, &raw));
	TRY(record_object_read(raw, RECORD_FULL, l->arena, ret_older, ret));
	ret->key = l->key;
	*ret_raw = raw;
	return ERR_OK;
}

/*
 * The version in its V row, or S3_NoSuchVersion; the O row was older, o. ERR_NOT_FOUND: it should be there, or may have become
 * the newest since.
 */
static err
read_version(const struct look *l, const struct version_id *want, const struct older *older, struct object *ret)
{
	struct older unused;
	struct object o;
	str raw;

	if (!older->any || (want->null && !older->has_null))
		return err_s3(S3_NoSuchVersion);
	TRY(read_row(l, row_version(l->key, want->null ? older->null : want->id), &raw, &unused, &o));
	if (o.version.null != want->null)
		return err_s3(S3_NoSuchVersion);
	*ret = o;
	return ERR_OK;
}

static err
find_version(const struct look *l, const struct version_id *want, struct object *ret)
{
	str before = STR_NONE, raw;
	struct older older;
	struct object o;
	err_v e;

	for (int i = 0; i < LOOKS_MAX; i++) {
		e = read_row(l, row_object(l->key), &raw, &older, &o);
		if (err_is(e, ERR_NOT_FOUND.code))
			return err_s3(S3_NoSuchVersion);
		TRY(e);
		if (o.version.null == want->null && (want->null || id_eq(o.version.id, want->id))) {
			*ret = o;
			return ERR_OK;
		}
		e = read_version(l, want, &older, ret);
		if (!err_is(e, ERR_NOT_FOUND.code))
			return e;
		if (before.p != NULL && str_eq(before, raw))
			return err_s3(S3_NoSuchVersion);
		before = raw;
	}
	return err_s3(S3_SlowDown);
}

err_v
catalog_get(struct catalog *c, const struct bucket *b, str key, const struct which *which, enum kv_wait wait, struct arena *a,
    struct object *ret)
{
	struct look l = { .c = c, .space = b->space, .key = key, .wait = wait, .arena = a };
	struct older unused;
	struct object o;
	str raw;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	TRY(key_check(key));
	if (which->kind == WHICH_CURRENT) {
		e = read_row(&l, row_object(key), &raw, &unused, &o);
		if (err_is(e, ERR_NOT_FOUND.code))
			return err_s3(S3_NoSuchKey);
	} else {
		e = find_version(&l, &which->version, &o);
	}
	TRY(e);
	TRY(catalog_runs(c, wait, a, &o));
	*ret = o;
	return ERR_OK;
}
