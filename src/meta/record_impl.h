/*
 * record_impl.h - what the files of records share: the format byte and the messages within messages.
 */
#pragma once

#include "meta/record.h"
#include "meta/wire.h"

void record_begin(struct buf *);			/* cleared, format byte written */
/* Behind the format byte. ERR_DAMAGED: empty, or written by a newer program. */
err record_open(str raw, const char *what, str *ret);
/* ERR_DAMAGED with what and why. */
err record_broken(const char *what, const char *why);

void wire_pairs(struct buf *, unsigned field, struct pairs);
void wire_checksum(struct buf *, unsigned field, const struct checksum *);
void wire_sse(struct buf *, unsigned field, const struct sse_c *);
void wire_extent(struct buf *, unsigned field, const struct extent *);
void wire_run(struct buf *, unsigned field, const struct part_run *);

/* The field as such a message; false and w->bad if it is none. */
bool wire_get_pair(struct wire *, struct pair *ret);
bool wire_get_checksum(struct wire *, struct checksum *ret);
bool wire_get_sse(struct wire *, struct sse_c *ret);
bool wire_get_extent(struct wire *, struct extent *ret);
bool wire_get_run(struct wire *, struct part_run *ret);

/* The three lists of pairs that objects and uploads have: which fields they are. */
struct pair_fields { unsigned header, metadata, tag; };
/* Arrays for all pairs in the message, filled. ERR_DAMAGED if they are too many for the arena. */
err record_pairs_read(str message, const char *what, const struct pair_fields *, struct arena *,
    struct pairs *ret_headers, struct pairs *ret_metadata, struct pairs *ret_tags);

/* ETag texts: hex of 16 bytes and perhaps "-N". false: another text. */
bool etag_pack(str etag, uint8_t ret_md5[16], uint32_t *ret_parts);
str etag_unpack(struct arena *, const uint8_t md5[16], uint32_t parts);
