/*
 * completion.c - what a shell offers behind "caisson": the same choices for bash and for zsh, from the tables of commands, verbs and
 * parameters.
 *
 * The script is one "case" on POSITION:COMMAND:VERB, where POSITION counts from the command itself; the first that matches counts.
 */
#include "cli/completion.h"

#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "config/config.h"

#define FLAGS_MAX 65536u

struct shell {
	const char *name, *head, *list_open, *list_close, *tail;
	void (*item)(struct buf *, str name, const char *doc);
};

static void
bash_item(struct buf *out, str name, const char *doc)
{
	buf_addf(out, "%.*s ", STR_FMT(name));
}

/* 'name:doc' */
static void
zsh_item(struct buf *out, str name, const char *doc)
{
	buf_addf(out, "'%.*s:", STR_FMT(name));
	for (; *doc != '\0'; doc++) {
		if (*doc == '\'')
			buf_add_c(out, "'\\'");
		buf_add_char(out, *doc);
	}
	buf_add_c(out, "' ");
}

/* Behind a flag comes its value, which may be a file; but some take none. */
static const struct shell shells[] = {
	{
		"bash",
		"_caisson() {\n\tlocal words word=${COMP_WORDS[COMP_CWORD]}\n\tCOMPREPLY=()\n"
		"\tcase ${COMP_WORDS[COMP_CWORD-1]} in\n\t--json|--strict|--help|--help-config) ;;\n\t--*) return ;;\n\tesac\n"
		"\tcase $COMP_CWORD:${COMP_WORDS[1]}:${COMP_WORDS[2]} in\n",
		"words=\"", "\" ;;\n",
		"\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -o default -F _caisson caisson\n",
		bash_item,
	},
	{
		"zsh",
		"#compdef caisson\n_caisson() {\n\tlocal -a choices\n"
		"\tcase ${words[CURRENT-1]} in\n\t--json|--strict|--help|--help-config) ;;\n\t--*) _files; return ;;\n\tesac\n"
		"\tcase $((CURRENT-1)):${words[2]}:${words[3]} in\n",
		"choices=(", ") ;;\n",
		"\tesac\n\t_describe caisson choices || _files\n}\n_caisson \"$@\"\n",
		zsh_item,
	},
};

static void
case_begin(const struct shell *sh, struct buf *out, const char *position, const char *command, const char *verb)
{
	buf_addf(out, "\t%s:%s:%s) %s", position, command, verb, sh->list_open);
}

static void
case_commands(const struct shell *sh, struct buf *out, const char *position, const char *command)
{
	case_begin(sh, out, position, command, "*");
	for (const struct command *c = commands; c->name != NULL; c++)
		sh->item(out, str_c(c->name), c->doc);
	buf_add_c(out, sh->list_close);
}

static void
add_once(struct buf *flags, str flag)
{
	AUTO(buf_done) struct buf word = { 0 };

	buf_init(&word, FLAGS_MAX);
	buf_addf(&word, " %.*s ", STR_FMT(flag));
	if (str_find_str(buf_str(flags), buf_str(&word)) < 0)
		buf_addf(flags, " %.*s ", STR_FMT(flag));
}

/* Every "--flag" among the words of a usage line; "--PARAMETER" stands for all parameters. */
static void
flags_in(struct buf *flags, str usage)
{
	AUTO(buf_done) struct buf parameters = { 0 };

	while (!str_empty(usage)) {
		str word = str_take_until(&usage, ' ');

		while (str_starts(word, STR("[")))
			word = str_skip(word, 1);
		word = str_take_until(&word, ']');
		word = str_take_until(&word, ':');
		if (str_eq(word, STR("--PARAMETER"))) {
			buf_init(&parameters, FLAGS_MAX);
			config_flags(&parameters);
			flags_in(flags, STR("--config --help-config"));
			flags_in(flags, buf_str(&parameters));
		} else if (str_starts(word, STR("--"))) {
			add_once(flags, word);
		}
	}
}

static void
case_flags(const struct shell *sh, struct buf *out, const char *command, const char *verb, const char *usage, const char *more)
{
	AUTO(buf_done) struct buf flags = { 0 };

	buf_init(&flags, FLAGS_MAX);
	flags_in(&flags, str_c(usage));
	flags_in(&flags, str_c(more));
	case_begin(sh, out, "*", command, verb);
	for (str rest = buf_str(&flags); !str_empty(rest);) {
		str flag = str_take_until(&rest, ' ');

		if (!str_empty(flag))
			sh->item(out, flag, "");
	}
	buf_add_c(out, sh->list_close);
}

static bool
case_verbs(const struct shell *sh, struct buf *out, const char *group)
{
	unsigned n = 0;

	for (const struct verb *v = verbs; v->group != NULL; v++)
		n += strcmp(v->group, group) == 0 && *v->verb != '\0';
	if (n == 0)
		return false;
	case_begin(sh, out, "2", group, "*");
	for (const struct verb *v = verbs; v->group != NULL; v++)
		if (strcmp(v->group, group) == 0)
			sh->item(out, str_c(v->verb), v->doc);
	buf_add_c(out, sh->list_close);
	for (const struct verb *v = verbs; v->group != NULL; v++)
		if (strcmp(v->group, group) == 0)
			case_flags(sh, out, group, v->verb, v->arguments, "--json --url --token-file --data-dir --help");
	return true;
}

bool
completion(const char *shell, struct buf *out)
{
	const struct shell *sh = shells;

	while (sh < shells + COUNT(shells) && strcmp(sh->name, shell) != 0)
		sh++;
	if (sh == shells + COUNT(shells))
		return false;
	buf_add_c(out, sh->head);
	case_commands(sh, out, "1", "*");
	case_commands(sh, out, "2", "help");
	case_begin(sh, out, "2", "manual", "*");
	sh->item(out, STR("man"), "The manual page.");
	for (size_t i = 0; i < COUNT(shells); i++)
		sh->item(out, str_c(shells[i].name), "Completion for this shell.");
	buf_add_c(out, sh->list_close);
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (!case_verbs(sh, out, c->name))
			case_flags(sh, out, c->name, "*", c->arguments, "--help");
	}
	buf_add_c(out, sh->tail);
	return true;
}
