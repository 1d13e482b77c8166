/*
 * head.h - one request head, parsed strictly (RFC 9112, by llhttp).
 *
 * Everything is borrowed from the connection's head buffer and stays good until
 * the response is out. Refused here (400 and close): both Content-Length and
 * Transfer-Encoding, repeated Content-Length, Host or Authorization, obsolete folding, bare LF,
 * control bytes, HTTP versions other than 1.0 and 1.1, absent Host in 1.1.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define HTTP_HEAD_MAX 32768u
#define HTTP_HEADERS_MAX 128u
#define HTTP_QUERY_MAX 64u

enum http_method {
	HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_OPTIONS, HTTP_METHOD_OTHER
};

struct http_header {
	str name;		/* as sent; compare without case */
	str value;		/* trimmed */
};

struct http_query {
	str name, value;	/* decoded */
	str raw_name, raw_value; /* as sent, for signatures */
	bool has_value;		/* "?a=" has, "?a" has not */
};

struct http_head {
	enum http_method method;
	str method_text;
	str target;		/* as sent: "/bucket/key?x=1" */
	str path_raw;		/* up to "?", as sent */
	str query_raw;		/* behind "?", as sent */
	int minor;		/* HTTP/1.minor */
	struct http_header header[HTTP_HEADERS_MAX];
	unsigned headers;
	struct http_query query[HTTP_QUERY_MAX];
	unsigned queries;
	bool keep_alive;	/* the client allows another request */
	bool chunked;		/* Transfer-Encoding: chunked */
	bool has_length;
	uint64_t length;	/* Content-Length */
	bool expect_continue;
};

enum http_parse { HTTP_PARSE_MORE, HTTP_PARSE_DONE, HTTP_PARSE_BAD };

/*
 * Try to parse bytes, which begin with a head. DONE: *ret_len bytes belong to the
 * head, and *h is filled (query decoded into the arena). MORE: it is not whole
 * yet. BAD: *ret_why tells the client why in a few words.
 */
enum http_parse http_head_parse(str bytes, struct arena *, struct http_head *h, size_t *ret_len, const char **ret_why);

/* As if nothing had come: for a request whose head never was whole. */
void http_head_clear(struct http_head *);

/* The first header of this name (any case), or STR_NONE. */
str http_header(const struct http_head *, str name);
bool http_header_has(const struct http_head *, str name);
/* The query parameter, or NULL. Names compare exactly. */
const struct http_query *http_query(const struct http_head *, str name);
/* Its value, or STR_NONE. */
str http_query_value(const struct http_head *, str name);
