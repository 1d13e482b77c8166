/*
 * digest_impl.h - struct digests, shared by digest.c and digest_help.c.
 */
#pragma once

#include <openssl/evp.h>

#include "base/digest.h"
#include "base/lock.h"

#define DIGESTS_MAGIC 0x44494753u
#define DIGEST_EVP_COUNT 3	/* MD5, SHA1, SHA256 come first in enum digest_alg */

/* Where the piece in the helpers' hands is. */
enum piece_state {
	PIECE_NONE,		/* nothing is out: the stream is its owner's alone */
	PIECE_QUEUED,		/* waits for a helper; the owner may take it back */
	PIECE_RUNNING,		/* a helper reads it, and owns the registers */
};

struct digests {
	unsigned magic;
	unsigned set;
	unsigned ended;			/* algorithms whose value has been given out */
	EVP_MD_CTX *evp[DIGEST_EVP_COUNT];
	uint32_t crc32, crc32c;
	uint64_t crc64;
	bool help;

	enum piece_state state;		/* GUARDED_BY(helpers.lock) while help */
	str piece;
	struct digests *next;		/* in the helpers' queue */
	struct cond done;
};

/* Hash the bytes right here. */
void digests_step(struct digests *, str bytes);

/* digest_help.c: hand a piece to a helper, false if none is free. The stream has none out. */
bool digest_help_give(struct digests *, str bytes);
/* Until no helper holds a piece of this stream; a piece that none has begun is hashed here. */
void digest_help_wait(struct digests *);
