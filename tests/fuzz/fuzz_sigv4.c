/* s3/sigv4.c and s3/canonical.c: any head, whatever it claims of its signature. */
#include "fuzz.h"

#include "s3/canonical.h"
#include "s3/sigv4.h"

static struct http_head head;
static struct signing_cache *cache;

static err
find(void *ctx, str access_key, str token, struct arena *a, struct principal *ret, struct secret *ret_secret)
{
	static const struct secret secret = { "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40 };

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
	sigv4_hoisted(&head);
	headers = head.headers;
	sigv4_hoisted(&head);
	CLAIM(head.headers == headers);
	return 0;
}
