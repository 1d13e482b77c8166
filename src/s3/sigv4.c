/*
 * sigv4.c - who signed this request.
 *
 * Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)". What is claimed is read first, from the header or
 * from the query, into one struct; then time, key and signature are checked the same way for both. Codes, and the elements
 * beside them, are those that SDKs and people know from Amazon.
 */
#include "s3/sigv4.h"

#include "base/digest.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "s3/canonical.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define DATES_DIFFER "The date in the credential is %.*s, that of the request is %.*s. They must be the same."
#define SHOWN_MAX 16384u	/* a longer canonical request is not shown back */

/* What a request claims. */
struct claim {
	str access_key, date, region;	/* of the credential scope; date has 8 digits */
	str scope;			/* date/region/s3/aws4_request */
	str signed_headers, signature, token;
	str payload;			/* text of x-amz-content-sha256 */
	str time;			/* 20130524T000000Z */
	uint64_t time_s;
	uint64_t expires_s;		/* presigned only */
};

static void
detail(struct signature *sig, const char *name, str value)
{
	assert(sig->ndetails < COUNT(sig->detail));
	sig->detail[sig->ndetails++] = (struct pair){ str_c(name), value };
}

/* ---- payload ---- */

static const struct {
	str text;
	enum payload_mode mode;
} payload_modes[] = {
	{ STR(UNSIGNED_PAYLOAD), PAYLOAD_UNSIGNED },
	{ STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), PAYLOAD_UNSIGNED_TRAILER },
	{ STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), PAYLOAD_CHUNKS },
	{ STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), PAYLOAD_CHUNKS_TRAILER },
};

static err
payload_parse(str text, struct signature *sig)
{
	for (size_t i = 0; i < COUNT(payload_modes); i++) {
		if (str_eq(text, payload_modes[i].text)) {
			sig->payload = payload_modes[i].mode;
			return ERR_OK;
		}
	}
	if (text.len == 2 * sizeof(sig->payload_sha256) && hex_decode(text, sig->payload_sha256)) {
		sig->payload = PAYLOAD_HASH;
		return ERR_OK;
	}
	if (str_starts(text, STR("STREAMING-AWS4-ECDSA-")))
		return err_s3f(S3_NotImplemented, "Signatures of version 4A are not implemented. Please use " ALGORITHM ".");
	detail(sig, "ArgumentName", STR("x-amz-content-sha256"));
	detail(sig, "ArgumentValue", str_sub(text, 0, 128));
	return err_s3f(S3_InvalidArgument, "x-amz-content-sha256 must be " UNSIGNED_PAYLOAD ", STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
	    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a SHA-256 in hex.");
}

/* ---- credential scope ---- */

/* Cut text at its last '/': what stood behind it is returned. */
static str
take_last(str *text)
{
	for (size_t i = text->len; i > 0; i--) {
		if (text->p[i - 1] == '/') {
			str last = str_skip(*text, i);

			text->len = i - 1;
			return last;
		}
	}
	return STR_NONE;
}

/* "key/20130524/us-east-1/s3/aws4_request"; the key itself may hold slashes. NULL, or what is wrong with it. */
static const char *
scope_parse(str credential, struct claim *c)
{
	str rest = credential, terminator = take_last(&rest), service = take_last(&rest);
	uint64_t number;

	c->region = take_last(&rest);
	c->date = take_last(&rest);
	c->access_key = rest;
	if (str_empty(c->date) || str_empty(c->region) || str_empty(c->access_key))
		return "it must be KEY-ID/YYYYMMDD/REGION/s3/" TERMINATOR ".";
	if (!str_eq(terminator, STR(TERMINATOR)))
		return "it must end in " TERMINATOR ".";
	if (!str_eq(service, STR("s3")))
		return "the service in it must be s3.";
	if (c->date.len != 8 || !str_u64(c->date, &number))
		return "the date in it must be YYYYMMDD.";
	c->scope = str_skip(credential, rest.len + 1);
	return NULL;
}

/* ---- the Authorization header ---- */

/* x-amz-date, else Date; either as 20130524T000000Z or as an HTTP date. */
static err
header_time(const struct http_head *head, struct arena *arena, struct claim *c)
{
	c->time = http_header(head, STR("x-amz-date"));
	if (c->time.p == NULL)
		c->time = http_header(head, STR("date"));
	if (date_amz_parse(c->time, &c->time_s))
		return ERR_OK;
	if (!date_http_parse(c->time, &c->time_s))
		return err_s3f(S3_AccessDenied, "A signed request needs its time in x-amz-date, such as 20300101T000000Z, or in Date.");
	c->time = date_amz(arena, c->time_s);
	return ERR_OK;
}

static err
header_algorithm(str value, struct signature *sig)
{
	if (str_starts(value, STR(ALGORITHM " ")))
		return ERR_OK;
	if (str_starts(value, STR("AWS ")) || str_starts(value, STR("AWS4-ECDSA-P256-SHA256")))
		return err_s3f(S3_InvalidRequest, SIGV4_ONLY);
	detail(sig, "ArgumentName", STR("Authorization"));
	if (str_starts(value, STR(ALGORITHM)))
		return err_s3f(S3_InvalidArgument, "One space must stand behind " ALGORITHM " in Authorization.");
	return err_s3f(S3_InvalidArgument, "Authorization must begin with " ALGORITHM ".");
}

/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...", in any order. */
static err
header_read(const struct http_head *head, str value, struct arena *arena, struct signature *sig, struct claim *c)
{
	str rest, credential = STR_NONE;
	const char *why;

	TRY(header_algorithm(value, sig));
	rest = str_skip(value, sizeof(ALGORITHM));
	while (rest.p != NULL) {
		str text = str_trim(str_take_until(&rest, ',')), name = str_take_until(&text, '=');

		if (str_eq(name, STR("Credential")))
			credential = text;
		else if (str_eq(name, STR("SignedHeaders")))
			c->signed_headers = text;
		else if (str_eq(name, STR("Signature")))
			c->signature = text;
	}
	if (str_empty(credential) || str_empty(c->signed_headers) || str_empty(c->signature))
		return err_s3f(S3_AuthorizationHeaderMalformed, "Authorization must have Credential, SignedHeaders and Signature.");
	why = scope_parse(credential, c);
	if (why != NULL)
		return err_s3f(S3_AuthorizationHeaderMalformed, "The Credential in Authorization is not well-formed: %s", why);
	TRY(header_time(head, arena, c));
	if (!str_eq(str_sub(c->time, 0, 8), c->date))
		return err_s3f(S3_AuthorizationHeaderMalformed, DATES_DIFFER, STR_FMT(c->date), 8, c->time.p);
	c->token = http_header(head, STR("x-amz-security-token"));
	c->payload = http_header(head, STR("x-amz-content-sha256"));
	if (c->payload.p == NULL)
		return err_s3f(S3_InvalidRequest,
		    "A signed request needs x-amz-content-sha256: the SHA-256 of its body, or " UNSIGNED_PAYLOAD ".");
	return payload_parse(c->payload, sig);
}

/* ---- the query ---- */

static str
query_nocase(const struct http_head *head, str name)
{
	for (unsigned i = 0; i < head->queries; i++)
		if (str_eq_nocase(head->query[i].name, name))
			return head->query[i].value;
	return STR_NONE;
}

static err
query_malformed(const char *why)
{
	return err_s3f(S3_AuthorizationQueryParametersError, "%s", why);
}

static err
query_expires(str text, struct claim *c)
{
	uint64_t seconds;

	if (str_starts(text, STR("-")) && str_u64(str_skip(text, 1), &seconds))
		return query_malformed("X-Amz-Expires must not be less than 0.");
	if (!str_u64(text, &seconds))
		return query_malformed("X-Amz-Expires must be a number of seconds.");
	if (seconds > SIGV4_EXPIRES_MAX_S)
		return query_malformed("X-Amz-Expires must not be more than 604800 seconds, which is a week.");
	c->expires_s = seconds;
	return ERR_OK;
}

/*
 * The payload of a presigned request is unsigned unless the query or a signed header says otherwise. A header outside the
 * signature that says otherwise would change what is stored: see unsigned_check().
 */
static str
query_payload(const struct http_head *head, const struct claim *c)
{
	str text = query_nocase(head, STR("x-amz-content-sha256"));

	if (text.p == NULL && canonical_is_signed(c->signed_headers, STR("x-amz-content-sha256")))
		text = http_header(head, STR("x-amz-content-sha256"));
	return text.p != NULL ? text : STR(UNSIGNED_PAYLOAD);
}

static err
query_read(const struct http_head *head, struct signature *sig, struct claim *c)
{
	str algorithm = http_query_value(head, STR("X-Amz-Algorithm")), credential = http_query_value(head, STR("X-Amz-Credential"));
	str expires = http_query_value(head, STR("X-Amz-Expires"));
	const char *why;

	c->time = http_query_value(head, STR("X-Amz-Date"));
	c->signed_headers = http_query_value(head, STR("X-Amz-SignedHeaders"));
	c->signature = http_query_value(head, STR("X-Amz-Signature"));
	c->token = http_query_value(head, STR("X-Amz-Security-Token"));
	if (algorithm.p == NULL || credential.p == NULL || expires.p == NULL || c->time.p == NULL ||
	    c->signed_headers.p == NULL || c->signature.p == NULL)
		return query_malformed("A presigned URL has six parameters: X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, "
		    "X-Amz-Expires, X-Amz-SignedHeaders and X-Amz-Signature. One is missing.");
	if (!str_eq(algorithm, STR(ALGORITHM)))
		return query_malformed("X-Amz-Algorithm must be " ALGORITHM ".");
	why = scope_parse(credential, c);
	if (why != NULL)
		return err_s3f(S3_AuthorizationQueryParametersError, "X-Amz-Credential is not well-formed: %s", why);
	if (!date_amz_parse(c->time, &c->time_s))
		return query_malformed("X-Amz-Date must be a time such as 20300101T000000Z.");
	if (!str_eq(str_sub(c->time, 0, 8), c->date))
		return err_s3f(S3_AuthorizationQueryParametersError, DATES_DIFFER, STR_FMT(c->date), 8, c->time.p);
	TRY(query_expires(expires, c));
	c->payload = query_payload(head, c);
	return payload_parse(c->payload, sig);
}

/* ---- checks that both forms share ---- */

static err
time_check(const struct claim *c, uint64_t now_ms, struct arena *arena, struct signature *sig)
{
	uint64_t now_s = now_ms / 1000, apart = now_s > c->time_s ? now_s - c->time_s : c->time_s - now_s;

	if (!sig->presigned) {
		if (apart <= SIGV4_SKEW_MAX_S)
			return ERR_OK;
		detail(sig, "RequestTime", c->time);
		detail(sig, "ServerTime", date_iso(arena, now_s * 1000));
		detail(sig, "MaxAllowedSkewMilliseconds", STR("900000"));
		return err_s3(S3_RequestTimeTooSkewed);
	}
	if (c->time_s > now_s + SIGV4_SKEW_MAX_S) {
		detail(sig, "X-Amz-Date", c->time);
		detail(sig, "ServerTime", date_iso(arena, now_s * 1000));
		return err_s3f(S3_AccessDenied,
		    "The presigned URL is not valid yet: X-Amz-Date lies more than 15 minutes ahead. Set the signer's clock.");
	}
	if (now_s > c->time_s + c->expires_s) {
		detail(sig, "X-Amz-Expires", arena_fmt(arena, "%llu", (unsigned long long)c->expires_s));
		detail(sig, "Expires", date_iso(arena, (c->time_s + c->expires_s) * 1000));
		detail(sig, "ServerTime", date_iso(arena, now_s * 1000));
		return err_s3f(S3_AccessDenied, "The presigned URL has expired. Sign a new one.");
	}
	return ERR_OK;
}

static err
unsigned_check(const struct http_head *head, const struct claim *c, struct arena *arena, struct signature *sig)
{
	str names = canonical_unsigned(head, c->signed_headers, arena), payload = http_header(head, STR("x-amz-content-sha256"));

	if (str_empty(names) && head->minor >= 1 && !canonical_is_signed(c->signed_headers, STR("host")))
		names = STR("host");
	if (str_empty(names) && payload.p != NULL && !str_eq(payload, c->payload) && !str_eq(payload, STR(UNSIGNED_PAYLOAD)))
		names = STR("x-amz-content-sha256");
	if (str_empty(names))
		return ERR_OK;
	detail(sig, "HeadersNotSigned", names);
	return err_s3f(S3_AccessDenied,
	    "Headers that must be signed are not: see HeadersNotSigned. Add them to SignedHeaders, or do not send them.");
}

void
sigv4_key(str secret, str date, str region, uint8_t ret[32])
{
	char first[4 + sizeof(((struct secret *)0)->bytes)] = "AWS4";

	assert(secret.len <= sizeof(first) - 4);
	if (secret.len > 0)
		memcpy(first + 4, secret.p, secret.len);
	hmac_sha256(str_n(first, 4 + secret.len), date, ret);
	hmac_sha256(str_n(ret, 32), region, ret);
	hmac_sha256(str_n(ret, 32), STR("s3"), ret);
	hmac_sha256(str_n(ret, 32), STR(TERMINATOR), ret);
	explicit_bzero(first, sizeof(first));
}

/* "AWS4-HMAC-SHA256\n<time>\n<scope>\n<hash of the canonical request>" */
static str
string_to_sign(const struct claim *c, str canonical, struct arena *arena)
{
	uint8_t hash[32];
	char hex[64];
	str lines[] = { STR(ALGORITHM "\n"), c->time, STR("\n"), c->scope, STR("\n"), str_n(hex, sizeof(hex)) };

	digest_once(DIGEST_SHA256, canonical, hash);
	hex_encode(str_n(hash, sizeof(hash)), hex);
	return arena_join(arena, lines, COUNT(lines));
}

static bool
signature_is(const uint8_t key[32], str text, str claimed)
{
	uint8_t mac[32];
	char hex[64];

	hmac_sha256(str_n(key, 32), text, mac);
	hex_encode(str_n(mac, sizeof(mac)), hex);
	return str_eq_secret(str_n(hex, sizeof(hex)), claimed);
}

/* "47 45 54 0a": how Amazon shows bytes. */
static str
spaced_hex(struct arena *arena, str s)
{
	char *p = arena_try(arena, 3 * s.len + 1);

	if (p == NULL || s.len == 0)
		return STR("");
	for (size_t i = 0; i < s.len; i++) {
		hex_encode(str_sub(s, i, 1), p + 3 * i);
		p[3 * i + 2] = ' ';
	}
	return str_n(p, 3 * s.len - 1);
}

static err
mismatch(const struct claim *c, str canonical, str text, struct arena *arena, struct signature *sig)
{
	detail(sig, "AWSAccessKeyId", c->access_key);
	detail(sig, "StringToSign", text);
	detail(sig, "SignatureProvided", c->signature);
	detail(sig, "StringToSignBytes", spaced_hex(arena, text));
	if (canonical.len <= SHOWN_MAX) {
		canonical = canonical_shown(canonical, arena);
		detail(sig, "CanonicalRequest", canonical);
		detail(sig, "CanonicalRequestBytes", spaced_hex(arena, canonical));
	}
	return err_s3(S3_SignatureDoesNotMatch);
}

static err
match(const uint8_t key[32], const struct http_head *head, const struct claim *c, struct arena *arena, struct signature *sig)
{
	str canonical, text, sent;

	if (!canonical_request(CANONICAL_ENCODED, head, c->signed_headers, c->payload, arena, &canonical))
		return err_s3f(sig->presigned ? S3_AuthorizationQueryParametersError : S3_AuthorizationHeaderMalformed,
		    "SignedHeaders names headers more than once.");
	text = string_to_sign(c, canonical, arena);
	if (signature_is(key, text, c->signature))
		return ERR_OK;
	if (canonical_request(CANONICAL_AS_SENT, head, c->signed_headers, c->payload, arena, &sent) &&
	    !str_eq(sent, canonical) && signature_is(key, string_to_sign(c, sent, arena), c->signature))
		return ERR_OK;
	return mismatch(c, canonical, text, arena, sig);
}

/* The signature against the key that the secret gives; the cache learns only what matched. */
static err
signature_check(struct signing_cache *cache, const struct secret *secret, const struct http_head *head,
    const struct claim *c, struct arena *arena, struct signature *sig)
{
	struct signing_name name = { c->access_key, str_n(secret->bytes, secret->len), c->date, c->region };
	bool cached = signing_cache_get(cache, &name, sig->key);
	err_v e;

	if (!cached)
		sigv4_key(name.secret, name.date, name.region, sig->key);
	e = match(sig->key, head, c, arena, sig);
	if (err_ok(e) && !cached)
		signing_cache_put(cache, &name, sig->key);
	if (!err_ok(e) || (sig->payload != PAYLOAD_CHUNKS && sig->payload != PAYLOAD_CHUNKS_TRAILER)) {
		explicit_bzero(sig->key, sizeof(sig->key));
		return e;
	}
	memcpy(sig->date, c->time.p, SIGV4_DATE_LEN);
	sig->scope = c->scope;
	memcpy(sig->seed, c->signature.p, sizeof(sig->seed));	/* it matched: 64 hex digits */
	return ERR_OK;
}

/* Never kept longer than the check of one request. */
static void
secret_forget(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}

static err
claim_check(struct signing_cache *cache, const struct sigv4_keys *keys, const struct http_head *head, uint64_t now_ms,
    const struct claim *c, struct arena *arena, struct signature *sig)
{
	AUTO(secret_forget) struct secret secret = { .len = 0 };
	err_v e;

	TRY(time_check(c, now_ms, arena, sig));
	TRY(unsigned_check(head, c, arena, sig));
	e = keys->find(keys->ctx, c->access_key, str_empty(c->token) ? STR_NONE : c->token, arena, &sig->who, &secret);
	if (!err_ok(e)) {
		detail(sig, "AWSAccessKeyId", c->access_key);
		return e;
	}
	e = signature_check(cache, &secret, head, c, arena, sig);
	if (!err_ok(e)) {
		sig->who = (struct principal){ .anonymous = true };
		return e;
	}
	sig->who.signed_how = sig->presigned ? SIGNED_QUERY : SIGNED_HEADER;
	sig->who.signed_s = c->time_s;
	return ERR_OK;
}

/* ---- which form, if any ---- */

/* A request without a signature. It may say how its payload is framed; without keys nothing in it can be signed. */
static err
anonymous_read(const struct http_head *head, struct signature *sig)
{
	str payload = http_header(head, STR("x-amz-content-sha256"));

	if (payload.p != NULL)
		TRY(payload_parse(payload, sig));
	else if (http_header_has(head, STR("x-amz-trailer")) && http_header_has(head, STR("x-amz-decoded-content-length")))
		sig->payload = PAYLOAD_UNSIGNED_TRAILER;	/* unsigned SDK clients frame so and say no more */
	if (sig->payload == PAYLOAD_CHUNKS || sig->payload == PAYLOAD_CHUNKS_TRAILER)
		return err_s3f(S3_AccessDenied, "A payload with signed chunks needs a signed request.");
	return ERR_OK;
}

static bool
presigned_v4(const struct http_head *head)
{
	return head->queries > 0 && (http_query(head, STR("X-Amz-Algorithm")) != NULL ||
	    http_query(head, STR("X-Amz-Credential")) != NULL || http_query(head, STR("X-Amz-Signature")) != NULL);
}

static bool
presigned_v2(const struct http_head *head)
{
	return head->queries > 0 && http_query(head, STR("AWSAccessKeyId")) != NULL && http_query(head, STR("Signature")) != NULL;
}

err_v
sigv4_check(struct signing_cache *cache, const struct sigv4_keys *keys, const struct http_head *head, uint64_t now_ms,
    struct arena *arena, struct signature *ret)
{
	str authorization = http_header(head, STR("authorization"));
	bool v2 = presigned_v2(head);
	struct claim c = { 0 };

	*ret = (struct signature){ .who.anonymous = true, .presigned = presigned_v4(head) };
	if (authorization.p == NULL && !ret->presigned && !v2)
		return anonymous_read(head, ret);
	if (authorization.p != NULL && (ret->presigned || v2)) {
		detail(ret, "ArgumentName", STR("Authorization"));
		return err_s3f(S3_InvalidArgument, "The request is signed twice. Send the Authorization header or the signature in the "
		    "query, not both.");
	}
	if (v2 && !ret->presigned)
		return err_s3f(S3_InvalidRequest, SIGV4_ONLY);
	if (ret->presigned)
		TRY(query_read(head, ret, &c));
	else
		TRY(header_read(head, authorization, arena, ret, &c));
	return claim_check(cache, keys, head, now_ms, &c, arena, ret);
}

/* ---- headers in the query ---- */

void
sigv4_hoisted(struct http_head *head)
{
	static const str own[] = {
		STR("x-amz-algorithm"), STR("x-amz-credential"), STR("x-amz-date"), STR("x-amz-expires"),
		STR("x-amz-signedheaders"), STR("x-amz-signature"), STR("x-amz-security-token"), STR("x-amz-content-sha256"),
	};

	if (!presigned_v4(head))
		return;
	for (unsigned i = 0; i < head->queries && head->headers < HTTP_HEADERS_MAX; i++) {
		const struct http_query *q = &head->query[i];
		bool skip = !str_starts_nocase(q->name, STR("x-amz-"));

		for (size_t k = 0; k < COUNT(own) && !skip; k++)
			skip = str_eq_nocase(q->name, own[k]);
		if (!skip && !http_header_has(head, q->name))
			head->header[head->headers++] = (struct http_header){ q->name, str_trim(q->value) };
	}
}
