/*
 * form_data.c - the fields of a multipart/form-data body.
 *
 * A window over the source moves from delimiter to delimiter (CR LF -- boundary). Bytes are given out only once it is
 * certain that no delimiter begins among them. The window begins with a CR LF of its own, so that the first delimiter, which has
 * none in front, looks like the others; what stands before it is skipped as if it were a field.
 */
#include "s3/form_data.h"

#include "base/mem.h"
#include "base/panic.h"

#define WINDOW 65536u
#define BOUNDARY_MAX 70u		/* RFC 2046 */
#define HEAD_MAX 4096u			/* headers of one field */

struct form_data {
	unsigned magic;
#define FORM_DATA_MAGIC 0x4f1e6b93
	struct byte_source source;
	bool ended;			/* the source */
	bool closed;			/* the last delimiter has been seen */
	size_t begin, end;		/* what is in the window */
	size_t delimiter_len;
	char delimiter[BOUNDARY_MAX + 4];
	char window[WINDOW];
};

static err
malformed(const char *why)
{
	return err_s3f(S3_MalformedPOSTRequest, "The body is not well-formed multipart/form-data: %s", why);
}

bool
form_data_boundary(str content_type, str *ret)
{
	str rest = content_type, type = str_trim(str_take_until(&rest, ';'));

	if (!str_eq_nocase(type, STR("multipart/form-data")))
		return false;
	while (rest.p != NULL) {
		str value = str_trim(str_take_until(&rest, ';')), name = str_trim(str_take_until(&value, '='));

		if (!str_eq_nocase(name, STR("boundary")))
			continue;
		value = str_trim(value);
		if (value.len >= 2 && str_starts(value, STR("\"")) && str_ends(value, STR("\"")))
			value = str_sub(value, 1, value.len - 2);
		*ret = value;
		return value.len > 0 && value.len <= BOUNDARY_MAX;
	}
	return false;
}

struct form_data *
form_data_open(struct byte_source source, str boundary)
{
	struct form_data *f = MEM_NEW(struct form_data);

	assert(boundary.len > 0 && boundary.len <= BOUNDARY_MAX);
	f->magic = FORM_DATA_MAGIC;
	f->source = source;
	memcpy(f->delimiter, "\r\n--", 4);
	memcpy(f->delimiter + 4, boundary.p, boundary.len);
	f->delimiter_len = boundary.len + 4;
	memcpy(f->window, "\r\n", 2);
	f->end = 2;
	return f;
}

void
form_data_close(struct form_data **fp)
{
	mem_free_p(fp);
}

static str
inside(const struct form_data *f)
{
	return str_n(f->window + f->begin, f->end - f->begin);
}

/* More bytes into the window; S3_MalformedPOSTRequest if there are none. */
static err
fill(struct form_data *f)
{
	size_t n;

	if (f->ended)
		return malformed("it ends before its last boundary.");
	if (f->begin > 0) {
		memmove(f->window, f->window + f->begin, f->end - f->begin);
		f->end -= f->begin;
		f->begin = 0;
	}
	assert(f->end < WINDOW);
	TRY(f->source.read(f->source.ctx, f->window + f->end, WINDOW - f->end, &n));
	f->end += n;
	f->ended = n == 0;
	return ERR_OK;
}

/* How many bytes of the window surely belong to the field; 0 with *ret_end: a delimiter comes next. */
static size_t
certain(const struct form_data *f, bool *ret_end)
{
	ptrdiff_t at = str_find_str(inside(f), str_n(f->delimiter, f->delimiter_len));
	size_t n = f->end - f->begin;

	*ret_end = at == 0;
	if (at >= 0)
		return (size_t)at;
	return n < f->delimiter_len ? 0 : n - (f->delimiter_len - 1);
}

err_v
form_data_read(void *ctx, void *p, size_t max, size_t *ret_len)
{
	struct form_data *f = ctx;
	bool end;
	size_t n;

	CHECK_OBJ(f, FORM_DATA_MAGIC);
	assert(max > 0);
	while ((n = certain(f, &end)) == 0 && !end)
		TRY(fill(f));
	if (n > max)
		n = max;
	memcpy(p, f->window + f->begin, n);
	f->begin += n;
	*ret_len = n;
	return ERR_OK;
}

err_v
form_data_value(struct form_data *f, struct arena *a, size_t max, str *ret, bool *ret_fits)
{
	char *p = arena_alloc(a, max + 1);
	size_t at = 0, n = 1;

	while (n > 0 && at <= max) {
		TRY(form_data_read(f, p + at, max + 1 - at, &n));
		at += n;
		if (at > max)
			break;
	}
	*ret_fits = at <= max;
	*ret = str_n(p, at);
	return ERR_OK;
}

/* ---- from one field to the next ---- */

static err
skip_field(struct form_data *f)
{
	char waste[4096];
	size_t n;

	do
		TRY(form_data_read(f, waste, sizeof(waste), &n));
	while (n > 0);
	f->begin += f->delimiter_len;
	return ERR_OK;
}

/* The window holds at least n bytes from here on. */
static err
need(struct form_data *f, size_t n)
{
	while (f->end - f->begin < n)
		TRY(fill(f));
	return ERR_OK;
}

/* The headers up to their empty line, or the end of the body. */
static err
take_head(struct form_data *f, str *ret)
{
	ptrdiff_t at;

	TRY(need(f, 2));
	if (str_starts(inside(f), STR("--"))) {
		f->closed = true;
		return ERR_OK;
	}
	while ((at = str_find_str(inside(f), STR("\r\n\r\n"))) < 0) {
		if (f->end - f->begin > HEAD_MAX)
			return malformed("the headers of a field are too long.");
		TRY(fill(f));
	}
	if (at > HEAD_MAX)		/* all of it came at once */
		return malformed("the headers of a field are too long.");
	*ret = str_sub(inside(f), 0, (size_t)at + 2);
	f->begin += (size_t)at + 4;
	return ERR_OK;
}

static bool
is_escape(str s)
{
	return str_starts(s, STR("\\\""));
}

/* A quoted value up to its closing quote; \" is a quote in it. Anything else up to the next ';'. */
static str
take_parameter(str *rest, struct arena *a)
{
	size_t n = 0, end = 1;
	str quoted;
	char *p;

	if (!str_starts(*rest, STR("\"")))
		return str_trim(str_take_until(rest, ';'));
	while (end < rest->len && rest->p[end] != '"')
		end += is_escape(str_skip(*rest, end)) ? 2 : 1;
	quoted = str_sub(*rest, 1, end - 1);
	*rest = str_skip(*rest, end + 1);
	(void)str_take_until(rest, ';');
	p = arena_alloc(a, quoted.len + 1);
	for (size_t i = 0; i < quoted.len; i++) {
		i += is_escape(str_skip(quoted, i));
		p[n++] = quoted.p[i];
	}
	return str_n(p, n);
}

static bool
read_disposition(str value, struct arena *a, struct form_field *ret)
{
	str rest = value, type = str_trim(str_take_until(&rest, ';'));
	bool named = false;

	if (!str_eq_nocase(type, STR("form-data")))
		return false;
	while (!str_empty(rest)) {
		str name = str_trim(str_take_until(&rest, '='));
		str text;

		rest = str_trim(rest);
		text = take_parameter(&rest, a);
		if (str_eq_nocase(name, STR("name"))) {
			ret->name = arena_str(a, text);
			named = true;
		} else if (str_eq_nocase(name, STR("filename"))) {
			ret->filename = arena_str(a, text);
			ret->has_filename = true;
		}
	}
	return named;
}

err_v
form_data_next(struct form_data *f, struct arena *a, struct form_field *ret, bool *ret_more)
{
	struct form_field field = { 0 };
	str head = STR_NONE;
	bool good = false;

	CHECK_OBJ(f, FORM_DATA_MAGIC);
	if (!f->closed)
		TRY(skip_field(f));
	if (!f->closed)
		TRY(take_head(f, &head));
	*ret_more = !f->closed;
	if (f->closed)
		return ERR_OK;
	while (!str_empty(head)) {
		str line = str_trim(str_take_until(&head, '\n')), name = str_take_until(&line, ':');

		if (line.len > 0 && str_ends(line, STR("\r")))
			line = str_sub(line, 0, line.len - 1);
		if (str_eq_nocase(name, STR("content-disposition")))
			good = read_disposition(str_trim(line), a, &field);
	}
	if (!good)
		return malformed("a field has no name.");
	*ret = field;
	return ERR_OK;
}
