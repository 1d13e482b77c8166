/*
 * jwt.h - signed JSON web tokens (RFC 7515, 7517, 7519): taken apart, and verified with OpenSSL against keys in JWK form.
 *
 * Pure: no network, no clock. RS256, ES256 and EdDSA (Ed25519) only; "none" and HMAC are refused by not being in the table.
 */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define JWT_MAX 16384u

struct jwt {
	str alg, kid;			/* of the head; kid may be STR_NONE */
	str iss, sub;
	uint64_t exp, iat, nbf;		/* seconds; nbf 0: absent */
	json_t *claims;			/* owned: jwt_done() */
	str signed_part;		/* what the signature is over */
	str signature;			/* decoded */
};

/* S3_InvalidToken with what is wrong: form, base64, JSON, a missing iss, sub, aud, exp or iat. Nothing is verified. */
err jwt_parse(str token, struct arena *, struct jwt *ret);
void jwt_done(struct jwt *);
/* Is audience the "aud", or one of them? */
bool jwt_has_audience(const struct jwt *, str audience);

/*
 * Verify against a JWK set ({"keys": [...]}). ERR_NOT_FOUND: no key of this kid and kind (fetch the set again);
 * S3_InvalidToken: the signature does not match.
 */
err jwt_verify(const struct jwt *, const json_t *jwks, struct arena *);
