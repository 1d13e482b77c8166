/*
 * answer.h - what answers have in common: headers of an object, conditions of a request, XML.
 */
#pragma once

#include "base/buf.h"
#include "http/xml_in.h"
#include "s3/s3.h"
#include "s3/sse_c.h"

/*
 * Everything that GET and HEAD say of an object but Content-Length, Content-Range and Accept-Ranges: ETag,
 * Last-Modified, content headers and
 * response-* overrides, metadata, version, storage class (if not STANDARD), tag count, SSE-C, parts count, expiration,
 * and the checksum if x-amz-checksum-mode asks for it and the whole object is sent (whole).
 */
enum answer_whole { ANSWER_WHOLE, ANSWER_RANGE };
void answer_object(struct s3_req *, const struct object *, enum answer_whole);
/* x-amz-version-id, unless the bucket never had versioning. */
void answer_version(struct s3_req *, struct version_id);
/* "null" or the id's text. */
str version_text(struct arena *, struct version_id);
/* versionId of a request: S3_InvalidArgument unless "null" or an id. "" is S3_InvalidArgument too. */
err which_parse(str version_id, struct which *ret);

/*
 * If-* of a request. An unreadable date is as if it were not there. If-None-Match of a write takes only "*"
 * (S3_InvalidRequest in caios, S3_NotImplemented in aws).
 */
enum conditions_of { CONDITIONS_READ, CONDITIONS_WRITE, CONDITIONS_COPY_SOURCE, CONDITIONS_RENAME_SOURCE, CONDITIONS_RENAME_TARGET };
err conditions_parse(struct s3_req *, enum conditions_of, struct conditions *ret);

/* 200 with an XML body: Content-Type set. S3_InternalError if the buf overflowed. */
err answer_xml(struct s3_req *, const struct buf *);
err answer_empty(struct s3_req *, int status);
/* <tag>"etag"</tag> */
void xml_etag(struct buf *, const char *tag, str etag);
/* A time as in listings: <tag>2026-11-24T17:23:00.000Z</tag> */
void xml_time(struct s3_req *, struct buf *, const char *tag, uint64_t ms);
/* <tag><ID>..</ID><DisplayName>..</DisplayName></tag> */
void xml_owner(struct buf *, const char *tag, str org);
/* A key, URL-encoded if encode. */
void xml_key(struct buf *, const char *tag, str key, bool encode);

/* The body of a small XML request, verified against what was declared. S3_MalformedXML, S3_EntityTooLarge as MalformedXML, ... */
err request_xml(struct s3_req *, size_t max, struct xml_node **ret);
