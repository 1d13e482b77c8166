/*
 * object.h - what the index knows of one version of one object.
 *
 * These structs are the decoded form of the records (meta/record.proto, docs/disk-format.md).
 * All strs are borrowed from the arena or the record that they were decoded from.
 */
#pragma once

#include "base/arena.h"
#include "base/digest.h"
#include "base/id.h"
#include "blob/blob.h"

/* A run of bytes of a blob. owner: the body that the blob belongs to (see catalog.h). */
struct extent {
	struct id body;
	struct blob_ref blob;
	uint64_t off, len;
};

enum checksum_type { CHECKSUM_FULL_OBJECT, CHECKSUM_COMPOSITE };

struct checksum {
	bool set;
	enum digest_alg alg;		/* one of the five of S3 */
	enum checksum_type type;
	uint8_t value[DIGEST_MAX];	/* digest_len(alg) bytes */
};

struct pair { str name, value; };	/* a header, a tag, a piece of metadata */
struct pairs { struct pair *at; unsigned n; };

enum storage_class { CLASS_STANDARD, CLASS_STANDARD_IA, CLASS_COUNT };

/* SSE-C: what recognises the key, never the key. */
struct sse_c {
	bool on;
	uint8_t key_md5[16];		/* shown back to the client */
	uint8_t salt[16];		/* of this object; the data key is derived from client key and salt */
	uint8_t check[32];		/* proves the key: HMAC over the salt */
};

/* A run of equal parts: numbers first, first+1, ..., each of "size" bytes. */
struct part_run { uint32_t first, count; uint64_t size; };

struct version_id {
	bool null;		/* the "null" version */
	struct id id;		/* else; its text is the x-amz-version-id */
};

struct object {
	str key;
	struct version_id version;
	bool delete_marker;
	struct id oid;			/* of this record: the owner in blob links. Kept by rename. */
	uint64_t modified_ms;		/* Last-Modified; whole seconds are shown over HTTP */
	uint64_t size;
	str etag;			/* without quotes */
	struct checksum checksum;
	enum storage_class class;
	str owner_org;			/* owner shown in listings */
	struct pairs headers;		/* stored content headers: Content-Type, Cache-Control, ... and Expires */
	struct pairs metadata;		/* x-amz-meta-: name without the prefix, lower case */
	struct pairs tags;
	struct sse_c sse;
	/* The bytes: exactly one of the three (a delete marker or an empty object has none). */
	str inlined;			/* data_kind INLINE */
	struct extent extent;		/* SINGLE: one blob */
	struct id body;			/* SINGLE, MULTIPART: what the links hang on */
	enum data_kind { DATA_NONE, DATA_INLINE, DATA_SINGLE, DATA_MULTIPART } data;
	struct part_run *runs;		/* MULTIPART: the parts in order */
	unsigned nruns;
	uint32_t parts;			/* number of parts; 0: not a multipart object */
};

/* One part of an upload, and afterwards of the object that came of it. */
struct part {
	uint32_t number;
	uint64_t size;
	uint64_t modified_ms;
	uint8_t md5[16];
	str etag;			/* hex of md5, or random for SSE-C */
	struct checksum checksum;	/* full checksum of the part */
	struct id oid;			/* owner, for links to bodies that it borrows from */
	struct sse_c sse;		/* salt of this part */
	struct extent *extents;		/* in order; none: the part is inlined */
	unsigned nextents;
	str inlined;
};

struct upload {
	str key;
	struct id id;			/* uploadId is its text; also the body of the object to come */
	uint64_t started_ms;
	str owner_org, initiator;
	enum storage_class class;
	struct pairs headers, metadata, tags;
	bool checksum_set;		/* the client named an algorithm */
	enum digest_alg checksum_alg;
	enum checksum_type checksum_type;
	struct sse_c sse;
	uint64_t generation;		/* goes up when a part is replaced */
};
