/*
 * wire.h - the wire format of protocol buffers, written and read in place.
 *
 * Records follow the schema in record.proto; these few functions are all that it takes, without an allocation a field:
 * strings are borrowed from the bytes read.
 * Writing: a zero number, an empty string and a false are left out. Reading checks everything: it is disk input.
 */
#pragma once

#include "base/buf.h"
#include "base/id.h"
#include "base/str.h"

void wire_u64(struct buf *, unsigned field, uint64_t);
void wire_bytes(struct buf *, unsigned field, str);
void wire_id(struct buf *, unsigned field, struct id);	/* left out if zero */
/* A message within: everything written between the two. */
size_t wire_begin(struct buf *, unsigned field);
void wire_end(struct buf *, size_t mark);

/* for (struct wire w = wire_of(s); wire_next(&w);) look at w.field ...; then ask w.bad. */
struct wire {
	str rest;
	bool bad;		/* it ended because the bytes are not a message */
	unsigned field;
	bool is_bytes;		/* which of the two the field has: */
	uint64_t u;
	str bytes;
};
static inline struct wire wire_of(str s) { return (struct wire){ .rest = s }; }
bool wire_next(struct wire *);
/* The field as an id. false (and w->bad) if it is not one. */
bool wire_get_id(struct wire *, struct id *ret);
/* The field as exactly n bytes. */
bool wire_get_fixed(struct wire *, void *ret, size_t n);
/* The field as a number of at most max. */
bool wire_get_u64(struct wire *, uint64_t max, uint64_t *ret);
bool wire_get_u32(struct wire *, uint32_t max, uint32_t *ret);
bool wire_get_bool(struct wire *, bool *ret);
bool wire_get_str(struct wire *, str *ret);
