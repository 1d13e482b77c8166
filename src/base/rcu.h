/*
 * rcu.h - read without locks what another thread replaces.
 *
 * Readers enter, load a pointer, use what it points at, and leave; they never wait. A writer stores the new pointer, calls
 * rcu_wait(), and frees the old thing: nobody can be looking at it any more. Sections are short: no I/O, no locks, no nesting.
 *
 *	rcu_enter(&r, &s);
 *	p = atomic_load(&shared);
 *	... use p ...
 *	rcu_leave(&s);
 */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>

#include "base/lock.h"

#define RCU_SLOTS 64u		/* threads share them beyond that many */

/* Readers inside, by the phase in which they entered. A line of its own: threads do not slow each other down. */
struct rcu_slot {
	alignas(64) atomic_uint inside[2];
};

struct rcu {
	struct rcu_slot slot[RCU_SLOTS];
	atomic_uint phase;
	struct lock lock;	/* one writer waits at a time */
};

struct rcu_section { atomic_uint *inside; };

void rcu_init(struct rcu *, enum lock_rank);
void rcu_done(struct rcu *);
void rcu_enter(struct rcu *, struct rcu_section *ret);
void rcu_leave(struct rcu_section *);
/* Until all sections have ended that began before the call. Blocks as long as they take: microseconds. */
void rcu_wait(struct rcu *);
