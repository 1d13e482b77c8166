/*
 * lock.h - mutexes with a name and a rank.
 *
 * All locks are rows of tbl/locks.h, lowest rank taken first. Taking a lock of
 * a rank not above those already held is a panic. No lock is held over I/O
 * except those whose row says so.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
#define LOCK(name, why) LOCK_##name,
#include "tbl/locks.h"
#undef LOCK
	LOCK_COUNT
};

#if defined(__clang__)
#define CAPABILITY __attribute__((capability("mutex")))
#define REQUIRES(l) __attribute__((requires_capability(l)))
#define ACQUIRE(l) __attribute__((acquire_capability(l)))
#define RELEASE(l) __attribute__((release_capability(l)))
#define NO_LOCK_ANALYSIS __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY
#define REQUIRES(l)
#define ACQUIRE(l)
#define RELEASE(l)
#define NO_LOCK_ANALYSIS
#endif
#define GUARDED_BY(l)		/* for the reader; clang 14 rejects it on members in C */

struct CAPABILITY lock {
	pthread_mutex_t m;
	enum lock_rank rank;
	pthread_t owner;
	bool held;
};

struct cond {
	pthread_cond_t c;
};

void lock_init(struct lock *, enum lock_rank);
void lock_done(struct lock *);
void lock_take(struct lock *l) ACQUIRE(*l);
void lock_drop(struct lock *l) RELEASE(*l);
void lock_assert_held(const struct lock *);

void cond_init(struct cond *);
void cond_done(struct cond *);
void cond_wait(struct cond *, struct lock *l) REQUIRES(*l);
/* Until signalled or the monotonic clock passes deadline_ms: then false. */
bool cond_wait_until(struct cond *, struct lock *l, uint64_t deadline_ms) REQUIRES(*l);
void cond_signal(struct cond *);
void cond_broadcast(struct cond *);

/* A named thread (15 characters at most) with a stack of stack_bytes, all signals blocked. */
void thread_start(pthread_t *ret, const char *name, size_t stack_bytes, void *(*fn)(void *), void *arg);
/*
 * The calling thread does not matter to anyone who waits: it gets the processors' time that the others leave, and never takes a
 * processor from one of them. To be called once.
 */
void thread_gives_way(void);
