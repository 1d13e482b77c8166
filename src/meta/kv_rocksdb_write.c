/*
 * kv_rocksdb_write.c - the committer: one thread that checks what batches expect, and writes those that come together as one round.
 *
 * A round is one record of the log and one flush, with one sum for what it adds to a counter. Who comes while it is being written goes into
 * the next one. RocksDB would group by itself, but it wakes each writer through a lock and a condition of its own, which costs more than
 * its write; here whoever waits with a thread is woken once, and who does not (kv_submit) costs no thread at all.
 *
 * Checks need no locks, as nobody else writes:
 *   - an expectation whose stamp (kv_stamp) is still the same holds, since nothing has turned the versions of its key and its space;
 *     another one is compared with what is there;
 *   - the versions of what a round changes are odd from its check to its end; a batch that expects such a key waits for the next round;
 *   - a range delete, and a batch of many keys, turns the version of its whole space. A range delete has its round to itself, as it looks
 *     at what is there.
 * So the order of batches in a round, and of rounds, is an order in which each of them saw what it expected.
 */
#include <semaphore.h>
#include <stdio.h>

#include "base/crash.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_rocksdb.h"

#define ROUND_BYTES (1u << 20)	/* of batches; a larger one has a round to itself */
#define BATCH_KEYS 1024u	/* more turn the version of their space */
#define RANGE_POINTS 256	/* a range of up to this many rows is deleted row by row */
#define RANGE_PASSED 1024	/* deleted rows passed on the way to each, at most: all commits wait meanwhile */
#define SUMS_MAX 16
#define STACK_BYTES (1u << 20)

/* A thread that waits for its batch: over() of its kv_done is NULL. */
struct waiter {
	struct kv_done done;		/* first */
	struct waiter *others;		/* to be woken by this one: so the committer goes on after one call */
	sem_t wake;
	err_v result;
	char why[200];			/* err_context(), after a failure */
};

/* Counters of a round: each key once. */
struct sums {
	unsigned n;
	struct sum { str key; size_t len; char value[KV_COUNTERS_MAX * sizeof(int64_t)]; } at[SUMS_MAX];
};

struct round {
	struct rocks *r;
	rocksdb_writebatch_t *w;
	struct sums sums;
	struct rocks_queue in, later;	/* its batches, and those of the next one */
	struct waiter *woken;		/* threads that have their result */
	size_t bytes;
	bool closed;			/* nobody else joins */
	uint32_t *turned;		/* versions that are odd */
	size_t nturned, room;
};

static void
sum_out(struct sums *s, unsigned i, rocksdb_writebatch_t *w)
{
	const struct sum *sum = &s->at[i];

	rocksdb_writebatch_merge(w, sum->key.p, sum->key.len, sum->value, sum->len);
	s->at[i] = s->at[--s->n];
}

static unsigned
sum_find(const struct sums *s, str key)
{
	unsigned i = 0;

	while (i < s->n && !str_eq(s->at[i].key, key))
		i++;
	return i;
}

/* The key is about to be changed otherwise: what has been added comes first. */
static void
sum_settle(struct sums *s, str key, rocksdb_writebatch_t *w)
{
	unsigned i = sum_find(s, key);

	if (i < s->n)
		sum_out(s, i, w);
}

static void
sums_out(struct sums *s, rocksdb_writebatch_t *w)
{
	while (s->n > 0)
		sum_out(s, s->n - 1, w);
}

static void
sum_add(struct sums *s, const struct kv_op *op, rocksdb_writebatch_t *w)
{
	unsigned i = sum_find(s, op->key);

	if (i == SUMS_MAX)
		sum_out(s, --i, w);
	if (i == s->n)
		s->at[s->n++] = (struct sum){ .key = op->key };
	if (!kv_counters_add(str_n(s->at[i].value, s->at[i].len), op->value, s->at[i].value, sizeof(s->at[i].value), &s->at[i].len))
		PANIC("a batch adds what are no counters");
}

static bool
in_range(str key, const struct kv_op *range)
{
	return str_cmp(range->key, key) <= 0 && str_cmp(key, range->value) < 0;
}

/*
 * A short range is deleted row by row: range tombstones slow every read that passes them. The rows are those of the
 * store, and those that the batch itself has made before. It is the first of its round, so there are no others.
 */
static err
fill_range(struct rocks *r, const struct kv_batch *b, size_t at, rocksdb_writebatch_t *w)
{
	const struct kv_op *range = &b->op[at];
	rocksdb_readoptions_t *options = rocksdb_readoptions_create();
	rocksdb_iterator_t *it;
	char *message = NULL;
	size_t n = 0, len;
	err_v e;

	rocksdb_readoptions_set_iterate_upper_bound(options, range->value.p, range->value.len);
	rocksdb_readoptions_set_max_skippable_internal_keys(options, RANGE_PASSED);
	it = rocksdb_create_iterator(r->db, options);
	for (rocksdb_iter_seek(it, range->key.p, range->key.len); rocksdb_iter_valid(it) && n <= RANGE_POINTS; n++) {
		const char *p = rocksdb_iter_key(it, &len);

		rocksdb_writebatch_delete(w, p, len);
		rocksdb_iter_next(it);
	}
	rocksdb_iter_get_error(it, &message);
	rocksdb_iter_destroy(it);
	rocksdb_readoptions_destroy(options);
	e = rocks_err(message);
	if (err_is(e, -EAGAIN))		/* too many to look for more */
		n = RANGE_POINTS + 1;
	else
		TRY(e);
	for (size_t i = 0; i < at && n + at <= RANGE_POINTS; i++)
		if (!kv_op_is_expectation(b->op[i].kind) && b->op[i].kind != KV_DELETE_RANGE && in_range(b->op[i].key, range))
			rocksdb_writebatch_delete(w, b->op[i].key.p, b->op[i].key.len);
	if (n + at > RANGE_POINTS)
		rocksdb_writebatch_delete_range(w, range->key.p, range->key.len, range->value.p, range->value.len);
	return ERR_OK;
}

static err
fill(struct rocks *r, const struct kv_batch *b, struct sums *sums, rocksdb_writebatch_t *w)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct kv_op *op = &b->op[i];

		switch (op->kind) {
		case KV_EXPECT_ABSENT:
		case KV_EXPECT_VALUE:
			break;
		case KV_PUT:
			sum_settle(sums, op->key, w);
			rocksdb_writebatch_put(w, op->key.p, op->key.len, op->value.p, op->value.len);
			break;
		case KV_DELETE:
			sum_settle(sums, op->key, w);
			rocksdb_writebatch_delete(w, op->key.p, op->key.len);
			break;
		case KV_DELETE_RANGE:
			sums_out(sums, w);
			TRY(fill_range(r, b, i, w));
			break;
		case KV_ADD:
			sum_add(sums, op, w);
			break;
		}
	}
	return ERR_OK;
}

/*
 * Lack of room may, but not where RocksDB would append to the same log again, and fail an assertion: if a flush of it met the lack, or
 * while nothing is in memory, since only writing that out begins a new log.
 */
static bool
may_pass(struct rocks *r, err_v e)
{
	str why = str_c(err_context());
	bool flush = str_find_str(why, STR("sync: ")) >= 0 && str_find_str(why, STR(".log: ")) >= 0;
	uint64_t rows = 0;

	if ((!err_is(e, -ENOSPC) && !err_is(e, -EDQUOT)) || flush)
		return false;
	return rocksdb_property_int(r->db, "rocksdb.num-entries-active-mem-table", &rows) == 0 && rows > 0;
}

/* A write has failed: for now, or for good. */
static void
remember_trouble(struct rocks *r, err_v e)
{
	if (may_pass(r, e)) {
		atomic_store(&r->full, true);
		return;
	}
	lock_take(&r->lock);
	if (!atomic_load(&r->poisoned)) {
		snprintf(r->trouble, sizeof(r->trouble), "%s", err_context());
		atomic_store(&r->poisoned, true);
	}
	lock_drop(&r->lock);
}

err_v
rocks_write(struct rocks *r, rocksdb_writebatch_t *w)
{
	char *message = NULL;
	err_v e;

	rocks_room_spend(r);
	rocksdb_write(r->db, r->write, w, &message);
	atomic_fetch_add_explicit(&r->flushes, 1, memory_order_relaxed);
	e = rocks_err(message);
	if (!err_ok(e))
		remember_trouble(r, e);
	else if (atomic_load_explicit(&r->full, memory_order_relaxed))
		atomic_store(&r->full, false);
	return e;
}

/* ---- queues ---- */

static void
queue_init(struct rocks_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void
queue_put(struct rocks_queue *q, struct kv_done *d)
{
	d->next = NULL;
	*q->last = d;
	q->last = &d->next;
}

/* All of b behind all of a. */
static void
queue_join(struct rocks_queue *a, struct rocks_queue *b)
{
	if (b->first == NULL)
		return;
	*a->last = b->first;
	a->last = b->last;
	queue_init(b);
}

/* ---- versions ---- */

static uint64_t
version(const struct rocks *r, uint32_t i)
{
	return atomic_load_explicit(&r->version[i], memory_order_relaxed);	/* only this thread changes it */
}

static void
turn(struct round *rd, uint32_t i)
{
	if ((version(rd->r, i) & 1) != 0)
		return;
	atomic_fetch_add(&rd->r->version[i], 1);
	if (rd->nturned == rd->room) {
		rd->room = rd->room > 0 ? 2 * rd->room : 256;
		rd->turned = mem_grow(rd->turned, rd->room * sizeof(*rd->turned));
	}
	rd->turned[rd->nturned++] = i;
}

static void
turn_all(struct round *rd, const struct kv_batch *b)
{
	if (b->has_range || b->changes > BATCH_KEYS)
		turn(rd, rocks_gate(rd->r, b->space));
	else
		for (size_t i = 0; i < b->n; i++)
			if (!kv_op_is_expectation(b->op[i].kind) && b->op[i].kind != KV_ADD)
				turn(rd, rocks_stripe(rd->r, b->op[i].key));
}

/* What the round has changed can be seen now, or has not been changed. */
static void
turn_back(struct round *rd)
{
	while (rd->nturned > 0)
		atomic_fetch_add(&rd->r->version[rd->turned[--rd->nturned]], 1);
}

/* ---- a round ---- */

static void
tell(struct round *rd, struct kv_done *d, err_v e)
{
	struct waiter *w = (struct waiter *)d;

	if (d->over != NULL) {
		d->over(d, e);
		return;
	}
	w->result = e;
	if (!err_ok(e))
		snprintf(w->why, sizeof(w->why), "%s", err_context());
	w->others = rd->woken;
	rd->woken = w;
}

static void
wake(struct round *rd)
{
	struct waiter *first = rd->woken;

	rd->woken = NULL;
	if (first != NULL)
		sem_post(&first->wake);
}

/* Does all that it expects hold? ERR_WOULD_BLOCK: the next round will tell. */
static err
judge(struct rocks *r, const struct kv_batch *b)
{
	uint32_t gate = rocks_gate(r, b->space);

	for (size_t i = 0; i < b->n; i++) {
		const struct kv_op *op = &b->op[i];
		uint32_t stripe;

		if (!kv_op_is_expectation(op->kind))
			continue;
		stripe = rocks_stripe(r, op->key);
		if (((version(r, gate) | version(r, stripe)) & 1) != 0)
			return ERR_WOULD_BLOCK;
		if (op->stamp == 0 || op->stamp != r->seed + version(r, gate) + version(r, stripe))
			TRY(rocks_check(r, op));
	}
	return ERR_OK;
}

/* Into the round. ERR_WOULD_BLOCK: into the next one. */
static err
admit(struct round *rd, const struct kv_batch *b)
{
	err_v e;

	if (rd->in.first != NULL && (b->has_range || rd->bytes + b->bytes > ROUND_BYTES))
		rd->closed = true;		/* so that it is the first of the next */
	if (rd->closed)
		return ERR_WOULD_BLOCK;
	TRY(rocks_refuse(rd->r));
	TRY(judge(rd->r, b));
	if (b->changes == 0)
		return ERR_OK;
	e = fill(rd->r, b, &rd->sums, rd->w);
	if (!err_ok(e)) {
		assert(b->has_range && rd->in.first == NULL);
		rocksdb_writebatch_clear(rd->w);
		rd->sums.n = 0;
		return e;
	}
	turn_all(rd, b);
	rd->bytes += b->bytes;
	rd->closed = b->has_range;
	return ERR_OK;
}

static err
round_write(struct round *rd)
{
	err_v e;

	CRASH_POINT(commit_checked);
	sums_out(&rd->sums, rd->w);
	e = rocks_write(rd->r, rd->w);
	turn_back(rd);
	TRY(e);
	CRASH_POINT(commit_logged);
	return ERR_OK;
}

/* Those in line, as far as they fit together; the others stay in rd->later. */
static void
round_run(struct round *rd, struct kv_done *line)
{
	struct kv_done *d, *next;
	err_v e;

	rd->w = rocksdb_writebatch_create();
	rd->sums.n = 0;
	rd->bytes = 0;
	rd->closed = false;
	queue_init(&rd->in);
	for (d = line; d != NULL; d = next) {
		next = d->next;
		e = admit(rd, d->batch);
		if (err_is(e, ERR_WOULD_BLOCK.code))
			queue_put(&rd->later, d);
		else if (!err_ok(e) || d->batch->changes == 0)
			tell(rd, d, e);
		else
			queue_put(&rd->in, d);
	}
	wake(rd);
	if (rd->in.first != NULL) {
		e = round_write(rd);
		for (d = rd->in.first; d != NULL; d = next) {
			next = d->next;			/* it is its owner's again once that is told */
			atomic_fetch_add_explicit(&rd->r->commits, err_ok(e), memory_order_relaxed);
			tell(rd, d, e);
		}
		wake(rd);
	}
	rocksdb_writebatch_destroy(rd->w);
}

/* ---- the committer ---- */

/* Behind those that were put off, all that have come; NULL: none will. */
static struct kv_done *
line_wait(struct rocks *r, struct rocks_queue *later)
{
	struct kv_done *first;

	lock_take(&r->round);
	while (later->first == NULL && r->joined.first == NULL && !r->stop) {
		r->idle = true;
		cond_wait(&r->joins, &r->round);
	}
	r->idle = false;
	queue_join(later, &r->joined);
	lock_drop(&r->round);
	first = later->first;
	queue_init(later);
	return first;
}

static void *
committer_main(void *arg)
{
	struct round rd = { .r = arg };
	struct kv_done *line;

	queue_init(&rd.later);
	while ((line = line_wait(rd.r, &rd.later)) != NULL)
		round_run(&rd, line);
	free(rd.turned);
	return NULL;
}

void
rocks_committer_start(struct rocks *r)
{
	thread_start(&r->committer, "committer", STACK_BYTES, committer_main, r);
}

void
rocks_committer_stop(struct rocks *r)
{
	lock_take(&r->round);
	r->stop = true;
	cond_signal(&r->joins);
	lock_drop(&r->round);
	pthread_join(r->committer, NULL);
}

static void
join(struct rocks *r, struct kv_done *d)
{
	lock_take(&r->round);
	queue_put(&r->joined, d);
	if (r->idle)
		cond_signal(&r->joins);
	r->idle = false;
	lock_drop(&r->round);
}

bool
rocks_submit(struct kv *kv, struct kv_done *d)
{
	struct rocks *r = rocks_of(kv);

	if (r->read_only || !err_ok(rocks_refuse(r)))
		return false;
	join(r, d);
	return true;
}

/* What has no stamp is compared here first: the committer shall not read for long. */
static err
look_first(struct rocks *r, struct kv_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		uint64_t stamp;

		if (!kv_op_is_expectation(b->op[i].kind) || b->op[i].stamp != 0)
			continue;
		stamp = rocks_stamp(&r->base, b->op[i].key);
		TRY(rocks_check(r, &b->op[i]));
		b->op[i].stamp = stamp;
	}
	return ERR_OK;
}

err_v
rocks_commit(struct kv *kv, struct kv_batch *b)
{
	struct rocks *r = rocks_of(kv);
	struct waiter me = { .done.batch = b }, *w;

	if (r->read_only)
		return err_errno(EROFS, "the index is open for reading only");
	TRY(rocks_refuse(r));
	TRY(look_first(r, b));
	if (sem_init(&me.wake, 0, 0) != 0)
		PANIC("sem_init: errno %d", errno);
	join(r, &me.done);
	while (sem_wait(&me.wake) != 0)
		;
	while ((w = me.others) != NULL) {
		me.others = w->others;
		w->others = NULL;
		sem_post(&w->wake);		/* and it is gone */
	}
	sem_destroy(&me.wake);
	return err_ok(me.result) ? ERR_OK : err_again(me.result, me.why);
}
