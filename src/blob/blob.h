/*
 * blob.h - where object bytes live.
 *
 * A blob store keeps immutable blobs. It knows nothing of buckets, keys, owners
 * or HTTP; who owns a blob is written in the index. All engines obey
 * tests/contract/test_blob.c. Thread-safe; a writer or reader belongs to one
 * thread at a time. Every call may block except blob_reader_* on memory.
 *
 * Each block of BLOB_BLOCK bytes has its CRC32C beside it, checked by every
 * read that is asked to verify.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

#define BLOB_BLOCK 16384u

struct blobs;		/* one open engine */
struct blob_writer;	/* one upload */
struct blob_reader;	/* one open blob, for one download */

/*
 * How to find a blob again; goes into records. place is the engine's own: in which
 * directory or where in which volume. Both together are the name; place alone means nothing.
 */
struct blob_ref {
	struct id id;
	uint64_t place;
	uint64_t size;		/* bytes of data */
};

struct blob_options {
	uint64_t volume_max;	/* blobs up to this many bytes go into volumes */
	uint64_t volume_bytes;	/* a new volume is begun at this size */
	uint64_t direct_min;	/* blobs from this size on are written with O_DIRECT */
	uint64_t reserve;	/* bytes to leave free on the file system: what would not is refused with -ENOSPC; 0: none */
	bool read_only;		/* a store that is there: begin, delete and list_suspects answer -EROFS, nothing on disk changes */
};
/* url: "file:DIR" or "memory:". Creates what is not there. -EBUSY: another process has it. options NULL: defaults. */
err blobs_open(str url, const struct blob_options *, struct blobs **ret);
void blobs_close(struct blobs **);

/*
 * Begin, append, commit. size_hint: total bytes if known, else 0 (then small
 * blobs are buffered until it is clear where they go). Until commit returns OK
 * nothing exists. ENOSPC, EIO, EDQUOT as they come; after any error only abort is
 * allowed. A failed fsync is never retried.
 */
err blob_begin(struct blobs *, struct id, uint64_t size_hint, struct blob_writer **ret);
/*
 * Bytes whose address and length are multiples of BLOB_LEND may be written from where they are, beside the caller: they must stay
 * untouched until BLOB_BEHIND more appends of some bytes, or a commit or abort, have returned. All others are copied.
 */
#define BLOB_LEND 4096u
#define BLOB_BEHIND 2u
err blob_append(struct blob_writer *, str bytes);
/* OK means durable, directory entry included, and the writer gone. Concurrent small commits share flushes. */
err blob_commit(struct blob_writer **, struct blob_ref *ret);
/* Forgets and removes; safe on NULL and after commit. */
void blob_abort(struct blob_writer **);

/*
 * Open for reading. ERR_NOT_FOUND: there is no such blob (the caller knows that
 * this is damage). The reader keeps working if the blob is deleted meanwhile, for
 * at least the grace period.
 */
err blob_open(struct blobs *, const struct blob_ref *, struct blob_reader **ret);
void blob_reader_close(struct blob_reader **);
/* Copy [off, off + len) into p; verified. ERR_DAMAGED names nothing: the caller knows what it read. */
err blob_read(struct blob_reader *, uint64_t off, void *p, size_t len);
/*
 * For sendfile: the piece of the blob that begins at off, at most max bytes:
 * a file descriptor (the reader's: do not close), where in the file, and how
 * long (may be less than max where blocks of checksums lie between). Verified: the bytes
 * have just been read through the page cache and match their checksums. -ENOTSUP:
 * this engine has no descriptors; use blob_read.
 */
err blob_extent(struct blob_reader *, uint64_t off, size_t max, int *ret_fd, uint64_t *ret_pos, size_t *ret_len);
/* verify = false turns checks off for this reader (parameter verify_reads). */
void blob_reader_verify(struct blob_reader *, bool verify);

/*
 * Gone, its space free for others (a small one that is being read: once the readers have closed). OK too if it
 * was not there. Idempotent. Not flushed: a power cut may bring it back, as a leak, until blobs_flush() has said otherwise.
 */
err blob_delete(struct blobs *, const struct blob_ref *);
/* OK: what was deleted before, and was not being read, stays deleted whatever happens. Before the last word of it is forgotten. */
err blobs_flush(struct blobs *);

/*
 * Every blob that exists, in any order; those written or deleted meanwhile may
 * or may not be seen. Return false from the callback to stop. ref->size may be 0 if the engine
 * would have to open it to know. The visit may delete the blob.
 */
typedef bool blob_visit_f(void *arg, const struct blob_ref *);
err blob_list(struct blobs *, blob_visit_f *, void *arg);
/*
 * Blobs that were written but perhaps never committed to the index: those begun
 * before the last start (or aborted by a crash) and not vouched for since. The same visit form. The visit deletes
 * what nobody owns; once all have been visited, and none has returned false, those left are never suspected again.
 */
err blob_list_suspects(struct blobs *, blob_visit_f *, void *arg);

/* Read all of it against its checksums. ERR_DAMAGED; ret_off: where the first bad block begins. */
err blob_scrub(struct blobs *, const struct blob_ref *, uint64_t *ret_off);

/*
 * A copy of some blobs, as a store of its own in a directory: blobs_open() takes it, and each blob has the same place in it, so records
 * of the index fit it as they are. What an earlier copy into the same directory brought to its end is there already and is not
 * copied again. Hard links where possible, else bytes.
 *   begin  makes what is not there. -EBUSY: a process has that store open, or copies into it.
 *   add    any thread. ret_bytes: how many were copied or linked, 0 if it was there. ERR_NOT_FOUND: there is no such blob.
 *   end    OK: all that was added is durable. After an error, or without it, what was added may be broken; the next copy mends it.
 *   drop   forgets; safe on NULL and after end.
 * -ENOTSUP: this engine has no directories.
 */
struct blob_copy;
err blob_copy_begin(struct blobs *, const char *dir, struct blob_copy **ret);
err blob_copy_add(struct blob_copy *, const struct blob_ref *, uint64_t *ret_bytes);
err blob_copy_end(struct blob_copy **);
void blob_copy_drop(struct blob_copy **);

struct blob_stats {
	uint64_t volumes;
	uint64_t files, bytes_live;	/* as far as known: the file engine counts from its start on */
	uint64_t flushes, commits;
	uint64_t disk_free, disk_size;	/* of the file system */
	uint64_t reserve;		/* held back of it: at most a twentieth */
};
void blob_stats(struct blobs *, struct blob_stats *ret);
