/*
 * digest.h - MD5, SHA and CRC, each computed once a byte.
 *
 * A struct digests runs any set of algorithms over one stream. MD5 is the wall
 * of an upload (less than 1 GB/s a core), so a long stream can have its digests run
 * by a helper thread beside receiving and writing: see digests_help().
 */
#pragma once

#include "base/str.h"

enum digest_alg {
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_SHA256,
	DIGEST_CRC32,		/* ISO-HDLC, as zlib */
	DIGEST_CRC32C,		/* Castagnoli */
	DIGEST_CRC64NVME,
	DIGEST_COUNT
};

#define DIGEST_MAX 32		/* bytes of the longest */
#define DIGEST_BIT(alg) (1u << (alg))

/* Length in bytes: 16, 20, 32, 4, 4, 8. CRCs come out big-endian, as S3 shows them. */
size_t digest_len(enum digest_alg);

struct digests;

/* set: DIGEST_BIT()s, may be 0. Owned by one thread at a time. */
struct digests *digests_new(unsigned set);
void digests_free(struct digests **);
/*
 * Hash the bytes. With digests_help() perhaps beside the caller: they must stay untouched until DIGEST_BEHIND more digests_add(), or
 * one digests_drain() or digests_get(), have returned.
 */
#define DIGEST_BEHIND 2u
void digests_add(struct digests *, str bytes);
/* From now on hash in a helper thread of a shared pool, if one is free. */
void digests_help(struct digests *);
/* Wait until nothing given so far is still being read. */
void digests_drain(struct digests *);
/* The value of one of the set; drains first. ret: digest_len(alg) bytes. Ends the stream for alg. */
void digests_get(struct digests *, enum digest_alg, void *ret);

/* One shot. */
void digest_once(enum digest_alg, str bytes, void *ret);
void hmac_sha256(str key, str bytes, uint8_t ret[32]);

/* Raw CRC steps, for blocks on disk and for combining. seed 0 starts. */
uint32_t crc32c(uint32_t seed, str bytes);
uint32_t crc32(uint32_t seed, str bytes);
uint64_t crc64nvme(uint64_t seed, str bytes);
/* CRC of A|B from CRC(A), CRC(B) and the length of B: full-object checksums of multipart objects. */
uint32_t crc32_combine(uint32_t a, uint32_t b, uint64_t len_b);
uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t len_b);
uint64_t crc64nvme_combine(uint64_t a, uint64_t b, uint64_t len_b);
