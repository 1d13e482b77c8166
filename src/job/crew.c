/*
 * crew.c - a fixed number of threads, one piece of work at a time.
 */
#include "job/crew.h"

#include <stdatomic.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"

#define STACK_BYTES (512u << 10)
#define ARENA_FIRST (64u << 10)
#define ARENA_MAX (16u << 20)
#define THREADS_MAX 64

struct crew {
	unsigned magic;
#define CREW_MAGIC 0x63726577u
	unsigned nthreads;
	pthread_t thread[THREADS_MAX];
	struct lock lock;			/* rank: LOCK_JOBS */
	struct cond work, idle;
	bool stop, taken GUARDED_BY(lock);	/* taken: a caller is being served */
	uint64_t round GUARDED_BY(lock);	/* goes up with each piece of work */
	unsigned busy GUARDED_BY(lock);		/* threads still at it */
	crew_f *fn;				/* the work: fixed while busy > 0 */
	void *arg;
	size_t n;
	atomic_size_t next;
};

static void
do_work(struct crew *c, struct arena *a)
{
	size_t i;

	while ((i = atomic_fetch_add(&c->next, 1)) < c->n) {
		c->fn(c->arg, i, a);
		arena_reset(a);
	}
}

static void *
member(void *arg)
{
	struct crew *c = arg;
	AUTO(arena_free) struct arena *a = arena_new(ARENA_FIRST, ARENA_MAX);
	uint64_t seen = 0;

	CHECK_OBJ(c, CREW_MAGIC);
	thread_gives_way();
	lock_take(&c->lock);
	for (;;) {
		while (!c->stop && c->round == seen)
			cond_wait(&c->work, &c->lock);
		if (c->stop)
			break;
		seen = c->round;
		lock_drop(&c->lock);
		do_work(c, a);
		lock_take(&c->lock);
		if (--c->busy == 0)
			cond_broadcast(&c->idle);
	}
	lock_drop(&c->lock);
	return NULL;
}

struct crew *
crew_new(unsigned threads)
{
	struct crew *c = MEM_NEW(struct crew);

	assert(threads > 0 && threads <= THREADS_MAX);
	c->magic = CREW_MAGIC;
	c->nthreads = threads;
	lock_init(&c->lock, LOCK_JOBS);
	cond_init(&c->work);
	cond_init(&c->idle);
	for (unsigned i = 0; i < threads; i++)
		thread_start(&c->thread[i], "job-crew", STACK_BYTES, member, c);
	return c;
}

void
crew_free(struct crew **cp)
{
	struct crew *c = *cp;

	if (c == NULL)
		return;
	CHECK_OBJ(c, CREW_MAGIC);
	lock_take(&c->lock);
	assert(!c->taken);
	c->stop = true;
	cond_broadcast(&c->work);
	lock_drop(&c->lock);
	for (unsigned i = 0; i < c->nthreads; i++)
		pthread_join(c->thread[i], NULL);
	cond_done(&c->work);
	cond_done(&c->idle);
	lock_done(&c->lock);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

void
crew_run(struct crew *c, size_t n, crew_f *fn, void *arg)
{
	CHECK_OBJ(c, CREW_MAGIC);
	if (n == 0)
		return;
	lock_take(&c->lock);
	while (c->taken)
		cond_wait(&c->idle, &c->lock);
	c->taken = true;
	c->fn = fn;
	c->arg = arg;
	c->n = n;
	atomic_store(&c->next, 0);
	c->busy = c->nthreads;
	c->round++;
	cond_broadcast(&c->work);
	while (c->busy > 0)
		cond_wait(&c->idle, &c->lock);
	c->taken = false;
	cond_broadcast(&c->idle);
	lock_drop(&c->lock);
}
