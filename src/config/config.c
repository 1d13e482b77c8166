/*
 * config.c - parameters from flags, environment and YAML.
 *
 * Every value comes as text and is set by set(), whatever it came from; only the words of the complaint differ.
 */
#include "config/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/mem.h"
#include "base/panic.h"

#define ARENA_MAX (1u << 20)
#define NAME_MAX_LEN 64
#define LIST_MAX 1000

enum kind { TEXT, LISTEN, CHOICE, FLAG, NUMBER, LIST };

static const struct param {
	enum kind kind;
	const char *name, *unit, *def, *doc;
	uint64_t min, max;
	size_t at;		/* offset in struct config */
} params[] = {
#define PARAM_TEXT(n, d, doc) { TEXT, #n, "text", d, doc, 0, 0, offsetof(struct config, n) },
#define PARAM_LISTEN(n, d, doc) { LISTEN, #n, "address:port", d, doc, 0, 0, offsetof(struct config, n) },
#define PARAM_CHOICE(n, words, d, doc) { CHOICE, #n, words, d, doc, 0, 0, offsetof(struct config, n) },
#define PARAM_FLAG(n, d, doc) { FLAG, #n, "true|false", #d, doc, 0, 0, offsetof(struct config, n) },
#define PARAM_NUMBER(n, unit, d, min, max, doc) { NUMBER, #n, unit, #d, doc, min, max, offsetof(struct config, n) },
#define PARAM_LIST(n, d, doc) { LIST, #n, "words", d, doc, 0, 0, offsetof(struct config, n) },
#include "config/params_each.h"
};

/* ---- one value ---- */

static bool
number_parse(const struct param *p, str text, uint64_t *ret)
{
	static const char suffix[] = "KMGT";
	const char *found = NULL;
	uint64_t n;
	unsigned shift = 0;

	if (text.len > 1 && strcmp(p->unit, "bytes") == 0)
		found = memchr(suffix, toupper((unsigned char)text.p[text.len - 1]), sizeof(suffix) - 1);
	if (found != NULL) {
		shift = 10 * (unsigned)(found - suffix + 1);
		text = str_sub(text, 0, text.len - 1);
	}
	if (!str_u64(text, &n) || n > UINT64_MAX >> shift)
		return false;
	*ret = n << shift;
	return true;
}

/* Which of "a|b|c" it is, or -1. */
static int
choice_parse(str words, str text)
{
	for (int i = 0; words.p != NULL; i++)
		if (str_eq(str_take_until(&words, '|'), text))
			return i;
	return -1;
}

static str
choice_word(const struct param *p, unsigned index)
{
	str words = str_c(p->unit), word = STR_NONE;

	for (unsigned i = 0; i <= index; i++)
		word = str_take_until(&words, '|');
	return word;
}

static bool
list_parse(struct arena *a, str text, struct str_list *ret)
{
	struct str_list list = { .at = ARENA_ARRAY(a, str, LIST_MAX) };

	while (text.p != NULL) {
		str word = str_trim(str_take_until(&text, ','));

		if (str_empty(word))
			continue;
		if (list.n == LIST_MAX)
			return false;
		list.at[list.n++] = word;
	}
	*ret = list;
	return true;
}

/* false: *why says what a good value is. */
static bool
set(struct config *c, const struct param *p, str text, struct buf *why)
{
	char *at = (char *)c + p->at;
	const char *wrong;
	int choice;

	text = arena_str(c->arena, text);
	switch (p->kind) {
	case TEXT:
		*(str *)at = text;
		return true;
	case LISTEN:
		*(str *)at = text;
		wrong = address_check_listen(text);
		if (wrong != NULL)
			buf_addf(why, "%s is \"%.*s\": %s", p->name, STR_FMT(text), wrong);
		return wrong == NULL;
	case LIST:
		if (list_parse(c->arena, text, (struct str_list *)at))
			return true;
		buf_addf(why, "%s takes at most %d words", p->name, LIST_MAX);
		return false;
	case CHOICE:
	case FLAG:
		choice = choice_parse(str_c(p->unit), text);
		if (choice < 0) {
			buf_addf(why, "%s must be one of %s, not \"%.*s\"", p->name, p->unit, STR_FMT(text));
			return false;
		}
		if (p->kind == CHOICE)
			*(unsigned *)at = (unsigned)choice;
		else
			*(bool *)at = choice == 0;
		return true;
	case NUMBER:
		if (number_parse(p, text, (uint64_t *)at) && *(uint64_t *)at >= p->min && *(uint64_t *)at <= p->max)
			return true;
		buf_addf(why, "%s must be a number of %s from %llu to %llu, not \"%.*s\"", p->name, p->unit,
		    (unsigned long long)p->min, (unsigned long long)p->max, STR_FMT(text));
		return false;
	}
	PANIC("parameter %s has no kind", p->name);
}

/* "inline-max" and "inline_max" are the same name. */
static const struct param *
param_find(str name)
{
	for (size_t i = 0; i < COUNT(params); i++) {
		const char *have = params[i].name;
		size_t k = 0;

		while (k < name.len && have[k] != '\0' && (name.p[k] == have[k] || (name.p[k] == '-' && have[k] == '_')))
			k++;
		if (k == name.len && have[k] == '\0')
			return &params[i];
	}
	return NULL;
}

/* ---- YAML ---- */

struct file {
	const char *path;
	yaml_document_t doc;
	bool loaded;
};

static void
file_done(struct file *f)
{
	if (f->loaded)
		yaml_document_delete(&f->doc);
}

static bool
file_parse(struct file *f, struct buf *why)
{
	FILE *in = fopen(f->path, "re");
	yaml_parser_t parser;

	if (in == NULL) {
		buf_addf(why, "%s: %s", f->path, strerror(errno));
		return false;
	}
	if (!yaml_parser_initialize(&parser))
		PANIC("no memory for a YAML parser");
	yaml_parser_set_input_file(&parser, in);
	f->loaded = yaml_parser_load(&parser, &f->doc) != 0;
	if (!f->loaded)
		buf_addf(why, "%s:%zu: %s", f->path, parser.problem_mark.line + 1,
		    parser.problem ? parser.problem : "not YAML");
	yaml_parser_delete(&parser);
	(void)fclose(in);
	return f->loaded;
}

static str
scalar(const yaml_node_t *node)
{
	return str_n(node->data.scalar.value, node->data.scalar.length);
}

/* A scalar as it is, a sequence of scalars as words by comma. */
static bool
node_text(struct file *f, yaml_node_t *node, struct buf *text)
{
	if (node->type == YAML_SCALAR_NODE) {
		buf_add(text, scalar(node));
		return true;
	}
	if (node->type != YAML_SEQUENCE_NODE)
		return false;
	for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
		yaml_node_t *item = yaml_document_get_node(&f->doc, *i);

		if (item->type != YAML_SCALAR_NODE)
			return false;
		buf_add(text, scalar(item));
		buf_add_char(text, ',');
	}
	return true;
}

/* Is it the second of its name? YAML forbids that; libyaml does not look. */
static bool
is_repeated(struct file *f, const yaml_node_t *root, const yaml_node_pair_t *pair)
{
	str name = scalar(yaml_document_get_node(&f->doc, pair->key));

	for (yaml_node_pair_t *i = root->data.mapping.pairs.start; i < pair; i++)
		if (param_find(scalar(yaml_document_get_node(&f->doc, i->key))) == param_find(name))
			return true;
	return false;
}

static bool
file_pair(struct config *c, struct file *f, yaml_node_t *key, yaml_node_t *value, struct buf *why)
{
	AUTO(buf_done) struct buf text = { 0 };
	const struct param *p;

	buf_init(&text, 65536);
	buf_addf(why, "%s:%zu: ", f->path, key->start_mark.line + 1);
	if (key->type != YAML_SCALAR_NODE || (p = param_find(scalar(key))) == NULL) {
		buf_addf(why, "there is no parameter \"%.*s\"; caisson serve --help-config lists them",
		    key->type == YAML_SCALAR_NODE ? (int)key->data.scalar.length : 0, (char *)key->data.scalar.value);
		return false;
	}
	if (!node_text(f, value, &text) || (value->type == YAML_SEQUENCE_NODE && p->kind != LIST)) {
		buf_addf(why, "%s takes %s, not %s", p->name, p->kind == LIST ? "a list of words" : "one value",
		    value->type == YAML_SEQUENCE_NODE && p->kind != LIST ? "a list" : "something nested");
		return false;
	}
	if (!set(c, p, buf_str(&text), why))
		return false;
	buf_clear(why);
	return true;
}

static bool
load_file(struct config *c, const char *path, struct buf *why)
{
	AUTO(file_done) struct file f = { .path = path };
	yaml_node_t *root;

	if (!file_parse(&f, why))
		return false;
	root = yaml_document_get_root_node(&f.doc);
	if (root == NULL)
		return true;		/* an empty file */
	if (root->type != YAML_MAPPING_NODE) {
		buf_addf(why, "%s:1: a file of \"name: value\" lines is wanted", path);
		return false;
	}
	for (yaml_node_pair_t *i = root->data.mapping.pairs.start; i < root->data.mapping.pairs.top; i++) {
		yaml_node_t *key = yaml_document_get_node(&f.doc, i->key);

		if (!file_pair(c, &f, key, yaml_document_get_node(&f.doc, i->value), why))
			return false;
		if (is_repeated(&f, root, i)) {
			buf_addf(why, "%s:%zu: %.*s is given twice", path, key->start_mark.line + 1, STR_FMT(scalar(key)));
			return false;
		}
	}
	return true;
}

/* ---- environment and flags ---- */

static bool
load_environment(struct config *c, struct buf *why)
{
	for (size_t i = 0; i < COUNT(params); i++) {
		char name[NAME_MAX_LEN + 9] = "CAISSON_";
		const char *value;

		for (size_t k = 0; params[i].name[k] != '\0'; k++) {
			assert(k < NAME_MAX_LEN);
			name[8 + k] = (char)toupper((unsigned char)params[i].name[k]);
		}
		value = getenv(name);
		if (value == NULL)
			continue;
		buf_addf(why, "%s in the environment: ", name);
		if (!set(c, &params[i], str_c(value), why))
			return false;
		buf_clear(why);
	}
	return true;
}

/* Cut argv at *i into a name and a value; advances *i. false: not a flag, or its value is missing. */
static bool
flag_take(int n, char **flag, int *i, str *ret_name, str *ret_value, struct buf *why)
{
	str value = str_c(flag[*i]), name;

	if (!str_starts(value, STR("--")) || value.len < 3) {
		buf_addf(why, "\"%s\" is not a flag; flags begin with --", flag[*i]);
		return false;
	}
	value = str_skip(value, 2);
	name = str_take_until(&value, '=');
	if (value.p == NULL) {
		const struct param *p = param_find(name);
		bool alone = p != NULL && p->kind == FLAG;

		if (alone && (*i + 1 == n || flag[*i + 1][0] == '-')) {
			value = STR("true");
		} else if (*i + 1 < n) {
			value = str_c(flag[++*i]);
		} else {
			buf_addf(why, "--%.*s: a value is missing", STR_FMT(name));
			return false;
		}
	}
	*ret_name = name;
	*ret_value = value;
	return true;
}

/* Two passes over the flags: first only --config is looked at, then all but it. */
enum pass { PASS_FILE, PASS_FLAGS };

static bool
load_flags(struct config *c, int n, char **flag, enum pass pass, struct buf *why)
{
	for (int i = 0; i < n; i++) {
		const struct param *p;
		str name, value;

		if (!flag_take(n, flag, &i, &name, &value, why))
			return false;
		if (str_eq(name, STR("config"))) {
			if (pass == PASS_FILE && !load_file(c, arena_str(c->arena, value).p, why))
				return false;
			continue;
		}
		p = param_find(name);
		if (p == NULL) {
			buf_addf(why, "--%.*s: there is no such parameter; caisson serve --help-config lists them",
			    STR_FMT(name));
			return false;
		}
		if (pass == PASS_FILE)
			continue;
		buf_add_c(why, "--");
		if (!set(c, p, value, why))
			return false;
		buf_clear(why);
	}
	return true;
}

/* What no single value can say. */
static bool
check_whole(const struct config *c, struct buf *why)
{
	if (str_empty(c->tls_cert) != str_empty(c->tls_key)) {
		buf_add_c(why, "tls_cert and tls_key go together");
		return false;
	}
	if (c->workers_small >= c->workers) {
		buf_add_c(why, "workers_small must be less than workers");
		return false;
	}
	if (c->inline_max > c->volume_max && c->volume_max != 0) {
		buf_add_c(why, "inline_max must not be greater than volume_max");
		return false;
	}
	return true;
}

bool
config_load(int flags, char **flag, struct config *ret, struct buf *why)
{
	struct config c = { .arena = arena_new(65536, ARENA_MAX) };

	for (size_t i = 0; i < COUNT(params); i++)
		if (!set(&c, &params[i], str_c(params[i].def), why))
			PANIC("default of %s: %.*s", params[i].name, STR_FMT(buf_str(why)));
	if (!load_flags(&c, flags, flag, PASS_FILE, why) || !load_environment(&c, why) ||
	    !load_flags(&c, flags, flag, PASS_FLAGS, why) || !check_whole(&c, why)) {
		config_free(&c);
		return false;
	}
	*ret = c;
	return true;
}

void
config_free(struct config *c)
{
	arena_free(&c->arena);
}

/* ---- for people ---- */

void
config_describe(struct buf *out)
{
	buf_add_c(out, "Each parameter is a flag (--inline-max 4K), a variable of the environment (CAISSON_INLINE_MAX) or a key of the\n"
	    "YAML file given by --config (inline_max). The flag wins, then the environment, then the file.\n");
	for (size_t i = 0; i < COUNT(params); i++) {
		const struct param *p = &params[i];

		buf_addf(out, "\n%s (%s", p->name, p->unit);
		if (p->kind == NUMBER)
			buf_addf(out, ", %llu to %llu", (unsigned long long)p->min, (unsigned long long)p->max);
		buf_addf(out, "; default: %s)\n    %s\n", *p->def ? p->def : "none", p->doc);
	}
}

void
config_flags(struct buf *out)
{
	for (size_t i = 0; i < COUNT(params); i++) {
		buf_add_c(out, "--");
		for (const char *c = params[i].name; *c != '\0'; c++)
			buf_add_char(out, *c == '_' ? '-' : *c);
		buf_add_char(out, ' ');
	}
}

static void
dump_list(const struct str_list *list, struct buf *out)
{
	buf_add_char(out, '[');
	for (unsigned i = 0; i < list->n; i++)
		buf_addf(out, "%s\"%.*s\"", i ? ", " : "", STR_FMT(list->at[i]));
	buf_add_char(out, ']');
}

void
config_dump(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < COUNT(params); i++) {
		const struct param *p = &params[i];
		const char *at = (const char *)c + p->at;

		buf_addf(out, "%s: ", p->name);
		switch (p->kind) {
		case TEXT:
		case LISTEN:
			buf_addf(out, "\"%.*s\"", STR_FMT(*(const str *)at));
			break;
		case CHOICE:
			buf_add(out, choice_word(p, *(const unsigned *)at));
			break;
		case FLAG:
			buf_add_c(out, *(const bool *)at ? "true" : "false");
			break;
		case NUMBER:
			buf_add_u64(out, *(const uint64_t *)at);
			break;
		case LIST:
			dump_list((const struct str_list *)at, out);
			break;
		}
		buf_add_char(out, '\n');
	}
}
