/*
 * policy_condition_json.c - conditions from JSON: {"StringEquals": {"s3:prefix": ["a", "b"]}}.
 *
 * Unknown operators and keys, and values that the operator cannot compare, are refused: a policy means what it says, or is not stored.
 */
#include <jansson.h>

#include "access/policy.h"
#include "base/mem.h"

#define VALUES_MAX 500u

struct operator {
	str name;
	enum condition_type type;
	enum condition_test test;
	bool negated;
};

static const struct operator operators[] = {
#define CONDITION_OP(name, type, test, negated) { STR(#name), TYPE_##type, TEST_##test, negated },
#include "tbl/condition_ops.h"
#undef CONDITION_OP
};

static const str keys[COND_COUNT] = {
#define CONDITION_KEY(id, name, meaning) STR(name),
#include "tbl/condition_keys.h"
#undef CONDITION_KEY
};

static err
read_operator(const struct policy_reader *r, const char *text, struct condition *c)
{
	str name = str_c(text);

	if (str_starts(name, STR("ForAnyValue:"))) {
		c->quantifier = FOR_ANY;
		name = str_skip(name, strlen("ForAnyValue:"));
	} else if (str_starts(name, STR("ForAllValues:"))) {
		c->quantifier = FOR_ALL;
		name = str_skip(name, strlen("ForAllValues:"));
	}
	if (str_ends(name, STR("IfExists"))) {
		c->if_exists = true;
		name.len -= strlen("IfExists");
	}
	for (size_t i = 0; i < COUNT(operators); i++) {
		if (!str_eq(operators[i].name, name))
			continue;
		c->type = operators[i].type;
		c->test = operators[i].test;
		c->negated = operators[i].negated;
		if (c->type == TYPE_NOTHING && (c->if_exists || c->quantifier != FOR_PLAIN))
			break;
		return ERR_OK;
	}
	return policy_bad(r, "Condition", "\"%s\" is not an operator", text);
}

/* "iam:<org>:groups" */
static bool
groups_key(str name, str *ret_org)
{
	str rest = name, iam = str_take_until(&rest, ':'), org = str_take_until(&rest, ':');

	if (!str_eq_nocase(iam, STR("iam")) || str_empty(org) || !str_eq_nocase(rest, STR("groups")))
		return false;
	*ret_org = org;
	return true;
}

static err
read_key(struct policy_reader *r, const char *text, struct condition *c)
{
	str name = str_c(text);

	if (groups_key(name, &c->arg)) {
		c->key = COND_GROUPS;
		c->arg = arena_str(r->arena, c->arg);
		return ERR_OK;
	}
	for (unsigned i = 0; i < COND_COUNT; i++) {
		if (i == COND_GROUPS)
			continue;
		if (!str_ends(keys[i], STR("/"))) {
			if (!str_eq_nocase(keys[i], name))
				continue;
		} else {
			if (!str_starts_nocase(name, keys[i]) || name.len == keys[i].len)
				continue;
			c->arg = arena_str(r->arena, str_skip(name, keys[i].len));
			r->asks_existing_tags = r->asks_existing_tags || i == COND_EXISTING_TAG;
		}
		c->key = (enum condition_key)i;
		return ERR_OK;
	}
	return policy_bad(r, "Condition", "\"%s\" is not a condition key", text);
}

static bool
read_text(struct policy_reader *r, enum condition_test test, str text, struct glob *ret)
{
	unsigned how = (test == TEST_LIKE ? GLOB_WILDCARDS : 0u) | (r->old_version ? 0u : GLOB_VARIABLES);

	return glob_compile(text, how, r->arena, ret);
}

static err
read_value(struct policy_reader *r, const char *operator, const struct condition *c, json_t *json, union condition_value *ret)
{
	char printed[32];
	str text;

	if (json_is_string(json))
		text = str_n(json_string_value(json), json_string_length(json));
	else if (json_is_boolean(json))
		text = json_is_true(json) ? STR("true") : STR("false");
	else if (json_is_integer(json))
		text = str_n(printed, (size_t)snprintf(printed, sizeof(printed), "%lld", json_integer_value(json)));
	else if (json_is_real(json))
		text = str_n(printed, (size_t)snprintf(printed, sizeof(printed), "%.15g", json_real_value(json)));
	else
		return policy_bad(r, "Condition", "a value of %s is not a string, number or boolean", operator);

	switch (c->type) {
	case TYPE_STRING:
		if (!read_text(r, c->test, text, &ret->text))
			return policy_bad(r, "Condition", "policy variables are not supported: \"%.*s\"", STR_FMT(text));
		return ERR_OK;
	case TYPE_NUMBER:
		if (!condition_number_parse(text, &ret->number))
			return policy_bad(r, "Condition", "\"%.*s\" is not a number", STR_FMT(text));
		return ERR_OK;
	case TYPE_DATE:
		if (!condition_date_parse(text, &ret->number))
			return policy_bad(r, "Condition", "\"%.*s\" is not a date", STR_FMT(text));
		return ERR_OK;
	case TYPE_IP:
		if (!ip_range_parse(text, &ret->ip))
			return policy_bad(r, "Condition", "\"%.*s\" is not an IP address or range", STR_FMT(text));
		return ERR_OK;
	default:
		if (!str_eq_nocase(text, STR("true")) && !str_eq_nocase(text, STR("false")))
			return policy_bad(r, "Condition", "a value of %s is \"true\" or \"false\", not \"%.*s\"", operator, STR_FMT(text));
		if (c->type == TYPE_NOTHING)
			ret->absent = str_eq_nocase(text, STR("true"));
		else
			ret->text.text = arena_str(r->arena, text);
		return ERR_OK;
	}
}

static err
read_values(struct policy_reader *r, const char *operator, const char *key, json_t *json, struct condition *c)
{
	size_t n = json_is_array(json) ? json_array_size(json) : 1;

	if (n == 0 || n > VALUES_MAX)
		return policy_bad(r, "Condition", "%s: %s has %zu values, 1 to %u are allowed", operator, key, n, VALUES_MAX);
	c->value = ARENA_ARRAY(r->arena, union condition_value, n);
	for (size_t i = 0; i < n; i++)
		TRY(read_value(r, operator, c, json_is_array(json) ? json_array_get(json, i) : json, &c->value[i]));
	c->values = (unsigned)n;
	return ERR_OK;
}

err_v
policy_read_conditions(struct policy_reader *r, json_t *json, struct statement *ret)
{
	const char *operator, *key;
	json_t *of_operator, *values;
	size_t n = 0;

	if (!json_is_object(json))
		return policy_bad(r, "Condition", "must be an object");
	json_object_foreach(json, operator, of_operator)
		n += json_object_size(of_operator);
	ret->condition = n > 0 ? ARENA_ARRAY(r->arena, struct condition, n) : NULL;
	json_object_foreach(json, operator, of_operator) {
		if (!json_is_object(of_operator) || json_object_size(of_operator) == 0)
			return policy_bad(r, "Condition", "%s must be an object of condition keys", operator);
		json_object_foreach(of_operator, key, values) {
			struct condition *c = &ret->condition[ret->conditions];

			TRY(read_operator(r, operator, c));
			TRY(read_key(r, key, c));
			TRY(read_values(r, operator, key, values, c));
			ret->conditions++;
		}
	}
	return ERR_OK;
}
