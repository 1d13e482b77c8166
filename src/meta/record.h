/*
 * record.h - what rows of the index hold, to bytes and back.
 *
 * The schema is record.proto. Writing asserts what we made; reading checks everything, because it is disk input:
 * ERR_DAMAGED, with what was wrong in the error's context. What is read borrows from the bytes given; arrays and texts that are not
 * there as such are made in the arena.
 */
#pragma once

#include "base/buf.h"
#include "meta/catalog.h"

#define RECORD_FORMAT 1
/* More runs than this live in the part table, so that a record stays small. */
#define RUNS_IN_RECORD 16u
#define EXTENTS_MAX 4096u

/* What the O row says of the older versions of its key. Of no meaning in a V row. */
struct older {
	bool any;		/* there may be V rows */
	bool has_null;		/* one of them is the null version, of this id: */
	struct id null;
};

enum record_depth {
	RECORD_FULL,
	RECORD_LISTED,		/* what a listing shows: no headers, metadata, tags, bytes, runs */
};

/* buf: cleared first. Ask buf_overflow() before the bytes are used. */
void record_object(struct buf *, const struct older *, const struct object *);
/* The same object under another row: only what is said of the older versions differs. */
void record_object_again(struct buf *, const struct older *, str raw);
/* ret: all but key. */
err record_object_read(str raw, enum record_depth, struct arena *, struct older *ret_older, struct object *ret);

void record_upload(struct buf *, const struct upload *);
/* ret: all but key and id. */
err record_upload_read(str raw, enum record_depth, struct arena *, struct upload *ret);

void record_part(struct buf *, struct id upload, const struct part *);
/* ret: all but number. RECORD_LISTED: no extents, no inlined bytes. */
err record_part_read(str raw, struct id upload, enum record_depth, struct arena *, struct part *ret);

void record_runs(struct buf *, const struct part_run *, unsigned n);
err record_runs_read(str raw, struct arena *, struct part_run **ret, unsigned *ret_n);
/* Are they in order, within bounds, and of so many parts and bytes? */
bool runs_valid(const struct part_run *, unsigned n, uint32_t parts, uint64_t size);

void record_blob_owner(struct buf *, struct id upload, uint32_t part);
err record_blob_owner_read(str raw, struct id *ret_upload, uint32_t *ret_part);

void record_bucket(struct buf *, const struct bucket *);
/* ret: all; header = raw. */
err record_bucket_read(str raw, struct bucket *ret);

struct link {
	uint64_t generation;
	bool has_owner;
	struct id owner;	/* the first; of a condemned body: the one that left last */
	bool has_blob;		/* else multipart */
	struct blob_ref blob;
	bool condemned;
};
void record_link(struct buf *, const struct link *);
err record_link_read(str raw, struct link *ret);

struct pending {
	uint64_t made_ms;
	struct id body;
	uint32_t space;
	str key;		/* empty: a part */
	struct id upload;
	uint32_t part;
};
void record_pending(struct buf *, const struct pending *);
err record_pending_read(str raw, struct pending *ret);

struct token { uint64_t made_ms; uint8_t parameters[32]; };
void record_token(struct buf *, const struct token *);
err record_token_read(str raw, struct token *ret);

struct dead_record { enum dead_kind kind; struct id body, owner; str part, token; };
void record_dead(struct buf *, const struct dead_record *);
err record_dead_read(str raw, struct dead_record *ret);

/* A value that is nothing but there. */
void record_mark(struct buf *);
