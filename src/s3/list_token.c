/*
 * list_token.c - continuation tokens, to text and back.
 */
#include "s3/list_token.h"

#include "base/panic.h"
#include "base/text.h"
#include "meta/keys.h"

#define TOKEN_VERSION 1
#define TOKEN_HEAD 2u

str
list_page_end(const struct list_page *page)
{
	assert(page->more);
	return page->end.is_prefix ? page->end.prefix : page->end.object.key;
}

str
list_token(struct arena *a, const struct list_page *page)
{
	str end = list_page_end(page);
	char *p = arena_alloc(a, TOKEN_HEAD + end.len);

	p[0] = TOKEN_VERSION;
	p[1] = page->end.is_prefix;
	memcpy(p + TOKEN_HEAD, end.p, end.len);
	return base64_encode(a, str_n(p, TOKEN_HEAD + end.len));
}

bool
list_token_parse(str token, struct arena *a, struct list_query *ret)
{
	char *p = arena_alloc(a, TOKEN_HEAD + OBJECT_KEY_MAX);
	size_t len;

	if (!base64_decode(token, p, TOKEN_HEAD + OBJECT_KEY_MAX, &len) || len <= TOKEN_HEAD || p[0] != TOKEN_VERSION ||
	    (p[1] != 0 && p[1] != 1))
		return false;
	ret->after = str_n(p + TOKEN_HEAD, len - TOKEN_HEAD);
	ret->after_is_prefix = p[1] == 1;
	return true;
}
