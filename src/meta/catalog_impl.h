/*
 * catalog_impl.h - one conditional write: read, decide, commit; and again if another writer came between.
 *
 *	AUTO(write_done) struct write w = write_begin(c, b);
 *	err_v e;
 *
 *	do
 *		e = something_once(&w, ...);	[ write_open, reads, write_put, ..., write_commit ]
 *	while (write_retry(&w, &e));
 *	return e;
 */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "meta/catalog.h"
#include "meta/keys.h"
#include "meta/record.h"

#define SPACE_HINTS 1024u
#define TOKEN_KEPT_MS (24u * 3600 * 1000)	/* how long a rename can be repeated with its client token */

struct catalog {
	unsigned magic;
#define CATALOG_MAGIC 0xca7a1060u
	struct kv *kv;
	/* By hash of a bucket's name: the space where one was found last. Its H says whether it is that bucket's still. */
	atomic_uint space_hint[SPACE_HINTS];
};

/* The row N. */
enum counter {
	COUNTER_OBJECTS,
	COUNTER_BYTES = COUNTER_OBJECTS + CLASS_COUNT,
	COUNTER_UPLOADS_BYTES = COUNTER_BYTES + CLASS_COUNT,
	COUNTER_MARKERS,
	COUNTER_UPLOADS,
	COUNTER_COUNT,
};

struct write {
	struct catalog *c;
	struct bucket bucket;		/* as this attempt sees it */
	struct arena *arena;		/* of this attempt */
	struct arena *header_arena;	/* of bucket, from the second attempt on */
	struct kv_batch *batch;
	struct kv_done *done;		/* not NULL: nothing may block, it gets the outcome of the commit */
	struct buf buf;			/* the record being made */
	bool too_large;			/* one was larger than a value may be */
	int64_t tally[COUNTER_COUNT];
	unsigned attempt;
	uint64_t deadline_ms;
	uint64_t now_ms;
};

struct write write_begin(struct catalog *, const struct bucket *);
void write_done(struct write *);
/* After ERR_CONFLICT: the bucket is read again, and true means try again. Else false, *e is the answer. */
bool write_retry(struct write *, err_v *e);

/* A batch that expects the bucket as it is. First call of every attempt. */
err write_open(struct write *);
/* Apply the counters, check the cap, commit. */
err write_commit(struct write *);
/* What w->buf holds becomes the row. */
void write_put(struct write *, struct row_key);
void write_delete(struct write *, struct row_key);
/* The value of a row, expected to be still that at the commit; ERR_NOT_FOUND: expected to be absent. */
err write_read(struct write *, struct row_key, str *ret);
/* A condition was judged: one that fails after a lost race is S3_ConditionalRequestConflict. */
err write_judged(const struct write *, err_v);

/* A configuration text as its row, into a batch. */
void config_put(struct kv_batch *, enum bucket_config, str value);

/* ---- the versions of a key (catalog_chain.c) ---- */

/* The newest version of a key, and what there is below it. */
struct chain {
	bool exists;
	str raw;
	struct object newest;
	struct older older;
};
err chain_read(struct write *, str key, struct chain *ret);
/* What conditions look at: NULL if there is nothing, or a delete marker. */
const struct object *chain_current(const struct chain *);
/* o becomes the newest: its version is made here, what the rules say goes out. */
err chain_push(struct write *, str key, const struct chain *, struct object *o);
/* The newest goes; the next one, if any, takes its place. */
err chain_pop(struct write *, str key, const struct chain *);
/* An older one goes. S3_NoSuchVersion. */
struct version { str raw; struct object object; };
err chain_find(struct write *, str key, const struct chain *, struct id, struct version *ret);
err chain_drop(struct write *, str key, const struct chain *, const struct version *);

/* o's record is gone from the index with this batch: counters, and the reaper's list. */
void write_bury(struct write *, const struct object *o);
void write_dead(struct write *, const struct dead_record *, struct id name, uint64_t when_ms);

/* An object moves to another key: so does the day of its last read. */
err touch_moved(struct write *, str from, str to);

/* ---- links (catalog_link.c) ---- */

/* In the batch that makes the first record of a body. o: SINGLE or MULTIPART, made in this space. */
void write_first_link(struct write *, const struct object *o);
/*
 * One more owner of a body, in this batch, or, if the body lives in another space, before it: then p says where the record will be
 * (space and made_ms are filled in). To be called in each attempt. S3_OperationAborted: the body was reaped.
 */
err write_join(struct write *, struct id body, struct id owner, struct pending *p);
/* The record is there: nobody need look after the link. What fails here is left to the reaper. */
void link_settled(struct catalog *, uint32_t space, struct id body, struct id owner);
/*
 * An owner leaves. *ret_last: it was the last, the body is condemned in its name, and *ret is its link. Repeated: the same
 * answer until link_forget. as_of: only while the set is of this generation, else -ESTALE; NULL: whatever it is.
 */
err link_leave(struct catalog *, struct id body, struct id owner, const uint64_t *as_of, bool *ret_last, struct link *ret);
/* How often the set has changed. ERR_NOT_FOUND. */
err link_generation(struct catalog *, struct id body, struct arena *, uint64_t *ret);
/* The condemned body's rows go: all its blobs are deleted. Not condemned in this owner's name: nothing happens. */
err link_forget(struct catalog *, struct id body, struct id owner);

/* ---- parts (catalog_part.c) ---- */

/* The numbers that an object consists of, if the upload was completed: *ret_n = 0 if not. */
err part_table(struct catalog *, struct id body, struct arena *, struct part_run **ret, unsigned *ret_n);
bool runs_have(const struct part_run *, unsigned n, uint32_t number);
/* Are the part's blobs its body's own? Else it is inlined, or borrows from another body. */
bool part_is_own(const struct part *, struct id body);
enum which_parts { PARTS_ALL, PARTS_OUTSIDE };	/* of a body: or those that its object does not consist of */
/* The blobs that they have of their own. */
err parts_blobs(struct catalog *, struct id body, enum which_parts, struct arena *, struct blob_ref **ret, unsigned *ret_n);
/* Their rows go; what they borrowed becomes dead. */
err parts_purge(struct catalog *, struct id body, enum which_parts);
/* The same for one part that has no row any more, into a batch. */
void part_bury(struct write *, struct id upload, const struct part *, uint64_t when_ms);

/* Runs of parts that are too many for the record are read from the part table. */
err catalog_runs(struct catalog *, enum kv_wait, struct arena *, struct object *o);

/* Rows are at most this large, arenas of writes hold a few of them. */
#define WRITE_ARENA_FIRST (16u << 10)
#define WRITE_ARENA_MAX (64u << 20)
