/*
 * head_syntax.c - takes a request head apart with llhttp, no lenient flags set.
 *
 * Always given the whole head at once, so each target, name and value is one run
 * of bytes. llhttp also checks the framing headers (Content-Length,
 * Transfer-Encoding); head.c checks them again by its own, stricter rules.
 */
#include "http/head_syntax.h"

#include <llhttp.h>

#include "base/panic.h"

struct lexer {
	llhttp_t ll;			/* first: callbacks get only this */
	struct head_syntax *out;
	bool in_value;			/* the newest field has its name */
	bool too_many;
};

/* a, then the n bytes at p: true if they touch, so that both are one run. */
static bool
extend(str *a, const char *p, size_t n)
{
	if (a->len == 0)
		a->p = p;
	else if (a->p + a->len != p)
		return false;
	a->len += n;
	return true;
}

static int
on_target(llhttp_t *ll, const char *p, size_t n)
{
	struct lexer *x = (struct lexer *)ll;

	return extend(&x->out->target, p, n) ? 0 : HPE_USER;
}

static int
on_name(llhttp_t *ll, const char *p, size_t n)
{
	struct lexer *x = (struct lexer *)ll;
	struct head_syntax *s = x->out;

	if (s->fields == 0 || x->in_value) {
		if (s->fields == s->fields_max) {
			x->too_many = true;
			return HPE_USER;
		}
		s->field[s->fields++] = (struct head_field){ 0 };
		x->in_value = false;
	}
	return extend(&s->field[s->fields - 1].name, p, n) ? 0 : HPE_USER;
}

static int
on_name_complete(llhttp_t *ll)
{
	struct lexer *x = (struct lexer *)ll;

	x->in_value = true;
	return 0;
}

static int
on_value(llhttp_t *ll, const char *p, size_t n)
{
	struct lexer *x = (struct lexer *)ll;
	struct head_syntax *s = x->out;

	assert(s->fields > 0 && x->in_value);
	return extend(&s->field[s->fields - 1].value, p, n) ? 0 : HPE_USER;
}

static int
on_end(llhttp_t *ll)
{
	return HPE_PAUSED;		/* the body is not llhttp's business */
}

static const llhttp_settings_t settings = {
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_field_complete = on_name_complete,
	.on_header_value = on_value,
	.on_headers_complete = on_end,
};

const char *
head_syntax_parse(str bytes, struct head_syntax *s)
{
	struct lexer x = { .out = s };
	const char *why;

	s->target = STR_NONE;
	s->fields = 0;
	llhttp_init(&x.ll, HTTP_REQUEST, &settings);
	if (llhttp_execute(&x.ll, bytes.p, bytes.len) != HPE_PAUSED) {
		why = llhttp_get_error_reason(&x.ll);
		return x.too_many ? "too many headers" : why != NULL && why[0] != '\0' ? why : "not an HTTP/1.1 request";
	}
	if (llhttp_get_http_major(&x.ll) != 1 || llhttp_get_http_minor(&x.ll) > 1)
		return "the HTTP version must be 1.0 or 1.1";
	s->minor = llhttp_get_http_minor(&x.ll);
	return NULL;
}
