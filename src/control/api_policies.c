/* api_policies.c - organization policies, and what they let a caller do. */
#include "control/api.h"

err_v
api_policy_list(struct api_req *rq)
{
	json_t *list;
	unsigned n;
	str *text;

	TRY(access_policy_list(rq->control->access, rq->org, rq->arena, &text, &n));
	list = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, json_loadb(text[i].p, text[i].len, 0, NULL));
	rq->answer = json_pack("{s:o}", "policies", list);
	return ERR_OK;
}

static void
free_text(char **p)
{
	free(*p);
}

err_v
api_policy_ensure(struct api_req *rq)
{
	AUTO(free_text) char *text = json_dumps(rq->body, JSON_COMPACT);

	return access_policy_ensure(rq->control->access, rq->org, str_c(text), rq->arena, &rq->resource);
}

err_v
api_policy_delete(struct api_req *rq)
{
	return access_policy_delete(rq->control->access, rq->org, rq->param);
}

/* {"actions": ["s3:GetObject"], "resources": ["bucket/key"]}: allowed if every action is, on every resource. */
err_v
api_can_i(struct api_req *rq)
{
	struct pair everything = { .name = STR("*") };
	struct pairs actions, resources;
	bool can = true;

	TRY(api_names(rq->body, "actions", rq->arena, &actions));
	TRY(api_names(rq->body, "resources", rq->arena, &resources));
	if (actions.n == 0)
		return err_s3f(S3_InvalidArgument, "actions is missing.");
	if (resources.n == 0)
		resources = (struct pairs){ .at = &everything, .n = 1 };
	for (unsigned i = 0; i < actions.n && can; i++)
		for (unsigned k = 0; k < resources.n && can; k++)
			TRY(access_can_i(rq->control->access, &rq->caller, actions.at[i].name, resources.at[k].name, rq->arena,
			    &can, NULL));
	rq->answer = json_pack("{s:b}", "allowed", can);
	return ERR_OK;
}
