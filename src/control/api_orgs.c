/* api_orgs.c - organizations, their users, tokens and identity providers. */
#include "control/api.h"

/* ---- organizations ---- */

static json_t *
org_json(struct arena *a, const struct org *o)
{
	return json_pack("{s:o, s:o, s:o, s:{s:b, s:b, s:o}}", "orgId", api_json(o->id), "name", api_json(o->name), "creationTime",
	    api_time(a, o->created_ms), "settings", "controlPlaneAuditLoggingEnabled", o->control_audit, "bucketAuditLoggingEnabled",
	    o->bucket_audit, "capacityCapBytes", api_json(arena_fmt(a, "%llu", (unsigned long long)o->capacity_cap)));
}

err_v
api_org_list(struct api_req *rq)
{
	json_t *list;
	struct org *o;
	unsigned n;

	TRY(access_org_list(rq->control->access, rq->arena, &o, &n));
	list = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, org_json(rq->arena, &o[i]));
	rq->answer = json_pack("{s:o}", "organizations", list);
	return ERR_OK;
}

err_v
api_org_create(struct api_req *rq)
{
	struct org o;
	str name;

	TRY(api_text_needed(rq->body, "name", &name));
	TRY(access_org_create(rq->control->access, name, rq->arena, &o));
	rq->resource = o.id;
	rq->answer = json_pack("{s:o}", "organization", org_json(rq->arena, &o));
	return ERR_OK;
}

err_v
api_org_get(struct api_req *rq)
{
	struct org o;

	if (rq->caller.role != ROLE_OPERATOR && !str_eq(rq->param, rq->caller.who.org))
		return ERR_NOT_FOUND;
	TRY(access_org_get(rq->control->access, rq->param, rq->arena, &o));
	rq->answer = json_pack("{s:o}", "organization", org_json(rq->arena, &o));
	return ERR_OK;
}

err_v
api_org_delete(struct api_req *rq)
{
	if (str_eq(rq->param, rq->caller.who.org))
		return err_s3f(S3_InvalidArgument, "This is your own organization.");
	return access_org_delete(rq->control->access, rq->param);
}

err_v
api_org_settings(struct api_req *rq)
{
	const json_t *want = json_object_get(rq->body, "settings");
	struct org o;
	uint64_t cap;
	bool set, on;

	if (!json_is_object(want))
		return err_s3f(S3_InvalidArgument, "settings is missing.");
	TRY(access_org_get(rq->control->access, rq->org, rq->arena, &o));
	TRY(api_bool(want, "controlPlaneAuditLoggingEnabled", &set, &on));
	if (set)
		o.control_audit = on;
	TRY(api_bool(want, "bucketAuditLoggingEnabled", &set, &on));
	if (set)
		o.bucket_audit = on;
	TRY(api_number(want, "capacityCapBytes", &set, &cap));
	if (set && rq->caller.role != ROLE_OPERATOR)
		return err_s3f(S3_AccessDenied, "permission denied: capacityCapBytes of an organization takes an operator's token.");
	if (set)
		o.capacity_cap = cap;
	return access_org_set(rq->control->access, &o);
}

/* ---- users ---- */

static json_t *
user_json(struct arena *a, const struct user *u)
{
	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o}", "orgId", api_json(u->org), "principalName", api_json(u->principal), "name",
	    api_json(u->name), "role", access_role_name(u->role), "groups", api_json_names(u->groups), "creationTime",
	    api_time(a, u->created_ms));
}

err_v
api_user_list(struct api_req *rq)
{
	struct user *u;
	json_t *list;
	unsigned n;

	TRY(access_user_list(rq->control->access, rq->org, rq->arena, &u, &n));
	list = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, user_json(rq->arena, &u[i]));
	rq->answer = json_pack("{s:o}", "users", list);
	return ERR_OK;
}

/* Members of the body over those of u; nobody gives a role above their own. */
static err
user_read(struct api_req *rq, struct user *u)
{
	str name, role;

	TRY(api_text(rq->body, "name", &name));
	if (name.p != NULL)
		u->name = name;
	TRY(api_text(rq->body, "role", &role));
	if (role.p != NULL && !access_role_parse(role, &u->role))
		return err_s3f(S3_InvalidArgument, "role must be user, admin or operator.");
	if (u->role > rq->caller.role)
		return err_s3f(S3_AccessDenied, "You may not give a role above your own.");
	if (json_object_get(rq->body, "groups") != NULL)
		TRY(api_names(rq->body, "groups", rq->arena, &u->groups));
	return ERR_OK;
}

err_v
api_user_create(struct api_req *rq)
{
	struct user u = { .org = rq->org }, made;

	TRY(user_read(rq, &u));
	TRY(access_user_create(rq->control->access, &u, rq->arena, &made));
	rq->resource = made.principal;
	rq->answer = json_pack("{s:o}", "user", user_json(rq->arena, &made));
	return ERR_OK;
}

/* The user that the body names; S3_AccessDenied if its role is above the caller's. */
static err
user_named(struct api_req *rq, struct user *ret)
{
	str principal;

	TRY(api_text_needed(rq->body, "principalName", &principal));
	rq->resource = principal;
	TRY(access_user_get(rq->control->access, rq->org, principal, rq->arena, ret));
	if (ret->role > rq->caller.role)
		return err_s3f(S3_AccessDenied, "The role of this user is above your own.");
	return ERR_OK;
}

err_v
api_user_set(struct api_req *rq)
{
	struct user u;

	TRY(user_named(rq, &u));
	TRY(user_read(rq, &u));
	TRY(access_user_set(rq->control->access, &u));
	rq->answer = json_pack("{s:o}", "user", user_json(rq->arena, &u));
	return ERR_OK;
}

err_v
api_user_delete(struct api_req *rq)
{
	struct user u;

	TRY(user_named(rq, &u));
	if (str_eq(u.principal, rq->caller.who.name) && str_eq(u.org, rq->caller.who.org))
		return err_s3f(S3_InvalidArgument, "You cannot delete yourself.");
	return access_user_delete(rq->control->access, rq->org, u.principal);
}

/* ---- tokens ---- */

static json_t *
token_json(struct arena *a, const struct token *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "tokenId", api_json(t->id), "orgId", api_json(t->org), "principalName",
	    api_json(t->principal), "name", api_json(t->name), "creationTime", api_time(a, t->created_ms), "expiry",
	    api_time(a, t->expires_ms));
}

err_v
api_token_list(struct api_req *rq)
{
	struct token *t;
	json_t *list;
	unsigned n;

	TRY(access_token_list(rq->control->access, rq->org, rq->arena, &t, &n));
	list = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, token_json(rq->arena, &t[i]));
	rq->answer = json_pack("{s:o}", "tokens", list);
	return ERR_OK;
}

err_v
api_token_create(struct api_req *rq)
{
	AUTO(secret_wipe) struct secret secret = { 0 };
	struct token want = { .org = rq->org }, made;
	uint64_t duration_s;
	struct user u;
	bool set;

	TRY(user_named(rq, &u));
	want.principal = u.principal;
	TRY(api_text(rq->body, "name", &want.name));
	TRY(api_number(rq->body, "durationSeconds", &set, &duration_s));
	TRY(access_token_create(rq->control->access, &want, duration_s, rq->arena, &made, &secret));
	rq->resource = made.id;
	rq->answer = json_pack("{s:o, s:o}", "info", token_json(rq->arena, &made), "token", api_json(str_n(secret.bytes, secret.len)));
	return ERR_OK;
}

err_v
api_token_revoke(struct api_req *rq)
{
	return access_token_revoke(rq->control->access, rq->org, rq->param);
}

/* ---- identity providers ---- */

static json_t *
issuer_json(const struct issuer *i)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "configId", api_json(i->id), "name", api_json(i->name), "description",
	    api_json(i->description), "issuerUrl", api_json(i->issuer), "clientId", api_json(i->audience));
}

err_v
api_issuer_list(struct api_req *rq)
{
	struct issuer *i;
	json_t *list;
	unsigned n;

	TRY(access_issuer_list(rq->control->access, rq->org, rq->arena, &i, &n));
	list = json_array();
	for (unsigned k = 0; k < n; k++)
		json_array_append_new(list, issuer_json(&i[k]));
	rq->answer = json_pack("{s:o}", "configs", list);
	return ERR_OK;
}

err_v
api_issuer_ensure(struct api_req *rq)
{
	struct issuer want = { 0 }, made;

	TRY(api_text(rq->body, "name", &want.name));
	TRY(api_text(rq->body, "description", &want.description));
	TRY(api_text_needed(rq->body, "issuerUrl", &want.issuer));
	TRY(api_text_needed(rq->body, "clientId", &want.audience));
	/* What listens on this machine is not for the admins of every organization to have asked. */
	if (access_issuer_where(want.issuer) == ISSUER_LOOPBACK && rq->caller.role != ROLE_OPERATOR)
		return err_s3f(S3_InvalidArgument, "issuer must be an https:// URL.");
	TRY(access_issuer_ensure(rq->control->access, rq->org, &want, rq->arena, &made));
	rq->resource = made.id;
	rq->answer = json_pack("{s:o}", "config", issuer_json(&made));
	return ERR_OK;
}

err_v
api_issuer_delete(struct api_req *rq)
{
	return access_issuer_delete(rq->control->access, rq->org, rq->param);
}
