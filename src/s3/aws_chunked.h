/*
 * aws_chunked.h - the payload of a request, as the client declared and signed it.
 *
 * Sits on http/body.h: decodes aws-chunked where x-amz-content-sha256 says so, checks the signature of every chunk and
 * of the trailer, the SHA-256 of a signed plain body, and Content-MD5 and the checksums in headers or in the trailer. Every
 * digest over the decoded bytes is computed once, here: callers name the further ones that they want (ETag, checksums) with
 * aws_body_want(), and aws_body_finish() hands out all values. Bytes given by aws_body_read() are proven only when
 * aws_body_finish() has returned OK: nothing may become visible before.
 *
 * One thread at a time. Memory is constant.
 */
#pragma once

#include "base/digest.h"
#include "http/body.h"
#include "s3/sigv4.h"

/* Where the undecoded bytes come from: a struct body, or memory in tests. Same rules as body_read(). */
struct byte_source {
	void *ctx;
	err_v (*read)(void *ctx, void *p, size_t max, size_t *ret_len);
	uint64_t length;		/* UINT64_MAX: not known before the end */
};
struct byte_source byte_source_body(struct body *);

struct aws_body;

/*
 * Reads nothing yet. S3_MissingContentLength (aws-chunked without x-amz-decoded-content-length), S3_InvalidArgument,
 * S3_InvalidRequest (x-amz-trailer that is not understood), and what checksum_want_read() finds. The struct signature is
 * copied as far as needed.
 */
err aws_body_open(const struct signature *, const struct http_head *, struct byte_source, struct arena *, struct aws_body **ret);
/* Wipes and frees; NULL is fine. */
void aws_body_close(struct aws_body **);

/* Decoded length, or UINT64_MAX if the client did not say (Transfer-Encoding: chunked without aws-chunked). */
uint64_t aws_body_length(const struct aws_body *);

/*
 * Compute these too (DIGEST_BIT()s); before the first read. help: hash beside reading and writing (see digests_help());
 * then the bytes given by one read must stay untouched until the next read or finish returns, so use two buffers in turn.
 */
enum aws_body_help { AWS_BODY_ALONE, AWS_BODY_HELP };
void aws_body_want(struct aws_body *, unsigned set, enum aws_body_help);

/*
 * 1 to max decoded bytes; *ret_len = 0 at the end, when all framing and trailers have been read and their signatures match.
 * S3_IncompleteBody, S3_SignatureDoesNotMatch, S3_InvalidRequest, S3_MalformedTrailerError, and what body_read() gives.
 */
err aws_body_read(struct aws_body *, void *p, size_t max, size_t *ret_len);
/* Fill p with exactly len bytes, or fewer only at the end. */
err aws_body_read_full(struct aws_body *, void *p, size_t len, size_t *ret_len);

struct digest_values {
	unsigned set;					/* DIGEST_BIT()s of those computed */
	uint8_t at[DIGEST_COUNT][DIGEST_MAX];		/* digest_len(alg) bytes each */
};
/*
 * When all bytes were read (the end itself may still be unread): S3_XAmzContentSHA256Mismatch, S3_BadDigest, and what
 * aws_body_read() gives. Once. ret may be NULL.
 */
err aws_body_finish(struct aws_body *, struct digest_values *ret);

/* For small bodies (XML, JSON): read, finish, and give all of it. More than max bytes: S3_EntityTooLarge. */
err aws_body_read_all(struct aws_body *, struct arena *, size_t max, struct digest_values *ret_digests, str *ret);
