/*
 * records.h - read a record of any kind, and write again what was read. For fuzz_record.c and record_driver.c.
 */
#pragma once

#include "meta/kv.h"
#include "meta/record.h"

enum record_kind {
	RECORD_OBJECT, RECORD_UPLOAD, RECORD_PART, RECORD_RUNS, RECORD_BLOB_OWNER, RECORD_BUCKET, RECORD_LINK, RECORD_PENDING, RECORD_TOKEN,
	RECORD_DEAD, RECORD_KINDS,
};

static inline err_v
again_object(str raw, struct arena *a, struct buf *b)
{
	struct older older;
	struct object o;

	TRY(record_object_read(raw, RECORD_FULL, a, &older, &o));
	record_object(b, &older, &o);
	return ERR_OK;
}

static inline err_v
again_upload(str raw, struct arena *a, struct buf *b)
{
	struct upload u;

	TRY(record_upload_read(raw, RECORD_FULL, a, &u));
	record_upload(b, &u);
	return ERR_OK;
}

static inline err_v
again_part(str raw, struct arena *a, struct buf *b)
{
	struct id upload = { { 1 } };
	struct part p;

	TRY(record_part_read(raw, upload, RECORD_FULL, a, &p));
	record_part(b, upload, &p);
	return ERR_OK;
}

static inline err_v
again_runs(str raw, struct arena *a, struct buf *b)
{
	struct part_run *runs;
	unsigned n;

	TRY(record_runs_read(raw, a, &runs, &n));
	record_runs(b, runs, n);
	return ERR_OK;
}

static inline err_v
again_blob_owner(str raw, struct arena *a, struct buf *b)
{
	struct id upload;
	uint32_t part;

	TRY(record_blob_owner_read(raw, &upload, &part));
	record_blob_owner(b, upload, part);
	return ERR_OK;
}

static inline err_v
again_bucket(str raw, struct arena *a, struct buf *b)
{
	struct bucket k;

	TRY(record_bucket_read(raw, &k));
	record_bucket(b, &k);
	return ERR_OK;
}

static inline err_v
again_link(str raw, struct arena *a, struct buf *b)
{
	struct link l;

	TRY(record_link_read(raw, &l));
	record_link(b, &l);
	return ERR_OK;
}

static inline err_v
again_pending(str raw, struct arena *a, struct buf *b)
{
	struct pending p;

	TRY(record_pending_read(raw, &p));
	record_pending(b, &p);
	return ERR_OK;
}

static inline err_v
again_token(str raw, struct arena *a, struct buf *b)
{
	struct token t;

	TRY(record_token_read(raw, &t));
	record_token(b, &t);
	return ERR_OK;
}

static inline err_v
again_dead(str raw, struct arena *a, struct buf *b)
{
	struct dead_record d;

	TRY(record_dead_read(raw, &d));
	record_dead(b, &d);
	return ERR_OK;
}

/* What the record of this kind says, written anew. */
static inline err_v
record_again(enum record_kind kind, str raw, struct arena *a, struct buf *b)
{
	static err_v (*const again[RECORD_KINDS])(str, struct arena *, struct buf *) = {
		[RECORD_OBJECT] = again_object, [RECORD_UPLOAD] = again_upload, [RECORD_PART] = again_part, [RECORD_RUNS] = again_runs,
		[RECORD_BLOB_OWNER] = again_blob_owner, [RECORD_BUCKET] = again_bucket, [RECORD_LINK] = again_link,
		[RECORD_PENDING] = again_pending, [RECORD_TOKEN] = again_token, [RECORD_DEAD] = again_dead,
	};

	return again[kind](raw, a, b);
}
