/*
 * control_call.h - calls of the control API, for commands that are more than one of them.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"

struct call;

/* Reads the arguments as the row says, and finds address and token. NULL: the reason, or how to do it, is on standard error. */
struct call *call_open(const struct verb *, int n, char **arg);
void call_close(struct call **);
/* Make the call of this row (the one of call_open, or a further one without arguments). NULL: said on standard error. */
json_t *call_perform(struct call *, const struct verb *);
/* "caisson GROUP VERB ...", which is one call: make it and show the answer. The exit code. */
int control_group(const char *group, int n, char **arg);
/* Was --json given: print answers as they came? */
bool call_wants_json(const struct call *);
