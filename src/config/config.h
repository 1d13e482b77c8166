/*
 * config.h - parameters from flags, environment and YAML, by the table tbl/params.h.
 *
 * A struct config is filled once, before any thread starts, and never changes. Its strs live until config_free().
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct str_list { str *at; unsigned n; };

struct config {
#define PARAM_TEXT(name, def, doc) str name;
#define PARAM_LISTEN(name, def, doc) str name;
#define PARAM_CHOICE(name, words, def, doc) unsigned name;	/* index into the words */
#define PARAM_FLAG(name, def, doc) bool name;
#define PARAM_NUMBER(name, unit, def, min, max, doc) uint64_t name;
#define PARAM_LIST(name, def, doc) struct str_list name;
#include "config/params_each.h"
	struct arena *arena;
};

/*
 * flags: argv behind the subcommand. "--config FILE" names the YAML file, "--name value" or "--name=value" sets a parameter, a flag
 * alone means true. false: *why says in one line which flag, variable or line of the file is wrong, and why.
 * Arguments that are no flags are refused.
 */
bool config_load(int flags, char **flag, struct config *ret, struct buf *why);
void config_free(struct config *);

/* The table for people: name, unit, default, range, what it does. */
void config_describe(struct buf *out);
/* The names as flags, by blanks: "--data-dir --listen ...", for shells. */
void config_flags(struct buf *out);
/* Every parameter with its value, as YAML that config_load() takes. */
void config_dump(const struct config *, struct buf *out);
