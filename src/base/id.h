/*
 * id.h - names that are never used twice.
 *
 * A 16 byte id says the space (see meta/kv.h) that it was born in, then when,
 * then chance: be32 space, be64 nanoseconds since 1970 (made to increase
 * within a process), be32 random. So ids of one space sort by birth, and a
 * clock that is set back cannot bring one back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define ID_LEN 16
#define ID_TEXT_LEN 32		/* lower-case hex */

struct id {
	uint8_t byte[ID_LEN];
};

struct id id_new(uint32_t space);
uint32_t id_space(struct id);
/* Birth, nanoseconds since 1970. */
uint64_t id_time(struct id);
void id_set_time(struct id *, uint64_t ns);
bool id_eq(struct id, struct id);
bool id_is_zero(struct id);
str id_bytes(const struct id *);	/* borrows */
/* ret: ID_TEXT_LEN bytes, no NUL. */
void id_text(struct id, char *ret);
/* false unless s is exactly ID_TEXT_LEN lower-case hex digits. */
bool id_parse(str s, struct id *ret);
