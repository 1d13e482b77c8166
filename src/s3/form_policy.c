/*
 * form_policy.c - what the policy document of a browser form allows.
 */
#include "s3/form_policy.h"

#include <jansson.h>

#include "base/json.h"
#include "base/panic.h"
#include "http/date.h"

#define FIELDS_MAX 128u

struct check {
	str bucket;
	struct pairs fields;
	bool covered[FIELDS_MAX], bucket_covered;
	struct form_limits limits;
};

static err
invalid(const char *why)
{
	return err_s3f(S3_InvalidPolicyDocument, "The policy of the form is not valid: %s", why);
}

static bool
json_str(const json_t *j, str *ret)
{
	if (!json_is_string(j))
		return false;
	*ret = str_n(json_string_value(j), json_string_length(j));
	return true;
}

static bool
json_size(const json_t *j, uint64_t *ret)
{
	str text;

	if (json_str(j, &text))
		return str_u64(text, ret);
	if (!json_is_integer(j) || json_integer_value(j) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(j);
	return true;
}

static err
failed(const char *op, str field, str value)
{
	return err_s3f(S3_AccessDenied, "The form does not meet a condition of its policy: [\"%s\", \"$%.*s\", \"%.*s\"]",
	    op, STR_FMT(field), STR_FMT(value));
}

/* A Content-Type may be a list; then each of it must begin so. */
static bool
starts_all(str field, str text, str prefix)
{
	str rest = text;

	if (!str_eq_nocase(field, STR("content-type")))
		return str_starts(text, prefix);
	do
		if (!str_starts(str_trim(str_take_until(&rest, ',')), prefix))
			return false;
	while (rest.p != NULL);
	return true;
}

/* "bucket" is the bucket that is written to, whatever a field of that name says. */
static err
condition_field(struct check *c, const char *op, str field, str value)
{
	bool prefix = strcmp(op, "starts-with") == 0, is_bucket = str_eq_nocase(field, STR("bucket"));
	str have = is_bucket ? c->bucket : STR("");

	c->bucket_covered = c->bucket_covered || is_bucket;
	for (unsigned i = 0; i < c->fields.n; i++) {
		if (!str_eq_nocase(c->fields.at[i].name, field))
			continue;
		c->covered[i] = true;
		if (!is_bucket)
			have = c->fields.at[i].value;
	}
	if (prefix ? !starts_all(field, have, value) : !str_eq(have, value))
		return failed(op, field, value);
	return ERR_OK;
}

static err
condition_range(struct check *c, const json_t *condition)
{
	struct form_limits l;

	if (!json_size(json_array_get(condition, 1), &l.size_min) || !json_size(json_array_get(condition, 2), &l.size_max) ||
	    l.size_min > l.size_max)
		return invalid("content-length-range needs two numbers of bytes, the smaller first.");
	if (l.size_min > c->limits.size_min)
		c->limits.size_min = l.size_min;
	if (l.size_max < c->limits.size_max)
		c->limits.size_max = l.size_max;
	return ERR_OK;
}

/* ["eq", "$field", "value"], ["starts-with", "$field", "prefix"], ["content-length-range", min, max] */
static err
condition_list(struct check *c, const json_t *condition)
{
	str op, field, value;

	if (json_array_size(condition) != 3 || !json_str(json_array_get(condition, 0), &op))
		return invalid("a condition that is a list has three elements, the first of them its operation.");
	if (str_eq_nocase(op, STR("content-length-range")))
		return condition_range(c, condition);
	if (!json_str(json_array_get(condition, 1), &field) || !json_str(json_array_get(condition, 2), &value) ||
	    !str_starts(field, STR("$")))
		return invalid("behind eq and starts-with stand a $field and a string.");
	if (str_eq_nocase(op, STR("eq")))
		return condition_field(c, "eq", str_skip(field, 1), value);
	if (str_eq_nocase(op, STR("starts-with")))
		return condition_field(c, "starts-with", str_skip(field, 1), value);
	return invalid("the operation of a condition is eq, starts-with or content-length-range.");
}

/* {"field": "value"} */
static err
condition_object(struct check *c, json_t *condition)
{
	for (void *at = json_object_iter(condition); at != NULL; at = json_object_iter_next(condition, at)) {
		str value;

		if (!json_str(json_object_iter_value(at), &value))
			return invalid("the value of a field must be a string.");
		TRY(condition_field(c, "eq", str_c(json_object_iter_key(at)), value));
	}
	return ERR_OK;
}

static err
not_covered(str field)
{
	return err_s3f(S3_AccessDenied, "The policy of the form has no condition for %.*s. Add one.", STR_FMT(field));
}

static err
conditions_check(struct check *c, const json_t *conditions)
{
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		json_t *condition = json_array_get(conditions, i);

		if (json_is_array(condition))
			TRY(condition_list(c, condition));
		else if (json_is_object(condition))
			TRY(condition_object(c, condition));
		else
			return invalid("a condition is a list or an object.");
	}
	for (unsigned i = 0; i < c->fields.n; i++)
		if (!c->covered[i] && !str_starts(c->fields.at[i].name, STR("x-ignore-")))
			return not_covered(c->fields.at[i].name);
	/* Else it would be good for every bucket that its signer may write to. */
	return c->bucket_covered ? ERR_OK : not_covered(STR("bucket"));
}

err_v
form_policy_check(str json, str bucket, struct pairs fields, uint64_t now_ms, struct form_limits *ret)
{
	struct check c = { .bucket = bucket, .fields = fields, .limits.size_max = UINT64_MAX };
	json_error_t error;
	AUTO(json_free) json_t *root = json_loadb(json.len > 0 ? json.p : "", json.len, JSON_REJECT_DUPLICATES, &error);
	uint64_t expires;
	str text;

	assert(fields.n <= FIELDS_MAX);
	if (!json_is_object(root))
		return invalid("it is not a JSON object.");
	if (!json_str(json_object_get(root, "expiration"), &text))
		return invalid("it has no expiration.");
	if (!date_iso_parse(text, &expires))
		return invalid("its expiration is not a time such as 2030-01-01T00:00:00Z.");
	if (!json_is_array(json_object_get(root, "conditions")))
		return invalid("it has no list conditions.");
	if (expires <= now_ms)
		return err_s3f(S3_AccessDenied, "The policy of the form has expired. Sign a new one.");
	TRY(conditions_check(&c, json_object_get(root, "conditions")));
	*ret = c.limits;
	return ERR_OK;
}
