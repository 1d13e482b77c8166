/*
 * record_impl.h - what the files of records share: the format byte and the messages within messages.
 */
#pragma once

#include <stddef.h>

#include "meta/record.h"
#include "meta/wire.h"

void record_begin(struct buf *);			/* cleared, format byte written */
/* Behind the format byte. ERR_DAMAGED: empty, or written by a newer program. */
err record_open(str raw, const char *what, str *ret);
/* ERR_DAMAGED with what and why. */
err record_broken(const char *what, const char *why);

/*
 * A message whose fields are members of a struct: one table, row n for field n, both writes and reads it. A row that is not set is a
 * field of another form, for the caller.
 */
enum field_kind { FIELD_NONE, FIELD_BOOL, FIELD_U32, FIELD_U64, FIELD_STR, FIELD_ID };
struct field {
	enum field_kind kind;
	size_t at;		/* of the member in its struct */
	uint64_t max;		/* of a number */
};
/* The second summand is a zero that does not compile unless the member has the size of its kind. */
#define FIELD(kind, T, member, bytes, max) \
	{ kind, offsetof(T, member) + 0 * sizeof(char[sizeof(((T *)0)->member) == (bytes) ? 1 : -1]), max }
#define BOOL_FIELD(T, member) FIELD(FIELD_BOOL, T, member, sizeof(bool), 1)
#define U32_FIELD(T, member, max) FIELD(FIELD_U32, T, member, sizeof(uint32_t), max)	/* enums too */
#define U64_FIELD(T, member) FIELD(FIELD_U64, T, member, sizeof(uint64_t), UINT64_MAX)
#define STR_FIELD(T, member) FIELD(FIELD_STR, T, member, sizeof(str), 0)
#define ID_FIELD(T, member) FIELD(FIELD_ID, T, member, sizeof(struct id), 0)

/* All rows, in order. */
void fields_write(struct buf *, const struct field *, size_t n, const void *from);
/* The field that w is at, if the table has it. */
void field_read(struct wire *w, const struct field *, size_t n, void *ret);
/* A whole record of them: opened, read to its end. Fields that are not there leave ret as it is. */
err fields_read(str raw, const char *what, const struct field *, size_t n, void *ret);

void wire_pairs(struct buf *, unsigned field, struct pairs);
void wire_checksum(struct buf *, unsigned field, const struct checksum *);
void wire_sse(struct buf *, unsigned field, const struct sse_c *);
void wire_extent(struct buf *, unsigned field, const struct extent *);
void wire_run(struct buf *, unsigned field, const struct part_run *);

/* The field as such a message; false and w->bad if it is none. */
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
