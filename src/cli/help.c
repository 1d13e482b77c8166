/*
 * help.c - the table of commands, for people and man.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/completion.h"
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

bool
help_wanted(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* "name [--flag VALUE] ..." of the words in tbl/cli.h. */
static void
add_arguments(const struct verb *v, struct buf *out)
{
	str rest = str_c(v->arguments);

	while (!str_empty(rest)) {
		str word = str_take_until(&rest, ' '), name = str_take_until(&word, ':');

		/* A positional one that has no member behind it ends in its kind. */
		if (str_starts(name, STR("--")))
			buf_addf(out, " [%.*s VALUE]", STR_FMT(name));
		else if (str_ends(name, STR("+")))
			buf_addf(out, " %.*s ...", (int)name.len - 1, name.p);
		else
			buf_addf(out, " %.*s", (int)name.len - str_ends(name, STR("@")), name.p);
	}
}

void
help_verb(const struct verb *v, FILE *to)
{
	AUTO(buf_done) struct buf arguments = { 0 };

	buf_init(&arguments, 4096);
	add_arguments(v, &arguments);
	fprintf(to, "usage: caisson %s%s%s%.*s [--json] [--url URL] [--token-file FILE | --data-dir DIR]\n\n%s\n\nExample:\n  %s\n",
	    v->group, *v->verb != 0 ? " " : "", v->verb, STR_FMT(buf_str(&arguments)), v->doc, v->example);
}

void
help_group(const char *group, FILE *to)
{
	fprintf(to, "usage: caisson %s COMMAND ...\n\n", group);
	for (const struct verb *v = verbs; v->group != NULL; v++)
		if (strcmp(v->group, group) == 0)
			fprintf(to, "  %-18s %s\n", v->verb, v->doc);
	fprintf(to, "\ncaisson %s COMMAND --help says more.\n", group);
}

static bool
is_group(const char *name)
{
	for (const struct verb *v = verbs; v->group != NULL; v++)
		if (strcmp(v->group, name) == 0)
			return true;
	return false;
}

int
cmd_help(int n, char **arg)
{
	for (const struct command *c = commands; n > 0 && c->name != NULL; c++) {
		if (strcmp(c->name, arg[0]) != 0)
			continue;
		if (is_group(c->name))
			help_group(c->name, stdout);
		else
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
	puts("\nA first store: caisson serve --data-dir ./data\ncaisson help COMMAND says more.");
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
roff_command(struct buf *out, const char *group, const char *name, const char *arguments, const char *doc, const char *example)
{
	buf_add_c(out, ".TP\n.B ");
	if (*group != '\0') {
		roff(out, group);
		buf_add_char(out, ' ');
	}
	roff(out, name);
	if (*arguments != '\0') {
		buf_add_c(out, "\\fR ");
		roff(out, arguments);
	}
	buf_add_char(out, '\n');
	roff(out, doc);
	buf_add_c(out, "\n.br\n.RS\n.EX\n");
	roff(out, example);
	buf_add_c(out, "\n.EE\n.RE\n");
}

static void
roff_commands(struct buf *out)
{
	AUTO(buf_done) struct buf arguments = { 0 };

	buf_init(&arguments, 4096);
	buf_add_c(out, ".SH COMMANDS\n");
	for (const struct command *c = commands; c->name != NULL; c++)
		if (!is_group(c->name))
			roff_command(out, "", c->name, c->arguments, c->doc, c->example);
	buf_add_c(out, ".SH COMMANDS OF THE CONTROL API\nEach takes \\-\\-json (print the answer as it came), \\-\\-url URL (else "
	    "CAISSON_CONTROL_URL, else http://127.0.0.1:9001), and a token: CAISSON_TOKEN in the environment, \\-\\-token\\-file FILE, or "
	    "\\-\\-data\\-dir DIR of a store on this machine.\n");
	for (const struct verb *v = verbs; v->group != NULL; v++) {
		buf_clear(&arguments);
		add_arguments(v, &arguments);
		buf_add_char(&arguments, '\0');
		roff_command(out, v->group, v->verb, arguments.p + (arguments.len > 1), v->doc, v->example);
	}
}

static void
roff_parameters(struct buf *out)
{
	AUTO(buf_done) struct buf params = { 0 };
	str rest, line;

	buf_init(&params, MANUAL_MAX);
	config_describe(&params);
	buf_add_c(out, ".SH PARAMETERS\n");
	/* An empty line, "name (what it takes)", and what it does, indented. */
	for (rest = buf_str(&params); !str_empty(rest);) {
		line = str_trim(str_take_until(&rest, '\n'));
		if (str_empty(line)) {
			buf_add_c(out, ".TP\n.B ");
			continue;
		}
		for (size_t i = 0; i < line.len; i++) {
			if (line.p[i] == '\\' || line.p[i] == '-')
				buf_add_char(out, '\\');
			buf_add_char(out, line.p[i]);
		}
		buf_add_char(out, '\n');
	}
}

static void
manual_page(struct buf *out)
{
	buf_add_c(out, ".TH CAISSON 1 \"\" \"caisson " CAISSON_VERSION "\" \"User Commands\"\n.SH NAME\n"
	    "caisson \\- S3\\-compatible object storage\n.SH SYNOPSIS\n.B caisson\n.I command\n[\\-\\-flag value ...]\n"
	    ".SH DESCRIPTION\n"
	    "A store that keeps objects in one directory and serves them over the S3 API. An answered write is on stable storage. "
	    "The first start writes credentials for S3 clients to DATA_DIR/credentials, in the form that AWS tools read "
	    "(profile caisson), and a token of the control API to DATA_DIR/admin\\-token.\n");
	roff_commands(out);
	roff_parameters(out);
	buf_add_c(out, ".SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\nStop: accept no more, let running requests end, exit. A second SIGINT ends "
	    "at once, as a crash would: nothing acknowledged is lost.\n.TP\n.B SIGHUP\nOpen the logs anew and read the certificate again."
	    "\n.TP\n.B SIGUSR1\nLog what every worker does.\n"
	    ".SH FILES\n.TP\n.I /etc/caisson/caisson.yaml\nThe configuration that the systemd unit uses.\n"
	    ".TP\n.I DATA_DIR/master.key\nThe key that secrets are encrypted under: without it a copy of the store cannot be read; keep "
	    "a copy of it in a safe place.\n"
	    ".SH EXIT STATUS\n0: done; 1: it was tried and failed; 2: the command line is wrong.\n");
}

int
cmd_manual(int n, char **arg)
{
	struct buf out;

	buf_init(&out, MANUAL_MAX);
	if (n == 1 && strcmp(arg[0], "man") == 0) {
		manual_page(&out);
	} else if (n != 1 || !completion(arg[0], &out)) {
		fprintf(stderr, "usage: caisson manual man|bash|zsh\n");
		buf_done(&out);
		return CLI_USAGE;
	}
	print(&out);
	return 0;
}
