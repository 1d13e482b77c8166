/*
 * sigv4.h - who signed this request.
 *
 * AWS Signature Version 4 as S3 uses it: in the Authorization header or in the query (presigned), service s3, any
 * region. sigv4_check() looks at the head only; the payload is checked while it is read, by s3/aws_chunked.h, which
 * takes from struct signature what the head declared. Thread-safe, never blocks, allocates in the arena only.
 */
#pragma once

#include "s3/s3.h"
#include "s3/signing_cache.h"

/* What x-amz-content-sha256 says of the payload. */
enum payload_mode {
	PAYLOAD_UNSIGNED,		/* UNSIGNED-PAYLOAD, or nothing said */
	PAYLOAD_HASH,			/* its SHA-256 */
	PAYLOAD_CHUNKS,			/* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
	PAYLOAD_CHUNKS_TRAILER,		/* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
	PAYLOAD_UNSIGNED_TRAILER,	/* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};
static inline bool payload_is_chunked(enum payload_mode m) { return m >= PAYLOAD_CHUNKS; }

#define SIGV4_SKEW_MAX_S 900u
#define SIGV4_EXPIRES_MAX_S 604800u
/* Amazon's sentence, whole: s3cmd goes on to version 4 if it reads just this, and the AWS CLI looks for its end. */
#define SIGV4_ONLY "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
#define SIGV4_DATE_LEN 16		/* 20130524T000000Z */

/*
 * What the signature of one request says. Filled as far as the check got; the strs live as long as the head and the
 * arena. key, date, scope and seed are what the signatures of chunks go on from; set for PAYLOAD_CHUNKS* only.
 */
struct signature {
	struct principal who;
	bool presigned;
	enum payload_mode payload;
	uint8_t payload_sha256[32];	/* PAYLOAD_HASH */
	uint8_t key[32];
	char date[SIGV4_DATE_LEN];
	str scope;
	char seed[64];			/* lower-case hex */
	/* After a failure, elements for the error's XML (StringToSign, CanonicalRequest, ServerTime, ...). */
	struct pair detail[8];
	unsigned ndetails;
};

/* Finds the secret of an access key: access_key_find(), or a fake in tests. */
struct sigv4_keys {
	void *ctx;
	err_v (*find)(void *ctx, str access_key, str token, struct arena *, struct principal *, struct secret *);
};

/*
 * Check the head's signature at the time now_ms. A request without any is anonymous, and OK. Failures carry the S3 code and
 * message that tell the client what to mend, and ret->detail.
 */
err sigv4_check(struct signing_cache *, const struct sigv4_keys *, const struct http_head *, uint64_t now_ms,
    struct arena *, struct signature *ret);

/* The signing key for a date (8 digits) and region; for form uploads and tests. */
void sigv4_key(str secret, str date, str region, uint8_t ret[32]);

/*
 * Presigners may move headers into the query ("x-amz-tagging=..."): make them headers of the head again, where no header of
 * that name came. Before routing, since x-amz-copy-source decides the operation; the query is signed as a whole.
 */
void sigv4_hoisted(struct http_head *);
