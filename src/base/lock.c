/*
 * lock.c - ranked mutexes, conditions, named threads.
 *
 * Each thread keeps a bit set of the ranks it holds. Checked always: it costs a
 * thread-local and, and a deadlock found in a test is one less at night.
 */
#include "base/lock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"

#define GIVES_WAY_NICE 10

static _Thread_local uint32_t ranks_held;
static_assert(LOCK_COUNT <= 32, "one bit for each rank");

static const char *const rank_name[LOCK_COUNT] = {
#define LOCK(name, why) [LOCK_##name] = #name,
#include "tbl/locks.h"
#undef LOCK
};

#define PTHREAD_OK(x)                                      \
	do {                                               \
		int rc_ = (x);                             \
		if (rc_ != 0)                              \
			PANIC("%s gives %d", #x, rc_);     \
	} while (0)

void
lock_init(struct lock *l, enum lock_rank rank)
{
	assert(rank < LOCK_COUNT);
	PTHREAD_OK(pthread_mutex_init(&l->m, NULL));
	l->rank = rank;
	l->held = false;
}

void
lock_done(struct lock *l)
{
	assert(!l->held);
	PTHREAD_OK(pthread_mutex_destroy(&l->m));
}

static void
rank_take(enum lock_rank rank)
{
	if (ranks_held >> rank != 0)
		PANIC("lock %s taken while one of its rank or above is held (%#x)", rank_name[rank], ranks_held);
	ranks_held |= 1u << rank;
}

static void
rank_drop(enum lock_rank rank)
{
	assert((ranks_held & 1u << rank) != 0);
	ranks_held &= ~(1u << rank);
}

NO_LOCK_ANALYSIS void
lock_take(struct lock *l)
{
	rank_take(l->rank);
	PTHREAD_OK(pthread_mutex_lock(&l->m));
	l->owner = pthread_self();
	l->held = true;
}

NO_LOCK_ANALYSIS void
lock_drop(struct lock *l)
{
	lock_assert_held(l);
	l->held = false;
	rank_drop(l->rank);
	PTHREAD_OK(pthread_mutex_unlock(&l->m));
}

void
lock_assert_held(const struct lock *l)
{
	assert(l->held);
	assert(pthread_equal(l->owner, pthread_self()));
}

void
cond_init(struct cond *c)
{
	pthread_condattr_t attr;

	PTHREAD_OK(pthread_condattr_init(&attr));
	PTHREAD_OK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	PTHREAD_OK(pthread_cond_init(&c->c, &attr));
	PTHREAD_OK(pthread_condattr_destroy(&attr));
}

void
cond_done(struct cond *c)
{
	PTHREAD_OK(pthread_cond_destroy(&c->c));
}

NO_LOCK_ANALYSIS void
cond_wait(struct cond *c, struct lock *l)
{
	lock_assert_held(l);
	l->held = false;
	PTHREAD_OK(pthread_cond_wait(&c->c, &l->m));
	l->owner = pthread_self();
	l->held = true;
}

NO_LOCK_ANALYSIS bool
cond_wait_until(struct cond *c, struct lock *l, uint64_t deadline_ms)
{
	struct timespec t = { (time_t)(deadline_ms / 1000), (long)(deadline_ms % 1000) * 1000000 };
	int rc;

	lock_assert_held(l);
	l->held = false;
	rc = pthread_cond_timedwait(&c->c, &l->m, &t);
	l->owner = pthread_self();
	l->held = true;
	if (rc != 0 && rc != ETIMEDOUT)
		PANIC("pthread_cond_timedwait gives %d", rc);
	return rc == 0;
}

void
cond_signal(struct cond *c)
{
	PTHREAD_OK(pthread_cond_signal(&c->c));
}

void
cond_broadcast(struct cond *c)
{
	PTHREAD_OK(pthread_cond_broadcast(&c->c));
}

struct thread_start {
	char name[16];			/* the caller's may be gone before the thread runs */
	void *(*fn)(void *);
	void *arg;
};

static void *
thread_main(void *arg)
{
	struct thread_start s = *(struct thread_start *)arg;

	free(arg);
	pthread_setname_np(pthread_self(), s.name);
	return s.fn(s.arg);
}

/* Signals are for the main thread: a new thread is born with all of them blocked. */
void
thread_start(pthread_t *ret, const char *name, size_t stack_bytes, void *(*fn)(void *), void *arg)
{
	struct thread_start *s = MEM_NEW(struct thread_start);
	pthread_attr_t attr;
	sigset_t all, before;

	*s = (struct thread_start){ .fn = fn, .arg = arg };
	assert(strlen(name) < sizeof(s->name));
	memcpy(s->name, name, strlen(name));
	PTHREAD_OK(pthread_attr_init(&attr));
	PTHREAD_OK(pthread_attr_setstacksize(&attr, stack_bytes));
	sigfillset(&all);
	PTHREAD_OK(pthread_sigmask(SIG_SETMASK, &all, &before));
	PTHREAD_OK(pthread_create(ret, &attr, thread_main, s));
	PTHREAD_OK(pthread_sigmask(SIG_SETMASK, &before, NULL));
	PTHREAD_OK(pthread_attr_destroy(&attr));
}

/* Best effort: where it is refused the thread only runs as others do. On Linux both belong to a thread, not to the process. */
void
thread_gives_way(void)
{
	struct sched_param none = { 0 };

	(void)sched_setscheduler(0, SCHED_BATCH, &none);
	(void)!setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + GIVES_WAY_NICE);
}
