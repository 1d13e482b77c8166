/*
 * headers.h - what an upload says about its object besides the bytes, and how a read shows it.
 *
 * Pure: works on heads, so a POST form, whose fields carry the same names, can be read here too.
 */
#pragma once

#include "http/head.h"
#include "meta/object.h"

#define METADATA_MAX 2048u	/* names and values together */
#define TAGS_MAX 10u		/* of an object */

struct object_headers {
	struct pairs headers;		/* content headers, Expires, website redirect */
	struct pairs metadata;
	struct pairs tags;
	enum storage_class class;
};

/*
 * All of them. Refuses first what is not supported (headers_refuse). S3_MetadataTooLarge, S3_InvalidStorageClass,
 * S3_InvalidTag, S3_InvalidArgument.
 */
err headers_read(const struct http_head *, struct arena *, struct object_headers *ret);

/*
 * S3_NotImplemented for SSE-S3, SSE-KMS, object lock and appends: never silently ignored.
 * S3_AccessControlListNotSupported for ACLs that would change anything.
 */
err headers_refuse(const struct http_head *);

/* The pieces, for copies, where directives choose. */
err headers_content(const struct http_head *, struct arena *, struct pairs *ret);
err headers_metadata(const struct http_head *, struct arena *, struct pairs *ret);
err headers_tagging(const struct http_head *, struct arena *, struct pairs *ret);
/* CLASS_STANDARD without the header. */
err headers_class(const struct http_head *, enum storage_class *ret);
str storage_class_name(enum storage_class);

/* Lengths, characters, names that come twice: S3_InvalidTag. More than max: S3_BadRequest, as Amazon has it. */
err tags_check(struct pairs, unsigned max);

/* A metadata value as it is stored (UTF-8), from the header: RFC 2047 words decoded, else UTF-8, else Latin-1. */
str metadata_decode(struct arena *, str value);
/* And back: as it is if all of it is printable ASCII, else one RFC 2047 word. */
str metadata_encode(struct arena *, str value);

/* Of a pair list, by exact name; STR_NONE. */
str pairs_get(struct pairs, str name);
