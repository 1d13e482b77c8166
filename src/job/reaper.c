/*
 * reaper.c - frees what nobody owns any more.
 *
 * A dead entry is worked off in three steps, each durable before the next: unlink the owner in the index; delete the
 * blobs, if it was the last; strike the entry off. A crash between two of them repeats them. The grace period lets
 * downloads end that began while the object was still there.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "job/job_impl.h"

#define PAGE 512

struct reap {
	struct job *job;
	const struct dead *dead;
};

static err_v
reap_entry(struct job *j, const struct dead *d, struct arena *a)
{
	struct blob_ref *blob;
	unsigned n;

	TRY(catalog_dead_unlink(j->options->catalog, d, a, &blob, &n));
	CRASH_POINT(dead_unlinked);
	for (unsigned i = 0; i < n; i++) {
		TRY(blob_delete(j->options->blobs, &blob[i]));
		atomic_fetch_add(&j->bytes, blob[i].size);
	}
	TRY(catalog_dead_done(j->options->catalog, d, a));
	atomic_fetch_add(&j->done, 1);
	return ERR_OK;
}

static void
reap_one(void *arg, size_t i, struct arena *a)
{
	struct reap *r = arg;
	err_v e;

	if (job_stopping(r->job))
		return;
	e = reap_entry(r->job, &r->dead[i], a);
	if (!err_ok(e))
		job_failed(r->job, "dead entry", e);
}

/* Two arenas in turns: the last entry of a page is where the next begins. */
static err_v
reap_space(struct job *j, uint32_t space, uint64_t before_ms, struct arena *page[2])
{
	const struct dead *after = NULL;

	for (unsigned turn = 0;; turn ^= 1) {
		struct reap r = { .job = j };
		struct dead *dead;
		unsigned n;

		arena_reset(page[turn]);
		TRY(catalog_dead(j->options->catalog, space, before_ms, after, PAGE, page[turn], &dead, &n));
		if (n == 0)
			return ERR_OK;
		if (!job_pace(j, n))
			return ERR_OK;
		r.dead = dead;
		if (!job_deletions_begin(j))
			return ERR_OK;
		crew_run(j->crew, n, reap_one, &r);
		job_deletions_end(j);
		after = &dead[n - 1];
	}
}

err_v
job_reaper(struct job *j)
{
	AUTO(arena_free) struct arena *even = arena_new(64u << 10, 4u << 20), *odd = arena_new(64u << 10, 4u << 20);
	struct arena *page[2] = { even, odd };
	uint64_t now = clock_wall_ms(), grace = j->options->reap_grace_ms;
	uint32_t *space;
	unsigned n;

	TRY(catalog_spaces(j->options->catalog, j->arena, &space, &n));
	for (unsigned i = 0; i < n && !job_stopping(j); i++) {
		err_v e = reap_space(j, space[i], now > grace ? now - grace : 0, page);

		if (!err_ok(e))
			job_failed(j, "list of the dead", e);
	}
	atomic_store(&j->backlog, atomic_load(&j->pass_failed));
	return ERR_OK;
}
