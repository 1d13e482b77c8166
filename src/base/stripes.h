/*
 * stripes.h - reader/writer locks for things too many to have one each.
 *
 * A thing has the stripe that its hash names. All that one piece of work needs is taken at once, in order of stripe, so
 * two pieces never wait for each other; and a stripe may be shared by many or held by one. Writers are preferred: who
 * wants to be alone is not kept waiting by a stream of sharers. One thread holds one set at a time (one rank of
 * tbl/locks.h for all stripes).
 */
#pragma once

#include "base/lock.h"
#include "base/str.h"

struct stripes;

enum stripe_use { STRIPE_SHARED, STRIPE_EXCLUSIVE };

struct stripe {
	uint32_t number;
	enum stripe_use use;
};

struct stripes *stripes_new(uint32_t count, enum lock_rank);
void stripes_free(struct stripes **);

/* Into the order in which they are taken: each number once, with its stronger use. Returns how many are left. */
size_t stripes_sort(struct stripe *, size_t n);
/* n sorted stripes, n > 0. May block for as long as others hold theirs. */
void stripes_take(struct stripes *, const struct stripe *, size_t n);
void stripes_drop(struct stripes *, const struct stripe *, size_t n);
