/*
 * cli.h - the subcommands: each takes the arguments behind its name and gives the exit code.
 *
 * 0: done. 1: it was tried and failed; the reason is on standard error. 2: the command line is wrong.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#define CLI_FAILED 1
#define CLI_USAGE 2

#define COMMAND(name, function, arguments, doc, example) int function(int n, char **arg);
#include "tbl/commands.h"
#undef COMMAND

struct command {
	const char *name;
	int (*run)(int n, char **arg);
	const char *arguments, *doc, *example;
};
/* The table, ended by a row without a name. */
extern const struct command commands[];

/* Commands of a group ("key create"), each one call of the control API: tbl/cli.h says what the members mean. Ended by a row without. */
struct verb {
	const char *group, *verb, *method, *path, *arguments, *list, *columns, *doc, *example;
};
extern const struct verb verbs[];

/* Is the argument --help or -h? */
bool help_wanted(const char *arg);
/* What one command takes; what commands a group has. */
void help_verb(const struct verb *, FILE *);
void help_group(const char *group, FILE *);
