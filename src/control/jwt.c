/*
 * jwt.c - JSON web tokens against JSON web keys.
 *
 * The algorithm is taken from the token only to choose among the rows of one table, and a key is used only for the algorithm that
 * its own type allows: so a token cannot make an RSA key into an HMAC secret.
 */
#include "control/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#define RSA_BYTES_MIN 256u	/* 2,048 bits */
#define RSA_BYTES_MAX 1024u
#define EC_BYTES 32u

/* base64url without padding (RFC 7515 section 2). */
static bool
base64url(struct arena *a, str s, str *ret)
{
	size_t pad = (4 - s.len % 4) % 4, n;
	char *text = arena_alloc(a, s.len + pad + 1), *out = arena_alloc(a, s.len + 1);

	if (s.len == 0 || pad == 3)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '+' || s.p[i] == '/' || s.p[i] == '=')
			return false;
		text[i] = (char)(s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i]);
	}
	memset(text + s.len, '=', pad);
	if (!base64_decode(str_n(text, s.len + pad), out, s.len, &n))
		return false;
	*ret = str_n(out, n);
	return true;
}

static err
bad(const char *what)
{
	return err_s3f(S3_InvalidToken, "Invalid token: %s.", what);
}

static str
member(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v) ? str_n(json_string_value(v), json_string_length(v)) : STR_NONE;
}

static bool
seconds(const json_t *o, const char *name, uint64_t *ret)
{
	const json_t *v = json_object_get(o, name);
	double d = json_number_value(v);

	if (!json_is_number(v) || !(d >= 0 && d < 1e15))
		return false;
	*ret = (uint64_t)d;
	return true;
}

static json_t *
decode_json(struct arena *a, str part)
{
	str text;
	json_t *v;

	if (!base64url(a, part, &text))
		return NULL;
	v = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(v))
		return v;
	json_decref(v);
	return NULL;
}

err_v
jwt_parse(str token, struct arena *a, struct jwt *ret)
{
	AUTO(json_free) json_t *head = NULL;
	AUTO(jwt_done) struct jwt t = { 0 };
	str rest = token, head_part, claims_part;

	if (token.len > JWT_MAX)
		return bad("it is too long");
	head_part = str_take_until(&rest, '.');
	claims_part = str_take_until(&rest, '.');
	if (rest.p == NULL || str_find(rest, '.') >= 0)
		return bad("it does not have three parts");
	head = decode_json(a, head_part);
	t.claims = decode_json(a, claims_part);
	if (head == NULL || t.claims == NULL || !base64url(a, rest, &t.signature))
		return bad("a part is not base64url of a JSON object");
	if (json_object_get(head, "crit") != NULL)
		return bad("its head has critical extensions");
	t.alg = arena_str(a, member(head, "alg"));
	t.kid = json_object_get(head, "kid") != NULL ? arena_str(a, member(head, "kid")) : STR_NONE;
	t.iss = member(t.claims, "iss");
	t.sub = member(t.claims, "sub");
	if (str_empty(t.iss) || str_empty(t.sub) || json_object_get(t.claims, "aud") == NULL)
		return bad("iss, sub or aud is missing");
	if (!seconds(t.claims, "exp", &t.exp) || !seconds(t.claims, "iat", &t.iat))
		return bad("exp or iat is missing");
	if (json_object_get(t.claims, "nbf") != NULL && !seconds(t.claims, "nbf", &t.nbf))
		return bad("nbf is not a time");
	t.signed_part = str_sub(token, 0, head_part.len + 1 + claims_part.len);
	*ret = t;
	t.claims = NULL;
	return ERR_OK;
}

void
jwt_done(struct jwt *t)
{
	json_free(&t->claims);
}

bool
jwt_has_audience(const struct jwt *t, str audience)
{
	const json_t *aud = json_object_get(t->claims, "aud"), *one;
	size_t i;

	if (json_is_string(aud))
		return str_eq(member(t->claims, "aud"), audience);
	json_array_foreach(aud, i, one)
		if (json_is_string(one) && str_eq(str_n(json_string_value(one), json_string_length(one)), audience))
			return true;
	return false;
}

/* ---- keys ---- */

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
rsa_key(const json_t *jwk, struct arena *a)
{
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key = NULL;
	BIGNUM *n, *e;
	str sn, se;

	if (!base64url(a, member(jwk, "n"), &sn) || !base64url(a, member(jwk, "e"), &se) || sn.len < RSA_BYTES_MIN ||
	    sn.len > RSA_BYTES_MAX || se.len > 8)
		return NULL;
	build = OSSL_PARAM_BLD_new();
	n = BN_bin2bn((const uint8_t *)sn.p, (int)sn.len, NULL);
	e = BN_bin2bn((const uint8_t *)se.p, (int)se.len, NULL);
	if (build != NULL && n != NULL && e != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = from_params("RSA", build);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return key;
}

static EVP_PKEY *
ec_key(const json_t *jwk, struct arena *a)
{
	uint8_t point[1 + 2 * EC_BYTES] = { 4 };	/* uncompressed */
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key = NULL;
	str x, y;

	if (!str_eq(member(jwk, "crv"), STR("P-256")) || !base64url(a, member(jwk, "x"), &x) ||
	    !base64url(a, member(jwk, "y"), &y) || x.len != EC_BYTES || y.len != EC_BYTES)
		return NULL;
	memcpy(point + 1, x.p, EC_BYTES);
	memcpy(point + 1 + EC_BYTES, y.p, EC_BYTES);
	build = OSSL_PARAM_BLD_new();
	if (build != NULL && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
		key = from_params("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *
ed25519_key(const json_t *jwk, struct arena *a)
{
	str x;

	if (!str_eq(member(jwk, "crv"), STR("Ed25519")) || !base64url(a, member(jwk, "x"), &x) || x.len != 32)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)x.p, x.len);
}

static const struct algorithm {
	const char *alg, *kty;
	EVP_PKEY *(*key)(const json_t *jwk, struct arena *);
	const char *digest;		/* NULL: the algorithm has its own */
} algorithms[] = {
	{ "RS256", "RSA", rsa_key, "SHA256" },
	{ "ES256", "EC", ec_key, "SHA256" },
	{ "EdDSA", "OKP", ed25519_key, NULL },
};

/* JWS has r and s side by side, OpenSSL wants them in DER. */
static bool
ec_signature(struct arena *a, str raw, str *ret)
{
	ECDSA_SIG *sig;
	BIGNUM *r, *s;
	uint8_t *der = arena_alloc(a, 128), *end = der;
	int n;

	if (raw.len != 2 * EC_BYTES)
		return false;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn((const uint8_t *)raw.p, EC_BYTES, NULL);
	s = BN_bin2bn((const uint8_t *)raw.p + EC_BYTES, EC_BYTES, NULL);
	if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(sig);
		return false;
	}
	n = i2d_ECDSA_SIG(sig, &end);
	ECDSA_SIG_free(sig);
	if (n <= 0)
		return false;
	*ret = str_n(der, (size_t)n);
	return true;
}

static bool
signature_matches(const struct algorithm *alg, EVP_PKEY *key, const struct jwt *t, struct arena *a)
{
	EVP_MD_CTX *ctx;
	str sig = t->signature;
	bool good;

	if (alg->key == ec_key && !ec_signature(a, sig, &sig))
		return false;
	ctx = EVP_MD_CTX_new();
	good = ctx != NULL && EVP_DigestVerifyInit_ex(ctx, NULL, alg->digest, NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestVerify(ctx, (const uint8_t *)sig.p, sig.len, (const uint8_t *)t->signed_part.p, t->signed_part.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

/* May this key sign this token? */
static bool
key_fits(const struct algorithm *alg, const json_t *jwk, const struct jwt *t)
{
	str use = member(jwk, "use"), own = member(jwk, "alg");

	return str_eq(member(jwk, "kty"), str_c(alg->kty)) && (t->kid.p == NULL || str_eq(member(jwk, "kid"), t->kid)) &&
	    (str_empty(use) || str_eq(use, STR("sig"))) && (str_empty(own) || str_eq(own, t->alg));
}

err_v
jwt_verify(const struct jwt *t, const json_t *jwks, struct arena *a)
{
	const struct algorithm *alg = NULL;
	const json_t *jwk;
	bool found = false;
	size_t i;

	for (size_t k = 0; k < COUNT(algorithms); k++)
		if (str_eq(t->alg, str_c(algorithms[k].alg)))
			alg = &algorithms[k];
	if (alg == NULL)
		return bad("its algorithm is not one of RS256, ES256, EdDSA");
	json_array_foreach(json_object_get(jwks, "keys"), i, jwk) {
		EVP_PKEY *key;
		bool good;

		if (!key_fits(alg, jwk, t) || (key = alg->key(jwk, a)) == NULL)
			continue;
		found = true;
		good = signature_matches(alg, key, t, a);
		EVP_PKEY_free(key);
		if (good)
			return ERR_OK;
	}
	return found ? bad("its signature does not match") : ERR_NOT_FOUND;
}
