/* http/head*.c, s3/route.c, tbl/operations.h: any bytes as a request head. */
#include "fuzz.h"

#include "s3/route.h"

static str domains[] = { { "localhost", 9 }, { "s3.localhost", 12 } };
static const struct store store = { .domains = domains, .ndomains = 2 };
static struct http_head head, again;

static void
check_spans(const struct http_head *h)
{
	CLAIM(h->headers <= HTTP_HEADERS_MAX && h->queries <= HTTP_QUERY_MAX);
	CLAIM(!(h->chunked && h->has_length));
	for (unsigned i = 0; i < h->headers; i++) {
		CLAIM(h->header[i].name.len > 0);
		CLAIM(str_find(h->header[i].value, '\n') < 0 && str_find(h->header[i].value, '\0') < 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	str bytes = fuzz_copy(arena, data, size);
	const char *why = NULL;
	size_t len = 0, len_again = 0;
	struct route route;
	enum http_parse got = http_head_parse(bytes, arena, &head, &len, &why);
	err_v e;

	if (got == HTTP_PARSE_BAD)
		CLAIM(why != NULL && why[0] != '\0');
	if (got != HTTP_PARSE_DONE)
		return 0;
	CLAIM(len > 0 && len <= size);
	check_spans(&head);
	/* What comes behind a head does not change it, and no shorter run of bytes is a head. */
	CLAIM(http_head_parse(str_sub(bytes, 0, len), arena, &again, &len_again, &why) == HTTP_PARSE_DONE && len_again == len);
	CLAIM(again.headers == head.headers && again.queries == head.queries && again.length == head.length);
	CLAIM(http_head_parse(str_sub(bytes, 0, len - 1), arena, &again, &len_again, &why) == HTTP_PARSE_MORE);
	e = route_find(&store, &head, arena, &route);
	if (err_ok(e)) {
		CLAIM(route.op < OP_COUNT);
		CLAIM(operation(route.op)->scope != OP_OBJECT || route.key.len > 0);
		CLAIM(str_is_utf8(route.key) && route.key.len <= 1024);
	}
	return 0;
}
