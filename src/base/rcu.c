/*
 * rcu.c - counts of readers in two phases.
 *
 * A reader counts itself in the slot of its thread under the present phase. The writer turns the phase over and waits for the other
 * side to become empty, twice: a reader may have read the phase just before it was turned and count itself just after, but then it
 * loads the pointer later still, and sees the new one; the second round waits for it before the next writer's first round relies on
 * that side. All operations are sequentially consistent: count, then load; store, then look at the counts.
 */
#include "base/rcu.h"

#include <time.h>

#include "base/panic.h"

static atomic_uint threads;
static _Thread_local unsigned my_slot;		/* from 1 on */

void
rcu_init(struct rcu *r, enum lock_rank rank)
{
	*r = (struct rcu){ 0 };
	lock_init(&r->lock, rank);
}

void
rcu_done(struct rcu *r)
{
	for (unsigned i = 0; i < RCU_SLOTS; i++)
		assert(atomic_load(&r->slot[i].inside[0]) + atomic_load(&r->slot[i].inside[1]) == 0);
	lock_done(&r->lock);
}

void
rcu_enter(struct rcu *r, struct rcu_section *ret)
{
	if (my_slot == 0)
		my_slot = atomic_fetch_add(&threads, 1) % RCU_SLOTS + 1;
	ret->inside = &r->slot[my_slot - 1].inside[atomic_load(&r->phase) & 1];
	atomic_fetch_add(ret->inside, 1);
}

void
rcu_leave(struct rcu_section *s)
{
	unsigned before = atomic_fetch_sub(s->inside, 1);

	assert(before > 0);
	s->inside = NULL;
}

static void
wait_empty(struct rcu *r, unsigned side)
{
	static const struct timespec a_little = { 0, 20000 };

	for (unsigned i = 0; i < RCU_SLOTS; i++)
		while (atomic_load(&r->slot[i].inside[side]) != 0)
			nanosleep(&a_little, NULL);
}

void
rcu_wait(struct rcu *r)
{
	lock_take(&r->lock);
	for (int round = 0; round < 2; round++) {
		unsigned old = atomic_fetch_xor(&r->phase, 1) & 1;

		wait_empty(r, old);
	}
	lock_drop(&r->lock);
}
