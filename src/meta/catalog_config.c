/*
 * catalog_config.c - what is set on a bucket: versioning, settings, configuration texts; and what it holds.
 *
 * Each change rewrites H with a higher generation, so that every write under way sees it.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

static const str names[CONFIG_COUNT] = {
	[CONFIG_POLICY] = { "policy", 6 }, [CONFIG_LIFECYCLE] = { "lifecycle", 9 }, [CONFIG_CORS] = { "cors", 4 },
	[CONFIG_TAGS] = { "tags", 4 },
};

/* The bucket as w->bucket says, one generation on. */
static err
commit_bucket(struct write *w)
{
	w->bucket.generation++;
	record_bucket(&w->buf, &w->bucket);
	write_put(w, row_head());
	return write_commit(w);
}

static err
versioning_once(struct write *w, enum versioning to)
{
	TRY(write_open(w));
	if (w->bucket.versioning == to)
		return ERR_OK;
	w->bucket.versioning = to;
	return commit_bucket(w);
}

err_v
catalog_bucket_versioning(struct catalog *c, const struct bucket *b, enum versioning to)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	assert(to != VERSIONING_NEVER);
	do
		e = versioning_once(&w, to);
	while (write_retry(&w, &e));
	return e;
}

static err
settings_once(struct write *w, const struct bucket *want)
{
	TRY(write_open(w));
	w->bucket.audit = want->audit;
	w->bucket.archive = want->archive;
	w->bucket.archive_days = want->archive_days;
	w->bucket.capacity_cap = want->capacity_cap;
	return commit_bucket(w);
}

err_v
catalog_bucket_settings(struct catalog *c, const struct bucket *b, const struct bucket *want)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	do
		e = settings_once(&w, want);
	while (write_retry(&w, &e));
	return e;
}

err_v
catalog_config_get(struct catalog *c, const struct bucket *b, enum bucket_config which, struct arena *a, str *ret)
{
	struct row_key row;
	str raw;

	CHECK_OBJ(c, CATALOG_MAGIC);
	assert(which < CONFIG_COUNT);
	row = row_config(names[which]);
	TRY(kv_get(c->kv, b->space, row_str(&row), KV_MAY_BLOCK, a, &raw));
	if (raw.len == 0 || raw.p[0] != RECORD_FORMAT)
		return err_errno(EBADMSG, "a configuration text");
	*ret = str_skip(raw, 1);
	return ERR_OK;
}

void
config_put(struct kv_batch *batch, enum bucket_config which, str value)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct row_key row = row_config(names[which]);

	buf_init(&b, 2 * KV_VALUE_MAX);		/* a longer value is refused by the commit */
	record_mark(&b);
	buf_add(&b, value);
	kv_put(batch, row_str(&row), buf_str(&b));
}

static err
config_once(struct write *w, enum bucket_config which, str value)
{
	struct bucket *b = &w->bucket;
	bool *has[CONFIG_COUNT] = {
		[CONFIG_POLICY] = &b->has_policy, [CONFIG_LIFECYCLE] = &b->has_lifecycle, [CONFIG_CORS] = &b->has_cors,
		[CONFIG_TAGS] = &b->has_tags,
	};

	TRY(write_open(w));
	*has[which] = value.p != NULL;
	if (value.p == NULL)
		write_delete(w, row_config(names[which]));
	else
		config_put(w->batch, which, value);
	return commit_bucket(w);
}

err_v
catalog_config_set(struct catalog *c, const struct bucket *b, enum bucket_config which, str value)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	assert(which < CONFIG_COUNT);
	do
		e = config_once(&w, which, value);
	while (write_retry(&w, &e));
	return e;
}

err_v
catalog_config_replace(struct catalog *c, const struct bucket *b, enum bucket_config which, str value)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	err_v e;

	assert(which < CONFIG_COUNT);
	e = config_once(&w, which, value);
	return err_is(e, ERR_CONFLICT.code) ? err_s3(S3_OperationAborted) : e;
}

err_v
catalog_usage_read(str raw, struct bucket_usage *ret)
{
	int64_t n[COUNTER_COUNT] = { 0 };
	struct bucket_usage u = { .markers = 0 };

	if (!kv_counters(raw, n, COUNTER_COUNT))
		return err_errno(EBADMSG, "counters of a bucket");
	for (int i = 0; i < CLASS_COUNT; i++) {
		u.objects[i] = n[COUNTER_OBJECTS + i];
		u.bytes[i] = n[COUNTER_BYTES + i];
	}
	u.uploads_bytes = n[COUNTER_UPLOADS_BYTES];
	u.markers = n[COUNTER_MARKERS];
	u.uploads = n[COUNTER_UPLOADS];
	*ret = u;
	return ERR_OK;
}

err_v
catalog_usage(struct catalog *c, uint32_t space, struct arena *a, struct bucket_usage *ret)
{
	struct row_key row = row_counters();
	str raw;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	e = kv_get(c->kv, space, row_str(&row), KV_MAY_BLOCK, a, &raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		raw = STR_NONE;			/* all zeros */
	else
		TRY(e);
	return catalog_usage_read(raw, ret);
}
