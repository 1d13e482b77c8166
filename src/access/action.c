/*
 * action.c - the table of actions, searched.
 */
#include "access/action.h"

#include "access/glob.h"
#include "base/mem.h"
#include "base/panic.h"

static const str names[ACTION_COUNT] = {
#define ACTION(family, name) STR(#family ":" #name),
#include "tbl/actions.h"
#undef ACTION
};

enum action
action_find(str name)
{
	size_t low = 0, high = COUNT(names);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = str_cmp(names[middle], name);

		if (order == 0)
			return (enum action)middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return ACTION_NONE;
}

str
action_name(enum action a)
{
	assert(a < ACTION_COUNT);
	return names[a];
}

bool
action_is_control(enum action a)
{
	return a < ACTION_COUNT && str_starts(names[a], STR("cwobject:"));
}

bool
actions_add_pattern(struct actions *set, str pattern)
{
	bool any = false;

	for (unsigned i = 0; i < ACTION_COUNT; i++) {
		if (!glob_match_nocase(pattern, names[i]))
			continue;
		actions_add(set, (enum action)i);
		any = true;
	}
	return any;
}
