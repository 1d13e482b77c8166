/*
 * reaper.c - frees what nobody owns any more.
 *
 * A dead entry is worked off in three steps, each durable before the next: unlink the owner in the index; delete the
 * blobs, if it was the last; strike the entry off. A crash between two of them repeats them. Deletions are flushed once for a
 * page of entries: struck off before that, blobs that a power cut brings back would be nobody's for ever. The grace period
 * lets downloads end that began while the object was still there.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "job/job_impl.h"

#define PAGE 512

struct reap {
	struct job *job;
	const struct dead *dead;
	bool freed[PAGE];		/* its blobs are deleted, if it was the last owner */
	atomic_bool deleted;		/* some blob */
};

static err
free_entry(struct reap *r, const struct dead *d, struct arena *a)
{
	struct job *j = r->job;
	struct blob_ref *blob;
	unsigned n;

	TRY(catalog_dead_unlink(j->options->catalog, d, a, &blob, &n));
	CRASH_POINT(dead_unlinked);
	for (unsigned i = 0; i < n; i++) {
		atomic_store(&r->deleted, true);
		TRY(blob_delete(j->options->blobs, &blob[i]));
		atomic_fetch_add(&j->bytes, blob[i].size);
	}
	return ERR_OK;
}

static void
free_one(void *arg, size_t i, struct arena *a)
{
	struct reap *r = arg;
	err_v e;

	if (job_stopping(r->job))
		return;
	e = free_entry(r, &r->dead[i], a);
	r->freed[i] = err_ok(e);
	if (!err_ok(e))
		job_failed(r->job, "dead entry", e);
}

static void
strike_one(void *arg, size_t i, struct arena *a)
{
	struct reap *r = arg;
	err_v e;

	if (!r->freed[i])
		return;
	e = catalog_dead_done(r->job->options->catalog, &r->dead[i]);
	if (err_ok(e))
		atomic_fetch_add(&r->job->done, 1);
	else
		job_failed(r->job, "dead entry", e);
}

static void
reap_page(struct reap *r, unsigned n)
{
	err_v e = ERR_OK;

	crew_run(r->job->crew, n, free_one, r);
	if (atomic_load(&r->deleted))
		e = blobs_flush(r->job->options->blobs);
	if (err_ok(e))
		crew_run(r->job->crew, n, strike_one, r);
	else
		job_failed(r->job, "flush of deletions", e);
}

/* Two arenas in turns: the last entry of a page is where the next begins. */
static err
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
		reap_page(&r, n);
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
		uint64_t before = now > grace ? now - grace : 0;
		err_v e = reap_space(j, space[i], before, page);

		arena_reset(even);
		if (err_ok(e))
			e = catalog_space_retire(j->options->catalog, space[i], before, even);
		if (!err_ok(e))
			job_failed(j, "list of the dead", e);
	}
	atomic_store(&j->backlog, atomic_load(&j->pass_failed));
	return ERR_OK;
}
