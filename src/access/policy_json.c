/*
 * policy_json.c - bucket policies: Amazon's JSON, compiled.
 *
 * Strings and lists of strings mean the same. What is not understood is refused with the element named; nothing is skipped.
 * Memory: a policy of at most ACCESS_POLICY_BYTES_MAX compiles into an arena whose limit follows from that.
 */
#include <jansson.h>
#include <stdio.h>

#include "access/admin.h"
#include "access/policy.h"
#include "base/json.h"
#include "base/panic.h"

#define POLICY_MEMORY_MAX ((size_t)8 << 20)	/* 20 KiB of JSON: at worst some 100 bytes for each four of them */
#define LIST_MAX 1000u

err_v
policy_bad(const struct policy_reader *r, const char *element, const char *fmt, ...)
{
	char what[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (r->statement == 0)
		return err_s3f(S3_MalformedPolicy, "%s: %s.", element, what);
	return err_s3f(S3_MalformedPolicy, "Statement %u, %s: %s.", r->statement, element, what);
}

err_v
policy_read_strings(const struct policy_reader *r, const char *element, json_t *json, unsigned max, str **ret, unsigned *ret_n)
{
	size_t n = json_is_array(json) ? json_array_size(json) : 1;
	str *list;

	if (n == 0 || n > max)
		return policy_bad(r, element, "1 to %u values are allowed, not %zu", max, n);
	list = ARENA_ARRAY(r->arena, str, n);
	for (size_t i = 0; i < n; i++) {
		json_t *one = json_is_array(json) ? json_array_get(json, i) : json;

		if (!json_is_string(one) || json_string_length(one) == 0)
			return policy_bad(r, element, "must be a string or a list of strings, none of them empty");
		list[i] = arena_str(r->arena, str_n(json_string_value(one), json_string_length(one)));
	}
	*ret = list;
	*ret_n = (unsigned)n;
	return ERR_OK;
}

/* ---- Principal ---- */

/* "arn:aws:iam::ORG:NAME", "arn:aws:iam:::user/KEY" */
static err
read_arn(const struct policy_reader *r, const char *element, str text, struct who *ret)
{
	str rest = text;

	if (!str_starts(text, STR("arn:aws:iam::")))
		return policy_bad(r, element, "\"%.*s\" is neither \"*\" nor an ARN arn:aws:iam::ORG:NAME", STR_FMT(text));
	rest = str_skip(text, strlen("arn:aws:iam::"));
	ret->org = str_take_until(&rest, ':');
	ret->name = rest;
	if (str_empty(ret->org) && str_starts(rest, STR("user/")) && rest.len > strlen("user/")) {
		ret->kind = WHO_KEY;
		ret->name = str_skip(rest, strlen("user/"));
		return ERR_OK;
	}
	if (str_empty(ret->org) || str_empty(ret->name) || str_find(ret->org, '*') >= 0)
		return policy_bad(r, element, "\"%.*s\" lacks organization or name", STR_FMT(text));
	if (str_eq(ret->name, STR("root")) || str_eq(ret->name, STR("*"))) {
		ret->kind = WHO_ORG;
		return ERR_OK;
	}
	if (!str_starts(ret->name, STR("coreweave/")) && !str_starts(ret->name, STR("role/")) && !str_starts(ret->name, STR("saml/")))
		return policy_bad(r, element, "\"%.*s\": a name begins with coreweave/, role/ or saml/", STR_FMT(text));
	ret->kind = WHO_NAME;
	if (str_ends(ret->name, STR("*"))) {
		ret->kind = WHO_PREFIX;
		ret->name.len--;
	}
	if (str_find(ret->name, '*') >= 0 || str_find(ret->name, '?') >= 0)
		return policy_bad(r, element, "\"%.*s\": a wildcard may only be the last character", STR_FMT(text));
	return ERR_OK;
}

static err
read_whos(const struct policy_reader *r, const char *element, json_t *json, struct statement *s, unsigned room)
{
	unsigned n;
	str *list;

	TRY(policy_read_strings(r, element, json, LIST_MAX, &list, &n));
	if (n > room)
		return policy_bad(r, element, "more than %u principals", LIST_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct who *w = &s->who[s->whos];

		if (str_eq(list[i], STR("*")))
			w->kind = WHO_EVERYONE;
		else
			TRY(read_arn(r, element, list[i], w));
		s->whos++;
	}
	return ERR_OK;
}

static err
read_principal(const struct policy_reader *r, const char *element, json_t *json, struct statement *s)
{
	const char *family;
	json_t *names;
	size_t n = 0;

	if (json_is_string(json)) {
		if (strcmp(json_string_value(json), "*") != 0)
			return policy_bad(r, element, "\"%s\": the only string allowed is \"*\"", json_string_value(json));
		s->who = ARENA_NEW(r->arena, struct who);
		s->who->kind = WHO_EVERYONE;
		s->whos = 1;
		return ERR_OK;
	}
	if (!json_is_object(json) || json_object_size(json) == 0)
		return policy_bad(r, element, "must be \"*\" or an object with CW or AWS");
	json_object_foreach(json, family, names)
		n += json_is_array(names) ? json_array_size(names) : 1;
	if (n == 0 || n > LIST_MAX)
		return policy_bad(r, element, "1 to %u principals are allowed, not %zu", LIST_MAX, n);
	s->who = ARENA_ARRAY(r->arena, struct who, n);
	json_object_foreach(json, family, names) {
		if (strcmp(family, "CW") != 0 && strcmp(family, "AWS") != 0)
			return policy_bad(r, element, "\"%s\" is neither CW nor AWS", family);
		TRY(read_whos(r, element, names, s, (unsigned)n - s->whos));
	}
	return ERR_OK;
}

/* ---- Action, Resource ---- */

static err
read_actions(const struct policy_reader *r, const char *element, json_t *json, struct actions *ret)
{
	unsigned n;
	str *list;

	TRY(policy_read_strings(r, element, json, LIST_MAX, &list, &n));
	for (unsigned i = 0; i < n; i++) {
		if (!str_eq(list[i], STR("*")) && !str_starts_nocase(list[i], STR("s3:")))
			return policy_bad(r, element, "\"%.*s\" is not an s3: action", STR_FMT(list[i]));
		if (!actions_add_pattern(ret, list[i]))
			return policy_bad(r, element, "\"%.*s\" is not an action", STR_FMT(list[i]));
	}
	return ERR_OK;
}

/* The bucket part of the pattern must be able to mean this bucket. */
static err
read_resource(const struct policy_reader *r, const char *element, str text, struct glob *ret)
{
	unsigned how = GLOB_WILDCARDS | (r->old_version ? 0u : GLOB_VARIABLES);
	str rest = str_skip(text, strlen("arn:aws:s3:::")), bucket;
	struct glob fits;

	if (str_eq(text, STR("*")))
		rest = text;
	else if (!str_starts(text, STR("arn:aws:s3:::")) || str_empty(rest))
		return policy_bad(r, element, "\"%.*s\" is not of the form arn:aws:s3:::BUCKET or arn:aws:s3:::BUCKET/KEY", STR_FMT(text));
	if (!glob_compile(rest, how, r->arena, ret))
		return policy_bad(r, element, "policy variables are not supported: \"%.*s\"", STR_FMT(text));
	bucket = rest;
	bucket = str_take_until(&rest, '/');
	if (!glob_compile(bucket, GLOB_WILDCARDS, r->arena, &fits))
		return policy_bad(r, element, "policy variables are not supported: \"%.*s\"", STR_FMT(text));
	if (!glob_match(&fits, r->bucket))
		return policy_bad(r, element, "\"%.*s\" does not lie in bucket %.*s", STR_FMT(text), STR_FMT(r->bucket));
	return ERR_OK;
}

static err
read_resources(const struct policy_reader *r, const char *element, json_t *json, struct statement *s)
{
	unsigned n;
	str *list;

	TRY(policy_read_strings(r, element, json, LIST_MAX, &list, &n));
	s->resource = ARENA_ARRAY(r->arena, struct glob, n);
	for (unsigned i = 0; i < n; i++)
		TRY(read_resource(r, element, list[i], &s->resource[i]));
	s->resources = n;
	return ERR_OK;
}

/* ---- Statement ---- */

enum element {
	SID, EFFECT, PRINCIPAL, NOT_PRINCIPAL, ACTION, NOT_ACTION, RESOURCE, NOT_RESOURCE, CONDITION, ELEMENTS
};
static const char *const element_name[ELEMENTS] = {
	"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"
};

static err
read_elements(const struct policy_reader *r, json_t *json, json_t *ret[ELEMENTS])
{
	const char *name;
	json_t *value;

	if (!json_is_object(json))
		return policy_bad(r, "Statement", "must be an object or a list of objects");
	json_object_foreach(json, name, value) {
		unsigned i = 0;

		while (i < ELEMENTS && strcmp(name, element_name[i]) != 0)
			i++;
		if (i == ELEMENTS)
			return policy_bad(r, name, "there is no such element");
		ret[i] = value;
	}
	if (ret[PRINCIPAL] != NULL && ret[NOT_PRINCIPAL] != NULL)
		return policy_bad(r, "NotPrincipal", "stands beside Principal");
	if ((ret[ACTION] != NULL) == (ret[NOT_ACTION] != NULL))
		return policy_bad(r, "Action", "there must be either Action or NotAction");
	if ((ret[RESOURCE] != NULL) == (ret[NOT_RESOURCE] != NULL))
		return policy_bad(r, "Resource", "there must be either Resource or NotResource");
	return ERR_OK;
}

/* All s3: actions but these. */
static void
actions_invert(struct actions *a)
{
	struct actions all = { 0 };

	actions_add_pattern(&all, STR("s3:*"));
	for (size_t i = 0; i < sizeof(a->bit) / sizeof(a->bit[0]); i++)
		a->bit[i] = all.bit[i] & ~a->bit[i];
}

static err
read_statement(struct policy_reader *r, json_t *json, struct statement *s)
{
	json_t *e[ELEMENTS] = { NULL };

	TRY(read_elements(r, json, e));
	if (e[SID] != NULL) {
		if (!json_is_string(e[SID]))
			return policy_bad(r, "Sid", "must be a string");
		s->name = arena_str(r->arena, str_c(json_string_value(e[SID])));
	}
	if (!json_is_string(e[EFFECT]))
		return policy_bad(r, "Effect", "must be \"Allow\" or \"Deny\"");
	s->allow = strcmp(json_string_value(e[EFFECT]), "Allow") == 0;
	if (!s->allow && strcmp(json_string_value(e[EFFECT]), "Deny") != 0)
		return policy_bad(r, "Effect", "\"%s\" is neither \"Allow\" nor \"Deny\"", json_string_value(e[EFFECT]));
	s->whom = e[PRINCIPAL] != NULL ? WHOM_LISTED : e[NOT_PRINCIPAL] != NULL ? WHOM_ALL_BUT : WHOM_NOT_SAID;
	if (s->whom != WHOM_NOT_SAID)
		TRY(read_principal(r, element_name[s->whom == WHOM_LISTED ? PRINCIPAL : NOT_PRINCIPAL],
		    s->whom == WHOM_LISTED ? e[PRINCIPAL] : e[NOT_PRINCIPAL], s));
	TRY(read_actions(r, element_name[e[ACTION] ? ACTION : NOT_ACTION], e[ACTION] ? e[ACTION] : e[NOT_ACTION], &s->actions));
	if (e[NOT_ACTION] != NULL)
		actions_invert(&s->actions);
	s->resources_not = e[NOT_RESOURCE] != NULL;
	TRY(read_resources(r, element_name[e[RESOURCE] ? RESOURCE : NOT_RESOURCE],
	    e[RESOURCE] ? e[RESOURCE] : e[NOT_RESOURCE], s));
	if (e[CONDITION] != NULL)
		TRY(policy_read_conditions(r, e[CONDITION], s));
	return ERR_OK;
}

static err
read_statements(struct policy_reader *r, json_t *json, struct policy *p)
{
	size_t n = json_is_array(json) ? json_array_size(json) : 1;

	if (n == 0 || n > ACCESS_STATEMENTS_MAX)
		return policy_bad(r, "Statement", "1 to %u statements are allowed, not %zu", ACCESS_STATEMENTS_MAX, n);
	p->statement = ARENA_ARRAY(r->arena, struct statement, n);
	for (size_t i = 0; i < n; i++) {
		r->statement = (unsigned)i + 1;
		TRY(read_statement(r, json_is_array(json) ? json_array_get(json, i) : json, &p->statement[i]));
	}
	p->statements = (unsigned)n;
	p->asks_existing_tags = r->asks_existing_tags;
	return ERR_OK;
}

static err
read_policy(struct policy_reader *r, json_t *json, struct policy *p)
{
	const char *name;
	json_t *value, *statements = NULL;

	if (!json_is_object(json))
		return policy_bad(r, "Policy", "must be a JSON object");
	json_object_foreach(json, name, value) {
		if (strcmp(name, "Statement") == 0) {
			statements = value;
		} else if (strcmp(name, "Version") == 0) {
			if (!json_is_string(value) || (strcmp(json_string_value(value), "2012-10-17") != 0 &&
			    strcmp(json_string_value(value), "2008-10-17") != 0))
				return policy_bad(r, "Version", "must be \"2012-10-17\" or \"2008-10-17\"");
			r->old_version = strcmp(json_string_value(value), "2008-10-17") == 0;
		} else if (strcmp(name, "Id") == 0) {
			if (!json_is_string(value))
				return policy_bad(r, "Id", "must be a string");
			p->name = arena_str(r->arena, str_c(json_string_value(value)));
		} else {
			return policy_bad(r, name, "there is no such element");
		}
	}
	if (statements == NULL)
		return policy_bad(r, "Statement", "is missing");
	return read_statements(r, statements, p);
}

err_v
policy_compile(str json, policy_reader_f *read, struct policy_reader *r, struct policy **ret)
{
	AUTO(policy_free) struct policy *p = NULL;
	AUTO(json_free) json_t *root = NULL;
	json_error_t where;
	struct arena *memory;

	if (json.len > ACCESS_POLICY_BYTES_MAX)
		return err_s3f(S3_MalformedPolicy, "The policy is larger than %u bytes.", ACCESS_POLICY_BYTES_MAX);
	root = json_loadb(json.p ? json.p : "", json.len, JSON_REJECT_DUPLICATES, &where);
	if (root == NULL)
		return err_s3f(S3_MalformedPolicy, "The policy is not valid JSON: line %d, column %d: %s.",
		    where.line, where.column, where.text);
	memory = arena_new(1024, POLICY_MEMORY_MAX);
	p = ARENA_NEW(memory, struct policy);
	p->memory = r->arena = memory;
	TRY(read(r, root, p));
	*ret = p;
	p = NULL;
	return ERR_OK;
}

err_v
policy_compile_bucket(str bucket, str json, struct policy **ret)
{
	struct policy_reader r = { .bucket = bucket };

	return policy_compile(json, read_policy, &r, ret);
}

err_v
access_policy_validate(struct access *a, str bucket, str json)
{
	AUTO(policy_free) struct policy *p = NULL;

	(void)a;
	return policy_compile_bucket(bucket, json, &p);
}
