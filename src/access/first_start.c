/*
 * first_start.c - what an empty store begins with: someone who may do everything.
 */
#include "access/access_impl.h"

#include "base/mem.h"

static err
allow_all(const struct user *u, struct kv_batch *b, struct arena *arena)
{
	AUTO(json_free) json_t *policy = NULL;
	str name;

	policy = json_pack("{s:s, s:s, s:[{s:s, s:s, s:[ss], s:[s], s:[s%]}]}", "version", "v1alpha1", "name", "allow-all",
	    "statements", "name", "everything", "effect", "Allow", "actions", "s3:*", "cwobject:*", "resources", "*",
	    "principals", u->principal.p, u->principal.len);
	return policy_new(u->org, record_text(policy, arena), b, arena, &name);
}

err_v
access_first_start(struct access *a, first_start_save_f *save, void *ctx, struct arena *arena, struct first_start *ret)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(KV_SYSTEM_SPACE);
	struct user user = { .name = STR("first operator"), .role = ROLE_OPERATOR };
	struct secret session;
	struct key_info key;
	struct token token;

	(void)l;
	if (atomic_load(&a->now)->orgs > 0)
		return err_errno(EEXIST, "there is an organization");
	TRY(org_new(a, STR("default"), b, arena, &ret->org));
	user.org = ret->org.id;
	TRY(user_new(a, &user, b, arena, &ret->user));
	token = (struct token){ .org = ret->org.id, .principal = ret->user.principal, .name = STR("first start") };
	TRY(token_new(&token, 0, b, arena, &token, &ret->token));
	TRY(key_new(a, &(struct key_new){ .org = ret->org.id, .principal = ret->user.principal }, b, arena, &key, &ret->secret, &session));
	TRY(allow_all(&ret->user, b, arena));
	ret->access_key = key.id;
	TRY(save(ctx, ret));
	TRY(change_commit(a, b));
	TRY(org_reload(a, ret->org.id));
	TRY(key_reload(a, ret->org.id, key.id));
	return ERR_OK;
}
