/* access/policy_org.c, tbl/actions.h: any bytes as an organization policy; what compiles is asked some questions. */
#include "fuzz.h"

#include "access/policy.h"
#include "base/mem.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const str actions[] = { STR("s3:GetObject"), STR("s3:ListAllMyBuckets"), STR("cwobject:CreateAccessKey") };
	static const str resources[] = { STR("*"), STR("b"), STR("b/k") };
	struct arena *arena = fuzz_arena();
	AUTO(policy_free) struct policy *p = NULL;
	struct principal who = { .org = STR("aaaaaa"), .name = STR("role/https://i:x"), .access_key = STR("CWA") };
	struct access_question q = { .who = &who };
	err_v e = policy_compile_org(STR("aaaaaa"), fuzz_copy(arena, data, size), &p);

	CLAIM(err_ok(e) ? p != NULL : e.code == S3_MalformedPolicy && err_context()[0] != '\0');
	for (size_t i = 0; p != NULL && i < COUNT(actions) * COUNT(resources); i++) {
		struct ask ask = { .question = &q, .action = action_find(actions[i % COUNT(actions)]),
		    .resource = resources[i / COUNT(actions)] };
		const struct statement *s = NULL;
		enum verdict v = policy_ask(p, &ask, &s);

		CLAIM(v == VERDICT_NONE || (s != NULL && s->allow == (v == VERDICT_ALLOW)));
	}
	CLAIM(p == NULL || !str_empty(p->name));
	return 0;
}
