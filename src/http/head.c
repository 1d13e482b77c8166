/*
 * head.c - a request head: what llhttp lets through, minus what we refuse.
 *
 * First the bytes are checked line by line (so a broken head is refused before it
 * is whole), then llhttp takes it apart, then the rules that keep two servers from
 * seeing different requests in the same bytes are applied: how the body is
 * framed, for whom the request is and who sends it, must be said exactly once.
 */
#include "http/head.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/head_syntax.h"

/* A byte that no part of a head may hold, line ends apart. Without a branch, so that compilers look at many at once. */
static bool
has_control(str s)
{
	unsigned char any = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		any |= (unsigned char)(((c < 0x20) & (c != '\t')) | (c == 0x7F));
	}
	return any != 0;
}

/*
 * Look for the empty line. MORE: none yet, all lines so far are sound. DONE: *ret_len
 * bytes up to and with it.
 */
static enum http_parse
lines_check(str bytes, size_t *ret_len, const char **ret_why)
{
	unsigned lines = 0;

	for (size_t at = 0, n = 0;; at += n + 2, n = 0) {
		str rest = str_skip(bytes, at), line;
		ptrdiff_t end = str_find(rest, '\n');

		line = str_sub(rest, 0, end < 0 ? rest.len : (size_t)end);
		if (end < 0 && line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;		/* its line feed may be on the way */
		if (end >= 0) {
			if (line.len == 0 || line.p[line.len - 1] != '\r') {
				*ret_why = "a line ends in a bare line feed";
				return HTTP_PARSE_BAD;
			}
			line.len--;
		}
		if (has_control(line)) {
			*ret_why = "there is a control byte in the head";
			return HTTP_PARSE_BAD;
		}
		if (line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
			*ret_why = at == 0 ? "the request line begins with a blank" : "a header is folded over several lines";
			return HTTP_PARSE_BAD;
		}
		if (end < 0)
			return HTTP_PARSE_MORE;
		n = line.len;
		if (n == 0) {
			*ret_len = at + 2;
			return HTTP_PARSE_DONE;
		}
		if (++lines > HTTP_HEADERS_MAX + 1) {
			*ret_why = "too many headers";
			return HTTP_PARSE_BAD;
		}
	}
}

static enum http_method
method_of(str text)
{
	static const struct { str text; enum http_method method; } methods[] = {
		{ STR("GET"), HTTP_GET }, { STR("HEAD"), HTTP_HEAD }, { STR("PUT"), HTTP_PUT },
		{ STR("POST"), HTTP_POST }, { STR("DELETE"), HTTP_DELETE }, { STR("OPTIONS"), HTTP_OPTIONS },
	};

	for (size_t i = 0; i < COUNT(methods); i++)
		if (str_eq(text, methods[i].text))
			return methods[i].method;
	return HTTP_METHOD_OTHER;
}

/* Connection: a list of tokens, perhaps over several headers. */
static void
connection_tokens(str list, bool *close, bool *keep)
{
	while (list.p != NULL) {
		str token = str_trim(str_take_until(&list, ','));

		*close = *close || str_eq_nocase(token, STR("close"));
		*keep = *keep || str_eq_nocase(token, STR("keep-alive"));
	}
}

/* The headers that say where the request ends, whose it is, and what comes after it. */
struct framing {
	unsigned lengths, encodings, hosts, authorizations;
	bool close, keep, not_chunked, bad_length;
};

static void
framing_add(struct http_head *h, const struct http_header *f, struct framing *fr)
{
	switch (f->name.len) {		/* most headers are none of these: decide by length first */
	case 4:
		fr->hosts += str_eq_nocase(f->name, STR("host"));
		break;
	case 6:
		/* Other expectations may be passed over: RFC 9110, section 10.1.1. */
		if (str_eq_nocase(f->name, STR("expect")) && str_eq_nocase(f->value, STR("100-continue")))
			h->expect_continue = true;
		break;
	case 10:
		if (str_eq_nocase(f->name, STR("connection")))
			connection_tokens(f->value, &fr->close, &fr->keep);
		break;
	case 13:
		fr->authorizations += str_eq_nocase(f->name, STR("authorization"));
		break;
	case 14:
		if (!str_eq_nocase(f->name, STR("content-length")))
			break;
		fr->lengths++;
		h->has_length = true;
		fr->bad_length = fr->bad_length || !str_u64(f->value, &h->length) || h->length > INT64_MAX;
		break;
	case 17:
		if (!str_eq_nocase(f->name, STR("transfer-encoding")))
			break;
		fr->encodings++;
		h->chunked = true;
		fr->not_chunked = fr->not_chunked || !str_eq_nocase(f->value, STR("chunked"));
		break;
	default:
		break;
	}
}

/* NULL, or why the framing is refused. */
static const char *
framing_check(struct http_head *h, const struct framing *fr)
{
	if (fr->lengths > 0 && fr->encodings > 0)
		return "both Content-Length and Transfer-Encoding";
	if (fr->lengths > 1)
		return "more than one Content-Length";
	if (fr->bad_length)
		return "Content-Length is not a number";
	if (fr->encodings > 1 || fr->not_chunked)
		return "the only Transfer-Encoding known is chunked, once";
	if (fr->encodings > 0 && h->minor == 0)
		return "Transfer-Encoding in HTTP/1.0";
	if (fr->hosts > 1)
		return "more than one Host";
	if (fr->hosts == 0 && h->minor == 1)
		return "no Host";
	if (fr->authorizations > 1)
		return "more than one Authorization";
	if (h->minor == 0)
		h->expect_continue = false;
	h->keep_alive = !fr->close && (h->minor == 1 || fr->keep);
	return NULL;
}

/* "a=1&b": raw as sent and decoded. */
static const char *
query_parse(struct http_head *h, struct arena *a)
{
	str rest = h->query_raw;

	while (rest.p != NULL) {
		str pair = str_take_until(&rest, '&');
		struct http_query *q = &h->query[h->queries];

		if (pair.len == 0)
			continue;
		if (h->queries == HTTP_QUERY_MAX)
			return "too many query parameters";
		*q = (struct http_query){ .has_value = str_find(pair, '=') >= 0 };
		q->raw_name = str_take_until(&pair, '=');
		q->raw_value = q->has_value ? pair : STR("");
		if (!url_decode(a, q->raw_name, URL_PLUS_IS_SPACE, &q->name) ||
		    !url_decode(a, q->raw_value, URL_PLUS_IS_SPACE, &q->value))
			return "a broken percent sign in the query";
		h->queries++;
	}
	return NULL;
}

/* Split the target; an absolute one ("http://host/path") must name the host that Host names. */
static const char *
target_split(struct http_head *h)
{
	str rest = h->target;
	ptrdiff_t mark;

	if (str_eq(rest, STR("*")) && h->method == HTTP_OPTIONS) {
		h->path_raw = rest;
		return NULL;
	}
	if (str_starts_nocase(rest, STR("http://")) || str_starts_nocase(rest, STR("https://"))) {
		str host;

		rest = str_skip(rest, rest.p[4] == ':' ? 7 : 8);
		host = rest;
		while (rest.len > 0 && rest.p[0] != '/' && rest.p[0] != '?')
			rest = str_skip(rest, 1);
		host = str_sub(host, 0, host.len - rest.len);
		if (!str_eq_nocase(host, http_header(h, STR("host"))))
			return "the target names another host than Host";
	} else if (!str_starts(rest, STR("/"))) {
		return "the target must begin with a slash";
	}
	if (str_find(rest, '#') >= 0)
		return "a fragment in the target";
	mark = str_find(rest, '?');
	h->path_raw = mark < 0 ? rest : str_sub(rest, 0, (size_t)mark);
	h->query_raw = mark < 0 ? STR_NONE : str_skip(rest, (size_t)mark + 1);
	if (h->path_raw.len == 0)
		h->path_raw = STR("/");
	return NULL;
}

/* llhttp forgives further blanks: method, target and version are parted by one each. */
static bool
request_line_is_plain(str line, const struct http_head *h)
{
	return line.len == h->method_text.len + 1 + h->target.len + sizeof(" HTTP/1.1\r") - 1 &&
	    h->target.p == line.p + h->method_text.len + 1;
}

/* head: the bytes of a whole head. NULL, or why it is refused. */
static const char *
head_fill(str head, struct arena *a, struct http_head *h)
{
	struct head_field field[HTTP_HEADERS_MAX];
	struct head_syntax s = { .field = field, .fields_max = HTTP_HEADERS_MAX };
	struct framing fr = { 0 };
	const char *why = head_syntax_parse(head, &s);
	str rest = head, line = str_take_until(&rest, '\n');

	if (why != NULL)
		return why;
	h->method_text = str_sub(line, 0, (size_t)str_find(line, ' '));
	h->method = method_of(h->method_text);
	h->target = s.target;
	h->minor = s.minor;
	if (!request_line_is_plain(line, h))
		return "the request line is not method, target and version with one blank between them";
	for (unsigned i = 0; i < s.fields; i++) {
		if (s.field[i].name.len == 0)
			return "a header without a name";
		h->header[i] = (struct http_header){ s.field[i].name, str_trim(s.field[i].value) };
		framing_add(h, &h->header[i], &fr);
	}
	h->headers = s.fields;
	if ((why = framing_check(h, &fr)) != NULL || (why = target_split(h)) != NULL)
		return why;
	return query_parse(h, a);
}

/* Forget an earlier request; the tables keep their dead rows, which are never looked at. */
void
http_head_clear(struct http_head *h)
{
	h->method = HTTP_METHOD_OTHER;
	h->method_text = h->target = h->path_raw = h->query_raw = STR_NONE;
	h->minor = 1;
	h->headers = h->queries = 0;
	h->keep_alive = h->chunked = h->has_length = h->expect_continue = false;
	h->length = 0;
}

enum http_parse
http_head_parse(str bytes, struct arena *a, struct http_head *h, size_t *ret_len, const char **ret_why)
{
	/* One empty line before the request is forgiven, as RFC 9112 section 2.2 asks. */
	size_t blank = str_starts(bytes, STR("\r\n")) ? 2 : 0, len = 0;
	str head = str_skip(bytes, blank);
	enum http_parse got;

	http_head_clear(h);
	if (str_eq(bytes, STR("\r")) || head.len == 0)
		return HTTP_PARSE_MORE;
	got = lines_check(str_sub(head, 0, HTTP_HEAD_MAX), &len, ret_why);
	if (got == HTTP_PARSE_MORE && head.len >= HTTP_HEAD_MAX) {
		*ret_why = "the head is too large";
		return HTTP_PARSE_BAD;
	}
	if (got != HTTP_PARSE_DONE)
		return got;
	if (len == 2) {
		*ret_why = "no request line";
		return HTTP_PARSE_BAD;
	}
	*ret_why = head_fill(str_sub(head, 0, len), a, h);
	if (*ret_why != NULL)
		return HTTP_PARSE_BAD;
	*ret_len = blank + len;
	return HTTP_PARSE_DONE;
}

static const struct http_header *
find(const struct http_head *h, str name)
{
	for (unsigned i = 0; i < h->headers; i++)
		if (str_eq_nocase(h->header[i].name, name))
			return &h->header[i];
	return NULL;
}

str
http_header(const struct http_head *h, str name)
{
	const struct http_header *f = find(h, name);

	return f != NULL ? f->value : STR_NONE;
}

bool
http_header_has(const struct http_head *h, str name)
{
	return find(h, name) != NULL;
}

const struct http_query *
http_query(const struct http_head *h, str name)
{
	for (unsigned i = 0; i < h->queries; i++)
		if (str_eq(h->query[i].name, name))
			return &h->query[i];
	return NULL;
}

str
http_query_value(const struct http_head *h, str name)
{
	const struct http_query *q = http_query(h, name);

	return q != NULL ? q->value : STR_NONE;
}
