/* oidc.c - discovery and key sets of identity providers, fetched by libcurl. */
#include "control/oidc.h"

#include <curl/curl.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"

#define PROVIDERS_MAX 64u
#define DOCUMENT_MAX (256u << 10)
#define FRESH_MS (3600u * 1000)
#define SKEW_S 60u		/* clocks of providers differ a little from ours */

struct provider {
	char *issuer;
	json_t *jwks;			/* replaced whole; referenced by those who verify; NULL: none yet */
	uint64_t fetched_ms, asked_ms;
	bool fetching, failed;		/* someone asks it now; the last time it did not answer */
};

struct oidc {
	unsigned magic;
#define OIDC_MAGIC 0x0ed1c5a3
	struct lock lock;		/* rank: LOCK_OIDC; not held while fetching */
	struct provider provider[PROVIDERS_MAX] GUARDED_BY(lock);
	unsigned n GUARDED_BY(lock);
	struct cond fetched;		/* one has answered, or not */
};

struct oidc *
oidc_new(void)
{
	struct oidc *o = MEM_NEW(struct oidc);

	o->magic = OIDC_MAGIC;
	lock_init(&o->lock, LOCK_OIDC);
	cond_init(&o->fetched);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		PANIC("libcurl does not start");
	return o;
}

void
oidc_free(struct oidc **op)
{
	struct oidc *o = *op;

	if (o == NULL)
		return;
	CHECK_OBJ(o, OIDC_MAGIC);
	for (unsigned i = 0; i < o->n; i++) {
		free(o->provider[i].issuer);
		json_decref(o->provider[i].jwks);
	}
	cond_done(&o->fetched);
	lock_done(&o->lock);
	free(o);
	curl_global_cleanup();
	*op = NULL;
}

/* ---- fetching ---- */

static size_t
receive(char *bytes, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_add(b, str_n(bytes, size * n));
	return buf_overflow(b) ? 0 : size * n;
}

static void
easy_done(CURL **c)
{
	curl_easy_cleanup(*c);
}

/* https only, but for providers on this machine. No redirects. */
static err
fetch_json(str url, struct arena *a, json_t **ret)
{
	AUTO(easy_done) CURL *c = curl_easy_init();
	AUTO(buf_done) struct buf body = { 0 };
	char why[CURL_ERROR_SIZE] = "";
	CURLcode code;
	long status = 0;

	assert(c != NULL);
	if (access_issuer_where(url) == ISSUER_NOWHERE)
		return err_errno(EHOSTUNREACH, "%.*s is not https", STR_FMT(url));
	buf_init(&body, DOCUMENT_MAX);
	(void)curl_easy_setopt(c, CURLOPT_URL, arena_str(a, url).p);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)OIDC_TIMEOUT_MS);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, receive);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, &body);
	code = curl_easy_perform(c);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK || status != 200)
		return err_errno(EHOSTUNREACH, "%.*s: %s, status %ld", STR_FMT(url), code == CURLE_OK ? "answered" : why, status);
	*ret = json_loadb(body.p, body.len, 0, NULL);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		return err_errno(EHOSTUNREACH, "%.*s is not a JSON object", STR_FMT(url));
	}
	return ERR_OK;
}

/* The discovery document must be of this issuer, or its keys could be anybody's. */
static err
fetch_jwks(str issuer, struct arena *a, json_t **ret)
{
	AUTO(json_free) json_t *found = NULL;
	str base = issuer, uri;

	while (str_ends(base, STR("/")))
		base = str_sub(base, 0, base.len - 1);
	TRY(fetch_json(arena_fmt(a, "%.*s/.well-known/openid-configuration", STR_FMT(base)), a, &found));
	if (!json_is_string(json_object_get(found, "jwks_uri")) ||
	    !str_eq(str_c(json_string_value(json_object_get(found, "issuer"))), issuer))
		return err_errno(EHOSTUNREACH, "the discovery document of %.*s names another issuer or no keys", STR_FMT(issuer));
	uri = arena_str(a, str_c(json_string_value(json_object_get(found, "jwks_uri"))));
	/* What listens on this machine is asked for an operator's provider only, not because somebody's document says so. */
	if (!access_issuer_may_name(issuer, uri))
		return err_errno(EHOSTUNREACH, "%.*s names keys on this machine", STR_FMT(issuer));
	return fetch_json(uri, a, ret);
}

/* ---- the cache ---- */

static struct provider *provider_find(struct oidc *o, str issuer) REQUIRES(o->lock);
static struct provider *provider_slot(struct oidc *o, str issuer) REQUIRES(o->lock);

static struct provider *
provider_find(struct oidc *o, str issuer)
{
	for (unsigned i = 0; i < o->n; i++)
		if (str_eq(str_c(o->provider[i].issuer), issuer))
			return &o->provider[i];
	return NULL;
}

/* The provider's, or a new one; when there is no room the one asked longest ago gives way. NULL: all are being asked. */
static struct provider *
provider_slot(struct oidc *o, str issuer)
{
	struct provider *p = provider_find(o, issuer);

	if (p != NULL)
		return p;
	if (o->n < PROVIDERS_MAX) {
		p = &o->provider[o->n++];
	} else {
		for (unsigned i = 0; i < o->n; i++)
			if (!o->provider[i].fetching && (p == NULL || o->provider[i].asked_ms < p->asked_ms))
				p = &o->provider[i];
		if (p == NULL)
			return NULL;
	}
	free(p->issuer);
	json_decref(p->jwks);
	*p = (struct provider){ .issuer = strndup(issuer.p, issuer.len) };
	assert(p->issuer != NULL);
	return p;
}

static bool
is_fresh(const struct provider *p, uint64_t age_max_ms)
{
	return p != NULL && p->jwks != NULL && clock_mono_ms() - p->fetched_ms < age_max_ms;
}

/*
 * Keys that are fresh, or the task to fetch them: *ret is a reference, or NULL and the provider is marked. While another asks we wait
 * for a moment only, and whoever did not answer is left alone for a while: callers without a token come here, and workers are few.
 */
static err
keys_claim(struct oidc *o, str issuer, uint64_t age_max_ms, json_t **ret)
{
	uint64_t deadline = clock_mono_ms() + OIDC_WAIT_MS;
	struct provider *p;
	bool task = false;

	*ret = NULL;
	lock_take(&o->lock);
	p = provider_slot(o, issuer);
	while (p != NULL && p->fetching && !is_fresh(p, age_max_ms) && cond_wait_until(&o->fetched, &o->lock, deadline))
		p = provider_find(o, issuer);
	if (is_fresh(p, age_max_ms))
		*ret = json_incref(p->jwks);
	else
		task = p != NULL && !p->fetching && (!p->failed || clock_mono_ms() - p->asked_ms >= OIDC_REFRESH_S * 1000);
	if (task)
		p->fetching = true;
	lock_drop(&o->lock);
	return *ret != NULL || task ? ERR_OK : err_errno(EHOSTUNREACH, "%.*s was asked a moment ago, in vain so far", STR_FMT(issuer));
}

/* What came of the task. jwks: NULL if nothing. */
static void
keys_keep(struct oidc *o, str issuer, json_t *jwks)
{
	struct provider *p;

	lock_take(&o->lock);
	p = provider_find(o, issuer);
	assert(p != NULL && p->fetching);
	p->fetching = false;
	p->failed = jwks == NULL;
	p->asked_ms = clock_mono_ms();
	if (jwks != NULL) {
		json_decref(p->jwks);
		p->jwks = json_incref(jwks);
		p->fetched_ms = p->asked_ms;
	}
	cond_broadcast(&o->fetched);
	lock_drop(&o->lock);
}

static err
keys_get(struct oidc *o, str issuer, uint64_t age_max_ms, struct arena *a, json_t **ret)
{
	err_v e;

	TRY(keys_claim(o, issuer, age_max_ms, ret));
	if (*ret != NULL)
		return ERR_OK;
	e = fetch_jwks(issuer, a, ret);
	keys_keep(o, issuer, *ret);
	return e;
}

static err
verify_signature(struct oidc *o, const struct jwt *t, struct arena *a)
{
	AUTO(json_free) json_t *jwks = NULL, *fresh = NULL;
	err_v e;

	TRY(keys_get(o, t->iss, FRESH_MS, a, &jwks));
	e = jwt_verify(t, jwks, a);
	if (!err_is(e, -ENOENT))
		return e;
	/* A key that we do not know: the provider may have rotated. */
	TRY(keys_get(o, t->iss, OIDC_REFRESH_S * 1000, a, &fresh));
	e = jwt_verify(t, fresh, a);
	if (err_is(e, -ENOENT))
		return err_s3f(S3_InvalidToken, "Invalid token: its issuer has no key of this id.");
	return e;
}

err_v
oidc_verify(struct oidc *o, struct access *access, str org, str token, uint64_t now_s, struct arena *a, str *ret_iss, str *ret_sub)
{
	AUTO(jwt_done) struct jwt t = { 0 };
	struct issuer issuer;
	err_v e;

	TRY(jwt_parse(token, a, &t));
	e = access_issuer_find(access, org, t.iss, a, &issuer);
	if (err_is(e, -ENOENT))
		return err_s3f(S3_InvalidToken, "Invalid token: its issuer is not configured in the organization.");
	TRY(e);
	if (!jwt_has_audience(&t, issuer.audience))
		return err_s3f(S3_InvalidToken, "Invalid token: it is for another audience.");
	if (now_s >= t.exp + SKEW_S)
		return err_s3f(S3_ExpiredToken, "The token has expired.");
	if (t.iat > now_s + SKEW_S || t.nbf > now_s + SKEW_S)
		return err_s3f(S3_InvalidToken, "Invalid token: it is not valid yet.");
	TRY(verify_signature(o, &t, a));
	*ret_iss = arena_str(a, t.iss);
	*ret_sub = arena_str(a, t.sub);
	return ERR_OK;
}
