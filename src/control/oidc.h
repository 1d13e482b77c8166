/*
 * oidc.h - identity providers: their keys, by discovery (OpenID Connect Discovery 1.0), cached.
 *
 * Keys are kept for an hour; a token with an unknown key makes them be fetched anew, at most once in OIDC_REFRESH_S a
 * provider, so that a rotation is seen at once and forged tokens cannot make us hammer a provider. One that did not answer is left alone
 * for as long. Thread-safe; fetching blocks, for OIDC_TIMEOUT_MS at most, and one caller a provider; others wait OIDC_WAIT_MS for it.
 */
#pragma once

#include "access/admin.h"
#include "control/jwt.h"

#define OIDC_TIMEOUT_MS 5000
#define OIDC_WAIT_MS 1000
#define OIDC_REFRESH_S 10u

struct oidc;

struct oidc *oidc_new(void);
void oidc_free(struct oidc **);

/*
 * Is the token good now: signed by its issuer (which must be one of the organization's), for its audience, in its time?
 * *ret_sub: whose it is.
 * S3_InvalidToken, S3_ExpiredToken; -EHOSTUNREACH if the provider cannot be asked.
 */
err oidc_verify(struct oidc *, struct access *, str org, str token, uint64_t now_s, struct arena *, str *ret_iss, str *ret_sub);
