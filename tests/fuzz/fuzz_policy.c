/*
 * access/policy*.c, tbl/condition_*.h, tbl/actions.h: any bytes as a bucket policy; what compiles is asked some questions.
 *
 * Claims: refusals are S3_MalformedPolicy with a message; the answer does not depend on when it is asked; a Deny comes from a Deny.
 */
#include "fuzz.h"

#include "access/policy.h"
#include "base/mem.h"
#include "http/head.h"

static struct access_question
question(unsigned i, struct arena *arena, struct principal *who)
{
	static const char *const heads[] = {
		"GET /b?prefix=a&max-keys=5&delimiter=/ HTTP/1.1\r\nHost: b\r\nUser-Agent: x\r\n\r\n",
		"PUT /b/a?uploadId=1 HTTP/1.1\r\nHost: b\r\nIf-None-Match: *\r\n\r\n",
	};
	static const char *const actions[] = { "s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:PutBucketPolicy" };
	static struct pair names[2] = { { STR("a"), STR("b") }, { STR("team"), STR("") } };
	static const struct pairs tags = { names, 2 };
	struct http_head *head = ARENA_NEW(arena, struct http_head);
	const char *why;
	size_t len;

	CLAIM(http_head_parse(str_c(heads[i % 2]), arena, head, &len, &why) == HTTP_PARSE_DONE);
	*who = (struct principal){ .anonymous = i % 3 == 0, .org = STR("aaaaaa"), .name = STR("coreweave/u"), .access_key = STR("CWA"),
	    .groups = tags, .signed_how = SIGNED_QUERY, .signed_s = 1764000000 };
	return (struct access_question){ .who = who, .action = str_c(actions[i % COUNT(actions)]), .head = head,
	    .source_ip = i % 2 ? STR("10.0.0.1") : STR("::1"), .tls = i % 2, .version_id = i % 4 ? STR("v") : STR_NONE,
	    .copy_source = i % 2 ? STR("src/k") : STR_NONE,
	    .existing_tags = i % 2 ? &tags : NULL, .request_tags = &tags };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	AUTO(policy_free) struct policy *p = NULL;
	err_v e = policy_compile_bucket(STR("b"), fuzz_copy(arena, data, size), &p);

	CLAIM(err_ok(e) ? p != NULL : e.code == S3_MalformedPolicy && err_context()[0] != '\0');
	for (unsigned i = 0; p != NULL && i < 12; i++) {
		struct principal who;
		struct access_question q = question(i, arena, &who);
		struct ask ask = { .question = &q, .action = action_find(q.action), .resource = i % 2 ? STR("b/a/c*d") : STR("b"),
		    .now_ms = 1764000000000ull };
		const struct statement *s = NULL, *t = NULL;
		enum verdict v = policy_ask(p, &ask, &s);

		CLAIM(v == policy_ask(p, &ask, &t) && s == t);
		CLAIM(v == VERDICT_NONE || (s != NULL && s->allow == (v == VERDICT_ALLOW)));
	}
	return 0;
}
