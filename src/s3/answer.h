/*
 * answer.h - what requests and answers have in common: headers of an object, conditions, small bodies, XML.
 */
#pragma once

#include "base/buf.h"
#include "http/xml_in.h"
#include "s3/s3.h"

/* ---- headers ---- */

/* ETag, in quotes. */
void answer_etag(struct s3_req *, str etag);
/* x-amz-version-id, unless the bucket never had versioning. */
void answer_version(struct s3_req *, struct version_id);
/* x-amz-checksum-<algorithm> and x-amz-checksum-type, if set. parts: of a multipart object, else 0. */
void answer_checksum(struct s3_req *, const struct checksum *, uint32_t parts);

/* ---- what a request says ---- */

/* S3_InvalidArgument that names the query parameter or header. */
err argument_bad(struct s3_req *, const char *name, str value, const char *message);

/* A number from 0 to 2147483647. S3_InvalidArgument. */
err argument_number(struct s3_req *, const char *name, str value, uint64_t *ret);
/* The id of a version: which_parse(). S3_InvalidArgument. */
err argument_which(struct s3_req *, const char *name, str value, struct which *ret);

/* "null" or the id's text. */
str version_text(struct arena *, struct version_id);
/* versionId of a request: S3_InvalidArgument unless "null" or an id. "" is S3_InvalidArgument too. */
err which_parse(str version_id, struct which *ret);

/*
 * If-* of a request, for its target or the source of a copy or rename. An unreadable date is as if it were not there.
 * If-None-Match of a write takes only "*" (S3_InvalidRequest in caios, S3_NotImplemented in aws); writes other than
 * rename know no dates.
 */
enum conditions_of { CONDITIONS_READ, CONDITIONS_WRITE, CONDITIONS_COPY_SOURCE, CONDITIONS_RENAME_SOURCE, CONDITIONS_RENAME_TARGET };
err conditions_parse(const struct s3_req *, enum conditions_of, struct conditions *ret);
bool conditions_any(const struct conditions *);

/*
 * The whole of a small body, verified against what was declared of it (signature, Content-MD5, checksum). More than
 * max bytes: S3_EntityTooLarge. No body: "".
 */
err request_body(struct s3_req *, size_t max, str *ret);
/* The same as XML. Too long, empty or not XML: S3_MalformedXML. */
err request_xml(struct s3_req *, size_t max, struct xml_node **ret);
/* The same; *ret = NULL if there is no body. */
err request_xml_optional(struct s3_req *, size_t max, struct xml_node **ret);

/* ---- answers ---- */

/* 200 with an XML body: Content-Type set. S3_InternalError if the buf overflowed. */
err answer_xml(struct s3_req *, const struct buf *);
/* No body: 200, 204. */
err answer_empty(struct s3_req *, int status);

/* <tag>"etag"</tag> */
void xml_etag(struct buf *, const char *tag, str etag);
/* A time as in listings: <tag>2026-11-24T17:23:00.000Z</tag> */
void xml_time(struct buf *, const char *tag, uint64_t ms);
/* <tag><ID>..</ID><DisplayName>..</DisplayName></tag> */
void xml_owner(struct buf *, const char *tag, str org);
/* A key, prefix or delimiter, as it is or as encoding-type=url wants it. */
enum key_form { KEY_AS_IS, KEY_URL };
void xml_key(struct buf *, const char *tag, str key, enum key_form);
/* <ChecksumCRC32>..</ChecksumCRC32>, if set; the type is the caller's to write. */
void xml_checksum(struct arena *, struct buf *, const struct checksum *, uint32_t parts);
