/*
 * test_policy_model.c - the evaluator against a slow one that reads the JSON anew for each question.
 *
 * Random documents over a small vocabulary, so that matches and near misses are common; random questions; both must say the same. The
 * reference works on strings and jansson values, recursive and unoptimized, and shares no code with src/access.
 */
#include <jansson.h>
#include <strings.h>

#include "access/policy.h"
#include "base/mem.h"
#include "http/head.h"
#include "chance.h"
#include "test.h"

#define PICK(list) (list)[below(COUNT(list))]

/* ---- the question, as plain C ---- */

struct asked {
	const char *org, *name, *key_id;	/* org NULL: anonymous */
	const char *groups[3];
	const char *action, *resource;
	const char *prefix, *max_keys, *agent, *ip, *tls;
	const char *tag_names[3], *tag_values[3];
};

/* ---- the reference ---- */

static bool
like(const char *p, const char *s, bool wild, bool nocase)
{
	if (*p == '\0')
		return *s == '\0';
	if (wild && *p == '*')
		return like(p + 1, s, wild, nocase) || (*s != '\0' && like(p, s + 1, wild, nocase));
	if (*s == '\0')
		return false;
	if ((wild && *p == '?') || *p == *s || (nocase && strncasecmp(p, s, 1) == 0))
		return like(p + 1, s + 1, wild, nocase);
	return false;
}

static size_t
count(json_t *j)
{
	return json_is_array(j) ? json_array_size(j) : 1;
}

static json_t *
nth(json_t *j, size_t i)
{
	return json_is_array(j) ? json_array_get(j, i) : j;
}

static const char *
text(json_t *j)
{
	static char room[4][64];
	static unsigned turn;
	char *p = room[turn++ % 4];

	if (json_is_string(j))
		return json_string_value(j);
	if (json_is_boolean(j))
		return json_is_true(j) ? "true" : "false";
	snprintf(p, 64, "%lld", json_integer_value(j));
	return p;
}

static bool
ref_principal(json_t *list, const struct asked *q)
{
	if (json_is_object(list)) {
		const char *family;
		json_t *names;

		json_object_foreach(list, family, names)
			if (ref_principal(names, q))
				return true;
		return false;
	}
	for (size_t i = 0; i < count(list); i++) {
		const char *want = text(nth(list, i));
		char mine[128];

		if (strcmp(want, "*") == 0)
			return true;
		if (q->org == NULL)
			continue;
		snprintf(mine, sizeof(mine), "arn:aws:iam::%s:%s", q->org, q->name);
		if (like(want, mine, true, false))
			return true;
		snprintf(mine, sizeof(mine), "arn:aws:iam::%s:root", q->org);
		if (strcmp(want, mine) == 0)
			return true;
		snprintf(mine, sizeof(mine), "arn:aws:iam:::user/%s", q->key_id);
		if (strcmp(want, mine) == 0)
			return true;
	}
	return false;
}

static bool
ref_list(json_t *list, const char *value, bool nocase)
{
	for (size_t i = 0; i < count(list); i++)
		if (like(text(nth(list, i)), value, true, nocase))
			return true;
	return false;
}

/* All values of a key; how many. */
static size_t
ref_values(const char *key, const struct asked *q, const char *ret[4])
{
	bool lists = strcmp(q->action, "s3:ListBucket") == 0;
	size_t n = 0;

	if (strcmp(key, "s3:prefix") == 0 && lists && q->prefix != NULL)
		ret[n++] = q->prefix;
	if (strcmp(key, "s3:max-keys") == 0 && lists && q->max_keys != NULL)
		ret[n++] = q->max_keys;
	if (strcmp(key, "aws:UserAgent") == 0 && q->agent != NULL)
		ret[n++] = q->agent;
	if (strcmp(key, "aws:SourceIp") == 0 && q->ip != NULL)
		ret[n++] = q->ip;
	if (strcmp(key, "aws:SecureTransport") == 0)
		ret[n++] = q->tls;
	if (strcmp(key, "cw:PrincipalOrgID") == 0 && q->org != NULL)
		ret[n++] = q->org;
	if (strcmp(key, "iam:aaaaaa:groups") == 0 && q->org != NULL && strcmp(q->org, "aaaaaa") == 0)
		for (; n < 3 && q->groups[n] != NULL; n++)
			ret[n] = q->groups[n];
	if (strcmp(key, "s3:RequestObjectTagKeys") == 0)
		for (; n < 3 && q->tag_names[n] != NULL; n++)
			ret[n] = q->tag_names[n];
	if (strncmp(key, "s3:RequestObjectTag/", 20) == 0)
		for (size_t i = 0; i < 3 && q->tag_names[i] != NULL; i++)
			if (strcmp(q->tag_names[i], key + 20) == 0)
				ret[n++] = q->tag_values[i];
	return n;
}

/* 10.x.y.z only. */
static bool
ref_ip(const char *want, const char *have)
{
	unsigned w[4], h[4], bits = 32;

	if (sscanf(want, "%u.%u.%u.%u/%u", &w[0], &w[1], &w[2], &w[3], &bits) < 4 ||
	    sscanf(have, "%u.%u.%u.%u", &h[0], &h[1], &h[2], &h[3]) != 4)
		return false;
	for (unsigned b = 0; b < bits; b++)
		if ((w[b / 8] >> (7 - b % 8) & 1) != (h[b / 8] >> (7 - b % 8) & 1))
			return false;
	return true;
}

static bool
ref_one(const char *op, const char *want, const char *have)
{
	if (strncmp(op, "Numeric", 7) == 0) {
		long long w, h;
		char more;

		if (sscanf(want, "%lld%c", &w, &more) != 1 || sscanf(have, "%lld%c", &h, &more) != 1)
			return false;
		return strcmp(op, "NumericEquals") == 0 ? h == w : strcmp(op, "NumericLessThan") == 0 ? h < w : h >= w;
	}
	if (strcmp(op, "IpAddress") == 0)
		return ref_ip(want, have);
	return like(want, have, strcmp(op, "StringLike") == 0, strcmp(op, "StringEqualsIgnoreCase") == 0 || strcmp(op, "Bool") == 0);
}

/* An operator without what stands around it: "ForAnyValue:StringNotEqualsIfExists" is StringEquals, negated, and so on. */
static const struct { const char *negative, *positive; } opposites[] = {
	{ "StringNotEquals", "StringEquals" }, { "StringNotLike", "StringLike" },
	{ "StringNotEqualsIgnoreCase", "StringEqualsIgnoreCase" }, { "NotIpAddress", "IpAddress" },
};

static bool
ref_condition(const char *full, const char *key, json_t *wants, const struct asked *q)
{
	const char *have[4], *op = full;
	bool any_of = strncmp(op, "ForAnyValue:", 12) == 0, all_of = strncmp(op, "ForAllValues:", 13) == 0;
	bool negated = false, if_exists, any = false, all = true;
	size_t n = ref_values(key, q, have);
	char name[64];

	snprintf(name, sizeof(name), "%s", op + (any_of ? 12 : all_of ? 13 : 0));
	if_exists = strstr(name, "IfExists") != NULL;
	if (if_exists)
		*strstr(name, "IfExists") = '\0';
	if (strcmp(name, "Null") == 0) {
		for (size_t i = 0; i < count(wants); i++)
			if ((strcmp(text(nth(wants, i)), "true") == 0) == (n == 0))
				return true;
		return false;
	}
	for (size_t i = 0; i < COUNT(opposites); i++)
		if (strcmp(name, opposites[i].negative) == 0) {
			snprintf(name, sizeof(name), "%s", opposites[i].positive);
			negated = true;
			break;
		}
	if (n == 0)
		return if_exists || all_of || (negated && !any_of);
	for (size_t i = 0; i < n; i++) {
		bool fits = false;

		for (size_t k = 0; k < count(wants); k++)
			fits = fits || ref_one(name, text(nth(wants, k)), have[i]);
		any = any || (negated && any_of ? !fits : fits);
		all = all && (negated ? !fits : fits);
	}
	return any_of ? any : all_of || negated ? all : any;
}

static bool
ref_statement(json_t *s, const struct asked *q)
{
	bool allow = strcmp(json_string_value(json_object_get(s, "Effect")), "Allow") == 0;
	json_t *who = json_object_get(s, "Principal"), *not_who = json_object_get(s, "NotPrincipal"), *of_op, *wants;
	json_t *conditions = json_object_get(s, "Condition");
	const char *op, *key;

	if (who != NULL && !ref_principal(who, q))
		return false;
	if (not_who != NULL && (ref_principal(not_who, q) || (allow && q->org == NULL)))
		return false;
	if (who == NULL && not_who == NULL && allow && q->org == NULL)
		return false;
	if (json_object_get(s, "Action") != NULL && !ref_list(json_object_get(s, "Action"), q->action, true))
		return false;
	if (json_object_get(s, "NotAction") != NULL && ref_list(json_object_get(s, "NotAction"), q->action, true))
		return false;
	if (json_object_get(s, "Resource") != NULL && !ref_list(json_object_get(s, "Resource"), q->resource, false))
		return false;
	if (json_object_get(s, "NotResource") != NULL && ref_list(json_object_get(s, "NotResource"), q->resource, false))
		return false;
	json_object_foreach(conditions, op, of_op)
		json_object_foreach(of_op, key, wants)
			if (!ref_condition(op, key, wants, q))
				return false;
	return true;
}

static enum verdict
reference(json_t *policy, const struct asked *q)
{
	json_t *statements = json_object_get(policy, "Statement"), *s;
	enum verdict v = VERDICT_NONE;
	size_t i;

	json_array_foreach(statements, i, s) {
		if (!ref_statement(s, q))
			continue;
		if (strcmp(json_string_value(json_object_get(s, "Effect")), "Deny") == 0)
			return VERDICT_DENY;
		v = VERDICT_ALLOW;
	}
	return v;
}

/* ---- random documents ---- */

static const char *const principals[] = { "*", "arn:aws:iam::aaaaaa:coreweave/u1", "arn:aws:iam::aaaaaa:coreweave/u*",
	"arn:aws:iam::bbbbbb:root", "arn:aws:iam::bbbbbb:role/r", "arn:aws:iam:::user/CW1", "arn:aws:iam::aaaaaa:coreweave/u2" };
static const char *const actions[] = { "s3:GetObject", "s3:PutObject", "s3:Get*", "s3:*", "*", "s3:*Object", "s3:ListBucket", "S3:pUT*",
	"s3:?utObject" };
static const char *const resources[] = { "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a*", "arn:aws:s3:::b/*c", "arn:aws:s3:::*",
	"arn:aws:s3:::b/a?c", "arn:aws:s3:::b*", "arn:aws:s3:::b/*a*b*", "arn:aws:s3:::b/abc" };
static const char *const operators[] = { "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
	"StringNotEqualsIgnoreCase", "NumericEquals", "NumericLessThan", "NumericGreaterThanEquals", "IpAddress", "NotIpAddress", "Bool" };
static const char *const keys[] = { "s3:prefix", "s3:max-keys", "aws:UserAgent", "aws:SourceIp", "cw:PrincipalOrgID", "iam:aaaaaa:groups",
	"s3:RequestObjectTagKeys", "s3:RequestObjectTag/t1", "aws:SecureTransport" };
static const char *const texts[] = { "a", "A", "ab", "a*", "*", "?", "aaaaaa", "g1", "g2", "t1", "t2", "5", "bbbbbb", "" };
static const char *const numbers[] = { "5", "6", "-1", "10" };
static const char *const ranges[] = { "10.0.0.1", "10.0.0.0/24", "10.0.0.0/31", "10.128.0.0/9", "0.0.0.0/0" };

/* One string, or a list of up to three. */
static json_t *
some(const char *const *from, size_t n, const char *prefix)
{
	unsigned want = below(4);
	json_t *list;

	if (want == 0)
		return json_sprintf("%s%s", prefix, from[below((unsigned)n)]);
	list = json_array();
	while (want-- > 0)
		json_array_append_new(list, json_sprintf("%s%s", prefix, from[below((unsigned)n)]));
	return list;
}

static void
add_condition(json_t *conditions)
{
	const char *op = PICK(operators), *key = PICK(keys);
	json_t *values, *of_op;
	char full[80];

	if (below(8) == 0) {
		op = "Null";
		snprintf(full, sizeof(full), "Null");
		values = json_string(below(2) ? "true" : "false");
	} else {
		static const char *const before[] = { "", "", "ForAnyValue:", "ForAllValues:" };
		static const char *const after[] = { "", "", "IfExists" };

		snprintf(full, sizeof(full), "%s%s%s", PICK(before), op, PICK(after));
		if (strncmp(op, "Numeric", 7) == 0)
			values = some(numbers, COUNT(numbers), "");
		else if (strstr(op, "IpAddress") != NULL)
			values = some(ranges, COUNT(ranges), "");
		else if (strcmp(op, "Bool") == 0)
			values = json_boolean(below(2));
		else
			values = some(texts, COUNT(texts), "");
	}
	of_op = json_object_get(conditions, full);
	if (of_op == NULL) {
		of_op = json_object();
		json_object_set_new(conditions, full, of_op);
	}
	json_object_set_new(of_op, key, values);
}

static json_t *
random_policy(void)
{
	json_t *statements = json_array();

	for (unsigned n = 1 + below(4); n > 0; n--) {
		json_t *s = json_object(), *conditions = json_object();

		json_object_set_new(s, "Effect", json_string(below(3) ? "Allow" : "Deny"));
		if (below(8) != 0) {
			json_t *who = below(4) == 0 ? json_string("*") : json_object();

			if (json_is_object(who))
				json_object_set_new(who, below(2) ? "CW" : "AWS", some(principals, COUNT(principals), ""));
			json_object_set_new(s, below(6) ? "Principal" : "NotPrincipal", who);
		}
		json_object_set_new(s, below(6) ? "Action" : "NotAction", some(actions, COUNT(actions), ""));
		json_object_set_new(s, below(6) ? "Resource" : "NotResource", some(resources, COUNT(resources), ""));
		for (unsigned k = below(4); k > 1; k--)
			add_condition(conditions);
		json_object_set_new(s, "Condition", conditions);
		json_array_append_new(statements, s);
	}
	return json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
}

static struct asked
random_question(void)
{
	static const char *const orgs[] = { NULL, "aaaaaa", "aaaaaa", "bbbbbb" };
	static const char *const names[] = { "coreweave/u1", "coreweave/u2", "role/r" };
	static const char *const keys_of[] = { "CW1", "CW2" }, *const asks[] = { "s3:GetObject", "s3:PutObject", "s3:ListBucket" };
	static const char *const places[] = { "b", "b/a", "b/abc", "b/xaxbc", "b/ab", "b/a/b/c" };
	static const char *const prefixes[] = { NULL, "a", "ab", "A" }, *const maxima[] = { NULL, "5", "10", "x" };
	static const char *const ips[] = { NULL, "10.0.0.1", "10.0.0.2", "10.200.0.1" };
	static const char *const sets[] = { NULL, "g1", "g2", "t1", "t2", "a" };
	struct asked q = {
		.org = PICK(orgs), .name = PICK(names), .key_id = PICK(keys_of), .action = PICK(asks), .resource = PICK(places),
		.prefix = PICK(prefixes), .max_keys = PICK(maxima), .agent = PICK(prefixes), .ip = PICK(ips),
		.tls = below(2) ? "true" : "false",
	};

	for (unsigned i = 0; i < 3; i++) {
		q.groups[i] = PICK(sets);
		q.tag_names[i] = i == 1 ? "t1" : PICK(sets);
		q.tag_values[i] = PICK(texts);
		if (i == 0 && q.tag_names[0] != NULL && strcmp(q.tag_names[0], "t1") == 0)
			q.tag_names[0] = "a";		/* names are unique */
		if (q.tag_names[i] != NULL && i == 2)
			q.tag_names[2] = "t2";
	}
	return q;
}

/* ---- both sides ---- */

static enum verdict
evaluated(const struct policy *p, const struct asked *q, struct arena *mem)
{
	struct http_head *head = ARENA_NEW(mem, struct http_head);
	struct principal who = { .anonymous = q->org == NULL, .org = str_c(q->org), .name = str_c(q->name),
		.access_key = str_c(q->key_id) };
	struct pair groups[3] = { 0 }, tags[3] = { 0 };
	struct pairs request_tags = { .at = tags };
	struct access_question question = { .who = &who, .action = str_c(q->action), .head = head, .source_ip = str_c(q->ip),
		.tls = strcmp(q->tls, "true") == 0, .request_tags = &request_tags };
	struct ask ask = { .question = &question, .action = action_find(str_c(q->action)), .resource = str_c(q->resource) };
	const struct statement *s;

	who.groups.at = groups;
	for (; who.groups.n < 3 && q->groups[who.groups.n] != NULL; who.groups.n++)
		groups[who.groups.n].name = str_c(q->groups[who.groups.n]);
	for (; request_tags.n < 3 && q->tag_names[request_tags.n] != NULL; request_tags.n++)
		tags[request_tags.n] = (struct pair){ str_c(q->tag_names[request_tags.n]), str_c(q->tag_values[request_tags.n]) };
	if (q->prefix != NULL)
		head->query[head->queries++] = (struct http_query){ .name = STR("prefix"), .value = str_c(q->prefix), .has_value = true };
	if (q->max_keys != NULL)
		head->query[head->queries++] = (struct http_query){ .name = STR("max-keys"), .value = str_c(q->max_keys),
		    .has_value = true };
	if (q->agent != NULL)
		head->header[head->headers++] = (struct http_header){ STR("User-Agent"), str_c(q->agent) };
	return policy_ask(p, &ask, &s);
}

/* Patterns of the reference match the ARN; ours the text behind "arn:aws:s3:::". */
static struct asked
with_arn(const struct asked *q, struct arena *mem)
{
	struct asked r = *q;

	r.resource = arena_fmt(mem, "arn:aws:s3:::%s", q->resource).p;
	return r;
}

TEST(evaluator_agrees_with_reference)
{
	AUTO(arena_free) struct arena *mem = arena_new(1 << 16, 16 << 20);
	unsigned seen[3] = { 0 };
	const char *rounds = getenv("POLICY_ROUNDS");
	unsigned long n = rounds != NULL ? (unsigned long)atol(rounds) : 20000;

	for (unsigned long round = 0; round < n && !test_failed; round++) {
		json_t *json = random_policy();
		char *dump = json_dumps(json, JSON_COMPACT);
		AUTO(policy_free) struct policy *p = NULL;

		EXPECT_ERR(dump, policy_compile_bucket(STR("b"), str_c(dump), &p), 0);
		for (int k = 0; k < 10 && p != NULL && !test_failed; k++) {
			struct asked q = random_question(), arn;
			enum verdict mine, want;

			arena_reset(mem);
			arn = with_arn(&q, mem);
			mine = evaluated(p, &q, mem);
			want = reference(json, &arn);
			seen[want]++;
			if (mine != want)
				TEST_FAIL("round %lu: %s\n%s %s %s %s prefix %s max %s agent %s ip %s tls %s group %s tag %s: %d, want %d",
				    round, dump, q.org, q.name, q.action, q.resource, q.prefix, q.max_keys, q.agent, q.ip, q.tls,
				    q.groups[0], q.tag_names[0], mine, want);
		}
		free(dump);
		json_decref(json);
	}
	/* The vocabulary is such that each answer is common. */
	if (n >= 1000)
		EXPECT(seen[VERDICT_NONE] > n && seen[VERDICT_ALLOW] > n / 2 && seen[VERDICT_DENY] > n / 2);
}
