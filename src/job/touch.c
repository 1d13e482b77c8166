/*
 * touch.c - writes down which objects were read, in batches of a bucket.
 *
 * A note that loses a race with a change of its bucket is tried a few times and then lost: the next read of another day brings
 * another (meta/touch.h says what may be lost).
 */
#include "meta/touch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "job/job_impl.h"

#define BATCH 1000u
#define TRIES 3

static int
by_space_and_key(const void *a, const void *b)
{
	const struct touched *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	return str_cmp(x->key, y->key);
}

static err
write_batch(struct job *j, uint32_t space, const str *keys, unsigned n)
{
	uint32_t day = touch_day(j->options->touch, clock_wall_ms());
	err_v e = ERR_CONFLICT;

	for (int i = 0; i < TRIES && err_is(e, ERR_CONFLICT.code); i++) {
		arena_reset(j->arena);
		e = catalog_touch(j->options->catalog, space, keys, n, day, j->arena);
	}
	if (err_ok(e))
		atomic_fetch_add(&j->done, n);
	return e;
}

static err
write_all(struct job *j, struct touched *at, size_t n)
{
	AUTO(mem_free_p) str *keys = mem_alloc(BATCH * sizeof(*keys));
	unsigned k = 0;

	for (size_t i = 0; i < n; i++) {
		err_v e = ERR_OK;

		keys[k++] = at[i].key;
		if (k < BATCH && i + 1 < n && at[i + 1].space == at[i].space)
			continue;
		e = write_batch(j, at[i].space, keys, k);
		if (!err_ok(e))
			job_failed(j, "days of reads", e);
		if (!job_pace(j, k))
			return ERR_OK;
		k = 0;
	}
	return ERR_OK;
}

err_v
job_touch(struct job *j)
{
	AUTO(buf_done) struct buf notes = { 0 };
	AUTO(mem_free_p) struct touched *at = NULL;
	struct touched one;
	size_t n = 0;
	str rest;

	touch_buf_init(&notes);
	touch_take(j->options->touch, &notes);
	for (rest = buf_str(&notes); touched_next(&rest, &one); n++)
		;
	if (n == 0)
		return ERR_OK;
	at = mem_alloc(n * sizeof(*at));
	n = 0;
	for (rest = buf_str(&notes); touched_next(&rest, &one);)
		at[n++] = one;
	qsort(at, n, sizeof(*at), by_space_and_key);
	return write_all(j, at, n);
}
