/* Request heads: what is understood, what waits for more, what is refused. */
#include "test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "http/head.h"

static struct http_head head;

static enum http_parse
parse(struct arena *a, str bytes, size_t *ret_len, const char **ret_why)
{
	*ret_len = 0;
	*ret_why = "";
	arena_reset(a);
	return http_head_parse(bytes, a, &head, ret_len, ret_why);
}

TEST(head_fields)
{
	struct arena *a = arena_new(4096, 1 << 20);
	str bytes = STR("PUT /b/k%20x?partNumber=1&uploadId=a%2Fb+c&acl&empty=&&dup=1&dup=2 HTTP/1.1\r\n"
	    "Host: b.example:9000\r\nContent-Length: 12\r\nX-Amz-Meta-A:  \t caf\xC3\xA9 x \t\r\nx-empty:\r\n"
	    "Expect: 100-Continue\r\n\r\nbody of 12 b");
	const char *why;
	size_t len;

	REQUIRE(parse(a, bytes, &len, &why) == HTTP_PARSE_DONE);
	EXPECT_EQ("len", len, bytes.len - 12);
	EXPECT_EQ("method", head.method, HTTP_PUT);
	EXPECT_STR("method", head.method_text, STR("PUT"));
	EXPECT_STR("path", head.path_raw, STR("/b/k%20x"));
	EXPECT_STR("query", head.query_raw, STR("partNumber=1&uploadId=a%2Fb+c&acl&empty=&&dup=1&dup=2"));
	EXPECT_EQ("queries", head.queries, 6);
	EXPECT_STR("decoded", http_query_value(&head, STR("uploadId")), STR("a/b c"));
	EXPECT_STR("raw", http_query(&head, STR("uploadId"))->raw_value, STR("a%2Fb+c"));
	EXPECT(http_query(&head, STR("acl")) != NULL && !http_query(&head, STR("acl"))->has_value);
	EXPECT(http_query(&head, STR("empty"))->has_value);
	EXPECT_STR("first of two", http_query_value(&head, STR("dup")), STR("1"));
	EXPECT(http_query(&head, STR("ACL")) == NULL);
	EXPECT_STR("trimmed", http_header(&head, STR("x-amz-meta-a")), STR("caf\xC3\xA9 x"));
	EXPECT(http_header_has(&head, STR("X-EMPTY")) && http_header(&head, STR("x-empty")).len == 0);
	EXPECT(!http_header_has(&head, STR("x-none")));
	EXPECT(head.has_length && head.length == 12 && !head.chunked && head.keep_alive && head.expect_continue);
	EXPECT_EQ("minor", head.minor, 1);
	/* Every beginning of it waits for more. */
	for (size_t n = 0; n < bytes.len - 12; n++)
		EXPECT_EQ("prefix", parse(a, str_sub(bytes, 0, n), &len, &why), HTTP_PARSE_MORE);
	arena_free(&a);
}

TEST(head_keep_alive)
{
	static const struct { const char *head; bool keep; } cases[] = {
		{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: foo\r\nConnection: close\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
	};
	struct arena *a = arena_new(4096, 1 << 20);
	const char *why;
	size_t len;

	for (size_t i = 0; i < COUNT(cases); i++) {
		EXPECT_EQ(cases[i].head, parse(a, str_c(cases[i].head), &len, &why), HTTP_PARSE_DONE);
		EXPECT_EQ(cases[i].head, head.keep_alive, cases[i].keep);
	}
	arena_free(&a);
}

TEST(head_targets)
{
	static const struct { const char *head, *path, *query; } cases[] = {
		{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "/", "" },
		{ "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "/a", "" },
		{ "GET //a/../b?x?y HTTP/1.1\r\nHost: h\r\n\r\n", "//a/../b", "x?y" },
		{ "GET http://h:1/a?b HTTP/1.1\r\nHost: H:1\r\n\r\n", "/a", "b" },
		{ "GET http://h?b HTTP/1.1\r\nHost: h\r\n\r\n", "/", "b" },
		{ "GET https://h HTTP/1.1\r\nHost: h\r\n\r\n", "/", "" },
		{ "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "*", "" },
		{ "PATCH /a? HTTP/1.1\r\nHost: h\r\n\r\n", "/a", "" },
		{ "DELETE /a HTTP/1.1\r\nHost:\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", "/a", "" },
		{ "GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n", "/a", "" },
	};
	struct arena *a = arena_new(4096, 1 << 20);
	const char *why;
	size_t len;

	for (size_t i = 0; i < COUNT(cases); i++) {
		EXPECT_EQ(cases[i].head, parse(a, str_c(cases[i].head), &len, &why), HTTP_PARSE_DONE);
		EXPECT_EQ(cases[i].head, len, strlen(cases[i].head));
		EXPECT_STR(cases[i].head, head.path_raw, str_c(cases[i].path));
		EXPECT_STR(cases[i].head, head.query_raw, str_c(cases[i].query));
	}
	arena_free(&a);
}

#define REQ(more) STR("GET / HTTP/1.1\r\nHost: h\r\n" more "\r\n")

TEST(head_refused)
{
	static const str cases[] = {
		STR("GET / HTTP/1.1\nHost: h\n\n"), STR("GET / HTTP/1.1\r\nHost: h\n\r\n"), STR("GET / HTTP/1.1\r\r\n"),
		STR("\x16\x03\x01\x02\x00\x01\x00"), STR(" GET / HTTP/1.1\r\n"), STR("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
		STR("GET / HTTP/1.1\r\n\r\n"),				/* no Host */
		STR("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), STR("GET / HTTP/0.9\r\nHost: h\r\n\r\n"),
		STR("GET / HTTP/1.2\r\nHost: h\r\n\r\n"), STR("GET / HTTP/11\r\nHost: h\r\n\r\n"), STR("GET /\r\nHost: h\r\n\r\n"),
		STR("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), STR("get / HTTP/1.1\r\nHost: h\r\n\r\n"),
		STR("FOO / HTTP/1.1\r\nHost: h\r\n\r\n"), STR("GET a HTTP/1.1\r\nHost: h\r\n\r\n"),
		STR("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), STR("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
		STR("GET /\x80 HTTP/1.1\r\nHost: h\r\n\r\n"), STR("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"),
		STR("GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n"), STR("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"),
		STR("GET /?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n"), STR("GET /?%4 HTTP/1.1\r\nHost: h\r\n\r\n"),
		REQ("Host: h\r\n"), REQ("Content-Length: 1\r\nContent-Length: 1\r\n"),
		REQ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
		REQ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), REQ("Content-Length: 1, 1\r\n"),
		REQ("Content-Length: +1\r\n"), REQ("Content-Length: -1\r\n"), REQ("Content-Length: 0x1\r\n"),
		REQ("Content-Length: 99999999999999999999\r\n"), REQ("Content-Length: 9223372036854775808\r\n"),
		REQ("Content-Length:\r\n"), REQ("Content-Length: 1 2\r\n"),
		REQ("Transfer-Encoding: gzip, chunked\r\n"), REQ("Transfer-Encoding: identity\r\n"),
		REQ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), REQ("Transfer-Encoding: xchunked\r\n"),
		REQ("Transfer-Encoding:\r\n"), REQ("a : b\r\n"), REQ("a\r\n"), REQ(": b\r\n"), REQ("a b: c\r\n"), REQ("a: b\r\n c\r\n"),
		REQ("a: b\r\n\tc\r\n"), REQ("a: \x01\r\n"), REQ("a: b\0c\r\n"), REQ("a: \x7f\r\n"), REQ("a\x80: b\r\n"),
		STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		STR("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"), STR("GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n"),
	};
	struct arena *a = arena_new(4096, 1 << 20);

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *why;
		size_t len;

		if (parse(a, cases[i], &len, &why) != HTTP_PARSE_BAD || why == NULL || why[0] == '\0')
			TEST_FAIL("case %zu is not refused: %.*s", i, STR_FMT(cases[i]));
	}
	arena_free(&a);
}

TEST(head_limits)
{
	struct arena *a = arena_new(4096, 1 << 20);
	struct buf b;
	const char *why;
	size_t len;

	buf_init(&b, 1 << 20);
	for (unsigned n = HTTP_HEADERS_MAX - 1; n <= HTTP_HEADERS_MAX + 1; n++) {
		buf_clear(&b);
		buf_add_c(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
		for (unsigned i = 1; i < n; i++)
			buf_addf(&b, "h%u: v\r\n", i);
		buf_add_c(&b, "\r\n");
		EXPECT_EQ("headers", parse(a, buf_str(&b), &len, &why), n <= HTTP_HEADERS_MAX ? HTTP_PARSE_DONE : HTTP_PARSE_BAD);
	}
	for (unsigned n = HTTP_QUERY_MAX; n <= HTTP_QUERY_MAX + 1; n++) {
		buf_clear(&b);
		buf_add_c(&b, "GET /?");
		for (unsigned i = 0; i < n; i++)
			buf_addf(&b, "&q%u", i);
		buf_add_c(&b, " HTTP/1.1\r\nHost: h\r\n\r\n");
		EXPECT_EQ("queries", parse(a, buf_str(&b), &len, &why), n <= HTTP_QUERY_MAX ? HTTP_PARSE_DONE : HTTP_PARSE_BAD);
	}
	for (unsigned n = HTTP_HEAD_MAX; n <= HTTP_HEAD_MAX + 1; n++) {
		buf_clear(&b);
		buf_add_c(&b, "GET / HTTP/1.1\r\nHost: h\r\nx: ");
		while (b.len < n - 4)
			buf_add_char(&b, 'x');
		buf_add_c(&b, "\r\n\r\n");
		EXPECT_EQ("bytes", parse(a, buf_str(&b), &len, &why), n <= HTTP_HEAD_MAX ? HTTP_PARSE_DONE : HTTP_PARSE_BAD);
	}
	buf_clear(&b);
	while (b.len < HTTP_HEAD_MAX)
		buf_add_char(&b, 'x');
	EXPECT_EQ("no line end", parse(a, buf_str(&b), &len, &why), HTTP_PARSE_BAD);
	buf_done(&b);
	arena_free(&a);
}
