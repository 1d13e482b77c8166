/*
 * verify_space.h - one space under the verifier: what its rows have said so far. Included by src/job/verify*.c only.
 */
#pragma once

#include "job/verify_impl.h"

struct ids { struct id *at; size_t n, room; };

struct space {
	struct verify *v;
	struct rows rows;
	struct pairs_walk pairs;
	struct arena *a;		/* of the row at hand */
	struct arena *keep;		/* of the space */
	struct arena *table_arena;
	struct bucket head;
	bool has_head;
	uint64_t nrows;
	struct ids uploads, ended;	/* under way; aborted or completed, but not cleared away yet */
	struct bucket_usage usage, counted;	/* as the row N says; as it is */
	/* The link at hand, for its owners' rows. */
	struct id link_body;
	struct link link;
	bool has_link;
	/* The parts at hand. */
	struct id body;
	struct part_run *runs;
	unsigned nruns, run;
	uint32_t run_next;		/* the next part that must come */
	/* The key at hand, of V rows. */
	char key[OBJECT_KEY_MAX];
	size_t key_len;
};

/* ---- telling, and what several kinds of rows need (verify_space.c) ---- */

/* Once: rows are walked a second time where they do not agree. */
void space_tell(struct space *, const struct finding *);
void space_tell_object(struct space *, const struct object *, const char *what);
/* A row that cannot be read, by its own name. */
void space_tell_row(struct space *, str row, const char *what);
bool ids_have(const struct ids *, struct id);

/* ---- visits: one row each (verify_versions.c, verify_parts.c) ---- */

void visit_object(struct space *, str row, str value);
void visit_older(struct space *, str row, str value);
void visit_link(struct space *, str row, str value);
void visit_part_blob(struct space *, str row, str value);
void visit_part(struct space *, str row, str value);
void visit_upload(struct space *, str row, str value);
/* All rows have been seen: those parts that are due have not come. */
void parts_end(struct space *);

/* ---- bytes that a row needs (verify_versions.c) ---- */

/* What both sides of PAIR_OWNER must say of them. */
uint64_t bytes_of(struct id body, const struct blob_ref *);
/* A version or a part has its bytes in a body. row, value: its own, and they stay while others are looked at. */
void need_body(struct space *, struct id body, struct id owner, const struct blob_ref *, str row, str value);
/* Blobs of a part, or the body that it borrowed them from (verify_parts.c). */
void need_extents(struct space *, struct id upload, uint32_t number, const struct part *, str row, str value);
