/*
 * pool.c - worker threads and their two queues.
 *
 * Of what waits, the older goes first, but a large task at its limit (threads - reserve workers run large ones) lets small ones pass.
 *
 * Waking a thread costs more than many tasks do, so one is woken at a time: whoever puts a task wakes a worker unless one is on its
 * way already; the worker that takes a task wakes the next one first, if more tasks wait. So tasks wait only while no worker that
 * may run them is idle, or one is on its way; and a busy worker that comes first takes the task without any waking.
 */
#include "net/pool.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"

#define STACK_BYTES (1u << 20)
#define CLASSES 2

struct worker {
	struct pool *pool;
	pthread_t thread;
	char name[16];
	sem_t wake;			/* posted once for each time it is taken from the idle ones */
	struct worker *next_idle;	/* GUARDED_BY(pool->lock), like all below */
	bool busy;
	enum pool_class class;		/* of the task that runs */
	uint64_t since_ns;
	char note[POOL_NOTE_LEN + 1];
};

struct queue {
	struct pool_task *first, **last;
	unsigned n, max;
};

struct pool {
	unsigned magic;
#define POOL_MAGIC 0x71e4b08cu
	struct lock lock;
	unsigned threads, queue_max, large_max;
	struct worker *worker;		/* threads of them */
	struct worker *idle;		/* GUARDED_BY(lock), like all below; the warmest first */
	unsigned nidle;
	bool waking;			/* one has been taken from the idle ones and has not looked at the queues yet */
	struct queue queue[CLASSES];
	unsigned running[CLASSES];
	uint64_t tasks, refused, wait_ns;
	bool stop;
};

/* How many more tasks of this class may run. */
static unsigned
left_to_run(const struct pool *p, enum pool_class c)
{
	unsigned large = p->large_max - p->running[POOL_LARGE];

	return c == POOL_LARGE && large < p->nidle ? large : p->nidle;
}

static bool
may_run(const struct pool *p, enum pool_class c)
{
	return c == POOL_SMALL || p->running[POOL_LARGE] < p->large_max;
}

/* The idle worker that must be woken now; NULL: none. The caller signals it without the lock, as it will take that first. */
static struct worker *
wake_next(struct pool *p) REQUIRES(p->lock)
{
	struct worker *w = p->idle;
	bool waits = p->queue[POOL_SMALL].n > 0 || (p->queue[POOL_LARGE].n > 0 && may_run(p, POOL_LARGE));

	if (w == NULL || p->waking || !waits || p->stop)
		return NULL;
	p->idle = w->next_idle;
	p->nidle--;
	p->waking = true;
	return w;
}

/* A waiting task that may run now, the oldest; NULL: none. */
static struct pool_task *
queue_take(struct pool *p, enum pool_class *ret_class) REQUIRES(p->lock)
{
	struct pool_task *small = p->queue[POOL_SMALL].first, *task;
	struct pool_task *large = may_run(p, POOL_LARGE) ? p->queue[POOL_LARGE].first : NULL;
	enum pool_class c = small == NULL || (large != NULL && large->queued_ns < small->queued_ns) ? POOL_LARGE : POOL_SMALL;
	struct queue *q = &p->queue[c];

	task = c == POOL_SMALL ? small : large;
	if (task == NULL)
		return NULL;
	q->first = task->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->n--;
	*ret_class = c;
	return task;
}

/* Count the task as running and remember what it is. */
static void
worker_assign(struct pool *p, struct worker *w, const struct pool_task *task, enum pool_class c) REQUIRES(p->lock)
{
	uint64_t now = clock_mono_ns();

	w->class = c;
	w->busy = true;
	w->since_ns = now;
	memcpy(w->note, task->note, sizeof(w->note));
	p->running[c]++;
	p->tasks++;
	p->wait_ns += now - task->queued_ns;
}

static void
worker_rest(struct pool *p, struct worker *w) REQUIRES(p->lock)
{
	w->next_idle = p->idle;
	p->idle = w;
	p->nidle++;
	lock_drop(&p->lock);
	while (sem_wait(&w->wake) != 0)
		;
	lock_take(&p->lock);
	p->waking = false;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg, *next;
	struct pool *p = w->pool;
	struct pool_task *task;
	enum pool_class c;

	lock_take(&p->lock);
	for (;;) {
		task = queue_take(p, &c);
		if (task == NULL && p->stop)
			break;
		if (task == NULL) {
			worker_rest(p, w);
			continue;
		}
		worker_assign(p, w, task, c);
		next = wake_next(p);
		lock_drop(&p->lock);
		if (next != NULL)
			sem_post(&next->wake);
		task->run(task);
		lock_take(&p->lock);
		w->busy = false;
		assert(p->running[c] > 0);
		p->running[c]--;
	}
	lock_drop(&p->lock);
	return NULL;
}

/* Tasks that an idle worker is about to take do not count as waiting. */
static bool
queue_has_room(const struct pool *p, enum pool_class c) REQUIRES(p->lock)
{
	unsigned soon = left_to_run(p, c), waiting = p->queue[POOL_SMALL].n + p->queue[POOL_LARGE].n;

	return p->queue[c].n < p->queue[c].max + soon && waiting < p->queue_max + soon;
}

bool
pool_put(struct pool *p, struct pool_task *task, enum pool_class c)
{
	struct queue *q = &p->queue[c];
	struct worker *w = NULL;
	bool taken;

	CHECK_OBJ(p, POOL_MAGIC);
	assert(task->run != NULL);
	task->next = NULL;
	task->queued_ns = clock_mono_ns();
	lock_take(&p->lock);
	assert(!p->stop);
	taken = queue_has_room(p, c);
	if (taken) {
		*q->last = task;
		q->last = &task->next;
		q->n++;
		w = wake_next(p);
	} else {
		p->refused++;
	}
	lock_drop(&p->lock);
	if (w != NULL)
		sem_post(&w->wake);
	return taken;
}

struct pool *
pool_new(const char *name, unsigned threads, unsigned queue_max, unsigned reserve)
{
	struct pool *p = MEM_NEW(struct pool);

	assert(threads > reserve && queue_max > 0);
	p->magic = POOL_MAGIC;
	lock_init(&p->lock, LOCK_POOL);
	p->threads = threads;
	p->queue_max = queue_max;
	p->large_max = threads - reserve;
	for (unsigned c = 0; c < CLASSES; c++) {
		p->queue[c].last = &p->queue[c].first;
		p->queue[c].max = c == POOL_SMALL ? queue_max : queue_max - queue_max / 4;
	}
	p->worker = mem_alloc(threads * sizeof(*p->worker));
	for (unsigned i = 0; i < threads; i++) {
		struct worker *w = &p->worker[i];

		w->pool = p;
		if (sem_init(&w->wake, 0, 0) != 0)
			PANIC("sem_init: errno %d", errno);
		snprintf(w->name, sizeof(w->name), "%.10s-%u", name, i % 1000);
		thread_start(&w->thread, w->name, STACK_BYTES, worker_main, w);
	}
	return p;
}

void
pool_free(struct pool **pp)
{
	struct pool *p = *pp;

	if (p == NULL)
		return;
	CHECK_OBJ(p, POOL_MAGIC);
	lock_take(&p->lock);
	p->stop = true;
	lock_drop(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		sem_post(&p->worker[i].wake);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->worker[i].thread, NULL);
	for (unsigned i = 0; i < p->threads; i++)
		sem_destroy(&p->worker[i].wake);	/* by now no other worker can be about to post it */
	assert(p->queue[POOL_SMALL].n + p->queue[POOL_LARGE].n == 0);
	lock_done(&p->lock);
	free(p->worker);
	p->magic = 0;
	free(p);
	*pp = NULL;
}

void
pool_stats(struct pool *p, struct pool_stats *ret)
{
	CHECK_OBJ(p, POOL_MAGIC);
	lock_take(&p->lock);
	*ret = (struct pool_stats){
		.threads = p->threads,
		.busy = p->running[POOL_SMALL] + p->running[POOL_LARGE],
		.queued = p->queue[POOL_SMALL].n + p->queue[POOL_LARGE].n,
		.tasks = p->tasks,
		.refused = p->refused,
		.wait_ns_total = p->wait_ns,
	};
	lock_drop(&p->lock);
}

bool
pool_worker(struct pool *p, unsigned i, struct pool_worker *ret)
{
	uint64_t now = clock_mono_ns();
	const struct worker *w;

	CHECK_OBJ(p, POOL_MAGIC);
	if (i >= p->threads)
		return false;
	*ret = (struct pool_worker){ 0 };
	w = &p->worker[i];
	lock_take(&p->lock);
	if (w->busy) {
		ret->busy = true;
		ret->class = w->class;
		ret->busy_ms = now > w->since_ns ? (now - w->since_ns) / 1000000 : 0;
		memcpy(ret->note, w->note, sizeof(ret->note));
	}
	lock_drop(&p->lock);
	return true;
}

void
pool_describe(struct pool *p, struct buf *out)
{
	struct pool_worker w;

	for (unsigned i = 0; pool_worker(p, i, &w); i++) {
		if (w.busy)
			buf_addf(out, "worker %u busy %" PRIu64 " ms %s %s\n", i, w.busy_ms,
			    w.class == POOL_LARGE ? "large" : "small", w.note[0] != '\0' ? w.note : "nothing");
		else
			buf_addf(out, "worker %u idle\n", i);
	}
}
