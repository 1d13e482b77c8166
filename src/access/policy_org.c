/*
 * policy_org.c - organization policies: v1alpha1 JSON, compiled.
 *
 * {"version": "v1alpha1", "name": "...", "statements": [{"name", "effect", "actions", "resources", "principals"}]}, all members
 * required, lists non-empty. Names of principals are short: an ARN is refused.
 */
#include <jansson.h>

#include "access/admin.h"
#include "access/policy.h"
#include "base/mem.h"

#define LIST_MAX 1000u
#define NAME_MAX_BYTES 255u

static err
read_principal(const struct policy_reader *r, str text, str org, struct who *ret)
{
	*ret = (struct who){ .kind = WHO_NAME, .org = org, .name = text };
	if (str_eq(text, STR("*"))) {
		ret->kind = WHO_EVERYONE;
		return ERR_OK;
	}
	if (str_starts(text, STR("arn:")))
		return policy_bad(r, "principals", "\"%.*s\" is an ARN: use the short form, such as coreweave/UID", STR_FMT(text));
	if (!str_starts(text, STR("coreweave/")) && !str_starts(text, STR("role/")) && !str_starts(text, STR("saml/")))
		return policy_bad(r, "principals", "\"%.*s\" does not begin with coreweave/, role/ or saml/", STR_FMT(text));
	if (str_ends(text, STR("*"))) {
		ret->kind = WHO_PREFIX;
		ret->name.len--;
	}
	if (str_find(ret->name, '*') >= 0 || str_find(ret->name, '?') >= 0)
		return policy_bad(r, "principals", "\"%.*s\": a wildcard may only be the last character", STR_FMT(text));
	return ERR_OK;
}

static err
read_resource(const struct policy_reader *r, str text, struct glob *ret)
{
	if (str_starts(text, STR("arn:")))
		return policy_bad(r, "resources", "\"%.*s\" is an ARN: use the short form, BUCKET or BUCKET/*", STR_FMT(text));
	(void)glob_compile(text, GLOB_WILDCARDS, r->arena, ret);	/* fails on variables only */
	return ERR_OK;
}

/* cwobject: actions and s3:ListAllMyBuckets belong to no bucket. */
static err
read_action(const struct policy_reader *r, str text, bool everywhere, struct actions *ret)
{
	if (!str_eq(text, STR("*")) && !str_starts_nocase(text, STR("s3:")) && !str_starts_nocase(text, STR("cwobject:")))
		return policy_bad(r, "actions", "\"%.*s\" is neither an s3: nor a cwobject: action", STR_FMT(text));
	if (!actions_add_pattern(ret, text))
		return policy_bad(r, "actions", "\"%.*s\" is not an action", STR_FMT(text));
	if (!everywhere && (str_starts_nocase(text, STR("cwobject:")) || str_eq_nocase(text, STR("s3:ListAllMyBuckets"))))
		return policy_bad(r, "actions", "\"%.*s\" needs \"resources\": [\"*\"]", STR_FMT(text));
	return ERR_OK;
}

static err
read_text(const struct policy_reader *r, const char *element, json_t *json, str *ret)
{
	if (!json_is_string(json) || json_string_length(json) == 0)
		return policy_bad(r, element, "must be a string that is not empty");
	if (json_string_length(json) > NAME_MAX_BYTES)
		return policy_bad(r, element, "is longer than %u bytes", NAME_MAX_BYTES);
	*ret = arena_str(r->arena, str_n(json_string_value(json), json_string_length(json)));
	return ERR_OK;
}

static err
read_list(const struct policy_reader *r, const char *element, json_t *json, str **ret, unsigned *ret_n)
{
	if (!json_is_array(json))
		return policy_bad(r, element, "must be a list of strings");
	return policy_read_strings(r, element, json, LIST_MAX, ret, ret_n);
}

static err
check_members(const struct policy_reader *r, json_t *json, const char *const *known, size_t n)
{
	const char *name;
	json_t *value;

	json_object_foreach(json, name, value) {
		size_t i = 0;

		while (i < n && strcmp(name, known[i]) != 0)
			i++;
		if (i == n)
			return policy_bad(r, name, "there is no such member");
	}
	return ERR_OK;
}

static err
read_statement(struct policy_reader *r, json_t *json, struct statement *s)
{
	static const char *const known[] = { "name", "effect", "actions", "resources", "principals" };
	unsigned principals, resources, actions;
	bool everywhere = false;
	str effect, *list;

	if (!json_is_object(json))
		return policy_bad(r, "statements", "must be a list of objects");
	TRY(check_members(r, json, known, COUNT(known)));
	TRY(read_text(r, "name", json_object_get(json, "name"), &s->name));
	TRY(read_text(r, "effect", json_object_get(json, "effect"), &effect));
	s->allow = str_eq(effect, STR("Allow"));
	if (!s->allow && !str_eq(effect, STR("Deny")))
		return policy_bad(r, "effect", "\"%.*s\" is neither \"Allow\" nor \"Deny\"", STR_FMT(effect));

	s->whom = WHOM_LISTED;
	TRY(read_list(r, "principals", json_object_get(json, "principals"), &list, &principals));
	s->who = ARENA_ARRAY(r->arena, struct who, principals);
	for (s->whos = 0; s->whos < principals; s->whos++)
		TRY(read_principal(r, list[s->whos], r->org, &s->who[s->whos]));

	TRY(read_list(r, "resources", json_object_get(json, "resources"), &list, &resources));
	s->resource = ARENA_ARRAY(r->arena, struct glob, resources);
	for (s->resources = 0; s->resources < resources; s->resources++) {
		TRY(read_resource(r, list[s->resources], &s->resource[s->resources]));
		everywhere = everywhere || str_eq(list[s->resources], STR("*"));
	}

	TRY(read_list(r, "actions", json_object_get(json, "actions"), &list, &actions));
	for (unsigned i = 0; i < actions; i++)
		TRY(read_action(r, list[i], everywhere, &s->actions));
	return ERR_OK;
}

static err
read_policy(struct policy_reader *r, json_t *json, struct policy *p)
{
	static const char *const known[] = { "version", "name", "statements" };
	json_t *statements;
	size_t n;
	str version;

	r->org = arena_str(r->arena, r->org);
	if (json_is_object(json) && json_object_size(json) == 1 && json_object_get(json, "policy") != NULL)
		json = json_object_get(json, "policy");
	if (!json_is_object(json))
		return policy_bad(r, "policy", "must be an object");
	TRY(check_members(r, json, known, COUNT(known)));
	TRY(read_text(r, "version", json_object_get(json, "version"), &version));
	if (!str_eq(version, STR("v1alpha1")))
		return policy_bad(r, "version", "must be \"v1alpha1\"");
	TRY(read_text(r, "name", json_object_get(json, "name"), &p->name));
	statements = json_object_get(json, "statements");
	n = json_array_size(statements);		/* 0 if it is no list */
	if (n == 0 || n > ACCESS_STATEMENTS_MAX)
		return policy_bad(r, "statements", "must be a list of 1 to %u statements", ACCESS_STATEMENTS_MAX);
	p->statement = ARENA_ARRAY(r->arena, struct statement, n);
	for (size_t i = 0; i < n; i++) {
		r->statement = (unsigned)i + 1;
		TRY(read_statement(r, json_array_get(statements, i), &p->statement[i]));
	}
	p->statements = (unsigned)n;
	return ERR_OK;
}

err_v
policy_compile_org(str org, str json, struct policy **ret)
{
	struct policy_reader r = { .org = org };

	return policy_compile(json, read_policy, &r, ret);
}
