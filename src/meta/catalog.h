/*
 * catalog.h - buckets, objects, versions, uploads, over any kv engine.
 *
 * Everything S3 knows lives here once. Each call below that changes something is
 * one conditional batch on the space of one bucket: when it returns OK the change
 * is durable and visible, otherwise nothing happened. Calls read, decide and try
 * again by themselves when another writer came between; a race that the client
 * must hear of is S3_ConditionalRequestConflict.
 *
 * It knows nothing of HTTP, signatures or policies, and never touches bytes of
 * blobs: what is to be deleted is left to the reaper as a dead entry.
 *
 * Key layout in a bucket's space (full rules: docs/disk-format.md, functions: keys.h). K = escaped key + 00 01.
 *   H                      the bucket: name, owner, location, versioning, generation
 *   C<name>                configuration texts: policy, lifecycle, cors, tags, ...
 *   O K                    the newest version of a key, or its delete marker
 *   V K <~version id>      older versions, newest first
 *   U K <upload id>        uploads
 *   P <body id> <be16 n>   parts of an upload; after Complete the part table of its body; n = 0: which parts it consists of
 *   B <blob id>            which part a part's blob belongs to
 *   L <body id>            links: generation, first owner, blob; L <body id> <owner>: further owners
 *   J <owner>              a link made for a record of another space that may not be there yet
 *   T <digest>             client tokens of renames
 *   D <time, id>           dead: an owner that went; the reaper's work list
 *   N                      counters: objects, bytes, by class (kv_add)
 *   A K                    the day on which the newest version was last read, as far as known
 *   G                      how much is warm and cold, as of the last look
 * In the system space the catalog's rows begin with B: names, buckets by owner, spaces, the next space's number, memos of jobs.
 *
 * Invariants: a V row exists only below an O row of the same key; every batch that
 * changes any version of a key expects its O row, and each V row that it read; every batch expects H;
 * a body with no L row has no live record; an L row is made in the batch that makes its first record.
 *
 * After an error that is neither an S3 error nor ENOSPC the fate of the batch is not known until the next start (kv.h):
 * blobs that it named must then be left to the sweep, not deleted.
 *
 * Thread-safe. Results live in the arena given. What that must hold at most: a record with its inlined bytes for get; 4 MiB for
 * a page of 1,000 rows; 8 MiB for catalog_upload_complete and for 1,000 parts; 256 bytes a piece, which
 * the caller bounds by the length that it asks for. Writes work in memory of their own.
 */
#pragma once

#include "base/err.h"
#include "meta/kv.h"
#include "meta/object.h"

struct catalog;

err catalog_open(struct kv *, struct catalog **ret);
void catalog_close(struct catalog **);
struct kv *catalog_kv(struct catalog *);

/* ---- buckets ---- */

enum versioning { VERSIONING_NEVER, VERSIONING_ENABLED, VERSIONING_SUSPENDED };
/* A bucket is marked before it is looked through and deleted; the next write to it takes the mark away, and the deletion fails. */
enum bucket_state { BUCKET_LIVE, BUCKET_DELETING, BUCKET_DELETED };

struct bucket {
	enum bucket_state state;	/* callers never see BUCKET_DELETED */
	str name;
	uint32_t space;
	str org;			/* owner */
	str location;
	str creator;			/* principal */
	uint64_t created_ms, deleted_ms;
	enum versioning versioning;
	uint64_t generation;		/* goes up with every change of configuration */
	bool has_policy, has_lifecycle, has_cors, has_tags;
	bool audit;			/* settings of the control API */
	bool archive;
	uint32_t archive_days;
	uint64_t capacity_cap;		/* bytes; 0: none */
	str header;			/* the raw H value: what batches expect ... */
	uint64_t header_stamp;		/* ... as of this kv_stamp() */
};

/* S3_BucketAlreadyExists / S3_BucketAlreadyOwnedByYou (same_ok: fine if org, location and tags agree). S3_TooManyBuckets above limit. */
struct bucket_new {
	str name, org, location, creator;
	str tags;			/* configuration text; p == NULL: none */
	bool same_ok;
	unsigned limit;
};
err catalog_bucket_create(struct catalog *, const struct bucket_new *);
/* S3_NoSuchBucket. One point look-up, two the first time. ERR_WOULD_BLOCK with KV_NO_WAIT. */
err catalog_bucket(struct catalog *, str name, enum kv_wait, struct arena *, struct bucket *ret);
/* S3_BucketNotEmpty while objects, versions, markers or uploads remain. */
err catalog_bucket_delete(struct catalog *, const struct bucket *);
/* Buckets of an org (STR_NONE: all) after "after", by name, with this prefix; at most max. *ret_more: there are others. */
err catalog_bucket_list(struct catalog *, str org, str prefix, str after, unsigned max, struct arena *,
    struct bucket **ret, unsigned *ret_n, bool *ret_more);

err catalog_bucket_versioning(struct catalog *, const struct bucket *, enum versioning);
/* Settings: fields of "want" that the control API changes (audit, archive, archive_days, capacity_cap). */
err catalog_bucket_settings(struct catalog *, const struct bucket *, const struct bucket *want);

/* Configuration texts, up to 1 MiB each. set with STR_NONE deletes. get: ERR_NOT_FOUND if there is none. */
enum bucket_config { CONFIG_POLICY, CONFIG_LIFECYCLE, CONFIG_CORS, CONFIG_TAGS, CONFIG_COUNT };
err catalog_config_get(struct catalog *, const struct bucket *, enum bucket_config, struct arena *, str *ret);
err catalog_config_set(struct catalog *, const struct bucket *, enum bucket_config, str value);
/* The same for a value made from the one read after b was: S3_OperationAborted if the bucket's configuration has changed since. */
err catalog_config_replace(struct catalog *, const struct bucket *b, enum bucket_config, str value);

/* Exact: kept by the batches that change it. Bytes of parts that were aborted or not chosen count until the reaper has been there. */
struct bucket_usage {
	int64_t objects[CLASS_COUNT], bytes[CLASS_COUNT];	/* every version but delete markers */
	int64_t uploads_bytes;		/* of parts that belong to no object */
	int64_t markers, uploads;
};
err catalog_usage(struct catalog *, uint32_t space, struct arena *, struct bucket_usage *ret);
/* From the row N as it was read. */
err catalog_usage_read(str raw, struct bucket_usage *ret);

/*
 * Days of reads (meta/touch.h): hints, that may be late or lost. touch: these keys were read on that day; untouch: forget it.
 * ERR_CONFLICT: the bucket changed meanwhile, try again. Of a bucket that is gone nothing is written.
 */
err catalog_touch(struct catalog *, uint32_t space, const str *keys, unsigned n, uint32_t day, struct arena *);
err catalog_untouch(struct catalog *, uint32_t space, const str *keys, unsigned n, struct arena *);
/* Days of reads beside a walk through the keys in their order. lone: days without a key, passed over; end: all behind the last. */
struct touches;
typedef void touches_lone_f(void *arg, str key);
err touches_open(struct catalog *, uint32_t space, struct touches **ret);
err touches_find(struct touches *, str key, touches_lone_f *, void *arg, uint32_t *ret_day);	/* 0: not known */
err touches_end(struct touches *, touches_lone_f *, void *arg);
void touches_close(struct touches **);

/* How much of CLASS_STANDARD was not touched for long, as of at_ms (0: nobody has looked). All the rest is hot. */
struct bucket_ages { uint64_t at_ms; int64_t warm_objects, warm_bytes, cold_objects, cold_bytes; };
err catalog_ages_set(struct catalog *, uint32_t space, const struct bucket_ages *, struct arena *);
err catalog_ages(struct catalog *, uint32_t space, struct arena *, struct bucket_ages *ret);
/* The usage of CLASS_STANDARD by age: adds up to it, though what was deleted since the last look may still be in the ages. */
enum age { AGE_HOT, AGE_WARM, AGE_COLD, AGE_COUNT };
struct bucket_split { int64_t objects[AGE_COUNT], bytes[AGE_COUNT]; };
struct bucket_split bucket_split(const struct bucket_usage *, const struct bucket_ages *);

/* ---- conditions ---- */

/* Conditions on what is there now. Unset: p == NULL, false. Times in seconds since 1970. */
struct conditions {
	str if_match, if_none_match;	/* header values: "*", one ETag or a list, quotes allowed */
	bool has_modified_since, has_unmodified_since;
	uint64_t if_modified_since, if_unmodified_since;
};
/*
 * Reads (RFC 9110 section 13.2.2): S3_NotModified or S3_PreconditionFailed.
 */
err conditions_read(const struct conditions *, const struct object *);
/*
 * Writes: current is NULL if there is no object (or a delete marker). If-Match on nothing: S3_NoSuchKey;
 * else S3_PreconditionFailed.
 */
err conditions_write(const struct conditions *, const struct object *current);

/* ---- objects ---- */

/* Which version: the current one, "null", or one by id. Of the null version only "null" counts, not its id. */
struct which { enum { WHICH_CURRENT, WHICH_VERSION } kind; struct version_id version; };

/*
 * S3_NoSuchKey / S3_NoSuchVersion. ret->key is the key given. Delete markers are returned as objects with delete_marker set;
 * the caller decides (404 or 405 with x-amz-delete-marker).
 */
err catalog_get(struct catalog *, const struct bucket *, str key, const struct which *, enum kv_wait, struct arena *, struct object *ret);

/*
 * Make o the current version. o: everything but version and oid (taken from o->oid if set, else made); the version
 * follows from the bucket's state. DATA_SINGLE: o->extent.blob is durable already, its id was made in this bucket's space,
 * and it becomes the body; DATA_INLINE: o->inlined; empty objects: DATA_NONE. modified_ms 0: now.
 * Links, counters and the dead entry of what is replaced are in the same batch. *ret_version: what to answer in
 * x-amz-version-id (null when never versioned).
 */
err catalog_put(struct catalog *, const struct bucket *, struct object *o, const struct conditions *, struct version_id *ret_version);

/*
 * The same where nothing may wait: one attempt, with reads that do not block, and ERR_OK before the commit, whose outcome comes to
 * done->over: see kv_submit(). ERR_WOULD_BLOCK: nothing was done, and catalog_put() can do it.
 */
err catalog_put_submit(struct catalog *, const struct bucket *, struct object *o, const struct conditions *,
    struct kv_done *, struct version_id *ret_version);

/*
 * A copy: o as for catalog_put, but its bytes (size and part table with them) are those of src, a record read by catalog_get from
 * bucket "from". Constant time. S3_OperationAborted if the source was reaped since it was read, or, within a bucket that never had
 * versions, replaced: read it again.
 */
err catalog_copy(struct catalog *, const struct bucket *from, const struct object *src, const struct bucket *to,
    struct object *o, const struct conditions *, struct version_id *ret_version);

/*
 * DeleteObject. Without a version: removes, or lays a delete marker where versioning says so. Missing keys are fine.
 * expected: if set, delete only if the current record (or that version) is still this oid (lifecycle).
 * S3_PreconditionFailed from conditions.
 */
struct deleted { bool marker; struct version_id version; bool has_version; };
err catalog_delete(struct catalog *, const struct bucket *, str key, const struct which *, const struct conditions *,
    const struct id *expected, struct deleted *ret);

/*
 * DeleteObjects: each item as catalog_delete() does it, its error and result filled in. Hundreds share a batch, so a thousand cost a
 * few flushes; what somebody else writes to meanwhile is done one by one. Items of one key keep their order, unless all name versions.
 */
struct delete_item {
	str key;
	struct which which;
	struct conditions conditions;
	const struct id *expected;	/* as there; NULL: whatever it is */
	err_v error;
	struct deleted result;
};
void catalog_delete_many(struct catalog *, const struct bucket *, struct delete_item *, unsigned n);

/* Replace the tags of a version. Same errors as get. */
err catalog_tags(struct catalog *, const struct bucket *, str key, const struct which *, struct pairs tags, struct version_id *ret_version);

/*
 * RenameObject: one batch moves the record (oid, version, times kept). S3_InvalidBucketState if versioning was ever on; S3_NoSuchKey;
 * S3_PreconditionFailed. token: client token or STR_NONE, principal: whose; remembered for 24 hours (S3_IdempotencyParameterMismatch).
 */
struct rename { str from, to; struct conditions source, destination; str token, principal; };
err catalog_rename(struct catalog *, const struct bucket *, const struct rename *);

/* ---- listing ---- */

enum list_what { LIST_OBJECTS, LIST_VERSIONS, LIST_UPLOADS };
struct list_query {
	enum list_what what;
	str prefix, delimiter;
	str after;			/* start strictly after this key ... */
	bool after_is_prefix;		/* ... or after everything below this common prefix */
	bool has_after_version;		/* LIST_VERSIONS, LIST_UPLOADS: go on within key "after" */
	struct version_id after_version; /*   after this version */
	struct id after_upload;		/*   or upload */
	unsigned max;			/* rows and common prefixes together, 1 to 1000 */
	bool once;			/* for jobs that look at everything: the index's cache keeps what it has */
	/*
	 * For who waits for an answer: the page may end early, even without a row, when it has passed over LIST_PASS_MAX delete markers
	 * (AT_KEY: but not below a common prefix, which "after" would leave out), or after LIST_TIME_MAX_MS. -EAGAIN as
	 * from kv_scan_brief().
	 */
	enum list_early { LIST_FULL, LIST_EARLY, LIST_EARLY_AT_KEY } early;
};
#define LIST_PASS_MAX 20000u
#define LIST_TIME_MAX_MS 1000u
struct list_row {			/* in key order, rows and prefixes mixed */
	bool is_prefix;
	str prefix;			/* common prefix, if is_prefix */
	union {
		/* Objects, versions: key, version, marker, oid, times, size, etag, checksum, class, owner, parts, whether SSE-C. */
		struct object object;
		struct upload upload;	/* LIST_UPLOADS: all of it but headers, metadata and tags */
	};
	bool is_latest;			/* LIST_VERSIONS */
};
struct list_page {
	struct list_row *row;
	unsigned n;
	bool more;
	bool early;			/* it ends at such a marker */
	struct list_row end;		/* if there is more: behind this: its last row, or the key of a marker that it does not show */
};
/* Seeks past each common prefix: cost follows the rows returned. */
err catalog_list(struct catalog *, const struct bucket *, const struct list_query *, struct arena *, struct list_page *ret);

/* ---- multipart uploads ---- */

err catalog_upload_create(struct catalog *, const struct bucket *, struct upload *u);	/* fills u->id */
/* S3_NoSuchUpload */
err catalog_upload(struct catalog *, const struct bucket *, str key, struct id upload, struct arena *, struct upload *ret);
err catalog_part_put(struct catalog *, const struct bucket *, const struct upload *, struct part *);
/*
 * A part made of a range of src: fills p->extents (or inlined) and size, and links it. p: number, etag, md5, checksum given.
 * -ENOTSUP: this range cannot be borrowed (sealed, pieces inlined, or too many): copy the bytes.
 */
err catalog_part_copy(struct catalog *, const struct bucket *from, const struct object *src, uint64_t off, uint64_t len,
    const struct bucket *to, const struct upload *, struct part *p, struct arena *);
/* Parts with number > after, without extents and inlined bytes; at most max. */
err catalog_parts(struct catalog *, const struct bucket *, struct id upload, uint32_t after, unsigned max, struct arena *,
    struct part **ret, unsigned *ret_n, bool *ret_more);
/* chosen: part numbers and ETags in ascending order, already checked for order. */
struct part_choice { uint32_t number; str etag; struct checksum checksum; };
/*
 * S3_NoSuchUpload, S3_InvalidPart, S3_EntityTooSmall. "finish" is called with the parts in order (without extents and inlined
 * bytes) before the commit, perhaps more than once, and fills what only the caller can compute: ETag, checksum; it may refuse.
 * Replayed after success with the same list: OK again while that object is current.
 */
typedef err_v complete_f(void *arg, const struct upload *, const struct part *parts, unsigned n, struct object *o);
err catalog_upload_complete(struct catalog *, const struct bucket *, str key, struct id upload, const struct part_choice *, unsigned n,
    const struct conditions *, complete_f *finish, void *arg, struct arena *, struct object *ret, struct version_id *ret_version);
/* S3_NoSuchUpload. Its parts become dead; what is being uploaded meanwhile is refused at its end. */
err catalog_upload_abort(struct catalog *, const struct bucket *, str key, struct id upload);

/* ---- bytes of an object ---- */

/*
 * The pieces that hold [off, off + len) of o, in order: for GET. Not for DATA_INLINE and DATA_NONE. Rows of parts are read as
 * needed. Offsets and lengths are of plain bytes: extent.off and .len say which bytes of the blob (or of the inlined part) are wanted.
 */
struct piece {
	struct extent extent;		/* clipped to the range */
	uint32_t part;			/* number; 0: not a multipart object */
	uint64_t part_off, part_size;	/* where the part begins in the object, and how long it is */
	struct sse_c sse;		/* of this part, or of the object */
	bool is_inlined;		/* no blob: */
	str inlined;			/* all stored bytes of the part (sealed if sse.on); extent.off and .len lie in it */
};
err catalog_pieces(struct catalog *, const struct object *o, uint64_t off, uint64_t len, struct arena *,
    struct piece **ret, unsigned *ret_n);
/* Where part "number" (1-based) of o lies. S3_InvalidPartNumber. */
err object_part_range(const struct object *o, uint32_t number, uint64_t *ret_off, uint64_t *ret_len);

/* ---- for jobs ---- */

/*
 * The reaper: for each dead entry older than the grace period, unlink; delete the blobs that it returns; done. Each step may be
 * repeated, and a crash between two of them repeats it.
 */
enum dead_kind {
	DEAD_BODY,			/* a record or a borrowing part is gone: owner leaves body */
	DEAD_PARTS,			/* an upload was aborted, or completed: its parts outside the object */
	DEAD_PART,			/* a part was replaced */
	DEAD_LINK,			/* a link across spaces whose record may never have been made */
	DEAD_TOKEN,			/* a client token has expired */
};
struct dead { uint32_t space; str row_key; struct id body, owner; uint64_t died_ms; enum dead_kind kind; str detail; };
/* Dead entries older than before_ms, oldest first, after the entry "after" (or NULL). Fewer than max, if they are large; 0: no more. */
err catalog_dead(struct catalog *, uint32_t space, uint64_t before_ms, const struct dead *after, unsigned max, struct arena *,
    struct dead **ret, unsigned *ret_n);
/*
 * Unlink one dead owner. If it was the last, *ret_blobs are to be deleted by the caller, who then calls catalog_dead_done();
 * with no blobs too. Up to 10,000 blobs.
 */
err catalog_dead_unlink(struct catalog *, const struct dead *, struct arena *, struct blob_ref **ret_blobs, unsigned *ret_n);
err catalog_dead_done(struct catalog *, const struct dead *);
/*
 * A link whose record is known to be gone, as long as the body's links are of this generation: left to the reaper, as if the record had
 * just died. Changed since: nothing happens.
 */
err catalog_abandon(struct catalog *, struct id body, struct id owner, uint64_t generation);
/* Is this blob held by any link, part, or dead entry not done yet? For sweeping what was written but never committed. */
err catalog_blob_owned(struct catalog *, const struct blob_ref *, struct arena *, bool *ret);
/*
 * Every blob that records of a space need, for as long as they are: made in that space, each once. NEED_UPLOAD: a part of an upload
 * under way, or of one that was aborted and is not reaped yet. Return false to stop.
 */
enum blob_need { NEED_OBJECT, NEED_UPLOAD };
typedef bool catalog_blob_f(void *arg, const struct blob_ref *, enum blob_need);
err catalog_blobs(struct catalog *, uint32_t space, catalog_blob_f *, void *arg);
/* What a job remembers over restarts, by its name: a few bytes. ERR_NOT_FOUND. */
err catalog_memo_get(struct catalog *, str job, struct arena *, str *ret);
err catalog_memo_set(struct catalog *, str job, str memo);
/* Every space that has a bucket, or rows that outlived one: for jobs that walk all. */
err catalog_spaces(struct catalog *, struct arena *, uint32_t **ret, unsigned *ret_n);
/* The space of a bucket that was deleted before goes, if nothing in it is left: no job need look there any more. */
err catalog_space_retire(struct catalog *, uint32_t space, uint64_t before_ms, struct arena *);
