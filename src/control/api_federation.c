/*
 * api_federation.c - temporary keys for whoever an identity provider of the organization vouches for.
 *
 * The principal is role/<issuer>:<subject>. A policy of the organization must allow it cwobject:CreateAccessKeyOIDC; what it may do
 * with objects is for further policies to say.
 */
#include "base/clock.h"
#include "control/api.h"
#include "control/credentials.h"
#include "control/oidc.h"

#define CONTAINER_S 3600u

static err
exchange(struct api_req *rq, str token, uint64_t duration_s, struct pairs attributes, enum credentials_form form)
{
	struct key_new new = { .org = rq->org, .duration_s = duration_s, .attributes = attributes,
		.session = form == CREDENTIALS_CONTAINER ? KEY_WITH_SESSION : KEY_WITHOUT_SESSION };	/* the other has no place for it */
	struct principal who = { .org = rq->org };
	str iss, sub;

	TRY(oidc_verify(rq->control->oidc, rq->control->access, rq->org, token, clock_wall_ms() / 1000, rq->arena, &iss, &sub));
	new.principal = who.name = arena_fmt(rq->arena, "role/%.*s:%.*s", STR_FMT(iss), STR_FMT(sub));
	rq->caller.who = who;
	TRY(access_control_principal(rq->control->access, &who, STR("cwobject:CreateAccessKeyOIDC"), &rq->why));
	return credentials_new(rq, &new, form);
}

err_v
api_oidc(struct api_req *rq)
{
	struct pairs attributes;
	uint64_t duration_s;
	bool set;
	str token;

	TRY(api_text_needed(rq->body, "orgId", &rq->org));
	TRY(api_text_needed(rq->body, "oidcToken", &token));
	TRY(api_number(rq->body, "durationSeconds", &set, &duration_s));
	TRY(api_pairs(rq->body, "attributes", rq->arena, &attributes));
	if (!set || duration_s == 0)
		duration_s = CONTAINER_S;	/* federated keys are never permanent */
	if (duration_s > ACCESS_DURATION_MAX)
		return err_s3f(S3_InvalidArgument, "durationSeconds must be from 0 to %u.", ACCESS_DURATION_MAX);
	return exchange(rq, token, duration_s, attributes, CREDENTIALS_API);
}

/* The raw token in Authorization, as SDKs send AWS_CONTAINER_AUTHORIZATION_TOKEN. */
err_v
api_oidc_container(struct api_req *rq)
{
	str token = http_header(rq->http->head, STR("authorization"));

	rq->org = rq->param;
	if (str_starts_nocase(token, STR("Bearer ")))
		token = str_trim(str_skip(token, 7));
	if (str_empty(token))
		return err_s3f(S3_InvalidToken, "Send the identity provider's token in Authorization.");
	return exchange(rq, token, CONTAINER_S, (struct pairs){ 0 }, CREDENTIALS_CONTAINER);
}

err_v
api_saml(struct api_req *rq)
{
	return err_s3f(S3_NotImplemented, "SAML assertions are not implemented; use OIDC.");
}
