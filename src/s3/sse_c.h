/*
 * sse_c.h - encryption with keys that clients bring along (SSE-C).
 *
 * The store keeps what recognises a key, never the key: a random salt and an HMAC. The data key is derived from the
 * client's key and the salt, so it is used for one object or part only. Data is sealed in blocks of SSE_C_BLOCK bytes,
 * each with its tag behind it, nonce = block number: a range costs the blocks that it touches.
 *
 * Lengths and offsets in records (struct extent, struct part, struct object) are those of the plain text; the blob
 * holds sse_stored_size() of it. An encrypted extent always begins a blob at block 0.
 */
#pragma once

#include "s3/s3.h"

#define SSE_C_BLOCK 65536u
#define SSE_C_TAG 16u

/*
 * A key as the client sent it: in the arena of its request, since stacks are in core files. Wipe it with
 * sse_key_wipe(), which AUTO() can call.
 */
#define SSE_KEY_LEN 32u
struct sse_key {
	bool on;
	uint8_t *key;		/* SSE_KEY_LEN bytes; NULL if not on */
	uint8_t md5[16];
};
void sse_key_wipe(struct sse_key *);

enum sse_from { SSE_TARGET, SSE_COPY_SOURCE };
/*
 * The key of the three headers; on = false if there are none. S3_InvalidArgument, S3_InvalidRequest as the
 * specification has them; refused over plain HTTP unless configured, or the peer is this machine.
 */
err sse_key_read(const struct s3_req *, enum sse_from, struct sse_key *ret);

/* New parameters for one object or part: fresh salt. on = false if the key is not. */
void sse_c_new(const struct sse_key *, struct sse_c *ret);
/*
 * Does the key open what was stored so? Both off is fine. S3_InvalidRequest: a key where none belongs, or none
 * where one is needed; S3_AccessDenied: another key.
 */
err sse_c_check(const struct sse_key *, const struct sse_c *);
/* The two response headers. */
void sse_c_headers(struct s3_req *, const struct sse_c *);

/* Bytes that "plain" bytes take when sealed. */
uint64_t sse_stored_size(uint64_t plain);

/* Which sealed bytes hold the plain bytes [off, off + len), of a text of size bytes. len > 0. */
struct sse_span {
	uint64_t block;		/* number of the first block */
	uint64_t off, len;	/* stored bytes */
	uint32_t skip;		/* plain bytes of the first block that were not asked for */
};
struct sse_span sse_span(uint64_t size, uint64_t off, uint64_t len);

/* Sealing and opening blocks of one object or part. One thread at a time. */
struct sse_cipher;
enum sse_direction { SSE_SEAL, SSE_OPEN };
struct sse_cipher *sse_cipher_new(const struct sse_key *, const struct sse_c *, enum sse_direction);
void sse_cipher_free(struct sse_cipher **);
/* ret: plain.len + SSE_C_TAG bytes. plain: a whole block, or the last. */
void sse_seal(struct sse_cipher *, uint64_t block, str plain, void *ret);
/* ret: sealed.len - SSE_C_TAG bytes. ERR_DAMAGED if it is not what was sealed. */
err sse_open(struct sse_cipher *, uint64_t block, str sealed, void *ret);
