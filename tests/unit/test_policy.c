/*
 * test_policy.c - policies: what is refused and how it is named, and what a statement means.
 *
 * Documents are written with ' in place of ".
 */
#include "access/admin.h"
#include "access/policy.h"
#include "base/buf.h"
#include "base/mem.h"
#include "http/head.h"
#include "test.h"

static struct arena *mem;

static str
quotes(const char *text)
{
	str s = arena_str(mem, str_c(text));

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\'')
			((char *)s.p)[i] = '"';
	return s;
}

__attribute__((constructor)) static void
begin(void)
{
	mem = arena_new(1 << 16, 64 << 20);
}

/* ---- actions ---- */

TEST(actions_are_sorted_and_found)
{
	for (unsigned i = 0; i < ACTION_COUNT; i++) {
		EXPECT_EQ(action_name((enum action)i).p, action_find(action_name((enum action)i)), i);
		if (i > 0)
			EXPECT(str_cmp(action_name((enum action)(i - 1)), action_name((enum action)i)) < 0);
	}
	EXPECT_EQ("none", action_find(STR("s3:Nothing")), ACTION_NONE);
	EXPECT_EQ("exact", action_find(STR("s3:getobject")), ACTION_NONE);
}

TEST(actions_of_all_operations_are_known)
{
	static const char *const lists[] = {
#define OPERATION(name, method, scope, match, permissions, source, class, handler) permissions, source,
#include "tbl/operations.h"
#undef OPERATION
	};

	for (size_t i = 0; i < COUNT(lists); i++)
		for (str rest = str_c(lists[i]); !str_empty(rest);) {
			str one = str_take_until(&rest, '|');

			if (!str_starts(one, STR("s3-object-lambda:")))
				EXPECT_EQ(one.p, action_find(one) != ACTION_NONE, true);
		}
}

TEST(action_patterns)
{
	struct actions a = { 0 };

	EXPECT(actions_add_pattern(&a, STR("s3:getobject*")));
	EXPECT(actions_has(&a, ACTION_s3_GetObject) && actions_has(&a, ACTION_s3_GetObjectVersion));
	EXPECT(!actions_has(&a, ACTION_s3_PutObject));
	EXPECT(!actions_add_pattern(&a, STR("s3:Gett*")));
	EXPECT(!actions_add_pattern(&a, STR("s3:")));
	EXPECT(actions_add_pattern(&a, STR("s3:?utObject")));
	EXPECT(actions_has(&a, ACTION_s3_PutObject));
	EXPECT(!actions_has(&a, ACTION_NONE));
}

/* ---- patterns ---- */

TEST(globs)
{
	static const struct { const char *pattern, *text; int want; } cases[] = {
		{ "a", "a", 1 }, { "a", "A", 0 }, { "a", "ab", 0 }, { "", "", 1 }, { "", "a", 0 },
		{ "*", "", 1 }, { "*", "a/b", 1 }, { "a*", "a", 1 }, { "a*", "ba", 0 }, { "*a", "ba", 1 }, { "*a", "ab", 0 },
		{ "a*b*c", "a-b-b-c", 1 }, { "a*b*c", "acb", 0 }, { "a**b", "ab", 1 },
		{ "a?c", "abc", 1 }, { "a?c", "ac", 0 }, { "a?c", "a\xc3\xa4" "c", 1 }, { "???", "\xe2\x82\xac" "ab", 1 }, { "?", "", 0 },
		{ "*?", "", 0 }, { "*?", "x", 1 }, { "*?*?", "\xc3\xa4", 0 }, { "*?*?*", "\xc3\xa4" "b", 1 },
		{ "b/*", "b", 0 }, { "b/*", "b/", 1 },
		{ "${*}", "*", 1 }, { "${*}", "x", 0 }, { "a${?}b", "a?b", 1 }, { "${$}{", "${", 1 }, { "x${*}*", "x*y", 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct glob g;

		REQUIRE(glob_compile(str_c(cases[i].pattern), GLOB_WILDCARDS | GLOB_VARIABLES, mem, &g));
		EXPECT_EQ(cases[i].pattern, glob_match(&g, str_c(cases[i].text)), cases[i].want);
	}
	struct glob g;
	EXPECT(!glob_compile(STR("${aws:username}"), GLOB_VARIABLES, mem, &g));
	EXPECT(!glob_compile(STR("a${"), GLOB_VARIABLES, mem, &g));
	EXPECT(glob_compile(STR("a${"), GLOB_LITERAL, mem, &g) && glob_match(&g, STR("a${")));
}

/* ---- what is refused ---- */

#define ST(rest) "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Principal':'*'," rest "}]}"
#define OKAR "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'"

struct form { const char *json, *message; };	/* NULL: it is fine */

static const struct form bucket_forms[] = {
	{ ST(OKAR), NULL },
	{ "{'Statement':{'Effect':'Deny'," OKAR "}}", NULL },
	{ "{'Version':'2008-10-17','Id':'x','Statement':[{'Sid':'s','Effect':'Allow','Principal':{'CW':['*']}," OKAR "}]}", NULL },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ab1cd2:coreweave/u'}," OKAR "}]}", NULL },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'AWS':['arn:aws:iam::ab1cd2:saml/g','*']}," OKAR "}]}", NULL },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ab1cd2:role/https://i:*'}," OKAR "}]}", NULL },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':'arn:aws:iam:::user/CWABC'}," OKAR "}]}", NULL },
	{ "{'Statement':[{'Effect':'Deny','NotPrincipal':{'CW':'*'}," OKAR "}]}", NULL },
	{ "{'Statement':[{'Effect':'Deny','NotAction':'s3:Get*','NotResource':'arn:aws:s3:::b/*'}]}", NULL },
	{ ST("'Action':['s3:*'],'Resource':['arn:aws:s3:::b','arn:aws:s3:::*']"), NULL },
	{ ST(OKAR ",'Condition':{'StringEquals':{'cw:PrincipalOrgID':['a','b']}}"), NULL },
	{ ST(OKAR ",'Condition':{'ForAnyValue:StringLike':{'iam:ab1cd2:groups':'x*'}}"), NULL },
	{ ST(OKAR ",'Condition':{'NumericLessThanEqualsIfExists':{'s3:max-keys':10}}"), NULL },
	{ ST(OKAR ",'Condition':{'Bool':{'aws:SecureTransport':false}}"), NULL },
	{ ST(OKAR ",'Condition':{'Null':{'s3:if-none-match':'true'}}"), NULL },
	{ ST(OKAR ",'Condition':{'IpAddress':{'AWS:sourceip':['10.0.0.0/8','2001:db8::/32']}}"), NULL },
	{ ST(OKAR ",'Condition':{'DateLessThan':{'aws:CurrentTime':'2030-01-01T00:00:00Z'}}"), NULL },
	{ ST(OKAR ",'Condition':{'StringEquals':{'s3:ExistingObjectTag/a b':'${*}'}}"), NULL },

	{ "", "not valid JSON" },
	{ "[]", "Policy" },
	{ "{'Statement':[]}", "Statement: 1 to" },
	{ "{'Version':'2012-10-17'}", "Statement: is missing" },
	{ "{'Version':'2020-01-01','Statement':[]}", "Version" },
	{ "{'Statement':[],'Extra':1}", "Extra" },
	{ "{'Id':1,'Statement':[]}", "Id" },
	{ "{'Statement':['x']}", "Statement 1" },
	{ "{'Statement':[{" OKAR "}]}", "Effect" },
	{ "{'Statement':[{'Effect':'allow'," OKAR "}]}", "Effect: \"allow\"" },
	{ "{'Statement':[{'Effect':'Allow','Sid':1," OKAR "}]}", "Sid" },
	{ "{'Statement':[{'Effect':'Allow','Condtion':{}," OKAR "}]}", "Condtion" },
	{ "{'Statement':[{'Effect':'Allow','Principal':'x'," OKAR "}]}", "Principal: \"x\"" },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'Federated':'x'}," OKAR "}]}", "\"Federated\"" },
	{ "{'Statement':[{'Effect':'Allow','Principal':{}," OKAR "}]}", "Principal" },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':[]}," OKAR "}]}", "Principal" },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':'coreweave/u'}," OKAR "}]}", "Principal: \"coreweave/u\"" },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':'arn:aws:iam::a:user/u'}," OKAR "}]}", "begins with" },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':'arn:aws:iam::a:role/a*b'}," OKAR "}]}", "wildcard" },
	{ "{'Statement':[{'Effect':'Allow','Principal':{'CW':'arn:aws:iam::*:role/a'}," OKAR "}]}", "lacks" },
	{ "{'Statement':[{'Effect':'Allow','Principal':'*','NotPrincipal':'*'," OKAR "}]}", "NotPrincipal" },
	{ ST("'Resource':'arn:aws:s3:::b'"), "Action" },
	{ ST("'Action':'s3:GetObject','NotAction':'s3:PutObject','Resource':'arn:aws:s3:::b'"), "Action" },
	{ ST("'Action':[],'Resource':'arn:aws:s3:::b'"), "Action" },
	{ ST("'Action':'s3:Fly','Resource':'arn:aws:s3:::b'"), "Action: \"s3:Fly\"" },
	{ ST("'Action':'cwobject:CreateAccessKey','Resource':'arn:aws:s3:::b'"), "not an s3: action" },
	{ ST("'Action':'s3:GetObject'"), "Resource" },
	{ ST("'Action':'s3:GetObject','Resource':'b/*'"), "Resource: \"b/*\"" },
	{ ST("'Action':'s3:GetObject','Resource':'arn:aws:s3:::other/*'"), "does not lie in bucket b" },
	{ ST("'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/${aws:username}'"), "variables" },
	{ ST(OKAR ",'Condition':[]"), "Condition" },
	{ ST(OKAR ",'Condition':{'StringEqual':{'s3:prefix':'a'}}"), "\"StringEqual\" is not an operator" },
	{ ST(OKAR ",'Condition':{'NullIfExists':{'s3:prefix':'true'}}"), "\"NullIfExists\" is not an operator" },
	{ ST(OKAR ",'Condition':{'StringEquals':{'s3:prefixes':'a'}}"), "\"s3:prefixes\" is not a condition key" },
	{ ST(OKAR ",'Condition':{'StringEquals':{'s3:ExistingObjectTag/':'a'}}"), "is not a condition key" },
	{ ST(OKAR ",'Condition':{'StringEquals':{'iam::groups':'a'}}"), "is not a condition key" },
	{ ST(OKAR ",'Condition':{'StringEquals':{'s3:prefix':[]}}"), "0 values" },
	{ ST(OKAR ",'Condition':{'StringEquals':{'s3:prefix':{}}}"), "not a string" },
	{ ST(OKAR ",'Condition':{'NumericEquals':{'s3:max-keys':'x'}}"), "is not a number" },
	{ ST(OKAR ",'Condition':{'DateEquals':{'aws:CurrentTime':'tomorrow'}}"), "is not a date" },
	{ ST(OKAR ",'Condition':{'Bool':{'aws:SecureTransport':'yes'}}"), "is \"true\" or \"false\"" },
	{ ST(OKAR ",'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/33'}}"), "is not an IP address" },
	{ ST(OKAR ",'Condition':{'StringEquals':{}}"), "StringEquals" },
	{ "{'Statement':[{'Effect':'Allow','Effect':'Deny'," OKAR "}]}", "not valid JSON" },
};

static void
form_check(const struct form *f, err_v e)
{
	EXPECT_ERR(f->json, e, f->message == NULL ? 0 : S3_MalformedPolicy);
	if (f->message != NULL && strstr(err_context(), f->message) == NULL)
		TEST_FAIL("%s: the message is \"%s\"", f->json, err_context());
}

TEST(bucket_policy_form)
{
	for (size_t i = 0; i < COUNT(bucket_forms); i++) {
		AUTO(policy_free) struct policy *p = NULL;

		form_check(&bucket_forms[i], policy_compile_bucket(STR("b"), quotes(bucket_forms[i].json), &p));
	}
}

TEST(bucket_policy_limits)
{
	AUTO(policy_free) struct policy *p = NULL;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_add(&b, quotes("{'Statement':["));
	for (unsigned i = 0; i < ACCESS_STATEMENTS_MAX + 1; i++)
		buf_addf(&b, "%s%.*s", i ? "," : "", STR_FMT(quotes("{'Effect':'Deny'," OKAR "}")));
	buf_add(&b, STR("]}"));
	EXPECT_ERR("statements", policy_compile_bucket(STR("b"), buf_str(&b), &p), S3_MalformedPolicy);
	buf_clear(&b);
	for (size_t i = 0; i <= ACCESS_POLICY_BYTES_MAX; i++)
		buf_add_char(&b, '[');
	EXPECT_ERR("bytes", policy_compile_bucket(STR("b"), buf_str(&b), &p), S3_MalformedPolicy);
	buf_clear(&b);
	for (size_t i = 0; i < 10000; i++)
		buf_add_char(&b, '[');
	EXPECT_ERR("depth", policy_compile_bucket(STR("b"), buf_str(&b), &p), S3_MalformedPolicy);
	buf_done(&b);
}

#define ORG(st) "{'version':'v1alpha1','name':'p','statements':[" st "]}"
#define ORGST(a, r, p) "{'name':'s','effect':'Allow','actions':" a ",'resources':" r ",'principals':" p "}"

TEST(org_policy_form)
{
	static const struct form cases[] = {
		{ ORG(ORGST("['s3:*','cwobject:*']", "['*']", "['*']")), NULL },
		{ "{'policy':" ORG(ORGST("['s3:GetObject']", "['b-*','b/*']", "['coreweave/u','role/Admin','role/https://i*']")) "}",
		    NULL },
		{ ORG(ORGST("['*']", "['*']", "['saml/group']")), NULL },
		{ ORG(ORGST("['s3:*']", "['b']", "['*']")), NULL },

		{ "{'version':'v1','name':'p','statements':[]}", "version" },
		{ "{'version':'v1alpha1','statements':[]}", "name" },
		{ ORG(""), "statements" },
		{ ORG("1"), "statements" },
		{ ORG("{'effect':'Allow','actions':['*'],'resources':['*'],'principals':['*']}"), "name" },
		{ ORG("{'name':'s','effect':'ALLOW','actions':['*'],'resources':['*'],'principals':['*']}"), "effect" },
		{ ORG("{'name':'s','effect':'Allow','actions':[],'resources':['*'],'principals':['*']}"), "actions" },
		{ ORG("{'name':'s','effect':'Allow','actions':'*','resources':['*'],'principals':['*']}"), "actions" },
		{ ORG("{'name':'s','effect':'Allow','actions':['*'],'principals':['*']}"), "resources" },
		{ ORG("{'name':'s','effect':'Allow','actions':['*'],'resources':['*']}"), "principals" },
		{ ORG("{'name':'s','effect':'Allow','actions':['*'],'resources':['*'],'principals':['*'],'condition':{}}"), "condition" },
		{ ORG(ORGST("['s3:*']", "['arn:aws:s3:::b']", "['*']")), "ARN" },
		{ ORG(ORGST("['s3:*']", "['*']", "['arn:aws:iam::ab1cd2:coreweave/u']")), "ARN" },
		{ ORG(ORGST("['s3:*']", "['*']", "['alice']")), "principals: \"alice\"" },
		{ ORG(ORGST("['s3:*']", "['*']", "['role/*x']")), "wildcard" },
		{ ORG(ORGST("['ec2:Run']", "['*']", "['*']")), "actions: \"ec2:Run\"" },
		{ ORG(ORGST("['cwobject:Fly']", "['*']", "['*']")), "actions: \"cwobject:Fly\"" },
		{ ORG(ORGST("['cwobject:CreateAccessKey']", "['b']", "['*']")), "needs" },
		{ ORG(ORGST("['s3:ListAllMyBuckets']", "['b']", "['*']")), "needs" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO(policy_free) struct policy *p = NULL;

		form_check(&cases[i], policy_compile_org(STR("ab1cd2"), quotes(cases[i].json), &p));
	}
}

/* ---- what a statement means ---- */

static const struct pair groups[] = { { STR("ml"), STR("") }, { STR("ops"), STR("") } };
static const struct principal anyone = { .anonymous = true };
static const struct principal alice = { .org = STR("ab1cd2"), .name = STR("coreweave/alice"), .access_key = STR("CWALICE"),
	.groups = { (struct pair *)groups, 2 } };
static const struct principal eve = { .org = STR("ffffff"), .name = STR("coreweave/alice"), .access_key = STR("CWEVE") };
static const struct principal ci = { .org = STR("ab1cd2"), .name = STR("role/https://i:repo:main"), .access_key = STR("CWCI") };

/* A request head from text lines. */
static struct http_head *
head_of(const char *text)
{
	struct http_head *h = ARENA_NEW(mem, struct http_head);
	const char *why;
	size_t len;

	if (http_head_parse(arena_fmt(mem, "%sHost: h\r\n\r\n", text), mem, h, &len, &why) != HTTP_PARSE_DONE)
		TEST_FAIL("head %s: %s", text, why);
	return h;
}

static enum verdict
verdict_of(const char *json, const struct access_question *q, str resource)
{
	AUTO(policy_free) struct policy *p = NULL;
	struct ask ask = { .question = q, .action = action_find(q->action), .resource = resource, .now_ms = 1764000000000ull };
	const struct statement *s;
	err_v e = policy_compile_bucket(STR("b"), quotes(json), &p);

	EXPECT_ERR(json, e, 0);
	return err_ok(e) ? policy_ask(p, &ask, &s) : VERDICT_NONE;
}

TEST(principals)
{
	static const struct { const char *who; int anyone, alice, eve, ci; } cases[] = {
		{ "'Effect':'Allow','Principal':'*'", 1, 1, 1, 1 },
		{ "'Effect':'Allow','Principal':{'CW':'*'}", 1, 1, 1, 1 },
		{ "'Effect':'Allow','Principal':{'AWS':['*']}", 1, 1, 1, 1 },
		{ "'Effect':'Allow'", 0, 1, 1, 1 },
		{ "'Effect':'Deny'", 2, 2, 2, 2 },
		{ "'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ab1cd2:coreweave/alice'}", 0, 1, 0, 0 },
		{ "'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ab1cd2:root'}", 0, 1, 0, 1 },
		{ "'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ab1cd2:*'}", 0, 1, 0, 1 },
		{ "'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ab1cd2:role/https://i*'}", 0, 0, 0, 1 },
		{ "'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ab1cd2:role/https://i'}", 0, 0, 0, 0 },
		{ "'Effect':'Allow','Principal':{'CW':'arn:aws:iam:::user/CWEVE'}", 0, 0, 1, 0 },
		{ "'Effect':'Allow','Principal':{'CW':'arn:aws:iam::ffffff:root','AWS':'arn:aws:iam:::user/CWCI'}", 0, 0, 1, 1 },
		{ "'Effect':'Deny','NotPrincipal':{'CW':'arn:aws:iam::ab1cd2:root'}", 2, 0, 2, 0 },
		{ "'Effect':'Allow','NotPrincipal':{'CW':'arn:aws:iam::ab1cd2:root'}", 0, 0, 1, 0 },
		{ "'Effect':'Deny','NotPrincipal':'*'", 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *json = arena_fmt(mem, "{'Statement':{%s," OKAR "}}", cases[i].who).p;
		struct access_question q = { .action = STR("s3:GetObject") };

		q.who = &anyone;
		EXPECT_EQ(json, verdict_of(json, &q, STR("b/k")), cases[i].anyone);
		q.who = &alice;
		EXPECT_EQ(json, verdict_of(json, &q, STR("b/k")), cases[i].alice);
		q.who = &eve;
		EXPECT_EQ(json, verdict_of(json, &q, STR("b/k")), cases[i].eve);
		q.who = &ci;
		EXPECT_EQ(json, verdict_of(json, &q, STR("b/k")), cases[i].ci);
	}
}

TEST(actions_and_resources)
{
	static const struct { const char *what, *action, *resource; int want; } cases[] = {
		{ "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'", "s3:GetObject", "b/k", 1 },
		{ "'Action':'S3:getobject','Resource':'arn:aws:s3:::b/*'", "s3:GetObject", "b/k", 1 },
		{ "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'", "s3:PutObject", "b/k", 0 },
		{ "'Action':'s3:*','Resource':'arn:aws:s3:::b'", "s3:GetObject", "b/k", 0 },
		{ "'Action':'*','Resource':'arn:aws:s3:::b'", "s3:ListBucket", "b", 1 },
		{ "'Action':'s3:ListBucket','Resource':'arn:aws:s3:::b/*'", "s3:ListBucket", "b", 0 },
		{ "'Action':'s3:*','Resource':'*'", "s3:GetObject", "b/k", 1 },
		{ "'Action':'s3:*','Resource':'arn:aws:s3:::*'", "s3:ListBucket", "b", 1 },
		{ "'NotAction':'s3:Get*','Resource':'arn:aws:s3:::b/*'", "s3:GetObject", "b/k", 0 },
		{ "'NotAction':'s3:Get*','Resource':'arn:aws:s3:::b/*'", "s3:PutObject", "b/k", 1 },
		{ "'Action':'s3:*','NotResource':'arn:aws:s3:::b/secret/*'", "s3:GetObject", "b/k", 1 },
		{ "'Action':'s3:*','NotResource':['arn:aws:s3:::b/x','arn:aws:s3:::b/secret/*']", "s3:GetObject", "b/secret/k", 0 },
		{ "'Action':'s3:*','Resource':'arn:aws:s3:::b/a?c'", "s3:GetObject", "b/abc", 1 },
		{ "'Action':'s3:*','Resource':'arn:aws:s3:::b/${*}'", "s3:GetObject", "b/abc", 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *json = arena_fmt(mem, "{'Statement':{'Effect':'Allow','Principal':'*',%s}}", cases[i].what).p;
		struct access_question q = { .who = &alice, .action = str_c(cases[i].action) };

		EXPECT_EQ(cases[i].what, verdict_of(json, &q, str_c(cases[i].resource)), cases[i].want);
	}
}

/* Question 0: alice lists; 1: alice copies; 2: anonymous gets; 3: alice posts a form, whose fields and query say what they mean nowhere. */
static const struct { const char *condition; int question, want; } conditions[] = {
	{ "'StringEquals':{'s3:prefix':'home/'}", 0, 1 },
	{ "'StringEquals':{'s3:prefix':'Home/'}", 0, 0 },
	{ "'StringEqualsIgnoreCase':{'s3:prefix':'Home/'}", 0, 1 },
	{ "'StringNotEqualsIgnoreCase':{'s3:prefix':'Home/'}", 0, 0 },
	{ "'StringEquals':{'s3:prefix':['x','home/']}", 0, 1 },
	{ "'StringNotEquals':{'s3:prefix':['x','home/']}", 0, 0 },
	{ "'StringNotEquals':{'s3:prefix':['x','y']}", 0, 1 },
	{ "'StringEquals':{'s3:prefix':'home/'}", 1, 0 },		/* absent */
	{ "'StringNotEquals':{'s3:prefix':'home/'}", 1, 1 },
	{ "'StringEqualsIfExists':{'s3:prefix':'home/'}", 1, 1 },
	{ "'StringEqualsIfExists':{'s3:prefix':'x'}", 0, 0 },
	{ "'StringLike':{'s3:prefix':'h*e?'}", 0, 1 },
	{ "'StringNotLike':{'s3:prefix':'h*'}", 0, 0 },
	{ "'StringEquals':{'s3:prefix':'h*'}", 0, 0 },
	{ "'ArnLike':{'s3:prefix':'h*'}", 0, 1 },
	{ "'StringEquals':{'s3:delimiter':'/'},'NumericLessThan':{'s3:max-keys':'11'}", 0, 1 },
	{ "'StringEquals':{'s3:delimiter':'/','s3:prefix':'no'}", 0, 0 },	/* all keys */
	{ "'StringEquals':{'s3:delimiter':'/'},'StringLike':{'s3:prefix':'no'}", 0, 0 },	/* all operators */
	{ "'NumericEquals':{'s3:max-keys':10}", 0, 1 }, { "'NumericNotEquals':{'s3:max-keys':10}", 0, 0 },
	{ "'NumericLessThan':{'s3:max-keys':10}", 0, 0 }, { "'NumericLessThanEquals':{'s3:max-keys':10.0}", 0, 1 },
	{ "'NumericGreaterThan':{'s3:max-keys':9}", 0, 1 }, { "'NumericGreaterThanEquals':{'s3:max-keys':11}", 0, 0 },
	{ "'NumericEquals':{'s3:prefix':10}", 0, 0 },			/* not a number there */
	{ "'DateLessThan':{'aws:CurrentTime':'2030-01-01T00:00:00Z'}", 0, 1 },
	{ "'DateGreaterThan':{'aws:CurrentTime':'2030-01-01T00:00:00Z'}", 0, 0 },
	{ "'DateGreaterThanEquals':{'aws:CurrentTime':'1764000000'}", 0, 1 },
	{ "'DateEquals':{'aws:EpochTime':1764000000}", 0, 1 }, { "'NumericLessThan':{'aws:EpochTime':1764000000}", 0, 0 },
	{ "'DateNotEquals':{'aws:CurrentTime':'2025-11-24T16:00:00Z'}", 0, 0 },
	{ "'Bool':{'aws:SecureTransport':'true'}", 0, 1 }, { "'Bool':{'aws:SecureTransport':'True'}", 1, 0 },
	{ "'Bool':{'aws:SecureTransport':false}", 1, 1 },
	{ "'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}", 0, 1 }, { "'IpAddress':{'aws:SourceIp':'10.2.0.0/16'}", 0, 0 },
	{ "'NotIpAddress':{'aws:SourceIp':['10.2.0.0/16','10.1.2.3']}", 0, 0 }, { "'IpAddress':{'aws:SourceIp':'10.1.2.3/32'}", 0, 1 },
	{ "'IpAddress':{'aws:SourceIp':'2001:db8::/33'}", 1, 1 }, { "'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}", 1, 0 },
	{ "'IpAddress':{'aws:SourceIp':'::/0'}", 0, 0 }, { "'IpAddress':{'aws:SourceIp':'::/0'}", 1, 1 },
	{ "'NotIpAddress':{'aws:SourceIp':'::/0'}", 0, 1 }, { "'IpAddress':{'aws:SourceIp':'::ffff:10.0.0.0/104'}", 0, 1 },
	{ "'IpAddress':{'aws:SourceIp':'::/95'}", 0, 0 }, { "'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}", 3, 1 },
	{ "'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}", 2, 1 },
	{ "'Null':{'s3:prefix':'true'}", 0, 0 }, { "'Null':{'s3:prefix':'false'}", 0, 1 },
	{ "'Null':{'s3:prefix':true}", 1, 1 }, { "'Null':{'s3:prefix':['true','false']}", 1, 1 },
	{ "'StringEquals':{'cw:PrincipalOrgID':'ab1cd2'}", 0, 1 }, { "'StringEquals':{'cw:principalorgid':['x','y']}", 0, 0 },
	{ "'StringNotEquals':{'cw:PrincipalOrgID':'ab1cd2'}", 2, 1 },	/* anonymous: absent */
	{ "'StringEquals':{'aws:PrincipalOrgID':'ab1cd2'}", 0, 1 },
	{ "'StringEquals':{'iam:ab1cd2:groups':'ops'}", 0, 1 }, { "'StringEquals':{'iam:ab1cd2:groups':'none'}", 0, 0 },
	{ "'StringNotEquals':{'iam:ab1cd2:groups':'ops'}", 0, 0 }, { "'StringEquals':{'iam:ffffff:groups':'ops'}", 0, 0 },
	{ "'ForAnyValue:StringEquals':{'iam:ab1cd2:groups':['x','ml']}", 0, 1 },
	{ "'ForAllValues:StringEquals':{'iam:ab1cd2:groups':['x','ml']}", 0, 0 },
	{ "'ForAllValues:StringEquals':{'iam:ab1cd2:groups':['ops','ml']}", 0, 1 },
	{ "'ForAllValues:StringNotEquals':{'iam:ab1cd2:groups':['x','ml']}", 0, 0 },
	{ "'ForAnyValue:StringNotEquals':{'iam:ab1cd2:groups':['x','ml']}", 0, 1 },
	{ "'ForAllValues:StringEquals':{'s3:RequestObjectTagKeys':['team','stage']}", 1, 1 },
	{ "'ForAllValues:StringEquals':{'s3:RequestObjectTagKeys':['team']}", 0, 1 },	/* no tags: holds */
	{ "'ForAnyValue:StringEquals':{'s3:RequestObjectTagKeys':['team']}", 0, 0 },
	{ "'ForAnyValue:StringEqualsIfExists':{'s3:RequestObjectTagKeys':['team']}", 0, 1 },
	{ "'StringEquals':{'s3:RequestObjectTag/team':'red'}", 1, 1 }, { "'StringEquals':{'s3:RequestObjectTag/Team':'red'}", 1, 0 },
	{ "'StringEquals':{'s3:ExistingObjectTag/secret':'yes'}", 1, 1 }, { "'StringEquals':{'s3:ExistingObjectTag/secret':''}", 0, 0 },
	{ "'StringEquals':{'s3:VersionId':'v7'}", 1, 1 }, { "'Null':{'s3:VersionId':'true'}", 0, 1 },
	{ "'StringLike':{'s3:x-amz-copy-source':'src/a b/*'}", 1, 1 }, { "'StringEquals':{'s3:x-amz-storage-class':'STANDARD_IA'}", 1, 1 },
	{ "'StringEquals':{'s3:x-amz-server-side-encryption-customer-algorithm':'AES256'}", 1, 1 },
	{ "'StringEquals':{'s3:x-amz-metadata-directive':'COPY'}", 1, 1 },
	/* what a request says where it means nothing */
	{ "'Null':{'s3:prefix':'true','s3:max-keys':'true','s3:delimiter':'true'}", 3, 1 },
	{ "'Null':{'s3:x-amz-copy-source':'true','s3:x-amz-metadata-directive':'true'}", 3, 1 },
	{ "'StringEquals':{'s3:authType':'POST'},'Null':{'s3:signatureAge':'false'}", 3, 1 },
	{ "'NumericLessThan':{'s3:signatureAge':60001}", 3, 0 }, { "'StringEquals':{'s3:x-amz-acl':'private'}", 1, 1 },
	{ "'StringEquals':{'s3:if-none-match':'*'}", 1, 1 }, { "'Null':{'s3:if-match':'true'}", 1, 1 },
	{ "'Bool':{'s3:ObjectCreationOperation':'true'}", 1, 1 }, { "'Null':{'s3:ObjectCreationOperation':'true'}", 0, 1 },
	{ "'StringEquals':{'s3:x-amz-content-sha256':'UNSIGNED-PAYLOAD'}", 1, 1 },
	{ "'StringEquals':{'s3:authType':'REST-HEADER'}", 1, 1 }, { "'StringEquals':{'s3:authType':'REST-QUERY-STRING'}", 0, 1 },
	{ "'Null':{'s3:authType':'true'}", 2, 1 }, { "'NumericEquals':{'s3:signatureAge':60000}", 1, 1 },
	{ "'StringLike':{'aws:UserAgent':'aws-cli/*'}", 1, 1 }, { "'StringLike':{'aws:Referer':'https://x/*'}", 2, 1 },
};

TEST(condition_table)
{
	static const struct pair tags[] = { { STR("team"), STR("red") }, { STR("stage"), STR("") } };
	static const struct pair existing[] = { { STR("secret"), STR("yes") } };
	const struct pairs request_tags = { (struct pair *)tags, 2 }, existing_tags = { (struct pair *)existing, 1 };
	struct principal lister = alice, signer = alice, poster = alice;
	const struct access_question questions[] = {
		{ .who = &lister, .action = STR("s3:ListBucket"), .source_ip = STR("10.1.2.3"), .tls = true,
		    .head = head_of("GET /b?prefix=home/&delimiter=/&max-keys=10 HTTP/1.1\r\n") },
		{ .who = &signer, .action = STR("s3:PutObject"), .source_ip = STR("2001:db8::1"), .version_id = STR("v7"),
		    .request_tags = &request_tags, .existing_tags = &existing_tags, .copy_source = STR("src/a b/c"),
		    .head = head_of("PUT /b/k HTTP/1.1\r\nIf-None-Match: *\r\n"
			"x-amz-metadata-directive: COPY\r\nx-amz-storage-class: STANDARD_IA\r\nx-amz-acl: private\r\n"
			"x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-server-side-encryption-customer-algorithm: AES256\r\n"
			"User-Agent: aws-cli/2\r\n") },
		{ .who = &anyone, .action = STR("s3:GetObject"), .head = head_of("GET /b/k HTTP/1.1\r\nReferer: https://x/y\r\n") },
		{ .who = &poster, .action = STR("s3:PutObject"), .source_ip = STR("::ffff:10.1.2.3"),
		    .head = head_of("POST /b?prefix=home/&delimiter=/&max-keys=1 HTTP/1.1\r\nAuthorization: AWS4\r\n"
			"x-amz-date: 20251124T155959Z\r\n"
			"x-amz-copy-source: src/a\r\nx-amz-metadata-directive: COPY\r\n") },
	};

	lister.signed_how = SIGNED_QUERY;
	signer.signed_how = SIGNED_HEADER;
	signer.signed_s = 1764000000 - 60;
	poster.signed_how = SIGNED_FORM;
	poster.signed_s = 1764000000 - 61;

	for (size_t i = 0; i < COUNT(conditions); i++) {
		const char *json = arena_fmt(mem, "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'*',"
		    "'Condition':{%s}}}", conditions[i].condition).p;

		EXPECT_EQ(conditions[i].condition, verdict_of(json, &questions[conditions[i].question], STR("b/k")), conditions[i].want);
	}
}

TEST(object_creation)
{
	static const struct { const char *head; int want; } cases[] = {
		{ "PUT /b/k HTTP/1.1\r\n", 1 }, { "PUT /b/k?partNumber=1&uploadId=x HTTP/1.1\r\n", 0 },
		{ "POST /b/k?uploads HTTP/1.1\r\n", 0 }, { "POST /b/k?uploadId=x HTTP/1.1\r\n", 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct access_question q = { .who = &alice, .action = STR("s3:PutObject"), .head = head_of(cases[i].head) };

		EXPECT_EQ(cases[i].head, verdict_of("{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'*',"
		    "'Condition':{'Bool':{'s3:ObjectCreationOperation':'true'}}}}", &q, STR("b/k")), cases[i].want);
	}
}

TEST(deny_wins)
{
	struct access_question q = { .who = &alice, .action = STR("s3:GetObject") };

	EXPECT_EQ("order", verdict_of("{'Statement':[{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'*'},"
	    "{'Effect':'Deny','Principal':'*','Action':'s3:GetObject','Resource':'*'}]}", &q, STR("b/k")), VERDICT_DENY);
	EXPECT_EQ("none", verdict_of("{'Statement':[{'Effect':'Deny','Principal':'*','Action':'s3:PutObject','Resource':'*'}]}",
	    &q, STR("b/k")), VERDICT_NONE);
}
