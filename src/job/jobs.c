/*
 * jobs.c - one thread a job: wait, make a pass, say how it went.
 */
#include "job/jobs.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/panic.h"
#include "job/job_impl.h"

#define STACK_BYTES (512u << 10)
#define ARENA_FIRST (256u << 10)
#define ARENA_MAX (64u << 20)
#define WAIT_MAX_MS 3600000u
#define NS 1000000000u
#define PACE_BURST_NS (NS / 10)

struct jobs {
	unsigned magic;
#define JOBS_MAGIC 0x6a6f6273u
	struct jobs_options options;
	struct crew *crew;
	struct jobs_shared shared;
	struct job job[JOB_COUNT];
};

static const struct { const char *name, *unit; job_pass *pass; } table[JOB_COUNT] = {
#define JOB(name, unit, doc) [JOB_##name] = { #name, unit, job_##name },
#include "tbl/jobs.h"
#undef JOB
};

/* ---- for jobs ---- */

/* Sleep, but not longer than until the stop. */
static void
sleep_until(struct job *j, uint64_t deadline_ms)
{
	lock_take(&j->lock);
	while (!job_stopping(j) && clock_mono_ms() < deadline_ms)
		cond_wait_until(&j->changed, &j->lock, deadline_ms);
	lock_drop(&j->lock);
}

bool
job_pace(struct job *j, uint64_t n)
{
	uint64_t rate = j->options->rate[j->kind], now = clock_mono_ns();

	if (rate > 0) {
		if (j->next_ns + PACE_BURST_NS < now)
			j->next_ns = now - PACE_BURST_NS;
		j->next_ns += (uint64_t)((__uint128_t)n * NS / rate);
		if (j->next_ns > now)
			sleep_until(j, j->next_ns / 1000000 + 1);
	}
	atomic_fetch_add(&j->seen, n);
	atomic_fetch_add(&j->pass_seen, n);
	return !job_stopping(j);
}

void
job_failed(struct job *j, const char *what, err_v e)
{
	atomic_fetch_add(&j->failed, 1);
	atomic_fetch_add(&j->pass_failed, 1);
	lock_take(&j->lock);
	if (j->trouble[0] == 0)
		snprintf(j->trouble, sizeof(j->trouble), "%s: error %d %s", what, e.code, err_context());
	lock_drop(&j->lock);
}

bool
job_deletions_begin(struct job *j)
{
	struct jobs_shared *s = j->shared;
	bool go;

	lock_take(&s->lock);
	while (s->holds > 0 && !job_stopping(j))
		cond_wait(&s->changed, &s->lock);
	go = !job_stopping(j);
	s->deleting += go;
	lock_drop(&s->lock);
	return go;
}

void
job_deletions_end(struct job *j)
{
	lock_take(&j->shared->lock);
	assert(j->shared->deleting > 0);
	j->shared->deleting--;
	cond_broadcast(&j->shared->changed);
	lock_drop(&j->shared->lock);
}

bool
job_deletions_hold(struct job *j)
{
	struct jobs_shared *s = j->shared;
	bool go;

	lock_take(&s->lock);
	s->holds++;
	while (s->deleting > 0 && !job_stopping(j))
		cond_wait(&s->changed, &s->lock);
	go = !job_stopping(j);
	if (!go)
		s->holds--;
	lock_drop(&s->lock);
	return go;
}

void
job_deletions_release(struct job *j)
{
	lock_take(&j->shared->lock);
	assert(j->shared->holds > 0);
	j->shared->holds--;
	cond_broadcast(&j->shared->changed);
	lock_drop(&j->shared->lock);
}

bool
job_backup_order(struct job *j, struct backup_order *ret)
{
	struct jobs_shared *s = j->shared;
	bool ordered;

	lock_take(&s->lock);
	ordered = s->ordered;
	if (ordered)
		*ret = s->order;
	lock_drop(&s->lock);
	return ordered;
}

void
job_backup_ended(struct job *j, const struct backup_order *o)
{
	struct jobs_shared *s = j->shared;
	char trouble[sizeof(o->report.trouble)];

	lock_take(&j->lock);
	memcpy(trouble, j->trouble, sizeof(trouble));
	lock_drop(&j->lock);
	lock_take(&s->lock);
	s->order = *o;
	if (o->report.state == BACKUP_DONE && o->report.missing == 0)
		s->backup_good_ms = s->order.report.ended_ms;
	memcpy(s->order.report.trouble, trouble, sizeof(trouble));
	s->ordered = false;
	lock_drop(&s->lock);
}

bool
job_called_for(struct job *j)
{
	bool so;

	lock_take(&j->lock);
	so = j->called_for;
	lock_drop(&j->lock);
	return so;
}

const char *
job_name(enum job_kind kind)
{
	return table[kind].name;
}

void
job_not_yet(struct job *j, uint64_t ms)
{
	lock_take(&j->lock);
	j->again_ms = ms;
	lock_drop(&j->lock);
}

static void
keep(struct job *j, const char *what)
{
	lock_take(&j->lock);
	if (j->nfindings < JOB_FINDINGS_MAX)
		j->finding[j->nfindings++] = mem_strdup(what);
	lock_drop(&j->lock);
}

void
job_found(struct job *j, const char *what)
{
	log_error("%s: %s", table[j->kind].name, what);
	atomic_fetch_add(&j->findings, 1);
	atomic_fetch_add(&j->pass_findings, 1);
	keep(j, what);
}

void
job_noticed(struct job *j, const char *what)
{
	log_warn("%s: %s", table[j->kind].name, what);
	keep(j, what);
}

static void
forget_findings(struct job *j) REQUIRES(j->lock)
{
	lock_assert_held(&j->lock);
	while (j->nfindings > 0)
		mem_free_p(&j->finding[--j->nfindings]);
}

/* ---- the thread ---- */

/* Until the next pass is due or called for. false: stop. */
static bool
wait_turn(struct job *j)
{
	uint64_t interval = j->options->interval_ms[j->kind], now;

	lock_take(&j->lock);
	for (;;) {
		uint64_t due = j->again_ms > 0 ? j->again_ms : j->passes == 0 ? 0 : interval;

		now = clock_mono_ms();
		if (job_stopping(j) || j->called > j->answered)
			break;
		if (interval > 0 && now >= j->ended_mono_ms + due)
			break;
		cond_wait_until(&j->changed, &j->lock, interval > 0 ? j->ended_mono_ms + due : now + WAIT_MAX_MS);
	}
	lock_drop(&j->lock);
	return !job_stopping(j);
}

static void
one_pass(struct job *j)
{
	err_v e;

	lock_take(&j->lock);
	j->serves = j->called;
	j->called_for = j->called > j->answered;
	j->running = true;
	j->again_ms = 0;
	forget_findings(j);
	j->began_ms = clock_wall_ms();
	j->trouble[0] = 0;
	lock_drop(&j->lock);
	atomic_store(&j->pass_seen, 0);
	atomic_store(&j->pass_failed, 0);
	atomic_store(&j->pass_findings, 0);
	atomic_store(&j->permille, 0);

	e = table[j->kind].pass(j);
	arena_reset(j->arena);
	if (!err_ok(e))
		job_failed(j, "pass", e);

	lock_take(&j->lock);
	if (j->trouble[0] != 0)
		log_warn("%s: %llu steps failed and will be tried again; the first: %s", table[j->kind].name,
		    (unsigned long long)atomic_load(&j->pass_failed), j->trouble);
	j->running = false;
	j->passes += j->again_ms == 0;
	j->ended_ms = clock_wall_ms();
	j->ended_mono_ms = clock_mono_ms();
	j->answered = j->serves;
	cond_broadcast(&j->changed);
	lock_drop(&j->lock);
}

static void *
job_main(void *arg)
{
	struct job *j = arg;

	CHECK_OBJ(j, JOB_MAGIC);
	thread_gives_way();
	while (wait_turn(j))
		one_pass(j);
	return NULL;
}

/* ---- start, stop, calls ---- */

/* Before its thread runs. */
static void
recall_backup(struct jobs *s)
{
	struct job *j = &s->job[JOB_backup];
	struct job_memo m;

	if (!err_ok(job_recall(j, j->arena, &m)))
		return;
	lock_take(&s->shared.lock);
	s->shared.backup_good_ms = m.ended_ms;
	lock_drop(&s->shared.lock);
}

void
jobs_start(const struct jobs_options *options, struct jobs **ret)
{
	struct jobs *s = MEM_NEW(struct jobs);

	s->magic = JOBS_MAGIC;
	s->options = *options;
	s->crew = crew_new(options->threads);
	lock_init(&s->shared.lock, LOCK_JOBS);
	cond_init(&s->shared.changed);
	for (int i = 0; i < JOB_COUNT; i++) {
		struct job *j = &s->job[i];

		j->magic = JOB_MAGIC;
		j->kind = (enum job_kind)i;
		j->options = &s->options;
		j->shared = &s->shared;
		j->crew = s->crew;
		j->arena = arena_new(ARENA_FIRST, ARENA_MAX);
		lock_init(&j->lock, LOCK_JOBS);
		cond_init(&j->changed);
		if (i == JOB_backup)
			recall_backup(s);
		thread_start(&j->thread, table[i].name, STACK_BYTES, job_main, j);
	}
	*ret = s;
}

void
jobs_stop(struct jobs **sp)
{
	struct jobs *s = *sp;

	if (s == NULL)
		return;
	CHECK_OBJ(s, JOBS_MAGIC);
	for (int i = 0; i < JOB_COUNT; i++) {
		struct job *j = &s->job[i];

		lock_take(&j->lock);
		atomic_store(&j->stopping, true);
		cond_broadcast(&j->changed);
		lock_drop(&j->lock);
	}
	lock_take(&s->shared.lock);
	cond_broadcast(&s->shared.changed);
	lock_drop(&s->shared.lock);
	for (int i = 0; i < JOB_COUNT; i++) {
		struct job *j = &s->job[i];

		pthread_join(j->thread, NULL);
		lock_take(&j->lock);
		forget_findings(j);
		lock_drop(&j->lock);
		arena_free(&j->arena);
		cond_done(&j->changed);
		lock_done(&j->lock);
		j->magic = 0;
	}
	crew_free(&s->crew);
	cond_done(&s->shared.changed);
	lock_done(&s->shared.lock);
	s->magic = 0;
	free(s);
	*sp = NULL;
}

bool
job_by_name(str name, enum job_kind *ret)
{
	for (int i = 0; i < JOB_COUNT; i++) {
		if (str_eq(name, str_c(table[i].name))) {
			*ret = (enum job_kind)i;
			return true;
		}
	}
	return false;
}

static struct job *
job_of(struct jobs *s, enum job_kind kind)
{
	CHECK_OBJ(s, JOBS_MAGIC);
	assert(kind < JOB_COUNT);
	return &s->job[kind];
}

uint64_t
jobs_run(struct jobs *s, enum job_kind kind)
{
	struct job *j = job_of(s, kind);
	uint64_t ticket;

	lock_take(&j->lock);
	ticket = ++j->called;
	cond_broadcast(&j->changed);
	lock_drop(&j->lock);
	return ticket;
}

bool
jobs_wait(struct jobs *s, enum job_kind kind, uint64_t ticket, uint64_t deadline_ms)
{
	struct job *j = job_of(s, kind);
	bool served;

	lock_take(&j->lock);
	while (j->answered < ticket && !job_stopping(j))
		if (!cond_wait_until(&j->changed, &j->lock, deadline_ms))
			break;
	served = j->answered >= ticket;
	lock_drop(&j->lock);
	return served;
}

void
jobs_progress(struct jobs *s, enum job_kind kind, struct job_progress *ret)
{
	struct job *j = job_of(s, kind);

	*ret = (struct job_progress){
		.name = table[kind].name, .unit = table[kind].unit,
		.seen = atomic_load(&j->seen), .done = atomic_load(&j->done), .bytes = atomic_load(&j->bytes),
		.failed = atomic_load(&j->failed), .findings = atomic_load(&j->findings),
		.pass_seen = atomic_load(&j->pass_seen), .pass_failed = atomic_load(&j->pass_failed),
		.backlog = atomic_load(&j->backlog), .permille = atomic_load(&j->permille),
		.pass_findings = atomic_load(&j->pass_findings),
	};
	lock_take(&j->lock);
	ret->running = j->running;
	ret->passes = j->passes;
	ret->began_ms = j->began_ms;
	ret->ended_ms = j->ended_ms;
	ret->serves = j->serves;
	ret->served = j->answered;
	lock_drop(&j->lock);
}

err_v
jobs_backup(struct jobs *s, str directory, unsigned keep)
{
	struct backup_order *o = &s->shared.order;
	bool busy;

	CHECK_OBJ(s, JOBS_MAGIC);
	if (!str_starts(directory, STR("/")) || directory.len >= BACKUP_DIR_MAX || str_find(directory, 0) >= 0 || keep == 0)
		return err_errno(EINVAL, "a backup goes into an absolute path of less than %u bytes", BACKUP_DIR_MAX);
	lock_take(&s->shared.lock);
	busy = s->shared.ordered;
	if (!busy) {
		*o = (struct backup_order){ .keep = keep, .report.state = BACKUP_RUNNING, .report.began_ms = clock_wall_ms() };
		memcpy(o->directory, directory.p, directory.len);
		memcpy(o->report.directory, directory.p, directory.len);
		s->shared.ordered = true;
	}
	lock_drop(&s->shared.lock);
	if (busy)
		return err_errno(EBUSY, "a backup is under way");
	jobs_run(s, JOB_backup);
	return ERR_OK;
}

void
jobs_backup_report(struct jobs *s, struct backup_report *ret)
{
	CHECK_OBJ(s, JOBS_MAGIC);
	lock_take(&s->shared.lock);
	*ret = s->shared.order.report;
	ret->good_ms = s->shared.backup_good_ms;
	lock_drop(&s->shared.lock);
}

void
jobs_findings(struct jobs *s, enum job_kind kind, unsigned from, unsigned max, struct arena *a, str **ret, unsigned *ret_n)
{
	struct job *j = job_of(s, kind);
	unsigned n = 0;

	*ret = ARENA_ARRAY(a, str, max);
	lock_take(&j->lock);
	for (; n < max && from + n < j->nfindings; n++)
		(*ret)[n] = arena_str(a, str_sub(str_c(j->finding[from + n]), 0, JOB_FINDING_BYTES));
	lock_drop(&j->lock);
	*ret_n = n;
}
