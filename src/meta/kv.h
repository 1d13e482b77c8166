/*
 * kv.h - the index engine: an ordered map of byte strings.
 *
 * The contract that every engine obeys (tests/contract/test_kv.c). It knows
 * nothing of S3. Keys live in numbered spaces: space 0 is the system's, each
 * bucket has one of its own. A batch touches one space, is applied whole or not
 * at all, and is on stable storage when kv_commit() returns OK. That is all a
 * RADOS object can do too, so nothing here asks for more.
 *
 * Thread-safe. Every call may block on the disk except where it says not.
 * Key order is memcmp order. Keys: 1 to KV_KEY_MAX bytes; values: up to
 * KV_VALUE_MAX bytes, an empty value is a value.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define KV_KEY_MAX 4096
#define KV_VALUE_MAX (1u << 20)
#define KV_SYSTEM_SPACE 0u

struct kv;
struct kv_batch;
struct kv_iter;

/* May this read wait for the disk? On a loop thread it may not. */
enum kv_wait { KV_MAY_BLOCK, KV_NO_WAIT };

/*
 * url: "rocksdb:DIR" or "memory:". Creates what is not there. cache_bytes: block
 * cache. Errors: errno; -EBUSY when another process has the directory open;
 * ERR_DAMAGED when the store says it is corrupt; if a part can be read all the same, it is opened for that: kv_trouble() says so,
 * commits answer -EROFS, reads of what is lost ERR_DAMAGED, and kv_can_reopen() stays false.
 */
#define KV_PASS_MAX 4000000u	/* two seconds */
struct kv_options {
	uint64_t cache_bytes;
	int background_threads;
	uint64_t reserve;	/* bytes to leave free on the file system; 0: none. See kv_room() */
	unsigned pass_max;	/* deleted rows, see kv_scan_brief(); 0: KV_PASS_MAX */
	bool read_only;		/* a store that is there and nobody has open: commits answer -EROFS, and nothing on disk changes */
};
err kv_open(str url, const struct kv_options *, struct kv **ret);
void kv_close(struct kv **);

/*
 * The value of a key, copied into the arena. ERR_NOT_FOUND if there is none;
 * ERR_WOULD_BLOCK with KV_NO_WAIT when it is not in memory.
 */
err kv_get(struct kv *, uint32_t space, str key, enum kv_wait, struct arena *, str *ret);

/*
 * The same, for a row that many requests read and few change: the engine may have it closer at hand. A commit is seen by
 * whatever is read after it, on every thread, as with kv_get. Not for counters (kv_add).
 */
err kv_get_hot(struct kv *, uint32_t space, str key, enum kv_wait, struct arena *, str *ret);

/*
 * A consistent scan: it sees the map as it was when it was opened. Keys in
 * [from, to); to = STR_NONE: to the end of the space. Borrowed strings are good
 * until the next call on the iterator.
 */
err kv_scan(struct kv *, uint32_t space, str from, str to, struct kv_iter **ret);
/* The same, for jobs that read everything once: the cache keeps what it has. */
err kv_scan_once(struct kv *, uint32_t space, str from, str to, struct kv_iter **ret);
/*
 * The same, for who waits for an answer. Rows that were deleted are passed over one by one until the engine has tidied up: a call that
 * would pass over more than options.pass_max ends with -EAGAIN, and the engine is told to tidy up there.
 */
err kv_scan_brief(struct kv *, uint32_t space, str from, str to, struct kv_iter **ret);
/* The lowest space above that one that has a row. ERR_NOT_FOUND. */
err kv_space_after(struct kv *, uint32_t space, uint32_t *ret);
bool kv_iter_valid(struct kv_iter *);	/* at a row? false: at the end, or failed */
str kv_iter_key(struct kv_iter *);
str kv_iter_value(struct kv_iter *);
void kv_iter_next(struct kv_iter *);
/* To the first key >= key, forwards or back, within the bounds. */
void kv_iter_seek(struct kv_iter *, str key);
/* Why it stopped: ERR_OK at a true end. To be asked after every loop. */
err kv_iter_error(struct kv_iter *);
void kv_iter_close(struct kv_iter **);

/*
 * A batch: expectations and changes over keys of one space. Changes are applied
 * in the order given. Bytes are copied.
 *   expect_absent / expect_value: kv_commit() answers ERR_CONFLICT, and nothing
 *     is changed, unless all of them hold at the instant of the commit.
 *   add: 8 byte little-endian signed counters, n of them, added to what is there
 *     (absent counts as zeros); commutes, so it needs no expectation. The key of a
 *     counter must not be expected in any batch: adding is not looked for.
 *   delete_range: to = STR_NONE: to the end of the space. Every batch of its space that
 *     expects something has to look again after it: for what is rare.
 * An empty or too long key, a too long value, a batch of more than 64 MiB: kv_commit() answers
 * -EINVAL or -E2BIG, nothing is changed.
 * Concurrent commits share flushes of the log.
 */
struct kv_batch *kv_batch_new(uint32_t space);
void kv_batch_free(struct kv_batch **);
void kv_expect_absent(struct kv_batch *, str key);
void kv_expect_value(struct kv_batch *, str key, str value);
void kv_expect_since(struct kv_batch *, uint64_t stamp);	/* the expectation just added was read after that stamp: kv_stamp() */
void kv_put(struct kv_batch *, str key, str value);
void kv_delete(struct kv_batch *, str key);
void kv_delete_range(struct kv_batch *, str from, str to);	/* [from, to) */
#define KV_COUNTERS_MAX 8
void kv_add(struct kv_batch *, str key, const int64_t *delta, size_t n);
/* Bytes in it, for callers that split long work. */
size_t kv_batch_bytes(const struct kv_batch *);

/*
 * When this is: to be taken before a key is read that a batch shall expect. The commit then compares only what may have been written
 * since. 0: this engine has none, and always compares.
 */
uint64_t kv_stamp(struct kv *, uint32_t space, str key);

/*
 * OK: durable and visible. ERR_CONFLICT: an expectation failed, nothing
 * changed. Any other error: nothing is visible now, but what a crash would
 * leave is unknown (an fsync failed). The engine then refuses every later
 * commit with -EROFS until it is opened anew (kv_can_reopen).
 * ENOSPC is different, unless a flush met it, or the first write since the index was
 * opened: it may pass, and commits work again when there is room; but it leaves the
 * same doubt about its own batch.
 */
err kv_commit(struct kv *, struct kv_batch *);

/*
 * The same without waiting, where even the flush of a log is too long: *b goes to done->batch, and over() is called once with what
 * kv_commit() would have answered, on a thread of the engine, perhaps before this returns. It must not block; from then on the batch is the
 * caller's again. false: the engine cannot, or not now; nothing was done, and kv_commit() may.
 */
struct kv_done {
	void (*over)(struct kv_done *, err_v);
	struct kv_batch *batch;
	struct kv_done *next;		/* the engine's own */
};
bool kv_submit(struct kv *, struct kv_batch **b, struct kv_done *);

/*
 * To be asked before a commit that makes the index larger: -ENOSPC if less than options.reserve is free. Commits that take
 * something away need not ask: of the reserve the engine keeps a part for them, and lets go of it when the disk is full.
 */
err kv_room(struct kv *);

/* Read a value of kv_add. Fewer bytes than n counters: the rest are zeros. false if len is odd. */
bool kv_counters(str value, int64_t *ret, size_t n);

/* A consistent copy of the whole index in the (new) directory. Hard links where it can. */
err kv_checkpoint(struct kv *, const char *dir);

/* Figures for metrics, filled as far as the engine knows them; else 0. */
struct kv_stats {
	uint64_t keys_estimate;
	uint64_t disk_bytes;
	uint64_t memory_bytes;
	uint64_t commits;
	uint64_t conflicts;
	uint64_t flushes;	/* of the log, for commits */
	uint64_t cache_bytes;	/* of memory_bytes */
	uint64_t compactions;	/* that run now */
	uint64_t compaction_pending_bytes;	/* that wait for one */
	uint64_t writes_stopped;	/* 1: commits wait until compactions have caught up */
};
void kv_stats(struct kv *, struct kv_stats *ret);
/*
 * NULL, or why the engine refuses commits: "ENOSPC ..." (static or engine-owned text). While there is no room, it looks
 * (once a second at most) whether there is again, with a write of its own: so it may block.
 */
const char *kv_trouble(struct kv *);
/*
 * Would it help to close and open it? It refuses commits until then, and its disk has just taken a write and a flush (looks once a
 * second at most). Opening reads what the disk has and writes it to new files: so nothing depends on the flush that failed.
 */
bool kv_can_reopen(struct kv *);
