/*
 * s3/sigv4.c and s3/canonical.c: any head, whatever it claims of its signature.
 *
 * No fuzzer finds a signature, so one that does not match is mended here, as the refusal says what was to be signed. Claims: then it is
 * accepted, and no longer when a byte of a signed header is another one.
 */
#include "fuzz.h"

#include "base/digest.h"
#include "base/text.h"
#include "s3/canonical.h"
#include "s3/sigv4.h"

static struct http_head head;
static struct signing_cache *cache;

static const struct secret secret = { "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40 };

static err
find(void *ctx, str access_key, str token, struct arena *a, struct principal *ret, struct secret *ret_secret)
{
	if (!str_eq(access_key, STR("AKIAIOSFODNN7EXAMPLE")))
		return err_s3(S3_InvalidAccessKeyId);
	*ret = (struct principal){ .access_key = access_key };
	*ret_secret = secret;
	return ERR_OK;
}

static void
check_canonical(struct arena *arena, str signed_headers)
{
	str first, second;

	for (int form = CANONICAL_ENCODED; form <= CANONICAL_AS_SENT; form++) {
		if (!canonical_request((enum canonical_form)form, &head, signed_headers, STR("P"), arena, &first))
			continue;
		CLAIM(canonical_request((enum canonical_form)form, &head, signed_headers, STR("P"), arena, &second));
		CLAIM(str_eq(first, second));
		CLAIM(str_starts(first, head.method_text) && str_ends(first, STR("\nP")));
	}
	(void)canonical_unsigned(&head, signed_headers, arena);
}

static str
detail(const struct signature *sig, const char *name)
{
	for (unsigned i = 0; i < sig->ndetails; i++)
		if (str_eq(sig->detail[i].name, str_c(name)))
			return sig->detail[i].value;
	return STR_NONE;
}

/* The nth part of what was to be signed, behind its algorithm and time: date/region/s3/aws4_request. */
static str
scope_part(str text, unsigned nth)
{
	str part;

	str_take_until(&text, '\n');
	str_take_until(&text, '\n');
	do
		part = str_take_until(&text, '/');
	while (nth-- > 0);
	return part;
}

/* Put the signature in that the refusal asks for, in its place. False: it has no room. */
static bool
mend(const struct signature *refused)
{
	str text = detail(refused, "StringToSign"), provided = detail(refused, "SignatureProvided");
	uint8_t key[32], mac[32];

	if (text.p == NULL || provided.len != 64)
		return false;
	sigv4_key(str_n(secret.bytes, secret.len), scope_part(text, 0), scope_part(text, 1), key);
	hmac_sha256(str_n(key, sizeof(key)), text, mac);
	hex_encode(str_n(mac, sizeof(mac)), (char *)(uintptr_t)provided.p);
	return true;
}

static str
signed_names(bool presigned)
{
	str names = STR_NONE, rest = str_skip(http_header(&head, STR("authorization")), sizeof("AWS4-HMAC-SHA256"));

	if (presigned)
		return http_query_value(&head, STR("X-Amz-SignedHeaders"));
	while (rest.p != NULL) {
		str text = str_trim(str_take_until(&rest, ',')), name = str_take_until(&text, '=');

		if (str_eq(name, STR("SignedHeaders")))
			names = text;
	}
	return names;
}

/* A head whose signature was mended. Authorization may be among what is signed: then nothing can match it. */
static void
check_mended(const struct sigv4_keys *keys, struct arena *arena, size_t chosen)
{
	struct signature got;
	err_v e = sigv4_check(cache, keys, &head, 1369353600000u, arena, &got);
	str names = signed_names(got.presigned);

	CLAIM(err_ok(e) ? !got.who.anonymous : canonical_is_signed(names, STR("authorization")));
	for (unsigned i = 0; err_ok(e) && i < head.headers; i++) {
		const struct http_header *h = &head.header[(i + chosen) % head.headers];
		char *p = (char *)(uintptr_t)h->value.p;
		size_t at = h->value.len > 0 ? chosen % h->value.len : 0;

		if (!canonical_is_signed(names, h->name) || h->value.len == 0 || p[at] == ' ' || p[at] == '\t')
			continue;
		p[at] = p[at] == 'x' ? 'y' : 'x';
		CLAIM(!err_ok(sigv4_check(cache, keys, &head, 1369353600000u, arena, &got)) && got.who.anonymous);
		return;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sigv4_keys keys = { NULL, find };
	struct arena *arena = fuzz_arena();
	struct signature first, second;
	const char *why = NULL;
	unsigned headers;
	size_t len;
	err_v e;

	if (cache == NULL)
		cache = signing_cache_new();
	if (http_head_parse(fuzz_copy(arena, data, size), arena, &head, &len, &why) != HTTP_PARSE_DONE)
		return 0;
	e = sigv4_check(cache, &keys, &head, 1369353600000u, arena, &first);
	CLAIM(sigv4_check(cache, &keys, &head, 1369353600000u, arena, &second).code == e.code);
	CLAIM(e.code >= 0 && e.code < S3_ERROR_COUNT && first.ndetails == second.ndetails);
	CLAIM(err_ok(e) || first.who.anonymous);
	check_canonical(arena, http_header(&head, STR("x-signed")));
	if (e.code == S3_SignatureDoesNotMatch && mend(&second))
		check_mended(&keys, arena, size);
	sigv4_hoisted(&head);
	headers = head.headers;
	sigv4_hoisted(&head);
	CLAIM(head.headers == headers);
	return 0;
}
