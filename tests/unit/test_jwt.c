/*
 * test_jwt.c - tokens signed here with fresh keys of each kind, then altered in every way that matters.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "control/jwt.h"
#include "test.h"

static str
url64(struct arena *a, str s)
{
	str t = base64_encode(a, s);
	char *p = arena_alloc(a, t.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < t.len && t.p[i] != '='; i++)
		p[n++] = (char)(t.p[i] == '+' ? '-' : t.p[i] == '/' ? '_' : t.p[i]);
	return str_n(p, n);
}

static str
number(struct arena *a, EVP_PKEY *key, const char *name, int len)
{
	BIGNUM *n = NULL;
	uint8_t *p = arena_alloc(a, 1024);

	assert(EVP_PKEY_get_bn_param(key, name, &n) == 1);
	len = BN_bn2binpad(n, p, len ? len : BN_num_bytes(n));
	BN_free(n);
	return url64(a, str_n(p, (size_t)len));
}

static EVP_PKEY *
make_key(const char *alg)
{
	if (strcmp(alg, "RS256") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(alg, "ES256") == 0)
		return EVP_EC_gen("P-256");
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static json_t *
jwk(struct arena *a, EVP_PKEY *key, const char *alg, const char *kid)
{
	str text;

	if (strcmp(alg, "RS256") == 0) {
		text = arena_fmt(a, "{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"", STR_FMT(number(a, key, OSSL_PKEY_PARAM_RSA_N, 0)),
		    STR_FMT(number(a, key, OSSL_PKEY_PARAM_RSA_E, 0)));
	} else if (strcmp(alg, "ES256") == 0) {
		text = arena_fmt(a, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%.*s\",\"y\":\"%.*s\"",
		    STR_FMT(number(a, key, OSSL_PKEY_PARAM_EC_PUB_X, 32)), STR_FMT(number(a, key, OSSL_PKEY_PARAM_EC_PUB_Y, 32)));
	} else {
		uint8_t raw[32];
		size_t len = sizeof(raw);

		assert(EVP_PKEY_get_raw_public_key(key, raw, &len) == 1);
		text = arena_fmt(a, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%.*s\"", STR_FMT(url64(a, str_n(raw, len))));
	}
	text = arena_fmt(a, "{\"keys\":[%.*s,\"kid\":\"%s\",\"use\":\"sig\"}]}", STR_FMT(text), kid);
	return json_loadb(text.p, text.len, 0, NULL);
}

static str
sign(struct arena *a, EVP_PKEY *key, const char *alg, str head, str claims)
{
	str text = arena_fmt(a, "%.*s.%.*s", STR_FMT(url64(a, head)), STR_FMT(url64(a, claims)));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *sig = arena_alloc(a, 1024), raw[64];
	size_t len = 1024;
	str got;

	assert(EVP_DigestSignInit(ctx, NULL, strcmp(alg, "EdDSA") == 0 ? NULL : EVP_sha256(), NULL, key) == 1);
	assert(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)text.p, text.len) == 1);
	EVP_MD_CTX_free(ctx);
	got = str_n(sig, len);
	if (strcmp(alg, "ES256") == 0) {
		const uint8_t *der = sig;
		ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)len);

		BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + 32, 32);
		ECDSA_SIG_free(s);
		got = str_n(raw, 64);
	}
	return arena_fmt(a, "%.*s.%.*s", STR_FMT(text), STR_FMT(url64(a, got)));
}

#define RS "{\"alg\":\"RS256\"}"
#define CLAIMS "{\"iss\":\"https://i\",\"sub\":\"s\",\"aud\":[\"x\",\"caisson\"],\"exp\":2000000000,\"iat\":1000}"

static int
verify(struct arena *a, str token, const json_t *keys)
{
	struct jwt t = { 0 };
	err_v e = jwt_parse(token, a, &t);

	if (err_ok(e))
		e = jwt_verify(&t, keys, a);
	jwt_done(&t);
	return e.code;
}

TEST(jwt_each_algorithm)
{
	static const char *const algs[] = { "RS256", "ES256", "EdDSA" };

	for (size_t i = 0; i < COUNT(algs); i++) {
		struct arena *a = arena_new(65536, 1 << 22);
		EVP_PKEY *key = make_key(algs[i]), *other = make_key(algs[i]);
		json_t *keys = jwk(a, key, algs[i], "k1"), *wrong = jwk(a, other, algs[i], "k1"), *renamed = jwk(a, key, algs[i], "k2");
		str head = arena_fmt(a, "{\"alg\":\"%s\",\"kid\":\"k1\"}", algs[i]);
		str token = sign(a, key, algs[i], head, STR(CLAIMS)), bad;
		char *p;

		EXPECT_EQ(algs[i], verify(a, token, keys), 0);
		EXPECT_EQ("another key of this name", verify(a, token, wrong), S3_InvalidToken);
		EXPECT_EQ("no key of this name", verify(a, token, renamed), -ENOENT);
		p = (char *)arena_str(a, token).p;
		p[head.len * 4 / 3 + 10] ^= 1;	/* within the claims */
		EXPECT(verify(a, str_n(p, token.len), keys) != 0);
		p = (char *)arena_str(a, token).p;
		p[token.len - 20] = p[token.len - 20] == 'A' ? 'B' : 'A';
		EXPECT_EQ("signature altered", verify(a, str_n(p, token.len), keys), S3_InvalidToken);
		bad = sign(a, key, algs[i], STR("{\"alg\":\"none\",\"kid\":\"k1\"}"), STR(CLAIMS));
		EXPECT_EQ("none", verify(a, bad, keys), S3_InvalidToken);
		bad = sign(a, key, algs[i], STR("{\"alg\":\"HS256\",\"kid\":\"k1\"}"), STR(CLAIMS));
		EXPECT_EQ("HMAC", verify(a, bad, keys), S3_InvalidToken);
		bad = sign(a, key, algs[i], arena_fmt(a, "{\"alg\":\"%s\",\"kid\":\"k1\"}", algs[(i + 1) % 3]), STR(CLAIMS));
		EXPECT_EQ("algorithm of another kind of key", verify(a, bad, keys), -ENOENT);
		json_decref(keys);
		json_decref(wrong);
		json_decref(renamed);
		EVP_PKEY_free(key);
		EVP_PKEY_free(other);
		arena_free(&a);
	}
}

static str
unsigned_token(struct arena *a, const char *head, const char *claims)
{
	return arena_fmt(a, "%.*s.%.*s.AAAA", STR_FMT(url64(a, str_c(head))), STR_FMT(url64(a, str_c(claims))));
}

TEST(jwt_forms)
{
	static const struct { const char *what, *head, *claims; int want; } cases[] = {
		{ "good", RS, CLAIMS, 0 },
		{ "no subject", RS, "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1,\"iat\":1}", S3_InvalidToken },
		{ "no issuer", RS, "{\"sub\":\"i\",\"aud\":\"a\",\"exp\":1,\"iat\":1}", S3_InvalidToken },
		{ "no audience", RS, "{\"iss\":\"i\",\"sub\":\"a\",\"exp\":1,\"iat\":1}", S3_InvalidToken },
		{ "no expiry", RS, "{\"iss\":\"i\",\"sub\":\"a\",\"aud\":\"a\",\"iat\":1}", S3_InvalidToken },
		{ "expiry a text", RS, "{\"iss\":\"i\",\"sub\":\"a\",\"aud\":\"a\",\"iat\":1,\"exp\":\"9\"}", S3_InvalidToken },
		{ "expiry negative", RS, "{\"iss\":\"i\",\"sub\":\"a\",\"aud\":\"a\",\"iat\":1,\"exp\":-9}", S3_InvalidToken },
		{ "twice the same claim", RS,
		    "{\"iss\":\"i\",\"iss\":\"j\",\"sub\":\"a\",\"aud\":\"a\",\"iat\":1,\"exp\":9}", S3_InvalidToken },
		{ "critical extension", "{\"alg\":\"RS256\",\"crit\":[\"b64\"]}", CLAIMS, S3_InvalidToken },
		{ "head not an object", "[]", CLAIMS, S3_InvalidToken },
	};
	static const char *const broken[] = { "", ".", "..", "a.b", "a.b.c.d", "!!.!!.!!", "e30.e30.", "e30=.e30.AAAA" };
	struct arena *a = arena_new(65536, 1 << 22);
	struct jwt t;

	for (size_t i = 0; i < COUNT(cases); i++) {
		str token = unsigned_token(a, cases[i].head, cases[i].claims);

		t = (struct jwt){ 0 };
		EXPECT_EQ(cases[i].what, jwt_parse(token, a, &t).code, cases[i].want);
		jwt_done(&t);
	}
	for (size_t i = 0; i < COUNT(broken); i++)
		EXPECT_EQ(broken[i], jwt_parse(str_c(broken[i]), a, &t).code, S3_InvalidToken);
	EXPECT_OK(jwt_parse(unsigned_token(a, RS, CLAIMS), a, &t));
	EXPECT(jwt_has_audience(&t, STR("caisson")));
	EXPECT(!jwt_has_audience(&t, STR("caiss")));
	jwt_done(&t);
	arena_free(&a);
}
