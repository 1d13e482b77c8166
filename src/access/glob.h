/*
 * glob.h - patterns of policies: "*" is any run of characters, "?" is one.
 *
 * A pattern is compiled into a text in which the wildcards are bytes that no UTF-8 text contains, so that policies can also
 * speak of a literal star: "${*}".
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

/* Longer texts match nothing but a plain text and a prefix. No request can bring one: its head is shorter. */
#define GLOB_TEXT_MAX 32768u

struct glob {
	str text;		/* with GLOB_RUN and GLOB_ONE; without the last star of a prefix */
	enum glob_kind { GLOB_EXACT, GLOB_PREFIX, GLOB_ANY } kind;
};

/* What in a pattern is more than itself: wildcards, variables "${...}". */
enum glob_how { GLOB_LITERAL = 0, GLOB_WILDCARDS = 1, GLOB_VARIABLES = 2 };
/* how: bits. false: a policy variable that is not one of ${*}, ${?}, ${$}. */
bool glob_compile(str pattern, unsigned how, struct arena *, struct glob *ret);
bool glob_match(const struct glob *, str text);
/* A plain pattern, letters without case; for names of actions. */
bool glob_match_nocase(str pattern, str text);
