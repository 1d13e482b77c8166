/*
 * kv_rocksdb_write.c - batches whose expectations hold, on their way to the log: one record and one flush for all that come together.
 *
 * There is no thread for it. Who comes while nothing is being written writes by itself; who comes meanwhile joins the round behind, and the
 * first of that leads it when its turn has come: all its changes in one write of RocksDB, what it adds to counters summed up. The others
 * are woken once, when their round is over. RocksDB would group by itself, and does so for what is written alone, but it wakes each writer
 * through a lock and a condition of its own, which costs more than its write.
 *
 * No two batches of a round touch the same key, but to add to it: each holds its stripes until its end.
 */
#include <semaphore.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_rocksdb.h"

#define ALONE_BYTES (128u << 10)	/* a larger batch does not join: so a round is bounded by the number of threads */
#define RANGE_POINTS 256	/* a range of up to this many rows is deleted row by row */
#define SUMS_MAX 16

struct rocks_member {
	const struct kv_batch *batch;
	struct rocks_member *next;
	sem_t wake;			/* its turn to lead, or over */
	bool over;
	err_v result;
	char why[200];			/* err_context(), after a failure */
};

/* Counters of a round: each key once. */
struct sums {
	unsigned n;
	struct sum { str key; size_t len; char value[KV_COUNTERS_MAX * sizeof(int64_t)]; } at[SUMS_MAX];
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
 * store, and those that the batch itself has made before. The gate is its own, so no others come.
 */
static err
fill_range(struct rocks *r, const struct kv_batch *b, size_t at, rocksdb_writebatch_t *w)
{
	const struct kv_op *range = &b->op[at];
	rocksdb_readoptions_t *options = rocksdb_readoptions_create();
	rocksdb_iterator_t *it;
	char *message = NULL;
	size_t n = 0, len;

	rocksdb_readoptions_set_iterate_upper_bound(options, range->value.p, range->value.len);
	it = rocksdb_create_iterator(r->db, options);
	for (rocksdb_iter_seek(it, range->key.p, range->key.len); rocksdb_iter_valid(it) && n <= RANGE_POINTS; n++) {
		const char *p = rocksdb_iter_key(it, &len);

		rocksdb_writebatch_delete(w, p, len);
		rocksdb_iter_next(it);
	}
	rocksdb_iter_get_error(it, &message);
	rocksdb_iter_destroy(it);
	rocksdb_readoptions_destroy(options);
	TRY(rocks_err(message));
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

static bool
may_pass(err_v e)
{
	return err_is(e, -ENOSPC) || err_is(e, -EDQUOT);
}

/* A write has failed: for now, or for good. */
static void
remember_trouble(struct rocks *r, err_v e)
{
	if (may_pass(e)) {
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
rocks_write_raw(struct rocks *r, rocksdb_writebatch_t *w)
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

static err
write_members(struct rocks *r, const struct rocks_member *m)
{
	rocksdb_writebatch_t *w = rocksdb_writebatch_create();
	struct sums sums = { .n = 0 };
	err_v e = ERR_OK;

	for (; m != NULL && err_ok(e); m = m->next)
		e = fill(r, m->batch, &sums, w);
	sums_out(&sums, w);
	if (err_ok(e))
		e = rocks_write_raw(r, w);
	rocksdb_writebatch_destroy(w);
	return e;
}

/* The round is over: the next one's leader first, as the disk waits for it. */
static void
hand_on(struct rocks *r, struct rocks_member *me)
{
	struct rocks_member *next, *m;

	lock_take(&r->round);
	next = r->joined;
	r->writing = next != NULL;
	lock_drop(&r->round);
	if (next != NULL)
		sem_post(&next->wake);
	while ((m = me->next) != NULL) {
		me->next = m->next;	/* m is gone once it has been woken */
		m->result = me->result;
		if (!err_ok(me->result))
			memcpy(m->why, me->why, sizeof(m->why));
		m->over = true;
		sem_post(&m->wake);
	}
}

/* false: another has led the round, and it is over. */
static bool
my_turn(struct rocks *r, struct rocks_member *me)
{
	bool wait;

	lock_take(&r->round);
	wait = r->writing;
	if (wait) {
		*r->last = me;
		r->last = &me->next;
	}
	r->writing = true;
	lock_drop(&r->round);
	if (!wait)
		return true;
	while (sem_wait(&me->wake) != 0)
		;
	if (me->over)
		return false;
	lock_take(&r->round);
	assert(r->writing && r->joined == me);
	r->joined = NULL;		/* the round is closed: who comes now joins the next */
	r->last = &r->joined;
	lock_drop(&r->round);
	return true;
}

err_v
rocks_write(struct rocks *r, const struct kv_batch *b)
{
	struct rocks_member me = { .batch = b };

	if (b->has_range || b->bytes > ALONE_BYTES)
		return write_members(r, &me);
	if (sem_init(&me.wake, 0, 0) != 0)
		PANIC("sem_init: errno %d", errno);
	if (my_turn(r, &me)) {
		me.result = write_members(r, &me);
		if (!err_ok(me.result))
			snprintf(me.why, sizeof(me.why), "%s", err_context());
		hand_on(r, &me);
	}
	sem_destroy(&me.wake);
	return err_ok(me.result) ? ERR_OK : err_again(me.result, me.why);
}
