/*
 * job_impl.h - what a job sees of its thread. Included by src/job only.
 */
#pragma once

#include <stdatomic.h>

#include "base/lock.h"
#include "job/crew.h"
#include "job/jobs.h"

struct backup_order {
	char directory[BACKUP_DIR_MAX];
	unsigned keep;
	struct backup_report report;	/* filled by the job */
};

/* What several jobs share: who may free blobs now, and the backup that was asked for. */
struct jobs_shared {
	struct lock lock;		/* rank: LOCK_JOBS */
	struct cond changed;
	unsigned holds, deleting GUARDED_BY(lock);
	bool ordered GUARDED_BY(lock);
	struct backup_order order GUARDED_BY(lock);
	uint64_t backup_good_ms GUARDED_BY(lock);
};

struct job {
	unsigned magic;
#define JOB_MAGIC 0x6a6f6231u
	enum job_kind kind;
	const struct jobs_options *options;
	struct jobs_shared *shared;
	struct crew *crew;
	struct arena *arena;		/* of the pass: the job resets it */
	pthread_t thread;
	uint64_t next_ns;		/* pacing: when the next unit may begin */

	atomic_bool stopping;
	atomic_uint_fast64_t permille;	/* how far the pass is, if the job knows */
	atomic_uint_fast64_t seen, done, bytes, failed, findings, pass_seen, pass_failed, pass_findings, backlog;

	struct lock lock;		/* rank: LOCK_JOBS */
	struct cond changed;
	/* Tickets: the newest given, the newest that the present or last pass serves, the newest that one has served. */
	uint64_t called, serves, answered GUARDED_BY(lock);
	uint64_t passes, began_ms, ended_ms, ended_mono_ms GUARDED_BY(lock);
	bool running, called_for GUARDED_BY(lock);	/* called_for: this pass was asked for */
	uint64_t again_ms GUARDED_BY(lock);	/* when the next pass is due after the last, if not after the interval */
	char trouble[512] GUARDED_BY(lock);	/* the first failure of this pass */
	char *finding[JOB_FINDINGS_MAX] GUARDED_BY(lock);	/* of this pass; owned */
	unsigned nfindings GUARDED_BY(lock);
};

/* One pass. An error ends it early and is logged; single steps that fail are told by job_failed() instead. */
typedef err_v job_pass(struct job *);
#define JOB(name, unit, doc) err_v job_##name(struct job *);
#include "tbl/jobs.h"
#undef JOB

/* Before n more units: waits as the rate wants. false: stop now. */
bool job_pace(struct job *, uint64_t n);
static inline bool job_stopping(struct job *j) { return atomic_load_explicit(&j->stopping, memory_order_relaxed); }
/* Was this pass called for, rather than due? */
bool job_called_for(struct job *);
/* The pass found nothing to do yet: it does not count, and the next is due so much later. */
void job_not_yet(struct job *, uint64_t ms);
const char *job_name(enum job_kind);

/*
 * What is known over restarts (memo.c). place: where a pass that was cut short goes on; empty: it was whole. due: it was asked for, was
 * cut short, or the interval since the last whole one has passed; else the pass is over, with job_not_yet().
 */
struct job_memo { uint64_t ended_ms; str place; };
err job_recall(const struct job *, struct arena *, struct job_memo *ret);
void job_remember(const struct job *, const struct job_memo *);
bool job_is_due(struct job *, const struct job_memo *);

/* Damage, or what should merely not be there: kept until the next pass, and logged. */
void job_found(struct job *, const char *what);
void job_noticed(struct job *, const char *what);
/* A step failed, with the thread's error context; any thread. */
void job_failed(struct job *, const char *what, err_v);

/*
 * Each bucket behind that name in turn; its own name is still there when the next one is visited. What fails in one is counted as
 * "what"; that it is gone is fine.
 */
typedef err_v job_bucket_f(void *arg, const struct bucket *);
err job_each_bucket(struct job *, str after, const char *what, job_bucket_f *, void *arg);

/* What was written before the last start, if nobody owns it: then it goes (sweep.c). */
err job_free_unowned(struct job *, const struct blob_ref *);

/*
 * Around deletions of blobs that records had: begin waits while somebody holds them, hold waits for those that have begun.
 * false: stop now.
 */
bool job_deletions_begin(struct job *);
void job_deletions_end(struct job *);
bool job_deletions_hold(struct job *);
void job_deletions_release(struct job *);

/* false: nobody has asked for a backup. */
bool job_backup_order(struct job *, struct backup_order *ret);
void job_backup_ended(struct job *, const struct backup_order *);
