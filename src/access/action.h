/*
 * action.h - names of actions as numbers, and sets of them.
 */
#pragma once

#include "base/str.h"

enum action {
#define ACTION(family, name) ACTION_##family##_##name,
#include "tbl/actions.h"
#undef ACTION
	ACTION_COUNT,
	ACTION_NONE = ACTION_COUNT
};

/* "s3:GetObject", exactly; ACTION_NONE if there is no such action. */
enum action action_find(str name);
str action_name(enum action);
/* The service's, not one bucket's: only organization policies are asked, with the resource "*". */
bool action_is_control(enum action);

struct actions { uint64_t bit[(ACTION_COUNT + 63) / 64]; };

static inline bool
actions_has(const struct actions *a, enum action one)
{
	return one < ACTION_COUNT && (a->bit[one / 64] >> (one % 64) & 1) != 0;
}

static inline void
actions_add(struct actions *a, enum action one)
{
	a->bit[one / 64] |= 1ull << (one % 64);
}

/* Add all that a policy's pattern means ("s3:Get*"; letters compare without case). false: it means none. */
bool actions_add_pattern(struct actions *, str pattern);
