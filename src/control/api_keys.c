/* api_keys.c - access keys: made, listed, suspended, revoked; and temporary ones in the form that SDKs fetch by themselves. */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/api.h"
#include "control/credentials.h"
#include "http/date.h"

#define TEMPORARY_S 3600u

static json_t *
key_info(struct arena *a, const struct key_info *k)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "accessKeyId", api_json(k->id), "status",
	    access_key_status_name(k->status), "principalName", api_json(k->principal), "attributes", api_json_pairs(k->attributes),
	    "expiry", api_time(a, k->expires_ms), "orgId", api_json(k->org), "multiAttributes", api_multi_attributes(k->groups));
}

err_v
credentials_new(struct api_req *rq, const struct key_new *new, enum credentials_form form)
{
	AUTO(secret_wipe) struct secret secret = { 0 }, session = { 0 };
	struct key_info k;

	TRY(access_key_create(rq->control->access, new, rq->arena, &k, &secret, &session));
	rq->resource = k.id;
	if (form == CREDENTIALS_API)
		rq->answer = json_pack("{s:o, s:o, s:o, s:o, s:o}", "accessKeyId", api_json(k.id), "secretKey",
		    api_json(str_n(secret.bytes, secret.len)), "principalName", api_json(k.principal), "expiry",
		    api_time(rq->arena, k.expires_ms), "attributes", api_json_pairs(k.attributes));
	else
		rq->answer = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "AccessKeyId", api_json(k.id), "SecretAccessKey",
		    api_json(str_n(secret.bytes, secret.len)), "Token", api_json(str_n(session.bytes, session.len)), "Expiration",
		    api_time(rq->arena, k.expires_ms), "Attributes", api_json_pairs(k.attributes), "MultiAttributes",
		    api_multi_attributes(k.groups));
	return ERR_OK;
}

err_v
api_key_create(struct api_req *rq)
{
	struct key_new new = { .org = rq->org, .principal = rq->caller.who.name, .groups = rq->caller.who.groups };
	bool set;
	str principal;

	TRY(api_number(rq->body, "durationSeconds", &set, &new.duration_s));
	if (!set)
		return err_s3f(S3_InvalidArgument, "durationSeconds is missing; 0 makes a permanent key.");
	TRY(api_pairs(rq->body, "attributes", rq->arena, &new.attributes));
	/* Ours: an admin makes keys for the users of the organization. */
	TRY(api_text(rq->body, "principalName", &principal));
	if (!str_empty(principal) && !str_eq(principal, new.principal)) {
		struct user u;

		if (rq->caller.role == ROLE_USER)
			return err_s3f(S3_AccessDenied, "Only an admin may make keys for another principal.");
		TRY(access_user_get(rq->control->access, rq->org, principal, rq->arena, &u));
		new.principal = u.principal;
		new.groups = u.groups;
	} else if (!str_eq(rq->org, rq->caller.who.org)) {
		return err_s3f(S3_InvalidArgument, "principalName is missing: you are not a user of organization %.*s.", STR_FMT(rq->org));
	}
	return credentials_new(rq, &new, CREDENTIALS_API);
}

/* What SDKs fetch again and again by themselves does not outlive the token that they fetch it with. */
static uint64_t
container_duration(const struct caller *c)
{
	uint64_t now_ms = clock_wall_ms(), left_s;

	if (c->token_expires_ms == 0)
		return TEMPORARY_S;
	left_s = c->token_expires_ms > now_ms ? (c->token_expires_ms - now_ms) / 1000 : 0;
	return left_s == 0 ? 1 : left_s < TEMPORARY_S ? left_s : TEMPORARY_S;
}

err_v
api_token_container(struct api_req *rq)
{
	struct key_new new = { .org = rq->caller.who.org, .principal = rq->caller.who.name, .groups = rq->caller.who.groups,
		.duration_s = container_duration(&rq->caller), .session = KEY_WITH_SESSION };

	return credentials_new(rq, &new, CREDENTIALS_CONTAINER);
}

err_v
api_key_list(struct api_req *rq)
{
	AUTO(json_free) json_t *list = json_array();
	unsigned offset, limit, n;
	struct key_info *k;

	TRY(api_page(rq, &offset, &limit));
	TRY(access_key_list(rq->control->access, rq->org, offset, limit, rq->arena, &k, &n));
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, key_info(rq->arena, &k[i]));
	rq->answer = json_pack("{s:O}", "info", list);
	return ERR_OK;
}

err_v
api_key_get(struct api_req *rq)
{
	struct key_info k;

	TRY(access_key_get(rq->control->access, rq->org, rq->param, rq->arena, &k));
	rq->answer = json_pack("{s:o}", "info", key_info(rq->arena, &k));
	return ERR_OK;
}

err_v
api_key_status(struct api_req *rq)
{
	enum key_status status;
	str principal, text;

	TRY(api_text_needed(rq->body, "principalName", &principal));
	TRY(api_text_needed(rq->body, "status", &text));
	rq->resource = principal;
	if (!access_key_status_parse(text, &status) || status == KEY_EXPIRED)
		return err_s3f(S3_InvalidArgument, "status must be ACCESS_KEY_STATUS_ACTIVE or ACCESS_KEY_STATUS_SUSPENDED.");
	return access_key_set_status(rq->control->access, rq->org, principal, status);
}

err_v
api_key_revoke(struct api_req *rq)
{
	str id;

	TRY(api_text(rq->body, "accessKey", &id));
	if (str_empty(id))		/* the older name of the field */
		TRY(api_text(rq->body, "accessKeyId", &id));
	if (str_empty(id))
		return err_s3f(S3_InvalidArgument, "accessKey is missing.");
	rq->resource = id;
	return access_key_revoke(rq->control->access, rq->org, id);
}

err_v
api_key_revoke_principal(struct api_req *rq)
{
	unsigned n;
	str principal;

	TRY(api_text_needed(rq->body, "principalName", &principal));
	rq->resource = principal;
	return access_key_revoke_principal(rq->control->access, rq->org, principal, &n);
}
