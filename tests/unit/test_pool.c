/* The pool: every task runs once, the queue is bounded, small tasks pass large ones that stand still. */
#include "test.h"

#include <sched.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "net/pool.h"

/* A gate that tasks wait at until the test opens it. */
struct gate {
	struct lock lock;
	struct cond changed;
	bool open;
	unsigned waiting;	/* tasks at the gate */
	unsigned done;
};

struct work {
	struct pool_task task;	/* first */
	struct gate *gate;
	bool waits;
};

static void
gate_init(struct gate *g)
{
	lock_init(&g->lock, LOCK_JOBS);
	cond_init(&g->changed);
	g->open = false;
	g->waiting = g->done = 0;
}

static void
gate_done(struct gate *g)
{
	cond_done(&g->changed);
	lock_done(&g->lock);
}

static void
work_run(struct pool_task *t)
{
	struct work *w = (struct work *)t;
	struct gate *g = w->gate;

	lock_take(&g->lock);
	g->waiting++;
	cond_broadcast(&g->changed);
	while (w->waits && !g->open)
		cond_wait(&g->changed, &g->lock);
	g->waiting--;
	g->done++;
	cond_broadcast(&g->changed);
	lock_drop(&g->lock);
}

/* Until n tasks are at the gate and m are done, or five seconds have passed. */
static bool
gate_await(struct gate *g, unsigned waiting, unsigned done)
{
	uint64_t deadline = clock_mono_ms() + 5000;
	bool ok = true;

	lock_take(&g->lock);
	while (ok && !(g->waiting == waiting && g->done == done))
		ok = cond_wait_until(&g->changed, &g->lock, deadline);
	ok = g->waiting == waiting && g->done == done;
	lock_drop(&g->lock);
	return ok;
}

static void
gate_open(struct gate *g)
{
	lock_take(&g->lock);
	g->open = true;
	cond_broadcast(&g->changed);
	lock_drop(&g->lock);
}

TEST(pool_runs_each_task_once)
{
	enum { N = 2000 };
	struct pool *p = pool_new("test", 4, N, 1);
	struct work *w = mem_alloc(N * sizeof(*w));
	struct pool_stats s;
	struct gate g;

	gate_init(&g);
	for (unsigned i = 0; i < N; i++) {
		w[i] = (struct work){ .task.run = work_run, .gate = &g };
		while (!pool_put(p, &w[i].task, i % 2 ? POOL_LARGE : POOL_SMALL))
			;
	}
	EXPECT(gate_await(&g, 0, N));
	pool_free(&p);
	EXPECT(p == NULL);
	p = pool_new("test", 2, 10, 0);
	pool_stats(p, &s);
	EXPECT_EQ("busy", s.busy, 0);
	EXPECT_EQ("threads", s.threads, 2);
	pool_free(&p);
	gate_done(&g);
	free(w);
}

TEST(pool_free_runs_what_waits)
{
	struct pool *p = pool_new("test", 1, 100, 0);
	struct work w[50];
	struct gate g;

	gate_init(&g);
	for (unsigned i = 0; i < COUNT(w); i++) {
		w[i] = (struct work){ .task.run = work_run, .gate = &g };
		EXPECT(pool_put(p, &w[i].task, POOL_SMALL));
	}
	pool_free(&p);
	EXPECT_EQ("done", g.done, COUNT(w));
	gate_done(&g);
}

/* Workers are woken one after the other: none of them may be forgotten when those before it stand still. */
TEST(pool_all_workers_work)
{
	struct pool *p = pool_new("test", 8, 1, 0);
	struct work w[8];
	struct gate g;

	for (unsigned round = 0; round < 200; round++) {
		gate_init(&g);
		for (unsigned i = 0; i < COUNT(w); i++) {
			w[i] = (struct work){ .task.run = work_run, .gate = &g, .waits = true };
			while (!pool_put(p, &w[i].task, i % 2 ? POOL_LARGE : POOL_SMALL))
				sched_yield();
		}
		EXPECT(gate_await(&g, COUNT(w), 0));
		gate_open(&g);
		EXPECT(gate_await(&g, 0, COUNT(w)));
		gate_done(&g);
	}
	pool_free(&p);
}

TEST(pool_queue_is_bounded)
{
	struct pool *p = pool_new("test", 2, 4, 0);
	struct work w[7];
	struct pool_stats s;
	struct gate g;

	gate_init(&g);
	for (unsigned i = 0; i < COUNT(w); i++)
		w[i] = (struct work){ .task.run = work_run, .gate = &g, .waits = true };
	REQUIRE(pool_put(p, &w[0].task, POOL_SMALL) && pool_put(p, &w[1].task, POOL_SMALL));
	REQUIRE(gate_await(&g, 2, 0));
	for (unsigned i = 2; i < 5; i++)
		EXPECT(pool_put(p, &w[i].task, POOL_LARGE));
	EXPECT(!pool_put(p, &w[5].task, POOL_LARGE));	/* the last quarter is for small ones */
	EXPECT(pool_put(p, &w[5].task, POOL_SMALL));
	EXPECT(!pool_put(p, &w[6].task, POOL_SMALL));
	pool_stats(p, &s);
	EXPECT_EQ("queued", s.queued, 4);
	EXPECT_EQ("refused", s.refused, 2);
	EXPECT_EQ("busy", s.busy, 2);
	gate_open(&g);
	pool_free(&p);
	EXPECT_EQ("done", g.done, 6);
	gate_done(&g);
}

TEST(pool_reserve_is_for_small_tasks)
{
	struct pool *p = pool_new("test", 3, 16, 1);
	struct work large[4], small;
	struct pool_stats s;
	struct buf text;
	struct gate g, g2;

	gate_init(&g);
	gate_init(&g2);
	for (unsigned i = 0; i < COUNT(large); i++) {
		large[i] = (struct work){ .task.run = work_run, .task.note = "large-one", .gate = &g, .waits = true };
		EXPECT(pool_put(p, &large[i].task, POOL_LARGE));
	}
	EXPECT(gate_await(&g, 2, 0));
	/* Two large ones stand still, two wait: small ones still run, again and again. */
	for (unsigned i = 0; i < 10; i++) {
		small = (struct work){ .task.run = work_run, .gate = &g2 };
		EXPECT(pool_put(p, &small.task, POOL_SMALL));
		EXPECT(gate_await(&g2, 0, i + 1));
	}
	EXPECT(gate_await(&g, 2, 0));
	/* The small one may still be on its way out. */
	for (pool_stats(p, &s); s.busy > 2; pool_stats(p, &s))
		sched_yield();
	buf_init(&text, 4096);
	pool_describe(p, &text);
	EXPECT(str_find_str(buf_str(&text), STR("large large-one\n")) > 0);
	EXPECT(str_find_str(buf_str(&text), STR(" idle\n")) > 0);
	buf_done(&text);
	gate_open(&g);
	pool_free(&p);
	EXPECT_EQ("done", g.done, 4);
	gate_done(&g);
	gate_done(&g2);
}
