/*
 * list.h - what the listings of objects, versions, uploads and parts have in common.
 */
#pragma once

#include "base/buf.h"
#include "s3/answer.h"
#include "s3/s3.h"

#define LIST_MAX 1000u			/* rows a page */
#define LIST_XML_MAX (16u << 20)	/* bytes of a page: 1,000 of the longest keys, escaped */

struct list_args {
	str prefix, delimiter;
	enum key_form form;
	unsigned max;			/* 0 to LIST_MAX; with 0 nothing is looked up and nothing is truncated */
};

/* prefix, delimiter, encoding-type and the maximum (max_name: "max-keys", "max-uploads"). S3_InvalidArgument. */
err list_args_read(struct s3_req *, const char *max_name, struct list_args *ret);
/* encoding-type alone: nothing, or "url". S3_InvalidArgument. */
err list_form_read(struct s3_req *, enum key_form *ret);
/* A parameter "max-..." alone: LIST_MAX without it, clipped to LIST_MAX. S3_InvalidArgument. */
err list_max_read(struct s3_req *, const char *name, unsigned *ret);

/*
 * Start behind a marker that a client gave: an entry of the listing, a key or a common prefix, comes if it sorts behind the
 * marker. So a marker below a common prefix leaves out that prefix. false: whatever version or upload goes with the
 * marker means nothing any more.
 */
bool list_after(struct list_query *, str marker);

/* Memory for a page, of its own because a page may be larger than a request's. Give it back with arena_free(), which AUTO() can call. */
struct arena *list_arena(void);
/* catalog_list(), or an empty page if q->max is 0. */
err list_page_read(struct s3_req *, const struct list_query *, struct arena *, struct list_page *ret);
/* <Delimiter> if there is one, <EncodingType> if asked for. */
void list_args_xml(struct buf *, const struct list_args *);
/* <CommonPrefixes> of all rows that are prefixes. */
void list_prefixes(struct buf *, const struct list_page *, enum key_form);
