/*
 * help.c - the table of commands, for people, man and bash.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "config/config.h"

#define MANUAL_MAX (1u << 20)

const struct command commands[] = {
#define COMMAND(name, function, arguments, doc, example) { name, function, arguments, doc, example },
#include "tbl/commands.h"
#undef COMMAND
	{ 0 },
};

static void
print(struct buf *out)
{
	(void)fwrite(out->p, 1, out->len, stdout);
	buf_done(out);
}

int
cmd_version(int n, char **arg)
{
	puts("caisson " CAISSON_VERSION);
	return 0;
}

int
cmd_help(int n, char **arg)
{
	for (const struct command *c = commands; n > 0 && c->name != NULL; c++) {
		if (strcmp(c->name, arg[0]) != 0)
			continue;
		printf("usage: caisson %s %s\n\n%s\n\nExample:\n  %s\n", c->name, c->arguments, c->doc, c->example);
		return 0;
	}
	if (n > 0) {
		fprintf(stderr, "caisson: there is no command \"%s\"; caisson help lists them\n", arg[0]);
		return CLI_USAGE;
	}
	puts("caisson: S3-compatible object storage\n\nusage: caisson COMMAND [--flag value ...]\n");
	for (const struct command *c = commands; c->name != NULL; c++)
		printf("  %-14s %s\n", c->name, c->doc);
	puts("\ncaisson help COMMAND says more.");
	return 0;
}

/* Text for roff: a line must not begin with a dot, and a backslash and a hyphen are written so. */
static void
roff(struct buf *out, const char *text)
{
	if (text[0] == '.' || text[0] == '\'')
		buf_add_c(out, "\\&");
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '-')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
}

static void
manual_page(struct buf *out)
{
	AUTO(buf_done) struct buf params = { 0 };
	str rest, line;

	buf_add_c(out, ".TH CAISSON 1\n.SH NAME\ncaisson \\- S3\\-compatible object storage\n.SH SYNOPSIS\n.B caisson\n"
	    ".I command\n[\\-\\-flag value ...]\n.SH COMMANDS\n");
	for (const struct command *c = commands; c->name != NULL; c++) {
		buf_add_c(out, ".TP\n.B ");
		roff(out, c->name);
		buf_add_char(out, ' ');
		roff(out, c->arguments);
		buf_add_char(out, '\n');
		roff(out, c->doc);
		buf_add_c(out, "\n.br\nExample: ");
		roff(out, c->example);
		buf_add_char(out, '\n');
	}
	buf_add_c(out, ".SH PARAMETERS\n");
	buf_init(&params, MANUAL_MAX);
	config_describe(&params);
	buf_add_char(&params, '\0');
	for (rest = str_n(params.p, params.len - 1); rest.p != NULL;) {
		line = str_take_until(&rest, '\n');
		if (str_empty(line))
			buf_add_c(out, ".PP\n");
		else if (str_starts(line, STR("    ")))
			buf_add_c(out, ".br\n");
		for (size_t i = 0; i < line.len; i++) {
			if (line.p[i] == '\\' || line.p[i] == '-')
				buf_add_char(out, '\\');
			buf_add_char(out, line.p[i]);
		}
		buf_add_char(out, '\n');
	}
	buf_add_c(out, ".SH EXIT STATUS\n0: done; 1: it was tried and failed; 2: the command line is wrong.\n");
}

static void
bash_completion(struct buf *out)
{
	buf_add_c(out, "_caisson() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]}\n"
	    "\tif [ $COMP_CWORD = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"");
	for (const struct command *c = commands; c->name != NULL; c++)
		buf_addf(out, "%s ", c->name);
	buf_add_c(out, "\" -- \"$word\"))\n\telif [[ $word == --* ]]; then\n\t\tCOMPREPLY=($(compgen -W \"--config ");
	config_flags(out);
	buf_add_c(out, "\" -- \"$word\"))\n\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\tfi\n}\ncomplete -F _caisson caisson\n");
}

int
cmd_manual(int n, char **arg)
{
	struct buf out;

	buf_init(&out, MANUAL_MAX);
	if (n == 1 && strcmp(arg[0], "man") == 0) {
		manual_page(&out);
	} else if (n == 1 && strcmp(arg[0], "bash") == 0) {
		bash_completion(&out);
	} else {
		fprintf(stderr, "usage: caisson manual man|bash\n");
		return CLI_USAGE;
	}
	print(&out);
	return 0;
}
