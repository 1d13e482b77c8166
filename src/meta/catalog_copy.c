/*
 * catalog_copy.c - CopyObject, RenameObject and tags: records change, bytes stay where they are.
 */
#include "base/digest.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

static bool
has_body(const struct object *o)
{
	return o->data == DATA_SINGLE || o->data == DATA_MULTIPART;
}

/*
 * Is the source still what was read? Asked where it can be asked in the same batch (the same bucket) and where what was read
 * is the only version there is; so such a copy happens at one instant. Else the source may have been replaced since.
 */
static err
source_check(struct write *w, const struct object *src)
{
	struct chain ch;

	if (w->bucket.versioning != VERSIONING_NEVER)
		return ERR_OK;
	TRY(chain_read(w, src->key, &ch));
	if (chain_current(&ch) == NULL || !id_eq(ch.newest.oid, src->oid))
		return err_s3f(S3_OperationAborted, "The source was replaced while it was copied. Try again.");
	return ERR_OK;
}

/*
 * Do the conditions allow to write over the target? A refusal also says that the source was there, which was read before:
 * it is an answer only if there was an instant at which both were as they were read. A batch that changes nothing asks.
 */
static err
target_judge(struct write *w, const struct conditions *conditions, const struct chain *target)
{
	err_v e = conditions_write(conditions, chain_current(target));

	if (err_ok(e))
		return ERR_OK;
	TRY(kv_commit(w->c->kv, w->batch));
	return write_judged(w, conditions_write(conditions, chain_current(target)));
}

/* src: NULL if it is in another bucket. */
static err
copy_once(struct write *w, const struct object *src, struct object *o, const struct conditions *conditions)
{
	struct pending p = { .key = o->key };
	struct chain ch;

	TRY(write_open(w));
	if (src != NULL)
		TRY(source_check(w, src));
	TRY(chain_read(w, o->key, &ch));
	TRY(target_judge(w, conditions, &ch));
	if (has_body(o))
		TRY(write_join(w, o->body, o->oid, &p));
	TRY(chain_push(w, o->key, &ch, o));
	return write_commit(w);
}

err_v
catalog_copy(struct catalog *c, const struct bucket *from, const struct object *src, const struct bucket *to, struct object *o,
    const struct conditions *conditions, struct version_id *ret_version)
{
	AUTO(write_done) struct write w = write_begin(c, to);
	err_v e;

	TRY(key_check(o->key));
	assert(!src->delete_marker);
	o->data = src->data;
	o->size = src->size;
	o->inlined = src->inlined;
	o->extent = src->extent;
	o->body = src->body;
	o->runs = src->runs;
	o->nruns = src->nruns;
	o->parts = src->parts;
	o->sse = src->sse;
	if (id_is_zero(o->oid))
		o->oid = id_new(to->space);
	if (o->modified_ms == 0)
		o->modified_ms = w.now_ms;
	do
		e = copy_once(&w, from->space == to->space ? src : NULL, o, conditions);
	while (write_retry(&w, &e));
	TRY(e);
	if (has_body(o))
		link_settled(c, to->space, o->body, o->oid);
	*ret_version = o->version;
	return ERR_OK;
}

/* ---- rename ---- */

static void
digest_str(struct buf *b, str s)
{
	uint64_t len = s.p == NULL ? UINT64_MAX : s.len;

	buf_add(b, str_n(&len, sizeof(len)));
	buf_add(b, s);
}

static void
digest_conditions(struct buf *b, const struct conditions *c)
{
	uint64_t times[4] = { c->has_modified_since, c->if_modified_since, c->has_unmodified_since, c->if_unmodified_since };

	digest_str(b, c->if_match);
	digest_str(b, c->if_none_match);
	buf_add(b, str_n(times, sizeof(times)));
}

/* Of a token: its name (whose, which) and what it was used for. */
struct token_use {
	bool used;
	uint8_t name[32], parameters[32];
};

static void
token_digest(const struct rename *r, struct token_use *ret)
{
	AUTO(buf_done) struct buf b = { 0 };

	ret->used = r->token.len > 0;
	if (!ret->used)
		return;
	buf_init(&b, 1u << 20);
	digest_str(&b, r->principal);
	digest_str(&b, r->token);
	digest_once(DIGEST_SHA256, buf_str(&b), ret->name);
	buf_clear(&b);
	digest_str(&b, r->from);
	digest_str(&b, r->to);
	digest_conditions(&b, &r->source);
	digest_conditions(&b, &r->destination);
	digest_once(DIGEST_SHA256, buf_str(&b), ret->parameters);
}

/* Was the token used before? *ret_replayed: for the same thing. Else it is remembered with this batch. */
static err
token_check(struct write *w, const struct token_use *use, bool *ret_replayed)
{
	struct row_key row = row_token(use->name);
	struct token t = { .made_ms = w->now_ms }, before;
	struct dead_record d = { .kind = DEAD_TOKEN, .token = row_str(&row) };
	str raw;
	err_v e = write_read(w, row, &raw);

	*ret_replayed = false;
	if (!err_is(e, ERR_NOT_FOUND.code)) {
		TRY(e);
		TRY(record_token_read(raw, &before));
		if (w->now_ms < before.made_ms + TOKEN_KEPT_MS) {
			if (memcmp(before.parameters, use->parameters, sizeof(before.parameters)) != 0)
				return err_s3(S3_IdempotencyParameterMismatch);
			*ret_replayed = true;
			return ERR_OK;
		}
	}
	memcpy(t.parameters, use->parameters, sizeof(t.parameters));
	record_token(&w->buf, &t);
	write_put(w, row);
	write_dead(w, &d, id_new(w->bucket.space), w->now_ms + TOKEN_KEPT_MS);
	return ERR_OK;
}

static err
rename_once(struct write *w, const struct rename *r, const struct token_use *use)
{
	struct row_key to = row_object(r->to);
	struct chain source, target;
	bool replayed = false;

	TRY(write_open(w));
	if (w->bucket.versioning != VERSIONING_NEVER)
		return err_s3f(S3_InvalidBucketState, "The bucket has, or had, versioning: its objects cannot be renamed.");
	if (use->used)
		TRY(token_check(w, use, &replayed));
	if (replayed)
		return ERR_OK;
	TRY(chain_read(w, r->from, &source));
	TRY(chain_read(w, r->to, &target));
	if (chain_current(&source) == NULL)
		return err_s3(S3_NoSuchKey);
	TRY(write_judged(w, conditions_write(&r->source, chain_current(&source))));
	TRY(target_judge(w, &r->destination, &target));
	/* Whoever looks for a record by its J row looks under the old key. */
	if (has_body(&source.newest))
		link_settled(w->c, w->bucket.space, source.newest.body, source.newest.oid);
	if (target.exists)
		write_bury(w, &target.newest);
	kv_put(w->batch, row_str(&to), source.raw);
	write_delete(w, row_object(r->from));
	TRY(touch_moved(w, r->from, r->to));
	return write_commit(w);
}

err_v
catalog_rename(struct catalog *c, const struct bucket *b, const struct rename *r)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	struct token_use use;
	err_v e;

	TRY(key_check(r->from));
	TRY(key_check(r->to));
	if (str_eq(r->from, r->to))
		return err_s3f(S3_InvalidRequest, "Source and destination are the same key.");
	token_digest(r, &use);
	do
		e = rename_once(&w, r, &use);
	while (write_retry(&w, &e));
	return e;
}

/* ---- tags ---- */

/* Of the current version; what a GET would say where there is none. */
static err
tag_newest(struct write *w, str key, const struct chain *ch, struct pairs tags, struct version_id *ret)
{
	struct object o = ch->newest;

	if (chain_current(ch) == NULL)
		return err_s3(S3_NoSuchKey);
	o.tags = tags;
	record_object(&w->buf, &ch->older, &o);
	write_put(w, row_object(key));
	*ret = o.version;
	return write_commit(w);
}

static err
tags_once(struct write *w, str key, const struct which *which, struct pairs tags, struct version_id *ret)
{
	static const struct older none = { .any = false };
	struct version_id want = which->version;
	struct version v;
	struct chain ch;

	TRY(write_open(w));
	TRY(chain_read(w, key, &ch));
	if (which->kind == WHICH_CURRENT)
		return tag_newest(w, key, &ch, tags, ret);
	if (!ch.exists)
		return err_s3(S3_NoSuchVersion);
	if (ch.newest.version.null == want.null && (want.null || id_eq(ch.newest.version.id, want.id)))
		return ch.newest.delete_marker ? err_s3(S3_MethodNotAllowed) : tag_newest(w, key, &ch, tags, ret);
	if (want.null && !ch.older.has_null)
		return err_s3(S3_NoSuchVersion);
	TRY(chain_find(w, key, &ch, want.null ? ch.older.null : want.id, &v));
	if (v.object.version.null != want.null)
		return err_s3(S3_NoSuchVersion);
	if (v.object.delete_marker)
		return err_s3(S3_MethodNotAllowed);
	v.object.tags = tags;
	record_object(&w->buf, &none, &v.object);
	write_put(w, row_version(key, v.object.version.id));
	*ret = v.object.version;
	return write_commit(w);
}

err_v
catalog_tags(struct catalog *c, const struct bucket *b, str key, const struct which *which, struct pairs tags,
    struct version_id *ret_version)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	TRY(key_check(key));
	do
		e = tags_once(&w, key, which, tags, ret_version);
	while (write_retry(&w, &e));
	return e;
}
