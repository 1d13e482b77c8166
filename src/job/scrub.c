/*
 * scrub.c - verifies the running store, a little at a time.
 *
 * A pass that a stop or a crash cuts short goes on where it was: the place, and when the last whole pass ended, are kept in
 * the index. The index itself is verified anew each time: that takes seconds for a million objects. Called for, it begins at the
 * beginning.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "job/job_impl.h"
#include "job/verify.h"

#define SAVE_MS 5000u
#define COMMIT_MS 15000u		/* the catalog gives up after 10 s */
#define LINE_BYTES (16u << 10)
#define ROW_COST 256u			/* a row takes about as long as so many bytes of blobs: for the progress only */

struct scrub {
	struct job *job;
	struct job_memo memo;		/* place: where this pass goes on */
	uint64_t saved_ms;		/* monotonic */
	uint64_t cost, cost_expected;
	uint64_t leaks;
	struct blob_ref *unowned;	/* of them, those that may be deleted */
	size_t nunowned, room;
	struct abandoned *abandoned;	/* and links that may go */
	size_t nabandoned, abandoned_room;
};

static void
reached(void *arg, str place)
{
	struct scrub *s = arg;
	uint64_t now = clock_mono_ms();

	if (now < s->saved_ms + SAVE_MS && !job_stopping(s->job))
		return;
	s->saved_ms = now;
	job_remember(s->job, &(struct job_memo){ s->memo.ended_ms, place });
}

static bool
pace(void *arg, enum verify_unit unit, uint64_t n)
{
	struct scrub *s = arg;
	struct job *j = s->job;

	s->cost += unit == VERIFY_BYTES ? n : n * ROW_COST;
	if (s->cost_expected > 0)
		atomic_store(&j->permille, s->cost < s->cost_expected ? s->cost * 1000 / s->cost_expected : 999);
	if (unit == VERIFY_BYTES) {
		atomic_fetch_add(&j->bytes, n);
		return job_pace(j, n);
	}
	atomic_fetch_add(&j->done, n);
	return !job_stopping(j);
}

static void
found(void *arg, const struct finding *f)
{
	struct scrub *s = arg;
	AUTO(buf_done) struct buf line = { 0 };

	buf_init(&line, LINE_BYTES);
	finding_text(f, &line);
	buf_add_char(&line, '\0');
	if (f->kind == FINDING_DAMAGE)
		job_found(s->job, line.p);
	else
		job_noticed(s->job, line.p);
	s->leaks += f->kind == FINDING_LEAK;
	if (f->unowned != NULL) {
		s->unowned = mem_more(s->unowned, s->nunowned, &s->room, sizeof(*s->unowned));
		s->unowned[s->nunowned++] = *f->unowned;
	}
	if (f->abandoned != NULL) {
		s->abandoned = mem_more(s->abandoned, s->nabandoned, &s->abandoned_room, sizeof(*s->abandoned));
		s->abandoned[s->nabandoned++] = *f->abandoned;
	}
}

/* Links whose records are gone are left to the reaper; not if anything is damaged: the record may be what is lost. */
static err
abandon_links(struct scrub *s, const struct verify_sum *sum)
{
	for (size_t i = 0; i < s->nabandoned && sum->damaged == 0; i++) {
		const struct abandoned *x = &s->abandoned[i];

		TRY(catalog_abandon(s->job->options->catalog, x->body, x->owner, x->generation));
		s->leaks--;
	}
	return ERR_OK;
}

/*
 * What nobody owns goes: not what is younger than the grace period, and nothing if anything is damaged, since what is lost may be
 * the row that named the owner.
 */
static err
free_unowned(struct scrub *s, const struct verify_sum *sum)
{
	struct job *j = s->job;
	uint64_t now = clock_wall_ms(), grace = j->options->reap_grace_ms;
	uint64_t before_ns = now > grace ? (now - grace) * 1000000 : 0;
	AUTO(buf_done) struct buf line = { 0 };
	size_t freed = 0;
	err_v e = ERR_OK;

	if (s->nunowned == 0 || sum->damaged > 0 || !job_deletions_begin(j))
		return ERR_OK;
	for (size_t i = 0; i < s->nunowned && err_ok(e) && !job_stopping(j); i++) {
		if (id_time(s->unowned[i].id) >= before_ns)
			continue;
		e = job_free_unowned(j, &s->unowned[i]);
		freed += err_ok(e);
		arena_reset(j->arena);
	}
	job_deletions_end(j);
	s->leaks -= freed;
	if (freed == 0)
		return e;
	buf_init(&line, LINE_BYTES);
	buf_addf(&line, "freed %zu blobs that nobody owned", freed);
	buf_add_char(&line, '\0');
	job_noticed(j, line.p);
	return e;
}

/* What a whole pass will cost, roughly: a copy counts as if it had bytes of its own. */
static err
estimate(struct scrub *s)
{
	struct catalog *c = s->job->options->catalog;
	struct kv_stats stats;
	uint32_t *space;
	unsigned n;

	kv_stats(catalog_kv(c), &stats);
	s->cost_expected = stats.keys_estimate * ROW_COST;
	TRY(catalog_spaces(c, s->job->arena, &space, &n));
	for (unsigned i = 0; i < n; i++) {
		struct bucket_usage u;

		TRY(catalog_usage(c, space[i], s->job->arena, &u));
		for (int class = 0; class < CLASS_COUNT; class++)
			s->cost_expected += u.bytes[class] > 0 ? (uint64_t)u.bytes[class] : 0;
		s->cost_expected += u.uploads_bytes > 0 ? (uint64_t)u.uploads_bytes : 0;
	}
	return ERR_OK;
}

static void
scrub_done(struct scrub *s)
{
	free(s->unowned);
	free(s->abandoned);
}

err_v
job_scrub(struct job *j)
{
	AUTO(scrub_done) struct scrub s = { .job = j, .saved_ms = clock_mono_ms() };
	struct verify_options o = { .catalog = j->options->catalog, .blobs = j->options->blobs, .crew = j->crew,
		.opened_ns = j->options->opened_ns, .commit_ms = COMMIT_MS, .pace = pace, .found = found, .reached = reached,
		.arg = &s };
	struct verify_sum sum;

	TRY(job_recall(j, j->arena, &s.memo));
	if (!job_is_due(j, &s.memo))
		return ERR_OK;
	if (!job_called_for(j))
		o.from = s.memo.place;
	TRY(estimate(&s));
	TRY(verify_store(&o, &sum));
	if (job_stopping(j))
		return ERR_OK;
	arena_reset(j->arena);
	TRY(abandon_links(&s, &sum));
	TRY(free_unowned(&s, &sum));
	atomic_store(&j->backlog, s.leaks);
	atomic_store(&j->permille, 1000);
	job_remember(j, &(struct job_memo){ .ended_ms = clock_wall_ms() });
	return ERR_OK;
}
