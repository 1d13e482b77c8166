/*
 * canonical.c - the canonical request: method, path, query, headers, names of headers, payload, a line each.
 *
 * Amazon S3 API Reference, "Signature Calculations for the Authorization Header". The text is written once, into a piece of
 * the arena whose size follows from the head.
 */
#include "s3/canonical.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

/* A run of bytes with a fixed end; running over is remembered. */
struct pen {
	char *p;
	size_t len, max;
	bool over;
};

static void
put(struct pen *pen, str s)
{
	if (s.len > pen->max - pen->len) {
		pen->over = true;
		return;
	}
	if (s.len > 0)
		memcpy(pen->p + pen->len, s.p, s.len);
	pen->len += s.len;
}

static void
put_char(struct pen *pen, char c)
{
	put(pen, str_n(&c, 1));
}

enum part { PART_PATH, PART_QUERY };

/* Stands for itself. */
static bool
plain(char c, enum part part)
{
	return url_unreserved(c) || (c == '/' && part == PART_PATH);
}

/* Decoded and encoded again, in one go: whatever the client left bare or escaped comes out the one way. */
static void
put_encoded(struct pen *pen, str s, enum part part)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		size_t from = i;
		unsigned char c;

		while (i < s.len && plain(s.p[i], part))
			i++;
		put(pen, str_sub(s, from, i - from));
		if (i == s.len)
			break;
		c = (unsigned char)s.p[i];
		if (c == '%' && s.len - i >= 3 && hex_decode(str_sub(s, i + 1, 2), &c))
			i += 2;
		else if (c == '+' && part == PART_QUERY)
			c = ' ';
		if (plain((char)c, part))
			put_char(pen, (char)c);
		else
			put(pen, str_n((char[]){ '%', digits[c >> 4], digits[c & 15] }, 3));
	}
}

static void
put_part(struct pen *pen, enum canonical_form form, str s, enum part part)
{
	if (form == CANONICAL_AS_SENT)
		put(pen, s);
	else
		put_encoded(pen, s, part);
}

/* What was written since "from". */
static str
written(const struct pen *pen, size_t from)
{
	return str_n(pen->p + from, pen->len - from);
}

/* ---- query ---- */

struct parameter { str name, value; };

static bool
before(const struct parameter *a, const struct parameter *b)
{
	int c = str_cmp(a->name, b->name);

	return c != 0 ? c < 0 : str_cmp(a->value, b->value) < 0;
}

/* Sorted by encoded name, then by encoded value. scratch: room for all of them encoded. */
static void
put_query(struct pen *pen, enum canonical_form form, const struct http_head *head, struct pen *scratch)
{
	struct parameter sorted[HTTP_QUERY_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < head->queries; i++) {
		const struct http_query *q = &head->query[i];
		struct parameter p;
		unsigned at = n;
		size_t from = scratch->len;

		if (str_eq(q->name, STR("X-Amz-Signature")))
			continue;
		put_part(scratch, form, q->raw_name, PART_QUERY);
		p.name = written(scratch, from);
		from = scratch->len;
		put_part(scratch, form, q->raw_value, PART_QUERY);
		p.value = written(scratch, from);
		for (; at > 0 && before(&p, &sorted[at - 1]); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = p;
		n++;
	}
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			put_char(pen, '&');
		put(pen, sorted[i].name);
		put_char(pen, '=');
		put(pen, sorted[i].value);
	}
}

/* ---- headers ---- */

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Runs of blanks become one space. The value is trimmed already. */
static void
put_folded(struct pen *pen, str value)
{
	for (size_t i = 0; i < value.len;) {
		size_t n = i;

		while (n < value.len && !blank(value.p[n]))
			n++;
		put(pen, str_sub(value, i, n - i));
		i = n;
		while (i < value.len && blank(value.p[i]))
			i++;
		if (i < value.len)
			put_char(pen, ' ');
	}
}

/* "name:value\n", values of several headers of that name joined by commas in the order they came in. */
static void
put_header(struct pen *pen, const struct http_head *head, str name)
{
	bool more = false;

	put(pen, name);
	put_char(pen, ':');
	for (unsigned i = 0; i < head->headers; i++) {
		if (!str_eq_nocase(head->header[i].name, name))
			continue;
		if (more)
			put_char(pen, ',');
		put_folded(pen, head->header[i].value);
		more = true;
	}
	put_char(pen, '\n');
}

/* No header is named twice in a sound list, so each value is needed once; each name stands in it and before its value. */
static size_t
room_needed(const struct http_head *head, str signed_headers, str payload)
{
	size_t n = head->method_text.len + 3 * head->path_raw.len + 3 * head->query_raw.len + 2 * (size_t)head->queries;

	for (unsigned i = 0; i < head->headers; i++)
		n += head->header[i].value.len + 1;
	return n + 2 * signed_headers.len + 2 * HTTP_HEADERS_MAX + payload.len + 16;
}

bool
canonical_request(enum canonical_form form, const struct http_head *head, str signed_headers, str payload,
    struct arena *arena, str *ret)
{
	struct pen pen = { .max = room_needed(head, signed_headers, payload) };
	struct pen scratch = { .max = 3 * head->query_raw.len + 1 };
	str rest = signed_headers;
	unsigned names = 0;

	pen.p = arena_try(arena, pen.max);
	scratch.p = arena_try(arena, scratch.max);
	if (pen.p == NULL || scratch.p == NULL)
		return false;
	put(&pen, head->method_text);
	put_char(&pen, '\n');
	put_part(&pen, form, head->path_raw, PART_PATH);
	put_char(&pen, '\n');
	put_query(&pen, form, head, &scratch);
	put_char(&pen, '\n');
	while (rest.p != NULL && names++ < HTTP_HEADERS_MAX)
		put_header(&pen, head, str_take_until(&rest, ';'));
	put_char(&pen, '\n');
	put(&pen, signed_headers);
	put_char(&pen, '\n');
	put(&pen, payload);
	if (rest.p != NULL || pen.over || scratch.over)
		return false;
	*ret = written(&pen, 0);
	return true;
}

bool
canonical_is_signed(str signed_headers, str name)
{
	while (signed_headers.p != NULL)
		if (str_eq_nocase(str_take_until(&signed_headers, ';'), name))
			return true;
	return false;
}

/* ---- for people ---- */

/* Does "NAME:" or "NAME=" of something secret stand at the beginning? Its length, or 0. */
static size_t
secret_begins(str text)
{
	static const str names[] = {
		STR("x-amz-security-token"), STR("x-amz-server-side-encryption-customer-key"),
		STR("x-amz-copy-source-server-side-encryption-customer-key"),
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		size_t n = names[i].len;

		if (text.len > n && str_starts_nocase(text, names[i]) && (text.p[n] == ':' || text.p[n] == '='))
			return n + 1;
	}
	return 0;
}

str
canonical_shown(str text, struct arena *arena)
{
	struct pen pen = { .max = text.len + 256 };	/* an empty value grows by three */
	bool begins = true;

	pen.p = arena_try(arena, pen.max);
	if (pen.p == NULL)
		return STR("");
	for (size_t i = 0, n; i < text.len; i++) {
		n = begins ? secret_begins(str_skip(text, i)) : 0;
		if (n > 0) {
			bool query = text.p[i + n - 1] == '=';

			put(&pen, str_sub(text, i, n));
			put(&pen, STR("***"));
			for (i += n; i < text.len && text.p[i] != '\n' && !(query && text.p[i] == '&'); i++)
				;
			if (i == text.len)
				break;
		}
		put_char(&pen, text.p[i]);
		begins = text.p[i] == '\n' || text.p[i] == '&';
	}
	return pen.over ? STR("") : str_n(pen.p, pen.len);
}

/* ---- what is not signed ---- */

/* The query says the same, and the query is always signed. */
static bool
said_in_query(const struct http_head *head, const struct http_header *header)
{
	for (unsigned i = 0; i < head->queries; i++)
		if (str_eq_nocase(head->query[i].name, header->name) && str_eq(head->query[i].value, header->value))
			return true;
	return false;
}

str
canonical_unsigned(const struct http_head *head, str signed_headers, struct arena *arena)
{
	str all = STR("");

	for (unsigned i = 0; i < head->headers; i++) {
		const struct http_header *h = &head->header[i];

		if (!str_starts_nocase(h->name, STR("x-amz-")) && !str_eq_nocase(h->name, STR("host")))
			continue;
		if (str_eq_nocase(h->name, STR("x-amz-content-sha256")) || canonical_is_signed(signed_headers, h->name)
		    || said_in_query(head, h))
			continue;
		all = arena_fmt(arena, "%.*s%s%.*s", STR_FMT(all), str_empty(all) ? "" : ", ", STR_FMT(h->name));
	}
	return all;
}
