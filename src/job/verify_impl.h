/*
 * verify_impl.h - what the files of the verifier share. Included by src/job/verify*.c only.
 */
#pragma once

#include "job/verify.h"
#include "meta/keys.h"
#include "meta/record.h"

/* Blobs and bodies that are not as they should be, until it is known who needs them. */
struct suspect {
	struct id id;
	uint32_t part;		/* of a body: which part it is; 0: all of it */
	const char *what;
};

struct suspects {
	struct suspect *at;
	size_t n, room;
};

/* Sums over what should come in pairs, by the top bits of a hash: where both sides hold the same, all are zero. */
#define BALANCE_BITS 16u

struct verify {
	const struct verify_options *o;
	struct kv *kv;
	uint64_t seed;
	bool stopped;
	str from;			/* options.from, until it has been reached */
	struct verify_sum sum;
	uint64_t *balance;		/* 1 << BALANCE_BITS, of the space at hand */
	uint64_t *far;			/* 1 << BALANCE_BITS, of all spaces: verify_far() */
	struct arena *texts;		/* of suspects */
	struct suspects blobs, bodies;
	uint32_t *space;
	unsigned nspaces;
};

/* ---- findings (verify.c) ---- */

bool verify_pace(struct verify *, enum verify_unit, uint64_t n);
void verify_found(struct verify *, const struct finding *);
/* More than a million are not kept: what is found first is told first. */
void suspect_add(struct verify *, struct suspects *, struct id, uint32_t part, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Sorted by id first. NULL: none. */
const struct suspect *suspect_find(const struct suspects *, struct id);
void suspects_sort(struct suspects *);

/* ---- rows of one space as they were at one instant (verify_rows.c) ---- */

struct rows {
	struct verify *v;
	uint32_t space;
	struct kv_iter *it;
	struct row_key last;		/* the newest row read, or looked for */
	str bucket;			/* its name, for findings */
	bool broken;			/* some cannot be read ... */
	bool told;			/* ... and that need not be said */
	bool moved;			/* rows_look() has been elsewhere */
};

err rows_open(struct verify *, uint32_t space, struct rows *ret);
void rows_close(struct rows *);
void rows_seek(struct rows *, struct row_key);
/* At a row? What cannot be read is told, and leapt over. */
bool rows_here(struct rows *);
/* To the next one, behind the row that rows_here() saw, wherever rows_look() has been since. */
void rows_next(struct rows *);
/* Another row of the same instant; borrowed until the next call. Once rows are broken it says false, which means nothing. */
bool rows_look(struct rows *, struct row_key, str *ret);

/* ---- what must come in pairs (verify_pairs.c) ---- */

/*
 * Rows that need a row of another kind, of which there are too many to look each one up. Each need adds a hash to a sum, each
 * row that serves one takes it away. Only where the sums do not come out at zero are the rows read again, and named.
 */
enum pairing {
	PAIR_OWNER,		/* a version or a part that has its bytes in a body; an owner of that body */
	PAIR_PART_BLOB,		/* a part's blob; its B row */
	PAIR_TABLE,		/* the link of a body of parts; its part table */
	PAIR_NULL,		/* the newest version says which older one is the null version; that one */
};
enum side { NEEDS, SERVES };

struct pair_item {
	uint64_t hash;
	enum pairing pairing;
	enum side side;
	struct id a, b;
	str row;
};

struct pairs_walk {
	struct verify *v;
	enum { PAIRS_SUM, PAIRS_COLLECT } pass;
	struct arena *names;
	struct pair_item *item;
	size_t n, room;
	bool full;			/* there are more than memory is meant for */
};

void pairs_begin(struct pairs_walk *, struct verify *);
void pairs_done(struct pairs_walk *);
/* row: the one at hand. more: what else both sides must agree on. */
void pairs_add(struct pairs_walk *, enum pairing, enum side, struct id a, struct id b, uint64_t more, str row);
bool pairs_agree(const struct pairs_walk *);
/* All rows have been read again: tell what is left alone. */
void pairs_tell(struct pairs_walk *, str bucket);
uint64_t pairs_hash(const struct verify *, str);

/* A link of a body to a record in another space, or the record: both sides come out at zero, if nobody writes meanwhile. */
void verify_far(struct verify *, enum side, struct id body, struct id owner);

/* ---- the passes ---- */

/* verify_space.c: everything the index says of one space. */
err verify_space(struct verify *, uint32_t space);
/* verify_system.c: names of buckets and numbers of spaces. Fills v->space. */
err verify_system(struct verify *, struct arena *);
/* verify_links.c: links to records in other spaces have them. Once all spaces have been seen. */
err verify_links(struct verify *);
/* verify_blobs.c: every blob that the index names is there and whole; every blob that is there is named. */
err verify_blobs(struct verify *, uint32_t space);
err verify_owned(struct verify *);
/* verify_names.c: which versions and uploads need what is suspect. */
err verify_names(struct verify *);
