/*
 * catalog.c - the catalog itself, and the course of a write.
 *
 * Every change is one batch that expects what was read. When another writer came between, all is read again and decided
 * anew, until it works or its time is up.
 */
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

#define WRITE_TIME_MS 10000u
/* Waiting grows from here to there: a commit takes a fraction of a millisecond. */
#define BACKOFF_MIN_US 50u
#define BACKOFF_MAX_US 5000u

err_v
catalog_open(struct kv *kv, struct catalog **ret)
{
	struct catalog *c = MEM_NEW(struct catalog);

	c->magic = CATALOG_MAGIC;
	c->kv = kv;
	*ret = c;
	return ERR_OK;
}

void
catalog_close(struct catalog **cp)
{
	struct catalog *c = *cp;

	if (c == NULL)
		return;
	CHECK_OBJ(c, CATALOG_MAGIC);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

struct kv *
catalog_kv(struct catalog *c)
{
	CHECK_OBJ(c, CATALOG_MAGIC);
	return c->kv;
}

struct write
write_begin(struct catalog *c, const struct bucket *b)
{
	struct write w = { .c = c, .bucket = *b, .now_ms = clock_wall_ms(), .deadline_ms = clock_mono_ms() + WRITE_TIME_MS };

	CHECK_OBJ(c, CATALOG_MAGIC);
	w.arena = arena_new(WRITE_ARENA_FIRST, WRITE_ARENA_MAX);
	buf_init(&w.buf, KV_VALUE_MAX);
	return w;
}

void
write_done(struct write *w)
{
	kv_batch_free(&w->batch);
	arena_free(&w->arena);
	arena_free(&w->header_arena);
	buf_done(&w->buf);
}

/* The bucket as it is now. */
static err
read_again(struct write *w)
{
	struct row_key head = row_head();
	struct bucket now;
	str raw;
	err_v e;

	if (w->header_arena == NULL)
		w->header_arena = arena_new(4096, 2 * KV_VALUE_MAX);
	arena_reset(w->header_arena);
	e = kv_get(w->c->kv, w->bucket.space, row_str(&head), KV_MAY_BLOCK, w->header_arena, &raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3(S3_NoSuchBucket);
	TRY(e);
	TRY(record_bucket_read(raw, &now));
	if (now.state == BUCKET_DELETED)
		return err_s3(S3_NoSuchBucket);
	w->bucket = now;
	return ERR_OK;
}

static void
back_off(unsigned attempt)
{
	uint64_t most = (uint64_t)BACKOFF_MIN_US << (attempt < 7 ? attempt : 7), us;

	if (most > BACKOFF_MAX_US)
		most = BACKOFF_MAX_US;
	us = clock_mono_ns() % most;		/* chance enough to part two threads */
	nanosleep(&(struct timespec){ .tv_nsec = (long)(us * 1000) }, NULL);
}

bool
write_retry(struct write *w, err_v *e)
{
	err_v again;

	if (!err_is(*e, ERR_CONFLICT.code))
		return false;
	if (clock_mono_ms() >= w->deadline_ms) {
		*e = err_s3(S3_SlowDown);
		return false;
	}
	/* The first time at once: mostly the other one is done. */
	if (w->attempt++ > 0)
		back_off(w->attempt);
	arena_reset(w->arena);
	again = read_again(w);
	if (!err_ok(again)) {
		*e = again;
		return false;
	}
	return true;
}

/* Someone looks whether the bucket is empty, or died doing so: it no longer matters, we are about to write. */
static err
cancel_deletion(struct write *w)
{
	struct bucket live = w->bucket;

	live.state = BUCKET_LIVE;
	live.generation++;
	record_bucket(&w->buf, &live);
	write_put(w, row_head());
	TRY(kv_commit(w->c->kv, w->batch));
	return read_again(w);
}

static void
batch_renew(struct write *w)
{
	struct row_key head = row_head();

	kv_batch_free(&w->batch);
	w->batch = kv_batch_new(w->bucket.space);
	kv_expect_value(w->batch, row_str(&head), w->bucket.header);
	kv_expect_since(w->batch, w->bucket.header_stamp);
	memset(w->tally, 0, sizeof(w->tally));
	w->too_large = false;
}

err_v
write_open(struct write *w)
{
	batch_renew(w);
	if (w->bucket.state == BUCKET_LIVE)
		return ERR_OK;
	if (w->done != NULL)
		return ERR_WOULD_BLOCK;
	TRY(cancel_deletion(w));
	batch_renew(w);
	return ERR_OK;
}

void
write_put(struct write *w, struct row_key k)
{
	if (buf_overflow(&w->buf))
		w->too_large = true;
	else
		kv_put(w->batch, row_str(&k), buf_str(&w->buf));
}

void
write_delete(struct write *w, struct row_key k)
{
	kv_delete(w->batch, row_str(&k));
}

static enum kv_wait
may_wait(const struct write *w)
{
	return w->done != NULL ? KV_NO_WAIT : KV_MAY_BLOCK;
}

err_v
write_read(struct write *w, struct row_key k, str *ret)
{
	uint64_t stamp = kv_stamp(w->c->kv, w->bucket.space, row_str(&k));
	str value;
	err_v e = kv_get(w->c->kv, w->bucket.space, row_str(&k), may_wait(w), w->arena, &value);

	if (err_is(e, ERR_NOT_FOUND.code)) {
		kv_expect_absent(w->batch, row_str(&k));
		kv_expect_since(w->batch, stamp);
	}
	TRY(e);
	kv_expect_value(w->batch, row_str(&k), value);
	kv_expect_since(w->batch, stamp);
	*ret = value;
	return ERR_OK;
}

static int64_t
bytes_added(const int64_t *counters)
{
	int64_t sum = counters[COUNTER_UPLOADS_BYTES];

	for (int i = 0; i < CLASS_COUNT; i++)
		sum += counters[COUNTER_BYTES + i];
	return sum;
}

/* Exact for one writer at a time; a few that write at once may each see room for itself. */
static err
check_cap(struct write *w)
{
	struct row_key row = row_counters();
	int64_t have[COUNTER_COUNT] = { 0 };
	int64_t more = bytes_added(w->tally), sum;
	str raw;
	err_v e;

	if (w->bucket.capacity_cap == 0 || more <= 0)
		return ERR_OK;
	e = kv_get(w->c->kv, w->bucket.space, row_str(&row), may_wait(w), w->arena, &raw);
	if (err_ok(e) && !kv_counters(raw, have, COUNTER_COUNT))
		return err_errno(EBADMSG, "counters of a bucket");
	if (!err_is(e, ERR_NOT_FOUND.code))
		TRY(e);
	sum = bytes_added(have);
	if (sum < 0)
		sum = 0;
	if ((uint64_t)sum + (uint64_t)more > w->bucket.capacity_cap)
		return err_s3(S3_QuotaExceeded);
	return ERR_OK;
}

err_v
write_commit(struct write *w)
{
	struct row_key row = row_counters();
	bool counts = false;

	static_assert(COUNTER_COUNT <= KV_COUNTERS_MAX, "one row of counters");
	if (w->too_large)
		return err_errno(EMSGSIZE, "a record larger than %u bytes", KV_VALUE_MAX);
	TRY(check_cap(w));
	for (int i = 0; i < COUNTER_COUNT; i++)
		counts |= w->tally[i] != 0;
	if (counts)
		kv_add(w->batch, row_str(&row), w->tally, COUNTER_COUNT);
	if (w->done != NULL)
		return kv_submit(w->c->kv, &w->batch, w->done) ? ERR_OK : ERR_WOULD_BLOCK;
	return kv_commit(w->c->kv, w->batch);
}

err_v
write_judged(const struct write *w, err_v e)
{
	if (w->attempt > 0 && (err_is(e, S3_PreconditionFailed) || err_is(e, S3_NoSuchKey)))
		return err_s3(S3_ConditionalRequestConflict);
	return e;
}
