/*
 * digest_impl.h - struct digests, shared by digest.c and digest_help.c.
 */
#pragma once

#include <openssl/evp.h>

#include "base/digest.h"
#include "base/lock.h"
#include "base/md5.h"

#define DIGESTS_MAGIC 0x44494753u
#define DIGEST_EVP_COUNT 3	/* MD5, SHA1, SHA256 come first in enum digest_alg */

/* Where the first of the pieces in the helpers' hands is. */
enum piece_state {
	PIECE_NONE,		/* nothing is out: the stream is its owner's alone */
	PIECE_QUEUED,		/* waits */
	PIECE_RUNNING,		/* a helper, or an owner, reads it, and has the registers */
};

struct digests {
	unsigned magic;
	unsigned set;
	unsigned ended;			/* algorithms whose value has been given out */
	MD5_CTX md5;
	EVP_MD_CTX *evp[DIGEST_EVP_COUNT];	/* of the others */
	uint32_t crc32, crc32c;
	uint64_t crc64;
	bool help;

	enum piece_state state;		/* GUARDED_BY(helpers.lock) while help */
	str piece[DIGEST_BEHIND];	/* in their order */
	unsigned pieces;
	struct digests *next;		/* in the helpers' queue */
	struct cond done;
};

/* Hash the first piece of each of several streams, side by side, right here; n <= MD5_LANES. */
void digests_step_many(struct digests *const d[], unsigned n);

/* digest_help.c: one stream more, or less, that leaves pieces to others. */
void digest_help_join(void);
void digest_help_leave(void);
/* Leave a piece to others; waits while the stream has DIGEST_BEHIND out. */
void digest_help_give(struct digests *, str bytes);
/* Until at most so many pieces of this stream are out; one that nobody has begun is hashed here, together with others that wait. */
void digest_help_wait(struct digests *, unsigned most);
