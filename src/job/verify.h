/*
 * verify.h - is the store whole? The index against itself, blobs against the index, blocks against their checksums.
 *
 * One verifier for a stopped store (caisson check) and for one at work (the scrub). Each bucket is looked at as it was at one
 * instant, so writers do not disturb it. What is found about blobs comes later, and counts only if a
 * version or an upload that is there afterwards still needs those bytes: deletions and the reaper raise no false alarm.
 *
 * Memory does not grow with the store, but by 16 bytes for an upload under way and by what is found.
 */
#pragma once

#include "base/buf.h"
#include "blob/blob.h"
#include "job/crew.h"
#include "meta/catalog.h"

enum finding_kind {
	FINDING_DAMAGE,		/* bytes, a record or a figure is lost or wrong */
	FINDING_LEAK,		/* something is kept that nobody needs: a crash may leave it, until the reaper has been there */
};

/* A link whose record is gone: it was of this generation. */
struct abandoned { struct id body, owner; uint64_t generation; };

struct finding {
	enum finding_kind kind;
	str bucket;		/* STR_NONE: of no bucket */
	str key;		/* STR_NONE: of no one object */
	bool has_version, has_upload;
	struct version_id version;
	struct id upload;
	str what;		/* one line */
	const struct blob_ref *unowned;	/* a leak: it may be deleted, nobody can come to own it any more; else NULL */
	const struct abandoned *abandoned;	/* a leak: this link, for catalog_abandon(); else NULL */
};

/* "damage bucket=B key=K version=V: what"; keys percent-encoded. */
void finding_text(const struct finding *, struct buf *);

enum verify_unit { VERIFY_ROWS, VERIFY_BYTES };

struct verify_options {
	struct catalog *catalog;
	struct blobs *blobs;
	struct crew *crew;	/* reads blobs side by side */
	bool alone;		/* nobody else has the store open */
	uint64_t opened_ns;	/* else: since when nobody but us has had it open (clock_unique_ns); an upload under way is younger */
	uint64_t commit_ms;	/* ... and it takes so long, at most, from the flush of its blob to the commit that names it */
	/* n units are about to be looked at: may wait; false: stop. From the caller's thread, as found. */
	bool (*pace)(void *arg, enum verify_unit, uint64_t n);
	void (*found)(void *arg, const struct finding *);
	/* How far the blobs have been read, now and then; NULL: nobody wants to know. from: such a place, to go on there; or STR_NONE. */
	void (*reached)(void *arg, str place);
	str from;
	void *arg;
};

struct verify_sum { uint64_t rows, objects, uploads, blobs, bytes, damaged, leaked; };

/* OK: all has been looked at, or pace said stop; see the sum. An error: it could not go on. */
err verify_store(const struct verify_options *, struct verify_sum *ret);
