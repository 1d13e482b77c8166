/*
 * main.c - the command line: picks the subcommand, turns its outcome into an exit code.
 */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "cli/cli.h"
#include "config/config.h"
#include "serve.h"

/* false: the reason is on standard error. */
static bool
load(int n, char **flag, struct config *ret)
{
	AUTO(buf_done) struct buf why = { 0 };

	buf_init(&why, 65536);
	if (config_load(n, flag, ret, &why))
		return true;
	fprintf(stderr, "caisson: %.*s\n", STR_FMT(buf_str(&why)));
	return false;
}

static void
print_config(void (*write)(const struct config *, struct buf *), const struct config *c)
{
	AUTO(buf_done) struct buf out = { 0 };

	buf_init(&out, 1u << 20);
	write(c, &out);
	(void)fwrite(out.p, 1, out.len, stdout);
}

static void
describe(const struct config *c, struct buf *out)
{
	config_describe(out);
}

int
cmd_serve(int n, char **arg)
{
	AUTO(config_free) struct config c = { 0 };

	for (int i = 0; i < n; i++) {
		if (strcmp(arg[i], "--help-config") == 0) {
			print_config(describe, NULL);
			return 0;
		}
	}
	if (!load(n, arg, &c))
		return CLI_USAGE;
	if (str_empty(c.data_dir)) {
		fprintf(stderr, "caisson: --data-dir DIR must be given: where the store is, or shall be made\n");
		return CLI_USAGE;
	}
	return serve(&c) ? 0 : CLI_FAILED;
}

int
cmd_check_config(int n, char **arg)
{
	AUTO(config_free) struct config c = { 0 };

	if (!load(n, arg, &c))
		return CLI_USAGE;
	print_config(config_dump, &c);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";

	crash_init();
	if (help_wanted(name))
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (const struct command *c = commands; c->name != NULL; c++)
		if (strcmp(name, c->name) == 0)
			return argc > 2 && help_wanted(argv[2]) ? cmd_help(1, argv + 1) : c->run(argc - 2, argv + 2);
	fprintf(stderr, "caisson: there is no command \"%s\"; caisson help lists them\n", name);
	return CLI_USAGE;
}
