/*
 * pool.h - worker threads that may block.
 *
 * A fixed number of threads, a bounded queue. A task is a struct embedded in
 * what it works on: no allocation. LIFO wake-up keeps stacks warm. No task may
 * wait for another task of the pool.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct pool;

#define POOL_NOTE_LEN 95

struct pool_task {
	void (*run)(struct pool_task *);
	char note[POOL_NOTE_LEN + 1];	/* what it works on, for pool_worker(): printable; "" if nothing */
	/* The pool's own from here on. */
	struct pool_task *next;
	uint64_t queued_ns;
};

/*
 * threads workers; at most queue_max tasks wait, a quarter of these places only for small ones; reserve workers
 * (fewer than threads) run only tasks that are "small".
 */
struct pool *pool_new(const char *name, unsigned threads, unsigned queue_max, unsigned reserve);
/* Waits for all tasks, joins, frees. */
void pool_free(struct pool **);

/* LARGE: may last as long as a slow client wants it to. */
enum pool_class { POOL_SMALL, POOL_LARGE };
/* false: the queue is full, nothing was taken; answer SlowDown. Never blocks. run() may free the task. */
bool pool_put(struct pool *, struct pool_task *, enum pool_class);

struct pool_stats { unsigned threads, busy, queued; uint64_t tasks, refused; uint64_t wait_ns_total; };
void pool_stats(struct pool *, struct pool_stats *ret);
/* What worker number i (from 0) does now. false: there is none. */
struct pool_worker { bool busy; enum pool_class class; uint64_t busy_ms; char note[POOL_NOTE_LEN + 1]; };
bool pool_worker(struct pool *, unsigned i, struct pool_worker *ret);
/* All of them, a line each: "worker 3 busy 120 ms large 0123456789abcdef GET /models/a" */
void pool_describe(struct pool *, struct buf *out);
