/* base/text.c, UTF-8, numbers, metadata values and tags: any bytes there and back. */
#include "fuzz.h"

#include "base/text.h"
#include "s3/headers.h"

static void
check_url(struct arena *arena, str text)
{
	AUTO(buf_done) struct buf b;
	str back;

	buf_init(&b, 1u << 20);
	url_encode(&b, text, URL_ENCODE_SLASH);
	CLAIM(url_decode(arena, buf_str(&b), URL_PLUS_IS_SPACE, &back) && str_eq(back, text));
	if (url_decode(arena, text, URL_PLUS_IS_PLUS, &back))
		CLAIM(back.len <= text.len);
}

static void
check_base64(struct arena *arena, str text)
{
	char *p = arena_alloc(arena, text.len + 1);
	str encoded = base64_encode(arena, text);
	size_t n;

	CLAIM(base64_decode(encoded, p, text.len, &n) && str_eq(str_n(p, n), text));
	if (base64_decode(text, p, text.len, &n))	/* one text for one value */
		CLAIM(str_eq(base64_encode(arena, str_n(p, n)), text));
	if (hex_decode(text, p))
		CLAIM(str_eq_nocase(hex_str(arena, str_n(p, text.len / 2)), text));
}

static void
check_metadata(struct arena *arena, str text)
{
	struct http_head head = { .headers = 1 };
	struct pairs tags = { 0 };
	str stored = metadata_decode(arena, text), shown = metadata_encode(arena, stored);

	CLAIM(str_is_utf8(stored));
	if (str_find_str(stored, STR("=?")) < 0)
		CLAIM(str_eq(metadata_decode(arena, shown), stored));
	head.header[0] = (struct http_header){ STR("x-amz-tagging"), text };
	if (err_ok(headers_tagging(&head, arena, &tags)))
		CLAIM(tags.n <= TAGS_MAX && err_ok(tags_check(tags, TAGS_MAX)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	str text = fuzz_copy(arena, data, size);
	uint64_t n;

	check_url(arena, text);
	check_base64(arena, text);
	check_metadata(arena, text);
	if (str_u64(text, &n))
		CLAIM(text.len > 0);
	return 0;
}
