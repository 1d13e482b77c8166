/*
 * checksum.h - what a client says about its bytes, and what we say about them later.
 *
 * Content-MD5, x-amz-checksum-<algorithm> in a header or in a trailer, the names of algorithms and types, and the
 * checksum of a multipart object from those of its parts. Pure: knows heads, not bodies.
 */
#pragma once

#include "http/head.h"
#include "meta/object.h"

/* "CRC32", as in XML and in x-amz-checksum-algorithm. alg is not DIGEST_MD5. */
str checksum_name(enum digest_alg);
/* "x-amz-checksum-crc32" */
str checksum_header(enum digest_alg);
/* "ChecksumCRC32" */
const char *checksum_tag(enum digest_alg);
/* Names in any case. false: not one of the five. */
bool checksum_alg_parse(str name, enum digest_alg *ret);
/* S3_InvalidRequest: x-amz-checksum-algorithm is none of them. */
err checksum_alg_bad(void);
/* "FULL_OBJECT", "COMPOSITE" */
str checksum_type_name(enum checksum_type);
bool checksum_type_parse(str name, enum checksum_type *ret);

/* What was declared with a body. */
struct checksum_want {
	bool has_md5;
	uint8_t md5[16];
	bool named;			/* alg is set */
	enum digest_alg alg;
	bool in_trailer;		/* the value comes behind the body */
	bool has_value;
	uint8_t value[DIGEST_MAX];
};
/* S3_InvalidDigest, S3_InvalidRequest: two of them, a bad value, a name without a value. */
err checksum_want_read(const struct http_head *, struct checksum_want *ret);
/* S3_InvalidRequest: two x-amz-checksum- headers. */
err checksum_too_many(void);
/* The value of the trailer, after the body. STR_NONE: it did not come. */
err checksum_want_trailer(struct checksum_want *, str value);
/* What must be computed to verify it. */
unsigned checksum_want_set(const struct checksum_want *);
/* Compare with values computed, by algorithm. S3_BadDigest. */
err checksum_want_verify(const struct checksum_want *, uint8_t got[DIGEST_COUNT][DIGEST_MAX]);

struct checksum checksum_of(enum digest_alg, enum checksum_type, const uint8_t *value);
/* Base64, with "-parts" if composite. */
str checksum_text(struct arena *, const struct checksum *, uint32_t parts);
/* Back from text; a composite's "-N" is accepted and checked against parts unless parts is 0. */
bool checksum_text_parse(enum digest_alg, str text, uint32_t parts, uint8_t *ret);

/*
 * How an upload is to be checked: from x-amz-checksum-algorithm and x-amz-checksum-type. Without an algorithm:
 * CRC64NVME of the full object, *ret_set = false. S3_InvalidRequest if they do not go together.
 */
err checksum_upload_read(const struct http_head *, bool *ret_set, enum digest_alg *ret_alg, enum checksum_type *ret_type);
/*
 * The checksum of the whole from those of its parts: composite, or combined. ret->set = false if a part has none of
 * this algorithm.
 */
void checksum_of_parts(enum digest_alg, enum checksum_type, const struct part *, unsigned n, struct checksum *ret);
/* MD5 of the parts' MD5s, "-n" behind: the ETag of a multipart object. */
str etag_of_parts(struct arena *, const struct part *, unsigned n);
