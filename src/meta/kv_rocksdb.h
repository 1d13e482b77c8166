/*
 * kv_rocksdb.h - what the files of the RocksDB engine share. Included by src/meta/kv_rocksdb*.c only.
 */
#pragma once

#include <rocksdb/c.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "meta/kv_impl.h"

#define ROCKS_GATES 64u		/* the first versions: one for the spaces of a hash */
#define ROCKS_STRIPES 8192u	/* the others: one for the keys of a hash */
#define ROCKS_DIR_MAX 4000

struct rocks_queue {
	struct kv_done *first, **last;
};

struct rocks {
	struct kv base;
	char dir[ROCKS_DIR_MAX];
	int dir_fd;			/* flock()ed: the store is ours */
	bool read_only;
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_cache_t *cache;
	rocksdb_readoptions_t *read, *read_cached;
	rocksdb_writeoptions_t *write;
	unsigned pass_max;
	uint64_t seed;			/* of the hash of keys: nobody can aim at a stripe */
	uint64_t serial;		/* of all stores that this process has opened */
	atomic_uint_fast64_t *version;	/* of each gate and stripe: odd while a round that changes it is being written */
	atomic_int iterators;
	atomic_uint_fast64_t commits, conflicts, flushes;

	pthread_t committer;
	struct lock round;		/* rank: LOCK_ROUND */
	struct cond joins;
	struct rocks_queue joined GUARDED_BY(round);	/* for the next round */
	bool idle GUARDED_BY(round);	/* the committer sleeps */
	bool stop GUARDED_BY(round);

	struct lock lock;		/* rank: LOCK_ENGINE */
	atomic_bool full;		/* the last commit found no room */
	uint64_t probed_ms GUARDED_BY(lock);
	uint64_t reserve;		/* bytes to leave free on the file system */
	atomic_bool spare;		/* the spare file is there */
	bool damaged;			/* open for reading what can be read: poisoned from the start, and for good */
	atomic_bool poisoned;		/* set once, after the text below has been written */
	char trouble[512];
};

/* Takes over RocksDB's message (NULL: ERR_OK). ENOSPC, EDQUOT, EIO, ... as it says; ERR_DAMAGED, ERR_WOULD_BLOCK. */
err rocks_err(char *message);

static inline struct rocks *
rocks_of(struct kv *kv)
{
	return (struct rocks *)kv;
}

/* kv_rocksdb.c */
uint32_t rocks_stripe(const struct rocks *, str full);	/* of a full key */
uint32_t rocks_gate(const struct rocks *, uint32_t space);
uint64_t rocks_stamp(struct kv *, str full);
err rocks_check(struct rocks *, const struct kv_op *);	/* an expectation against what is there: ERR_CONFLICT */
err rocks_refuse(struct rocks *);			/* while poisoned */

/* kv_rocksdb_hot.c */
err rocks_get_hot(struct kv *, str full, enum kv_wait, struct arena *, str *ret);

/* kv_rocksdb_write.c */
void rocks_committer_start(struct rocks *);
void rocks_committer_stop(struct rocks *);
err rocks_commit(struct kv *, struct kv_batch *);
bool rocks_submit(struct kv *, struct kv_done *);
err rocks_write(struct rocks *, rocksdb_writebatch_t *);	/* durable and visible, or an error */

/* kv_rocksdb.c: an empty commit, to see whether there is room again. */
void rocks_probe(struct rocks *);

/* kv_rocksdb_room.c */
void rocks_room_open(struct rocks *, uint64_t wanted);
void rocks_room_spend(struct rocks *);		/* before a write: if the disk is all but full, let go of the spare */
err rocks_room(struct kv *);
const char *rocks_trouble(struct kv *);
bool rocks_can_reopen(struct kv *);

/* kv_rocksdb_open.c */
err_v rocks_open(str place, const struct kv_options *, struct kv **ret);
void rocks_close(struct kv *);

/*
 * kv_rocksdb_log.c: look through the log files of a closed store. ERR_DAMAGED if one has bad bytes with whole records
 * behind them. ret_torn: the newest log ends in bytes that are no whole record: what a power cut leaves of the one
 * group of commits that was being flushed, none of them acknowledged.
 */
err rocks_log_check(const char *dir, bool *ret_torn);
