/*
 * control_call.c - commands that are one call of the control API: arguments in, JSON out, an answer shown.
 *
 * Where: --url, CAISSON_CONTROL_URL, or http://127.0.0.1:9001. Token: CAISSON_TOKEN, --token-file, or admin-token in --data-dir.
 */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/control_call.h"

#define ARENA_MAX (8u << 20)
#define FILE_MAX (1u << 20)
#define ANSWER_MAX (64u << 20)
#define TIMEOUT_MS 60000L
#define COLUMNS_MAX 12

const struct verb verbs[] = {
#define CLI(group, verb, method, path, arguments, list, columns, doc, example) \
	{ group, verb, method, path, arguments, list, columns, doc, example },
#include "tbl/cli.h"
#undef CLI
	{ 0 },
};

struct call {
	struct arena *a;
	const struct verb *verb;
	str url, path, query, token_file, data_dir, token;
	json_t *body;
	bool json;		/* print the answer as it came */
};

void
call_close(struct call **cp)
{
	struct call *c = *cp;

	if (c == NULL)
		return;
	json_decref(c->body);
	arena_free(&c->a);
	free(c);
	*cp = NULL;
}

static int
usage(const struct verb *v, const char *what, str which)
{
	fprintf(stderr, "caisson: %s \"%.*s\"\n", what, STR_FMT(which));
	help_verb(v, stderr);
	return CLI_USAGE;
}

/* ---- arguments ---- */

static bool
read_file(struct arena *a, str path, str *ret)
{
	FILE *in = fopen(arena_str(a, path).p, "re");
	char *p;
	size_t n;

	if (in == NULL) {
		fprintf(stderr, "caisson: %.*s: %s\n", STR_FMT(path), strerror(errno));
		return false;
	}
	p = arena_alloc(a, FILE_MAX);
	n = fread(p, 1, FILE_MAX, in);
	(void)fclose(in);
	*ret = str_n(p, n);
	return true;
}

static json_t *
text_json(str s)
{
	return json_stringn(s.p, s.len);
}

/* The object that holds "a.b": made where it is not there; *name becomes "b". */
static json_t *
holder(struct call *c, str *name)
{
	json_t *o = c->body;
	str rest = *name;

	for (;;) {
		str one = str_take_until(&rest, '.');
		const char *key;
		json_t *inner;

		if (rest.p == NULL) {
			*name = one;
			return o;
		}
		key = arena_str(c->a, one).p;
		inner = json_object_get(o, key);
		if (inner == NULL) {
			inner = json_object();
			json_object_set_new(o, key, inner);
		}
		o = inner;
	}
}

static void
replace_segment(struct call *c, str member, str value)
{
	AUTO(buf_done) struct buf b = { 0 };
	str hole = arena_fmt(c->a, "{%.*s}", STR_FMT(member));
	ptrdiff_t at = str_find_str(c->path, hole);

	assert(at >= 0);
	buf_init(&b, FILE_MAX);
	buf_add(&b, str_sub(c->path, 0, (size_t)at));
	url_encode(&b, value, URL_ENCODE_SLASH);
	buf_add(&b, str_skip(c->path, (size_t)at + hole.len));
	c->path = arena_str(c->a, buf_str(&b));
}

static void
add_query(struct call *c, str name, str value)
{
	AUTO(buf_done) struct buf b = { 0 };

	buf_init(&b, FILE_MAX);
	buf_add(&b, c->query);
	buf_add_char(&b, str_empty(c->query) ? '?' : '&');
	buf_add(&b, name);
	buf_add_char(&b, '=');
	url_encode(&b, value, URL_ENCODE_SLASH);
	c->query = arena_str(c->a, buf_str(&b));
}

/* The file is the whole body. */
static bool
body_from_file(struct call *c, str path)
{
	json_error_t error;
	str text;

	if (!read_file(c->a, path, &text))
		return false;
	json_decref(c->body);
	c->body = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);
	if (c->body == NULL)
		fprintf(stderr, "caisson: %.*s:%d: %s\n", STR_FMT(path), error.line, error.text);
	return c->body != NULL;
}

/* member: as in tbl/cli.h, its kind behind it. false: said on standard error. */
static bool
set_member(struct call *c, str member, str value)
{
	char kind = member.p[member.len - 1];
	json_t *o;
	const char *key;
	uint64_t n;
	str name;

	if (strchr("#!=+@", kind) == NULL)
		kind = 0;
	else
		member = str_sub(member, 0, member.len - 1);
	if (str_starts(member, STR("?"))) {
		add_query(c, str_skip(member, 1), value);
		return true;
	}
	if (str_find_str(c->path, arena_fmt(c->a, "{%.*s}", STR_FMT(member))) >= 0) {
		replace_segment(c, member, value);
		return true;
	}
	if (kind == '@')
		return body_from_file(c, value);
	name = member;
	o = holder(c, &name);
	key = arena_str(c->a, name).p;
	if (kind == 0)
		return json_object_set_new(o, key, text_json(value)) == 0;
	if (kind == '#' && str_u64(value, &n))
		return json_object_set_new(o, key, json_integer((json_int_t)n)) == 0;
	if (kind == '!' && (str_eq(value, STR("true")) || str_eq(value, STR("false"))))
		return json_object_set_new(o, key, json_boolean(value.p[0] == 't')) == 0;
	if (kind == '+' || kind == '=') {
		str rest = value, left = str_take_until(&rest, '=');

		if (json_object_get(o, key) == NULL)
			json_object_set_new(o, key, kind == '+' ? json_array() : json_object());
		if (kind == '+')
			return json_array_append_new(json_object_get(o, key), text_json(value)) == 0;
		if (rest.p != NULL)
			return json_object_set_new(json_object_get(o, key), arena_str(c->a, left).p, text_json(rest)) == 0;
	}
	fprintf(stderr, "caisson: \"%.*s\" is not a good value of %.*s\n", STR_FMT(value), STR_FMT(member));
	return false;
}

/* The member of "--flag:member", or of the positional argument number "positional". STR_NONE: there is none. */
static str
argument_find(const struct verb *v, str flag, int positional)
{
	str rest = str_c(v->arguments);

	while (!str_empty(rest)) {
		str word = str_take_until(&rest, ' '), member = word, name = str_take_until(&member, ':');

		if (str_starts(name, STR("--")) ? str_eq(name, flag) : str_empty(flag) && positional-- == 0)
			return member.p != NULL ? member : name;
	}
	return STR_NONE;
}

/* false: wrong; usage was shown, or the reason. */
static bool
parse(struct call *c, int n, char **arg)
{
	int positional = 0;
	str last = STR_NONE;

	for (int i = 0; i < n; i++) {
		str a = str_c(arg[i]), value = a, member;
		bool flag = str_starts(a, STR("--"));

		if (str_eq(a, STR("--json"))) {
			c->json = true;
			continue;
		}
		if (flag && ++i == n) {
			(void)usage(c->verb, "a value is missing for", a);
			return false;
		}
		if (flag)
			value = str_c(arg[i]);
		if (str_eq(a, STR("--url"))) {
			c->url = value;
		} else if (str_eq(a, STR("--token-file"))) {
			c->token_file = value;
		} else if (str_eq(a, STR("--data-dir"))) {
			c->data_dir = value;
		} else {
			member = argument_find(c->verb, flag ? a : STR_NONE, positional++);
			if (!flag && str_empty(member) && str_ends(last, STR("+")))
				member = last;		/* the last positional may be repeated */
			positional -= flag;
			if (str_empty(member)) {
				(void)usage(c->verb, "it does not take", a);
				return false;
			}
			if (!set_member(c, member, value))
				return false;
			last = flag ? last : member;
		}
	}
	if (!str_empty(argument_find(c->verb, STR_NONE, positional))) {
		(void)usage(c->verb, "an argument is missing:", argument_find(c->verb, STR_NONE, positional));
		return false;
	}
	return true;
}

/* ---- the call ---- */

static bool
find_token(struct call *c, str *ret)
{
	str path = c->token_file;

	*ret = str_c(getenv("CAISSON_TOKEN"));
	if (str_empty(path) && !str_empty(*ret))
		return true;
	if (str_empty(path) && !str_empty(c->data_dir))
		path = arena_fmt(c->a, "%.*s/admin-token", STR_FMT(c->data_dir));
	if (str_empty(path)) {
		fprintf(stderr, "caisson: give a token: CAISSON_TOKEN in the environment, --token-file FILE, or --data-dir DIR of a "
		    "store on this machine\n");
		return false;
	}
	if (!read_file(c->a, path, ret))
		return false;
	while (ret->len > 0 && strchr(" \t\r\n", ret->p[ret->len - 1]) != NULL)
		ret->len--;
	return true;
}

static size_t
receive(char *bytes, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_add(b, str_n(bytes, size * n));
	return buf_overflow(b) ? 0 : size * n;
}

static json_t *
perform(struct call *c)
{
	CURL *curl = curl_easy_init();
	AUTO(buf_done) struct buf out = { 0 };
	char why[CURL_ERROR_SIZE] = "", *body = json_dumps(c->body, JSON_COMPACT);
	struct curl_slist *headers = NULL;
	json_t *answer;
	CURLcode code;
	long status = 0;

	assert(curl != NULL && body != NULL);
	buf_init(&out, ANSWER_MAX);
	headers = curl_slist_append(headers, arena_fmt(c->a, "Authorization: Bearer %.*s", STR_FMT(c->token)).p);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	(void)curl_easy_setopt(curl, CURLOPT_URL, arena_fmt(c->a, "%.*s%.*s%.*s", STR_FMT(c->url), STR_FMT(c->path), STR_FMT(c->query)).p);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, c->verb->method);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out);
	if (strcmp(c->verb->method, "GET") != 0 && strcmp(c->verb->method, "DELETE") != 0)
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	free(body);
	if (code != CURLE_OK) {
		fprintf(stderr, "caisson: %.*s: %s\n", STR_FMT(c->url), why);
		return NULL;
	}
	answer = json_loadb(out.p, out.len, 0, NULL);
	if (status == 200 && json_is_object(answer))
		return answer;
	fprintf(stderr, "caisson: %s (%ld)\n", json_is_object(answer) && json_is_string(json_object_get(answer, "message")) ?
	    json_string_value(json_object_get(answer, "message")) : "the answer is not of the control API", status);
	json_decref(answer);
	return NULL;
}

/* ---- showing it ---- */

/* One cell: texts as they are, lists by comma, usage as "type value", the rest as JSON. */
static str
cell(struct arena *a, const json_t *v)
{
	const json_t *one;
	str s = STR_NONE;
	char *text;
	size_t i;

	if (json_is_string(v))
		return str_n(json_string_value(v), json_string_length(v));
	if (json_is_array(v) && !json_is_object(json_array_get(v, 0))) {
		json_array_foreach(v, i, one)
			s = arena_fmt(a, "%.*s%s%.*s", STR_FMT(s), i > 0 ? "," : "", STR_FMT(cell(a, one)));
		return s;
	}
	if (json_object_get(json_array_get(v, 0), "measurementType") != NULL) {
		json_array_foreach(v, i, one)
			s = arena_fmt(a, "%.*s%s%.*s=%.*s", STR_FMT(s), i > 0 ? " " : "",
			    STR_FMT(cell(a, json_object_get(one, "measurementType"))),
			    STR_FMT(cell(a, json_object_get(one, "valueHumanReadable"))));
		return s;
	}
	text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	s = text != NULL ? arena_str(a, str_c(text)) : STR("-");
	free(text);
	return s;
}

static void
show_table(struct call *c, const json_t *rows)
{
	size_t n = json_array_size(rows), width[COLUMNS_MAX] = { 0 };
	str rest = str_c(c->verb->columns), name[COLUMNS_MAX];
	unsigned columns = 0;

	for (; !str_empty(rest); columns++) {
		assert(columns < COLUMNS_MAX);
		name[columns] = arena_str(c->a, str_take_until(&rest, ' '));
		width[columns] = name[columns].len;
		for (size_t i = 0; i < n; i++) {
			size_t len = cell(c->a, json_object_get(json_array_get(rows, i), name[columns].p)).len;

			if (len > width[columns])
				width[columns] = len;
		}
	}
	for (unsigned k = 0; k < columns; k++)
		printf("%-*s%s", (int)(k + 1 < columns ? width[k] : 0), name[k].p, k + 1 < columns ? "  " : "\n");
	for (size_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < columns; k++) {
			str text = cell(c->a, json_object_get(json_array_get(rows, i), name[k].p));

			printf("%.*s", STR_FMT(text));
			printf("%*s", k + 1 < columns ? (int)(width[k] - text.len) + 2 : 0, "");
		}
		printf("\n");
	}
}

static void
show(struct call *c, const json_t *answer)
{
	const json_t *what = *c->verb->list ? json_object_get(answer, c->verb->list) : answer;
	str rest = str_c(c->verb->columns);

	if (c->json) {
		(void)json_dumpf(answer, stdout, JSON_INDENT(2));
		printf("\n");
	} else if (json_is_array(what)) {
		show_table(c, what);
	} else {
		while (!str_empty(rest)) {
			str name = str_take_until(&rest, ' ');

			printf("%.*s: ", STR_FMT(name));
			printf("%.*s\n", STR_FMT(cell(c->a, json_object_get(what, arena_str(c->a, name).p))));
		}
	}
}

struct call *
call_open(const struct verb *v, int n, char **arg)
{
	struct call *c = MEM_NEW(struct call);

	c->a = arena_new(65536, ARENA_MAX);
	c->verb = v;
	c->url = str_c(getenv("CAISSON_CONTROL_URL"));
	c->path = str_c(v->path);
	c->body = json_object();
	if (str_empty(c->url))
		c->url = STR("http://127.0.0.1:9001");
	if (!parse(c, n, arg) || !find_token(c, &c->token)) {
		call_close(&c);
		return NULL;
	}
	while (str_ends(c->url, STR("/")))
		c->url.len--;
	return c;
}

json_t *
call_perform(struct call *c, const struct verb *v)
{
	if (v != c->verb) {
		c->verb = v;
		c->path = str_c(v->path);
		c->query = STR_NONE;
		json_decref(c->body);
		c->body = json_object();
	}
	return perform(c);
}

bool
call_wants_json(const struct call *c)
{
	return c->json;
}

static int
run(const struct verb *v, int n, char **arg)
{
	AUTO(call_close) struct call *c = call_open(v, n, arg);
	json_t *answer;

	if (c == NULL)
		return CLI_USAGE;
	answer = perform(c);
	if (answer == NULL)
		return CLI_FAILED;
	show(c, answer);
	json_decref(answer);
	return 0;
}

int
control_group(const char *group, int n, char **arg)
{
	for (const struct verb *v = verbs; n > 0 && v->group != NULL; v++) {
		if (strcmp(v->group, group) != 0 || strcmp(v->verb, arg[0]) != 0)
			continue;
		if (n == 1 || !help_wanted(arg[1]))
			return run(v, n - 1, arg + 1);
		help_verb(v, stdout);
		return 0;
	}
	if (n > 0)
		fprintf(stderr, "caisson: there is no command \"%s %s\"\n\n", group, arg[0]);
	help_group(group, stderr);
	return CLI_USAGE;
}

int cmd_org(int n, char **arg) { return control_group("org", n, arg); }
int cmd_user(int n, char **arg) { return control_group("user", n, arg); }
int cmd_token(int n, char **arg) { return control_group("token", n, arg); }
int cmd_key(int n, char **arg) { return control_group("key", n, arg); }
int cmd_policy(int n, char **arg) { return control_group("policy", n, arg); }
int cmd_bucket(int n, char **arg) { return control_group("bucket", n, arg); }
int cmd_oidc(int n, char **arg) { return control_group("oidc", n, arg); }
int cmd_worker(int n, char **arg) { return control_group("worker", n, arg); }
int cmd_master_key(int n, char **arg) { return control_group("master-key", n, arg); }
