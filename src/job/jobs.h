/*
 * jobs.h - background work: started, stopped, watched and called by main and the control API.
 *
 * Each row of tbl/jobs.h is a thread that makes a pass, waits for its interval (or a call), and makes the next. A pass may be
 * cut off at any instant, by a stop or by a crash: each step is an ordinary conditional batch or may be repeated. What
 * fails is counted, said once a pass in the log, and tried again by the next.
 *
 * Thread-safe but for start and stop.
 */
#pragma once

#include "blob/blob.h"
#include "meta/catalog.h"

enum job_kind {
#define JOB(name, unit, doc) JOB_##name,
#include "tbl/jobs.h"
#undef JOB
	JOB_COUNT
};

struct access;
struct jobs;
struct touch;

/* Rates are per second and job, 0: as fast as it goes. Intervals are between the end of a pass and the next, 0: only when called. */
struct jobs_options {
	struct catalog *catalog;
	struct blobs *blobs;
	unsigned threads;		/* that commit side by side for all jobs, so that they share flushes */
	uint64_t interval_ms[JOB_COUNT];
	uint64_t rate[JOB_COUNT];	/* in the job's unit */
	uint64_t opened_ns;		/* when the store was opened, by clock_unique_ns: every upload since is younger */
	uint64_t reap_grace_ms;		/* how long the dead stay: longer than any download begun before */
	uint32_t day_seconds;		/* a lifecycle day */
	struct touch *touch;		/* meta/touch.h */
	struct access *access;		/* access/access.h */
	str data_dir;			/* whose small files go into backups too */
};

void jobs_start(const struct jobs_options *, struct jobs **ret);
/* Each ends after the step that it is at. */
void jobs_stop(struct jobs **);

/* false: no such job. */
bool job_by_name(str name, enum job_kind *ret);
/* Make a pass now, or another one when the present one ends. The ticket is for jobs_wait. */
uint64_t jobs_run(struct jobs *, enum job_kind);
/* Until a pass that began after the ticket was given has ended; false: the deadline (monotonic) came first, or the jobs were stopped. */
bool jobs_wait(struct jobs *, enum job_kind, uint64_t ticket, uint64_t deadline_ms);

/* Since the start, and of the last or present pass. */
struct job_progress {
	const char *name, *unit;
	bool running;
	uint64_t passes;		/* ended */
	uint64_t seen;			/* units looked at */
	uint64_t done;			/* things deleted, freed, ...; rows verified */
	uint64_t bytes;			/* freed, or verified */
	uint64_t failed;		/* steps that failed and will be tried again */
	uint64_t findings;		/* of damage */
	uint64_t pass_seen;		/* in this pass, or the last */
	uint64_t pass_failed;
	uint64_t pass_findings;
	uint64_t backlog;		/* what the last pass left behind, as far as it knows */
	uint64_t permille;		/* of this pass, where the job can tell */
	uint64_t began_ms, ended_ms;	/* the last, wall clock */
	uint64_t serves;		/* tickets up to this one are those of the present pass, or the last: whose findings there are */
	uint64_t served;		/* tickets up to this one have had their pass */
};
void jobs_progress(struct jobs *, enum job_kind, struct job_progress *ret);

/* ---- backup ---- */

enum backup_state { BACKUP_NEVER, BACKUP_RUNNING, BACKUP_DONE, BACKUP_FAILED };
#define BACKUP_DIR_MAX 2048u

/* Of the last one asked for since the start, or of the one that runs: then without the figures. */
struct backup_report {
	enum backup_state state;
	char directory[BACKUP_DIR_MAX];
	char name[32];			/* of the set: job/backup.h */
	char trouble[512];		/* the first, or "" */
	uint64_t began_ms, ended_ms;
	uint64_t blobs;			/* that the set needs */
	uint64_t copied, bytes;		/* those that were not there yet */
	uint64_t missing;		/* those that the store did not have: damage */
	uint64_t good_ms;		/* when the last one ended that lacks nothing, over restarts; 0: there was none */
};
/*
 * Make a backup into a directory of this machine: an absolute path, made if it is not there. keep: sets that stay, this one among
 * them, at least 1. Returns at once. -EBUSY: one is under way. -EINVAL: no such path can be.
 */
err jobs_backup(struct jobs *, str directory, unsigned keep);
void jobs_backup_report(struct jobs *, struct backup_report *ret);
/*
 * What this pass has found so far, or the last one: lines of up to 4 KiB, the first JOB_FINDINGS_MAX of them; of these number "from"
 * and those behind it, at most max.
 */
#define JOB_FINDINGS_MAX 10000u
#define JOB_FINDING_BYTES 4096u
void jobs_findings(struct jobs *, enum job_kind, unsigned from, unsigned max, struct arena *, str **ret, unsigned *ret_n);
