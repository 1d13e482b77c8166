/*
 * test_kv_threads.c - index engines under many writers at once.
 *
 * Each test states what must hold however the threads interleave: no lost update, no write past an expectation that
 * has become false, no scan of half a batch.
 */
#include "test.h"

#include <stdatomic.h>

#include "base/lock.h"
#include "kv_env.h"

static const char *const engines[] = { "memory", "rocksdb" };

#define THREADS 8
#define ROUNDS 60

struct crew {
	struct kv *kv;
	atomic_int next, stop, wins;
};

static void
work_start(void *(*fn)(void *), struct crew *c, pthread_t *t, int n)
{
	for (int i = 0; i < n; i++)
		thread_start(&t[i], "test", 256 << 10, fn, c);
}

static void
work_end(pthread_t *t, int n)
{
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

/* All threads run fn, to its end. */
static void
all_run(struct crew *c, void *(*fn)(void *))
{
	pthread_t t[THREADS];

	work_start(fn, c, t, THREADS);
	work_end(t, THREADS);
}

static void
each(void (*body)(struct kv_env *, struct crew *))
{
	for (size_t i = 0; i < COUNT(engines); i++) {
		struct kv_env e;
		struct crew c = { 0 };

		env_start(&e, engines[i], "/tmp");	/* a disk: what comes while it is flushed meets in the next round */
		c.kv = e.kv;
		body(&e, &c);
		if (test_failed)
			printf("with engine %s\n", engines[i]);
		env_end(&e);
	}
}

static int64_t
number_at(struct kv *kv, const char *key, struct arena *a)
{
	int64_t n = -1;
	str v = STR("");
	err_v x = kv_get(kv, 1, str_c(key), KV_MAY_BLOCK, a, &v);

	if (err_is(x, ERR_NOT_FOUND.code))
		return 0;
	EXPECT_OK(x);
	EXPECT(kv_counters(v, &n, 1));
	return n;
}

static void *
counting(void *arg)
{
	struct crew *c = arg;

	for (int i = 0; i < ROUNDS; i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);

		kv_add(b, STR("n"), (int64_t[]){ 1, -i }, 2);
		kv_put(b, STR("other"), STR("x"));
		kv_add(b, STR("m"), (int64_t[]){ 2 }, 1);
		EXPECT_OK(kv_commit(c->kv, b));
	}
	return NULL;
}

static void
counters_add_up(struct kv_env *e, struct crew *c)
{
	int64_t n[2];

	all_run(c, counting);
	for (int i = 0; i < 2; i++) {
		EXPECT(kv_counters(get1(e, 1, STR("n")), n, 2));
		EXPECT_EQ("n", n[0], THREADS * ROUNDS);
		EXPECT_EQ("sum", n[1], -THREADS * ROUNDS * (ROUNDS - 1) / 2);
		EXPECT_EQ("m", number_at(e->kv, "m", e->arena), 2 * THREADS * ROUNDS);
		if (!env_reopen(e))
			break;
	}
}
TEST(counters_add_up) { each(counters_add_up); }

/* Read, add one, write if unchanged: until ROUNDS / 4 have succeeded. */
static void *
swapping(void *arg)
{
	struct crew *c = arg;
	struct arena *a = arena_new(4096, 1 << 20);

	for (int done = 0; done < ROUNDS / 4;) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
		uint64_t stamp = kv_stamp(c->kv, 1, STR("n"));
		str old = STR_NONE;
		int64_t n = 0;
		err_v x = kv_get(c->kv, 1, STR("n"), KV_MAY_BLOCK, a, &old);

		if (err_is(x, ERR_NOT_FOUND.code)) {
			kv_expect_absent(b, STR("n"));
		} else {
			EXPECT_OK(x);
			kv_expect_value(b, STR("n"), old);
			kv_counters(old, &n, 1);
		}
		if (n % 2 == 0)
			kv_expect_since(b, stamp);
		n++;
		kv_put(b, STR("n"), str_n(&n, sizeof(n)));
		x = kv_commit(c->kv, b);
		if (err_ok(x))
			done++;
		else
			EXPECT_ERR("swap", x, ERR_CONFLICT.code);
		arena_reset(a);
	}
	arena_free(&a);
	return NULL;
}

static void
no_update_is_lost(struct kv_env *e, struct crew *c)
{
	all_run(c, swapping);
	EXPECT_EQ("n", number_at(e->kv, "n", e->arena), THREADS * (ROUNDS / 4));
}
TEST(no_update_is_lost) { each(no_update_is_lost); }

static void *
claiming(void *arg)
{
	struct crew *c = arg;

	for (int i = 0; i < ROUNDS; i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
		char key[16];
		err_v x;

		snprintf(key, sizeof(key), "key%d", i);
		kv_expect_absent(b, str_c(key));
		kv_put(b, str_c(key), STR("mine"));
		x = kv_commit(c->kv, b);
		if (err_ok(x))
			atomic_fetch_add(&c->wins, 1);
		else
			EXPECT_ERR("claim", x, ERR_CONFLICT.code);
	}
	return NULL;
}

static void
one_wins(struct kv_env *e, struct crew *c)
{
	all_run(c, claiming);
	EXPECT_EQ("wins", atomic_load(&c->wins), ROUNDS);
}
TEST(one_wins) { each(one_wins); }

/* The same without a thread waiting for each: all of a thread's claims are under way at once, and many meet in one round. */
struct claim {
	struct kv_done done;		/* first */
	struct crew *crew;
	atomic_int overs;
};

static void
claim_over(struct kv_done *done, err_v x)
{
	struct claim *claim = (struct claim *)done;

	if (err_ok(x))
		atomic_fetch_add(&claim->crew->wins, 1);
	else
		EXPECT_ERR("claim", x, ERR_CONFLICT.code);
	atomic_fetch_add(&claim->overs, 1);
	atomic_fetch_sub(&claim->crew->next, 1);	/* the last that we touch of it */
}

static void *
claiming_at_once(void *arg)
{
	struct claim claim[ROUNDS] = { 0 };
	struct crew *c = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct kv_batch *b = kv_batch_new(1);
		char key[16];

		snprintf(key, sizeof(key), "key%d", i);
		claim[i] = (struct claim){ .done.over = claim_over, .crew = c };
		kv_expect_absent(b, str_c(key));
		kv_put(b, str_c(key), STR("mine"));
		atomic_fetch_add(&c->next, 1);
		if (!kv_submit(c->kv, &b, &claim[i].done)) {
			EXPECT(b != NULL && claim[i].done.batch == NULL);
			claim[i].done.batch = b;
			claim_over(&claim[i].done, kv_commit(c->kv, b));
		}
	}
	while (atomic_load(&c->next) > 0)
		usleep(1000);
	for (int i = 0; i < ROUNDS; i++) {
		EXPECT_EQ("told once", atomic_load(&claim[i].overs), 1);
		kv_batch_free(&claim[i].done.batch);
	}
	return NULL;
}

static void
one_wins_at_once(struct kv_env *e, struct crew *c)
{
	all_run(c, claiming_at_once);
	EXPECT_EQ("wins", atomic_load(&c->wins), ROUNDS);
	for (int i = 0; i < ROUNDS; i++)
		EXPECT_STR("row", get1(e, 1, arena_fmt(e->arena, "key%d", i)), STR("mine"));
}
TEST(one_wins_at_once) { each(one_wins_at_once); }

/*
 * Writers read the header H and put a row that names its value, expecting it: what every object write of a bucket does.
 * No row that names an older header may come to be after the header has changed.
 */
static void *
writing_under_header(void *arg)
{
	struct crew *c = arg;
	struct arena *a = arena_new(4096, 1 << 20);

	while (!atomic_load(&c->stop)) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
		uint64_t stamp = kv_stamp(c->kv, 1, STR("H"));
		str h = STR_NONE;
		err_v x = kv_get(c->kv, 1, STR("H"), KV_MAY_BLOCK, a, &h);

		if (err_ok(x)) {
			kv_expect_value(b, STR("H"), h);
			kv_expect_since(b, stamp);
			kv_put(b, arena_fmt(a, "O%d", atomic_fetch_add(&c->next, 1)), h);
			x = kv_commit(c->kv, b);
			if (err_ok(x))
				atomic_fetch_add(&c->wins, 1);
			else
				EXPECT_ERR("write", x, ERR_CONFLICT.code);
		}
		arena_reset(a);
		usleep(100);		/* else the one who changes H may starve behind them */
	}
	arena_free(&a);
	return NULL;
}

static int
rows_under(struct kv_env *e, str header)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	int n = 0;

	EXPECT_OK(kv_scan(e->kv, 1, STR("O"), STR("P"), &it));
	for (; kv_iter_valid(it); kv_iter_next(it))
		n += str_eq(kv_iter_value(it), header);
	return n;
}

static void
header_changes(struct kv_env *e, struct crew *c)
{
	pthread_t t[THREADS];
	int seen[20];

	EXPECT_OK(put1(e->kv, 1, STR("H"), STR("0")));
	work_start(writing_under_header, c, t, THREADS);
	for (int i = 0; i < (int)COUNT(seen); i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);

		usleep(3000);
		kv_expect_value(b, STR("H"), arena_fmt(e->arena, "%d", i));
		kv_put(b, STR("H"), arena_fmt(e->arena, "%d", i + 1));
		EXPECT_OK(kv_commit(e->kv, b));
		seen[i] = rows_under(e, arena_fmt(e->arena, "%d", i));
	}
	atomic_store(&c->stop, 1);
	work_end(t, THREADS);
	for (int i = 0; i < (int)COUNT(seen); i++)
		EXPECT_EQ("rows under an old header", rows_under(e, arena_fmt(e->arena, "%d", i)), seen[i]);
	EXPECT(atomic_load(&c->wins) > 0);
}
TEST(header_changes) { each(header_changes); }

/* A space that is deleted whole, header included, stays empty, whoever was writing into it. */
static void
range_deletes(struct kv_env *e, struct crew *c)
{
	pthread_t t[THREADS];

	work_start(writing_under_header, c, t, THREADS);
	for (int i = 0; i < 20; i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
		str h = arena_fmt(e->arena, "%d", i);

		EXPECT_STR("left behind", scan1(e, 1, STR_NONE, STR_NONE), STR(""));
		EXPECT_OK(put1(e->kv, 1, STR("H"), h));
		usleep(3000);
		kv_expect_value(b, STR("H"), h);
		kv_delete_range(b, STR(""), STR_NONE);
		EXPECT_OK(kv_commit(e->kv, b));
	}
	atomic_store(&c->stop, 1);
	work_end(t, THREADS);
	EXPECT_STR("left behind", scan1(e, 1, STR_NONE, STR_NONE), STR(""));
	EXPECT(atomic_load(&c->wins) > 0);
}
TEST(range_deletes) { each(range_deletes); }

/* Move one from account to account: every scan sees the same sum. */
static void *
moving(void *arg)
{
	struct crew *c = arg;
	uint64_t seed = (uint64_t)(uintptr_t)&seed | 1;

	while (!atomic_load(&c->stop)) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
		char from[2] = { 'a', (char)('0' + env_random(&seed) % 10) }, to[2] = { 'a', (char)('0' + env_random(&seed) % 10) };

		kv_add(b, str_n(from, 2), (int64_t[]){ -1 }, 1);
		kv_add(b, str_n(to, 2), (int64_t[]){ 1 }, 1);
		EXPECT_OK(kv_commit(c->kv, b));
	}
	return NULL;
}

static void
scans_see_whole_batches(struct kv_env *e, struct crew *c)
{
	pthread_t t[THREADS];

	for (char i = '0'; i <= '9'; i++)
		EXPECT_OK(add1(e->kv, 1, str_n((char[]){ 'a', i }, 2), 1000));
	work_start(moving, c, t, THREADS);
	for (int i = 0; i < 200; i++) {
		AUTO(kv_iter_close) struct kv_iter *it = NULL;
		int64_t sum = 0, n;

		EXPECT_OK(kv_scan(e->kv, 1, STR("a"), STR("b"), &it));
		for (; kv_iter_valid(it); kv_iter_next(it)) {
			EXPECT(kv_counters(kv_iter_value(it), &n, 1));
			sum += n;
		}
		EXPECT_OK(kv_iter_error(it));
		EXPECT_EQ("sum", sum, 10000);
	}
	atomic_store(&c->stop, 1);
	work_end(t, THREADS);
}
TEST(scans_see_whole_batches) { each(scans_see_whole_batches); }

/* Whatever anyone has read, or been told is committed, nobody reads an older value afterwards: neither of a row that is kept at hand. */
static void *
reading_hot(void *arg)
{
	struct crew *c = arg;
	AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
	uint64_t n;
	str v;

	while (!atomic_load(&c->stop)) {
		int before = atomic_load(&c->next), now;

		/* Now and then past what is kept. */
		EXPECT_OK((before % 8 == 7 ? kv_get : kv_get_hot)(c->kv, 1, STR("H"), KV_NO_WAIT, a, &v));
		EXPECT(str_u64(v, &n));
		now = (int)n;
		EXPECT(now >= before);
		atomic_fetch_add(&c->wins, now == before);
		while (before < now && !atomic_compare_exchange_weak(&c->next, &before, now))
			;
		arena_reset(a);
	}
	return NULL;
}

static void
hot_rows_are_new(struct kv_env *e, struct crew *c)
{
	pthread_t t[THREADS];

	EXPECT_OK(put1(e->kv, 1, STR("H"), STR("0")));
	work_start(reading_hot, c, t, THREADS);
	for (int i = 1; i <= 300; i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);

		/* The second form has the space to itself. */
		if (i % 3 == 0)
			kv_delete_range(b, STR("x"), STR("y"));
		kv_put(b, STR("H"), arena_fmt(e->arena, "%d", i));
		EXPECT_OK(kv_commit(e->kv, b));
		EXPECT(atomic_load(&c->next) <= i);
		if (atomic_load(&c->next) < i)
			atomic_store(&c->next, i);
		if (i % 8 == 0)
			usleep(2000);
	}
	atomic_store(&c->stop, 1);
	work_end(t, THREADS);
	EXPECT(atomic_load(&c->wins) > 0);
}
TEST(hot_rows_are_new) { each(hot_rows_are_new); }
