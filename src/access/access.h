/*
 * access.h - who may do what.
 *
 * Principals belong to organizations, access keys to principals. Everything is kept in the system space of the
 * index and in one snapshot in memory, replaced whole when anything changes and visible to the next request.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "meta/catalog.h"

struct access;

/* Who asks. Anonymous: org and name empty. strs live as long as the request (copied into its arena). */
struct principal {
	bool anonymous;
	str org;		/* "ab1cd2" */
	str name;		/* "coreweave/<uid>", "role/<iss>:<sub>" */
	str access_key;
	struct pairs groups;	/* iam:<org>:groups; value unused */
	/* How they said so, and when, as it was verified: whoever checked the signature fills it in. */
	enum signed_how { SIGNED_NOT, SIGNED_HEADER, SIGNED_QUERY, SIGNED_FORM } signed_how;
	uint64_t signed_s;	/* 0: not said */
};

struct http_head;

/* A secret on its way to the signature check. Wipe it with secret_wipe(). */
struct secret { char bytes[129]; size_t len; };
void secret_wipe(struct secret *);

/* kv: system space. master_key: 32 bytes that secrets are encrypted under. */
err access_open(struct kv *, struct catalog *, const uint8_t master_key[32], struct access **ret);
void access_close(struct access **);

/*
 * The key's principal and secret. S3_InvalidAccessKeyId if unknown or revoked, S3_AccessDenied if suspended,
 * S3_ExpiredToken if over. token: x-amz-security-token or STR_NONE; S3_InvalidToken if it is not this key's. Never blocks.
 */
err access_key_find(struct access *, str access_key, str token, struct arena *, struct principal *ret, struct secret *ret_secret);

/* One question to the policies. Names such as "s3:GetObject". */
struct access_question {
	const struct principal *who;
	str action;
	str bucket, key;		/* empty where they do not apply */
	const struct bucket *target;	/* NULL: no bucket (ListAllMyBuckets, CreateBucket) */
	/* For conditions; all optional. */
	const struct http_head *head;
	str source_ip;
	bool tls;
	str version_id;
	str copy_source;		/* of a copy: "bucket/key", decoded */
	const struct pairs *existing_tags;	/* NULL: not known; see access_needs_tags() */
	const struct pairs *request_tags;
	enum kv_wait wait;		/* the bucket's policy may have to be read and compiled */
	bool refusals_only;		/* may it be refused? Only a Deny counts, no Allow is needed */
};
/*
 * S3_AccessDenied, or OK; ERR_WOULD_BLOCK. *ret_why (may be NULL): policy and statement that decided, for the audit log;
 * good until this thread's next question.
 */
err access_check(struct access *, const struct access_question *, str *ret_why);
/* Does a policy of this bucket speak of s3:ExistingObjectTag? Only then must the object be read first. ERR_WOULD_BLOCK. */
err access_needs_tags(struct access *, const struct bucket *, enum kv_wait, bool *ret);

/* S3_MalformedPolicy naming the element. For PutBucketPolicy. Pure: policy_json.c. */
err access_policy_validate(struct access *, str bucket, str json);

/* Is what happens in this bucket written to the audit log: by its own switch, or by that of its organization? */
bool access_bucket_audited(struct access *, const struct bucket *);
/* The switch of the organization for all its buckets. */
bool access_org_buckets_audited(struct access *, str org);
/* Bytes that all buckets of an organization may hold together; 0: no cap. */
uint64_t access_org_cap(struct access *, str org);
/* Control plane of an organization. */
bool access_org_audited(struct access *, str org);
