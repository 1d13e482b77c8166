/*
 * range.c - byte ranges.
 *
 * A Range header that is not exactly one well-formed range of bytes is ignored,
 * never refused; only a well-formed one that selects nothing is an error.
 */
#include "http/range.h"

#include "base/panic.h"

/* Decimal digits; a number too large for 64 bits becomes the largest. false: not digits. */
static bool
digits(str s, uint64_t *ret)
{
	uint64_t n;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	if (!str_u64(s, &n))
		n = UINT64_MAX;
	*ret = n;
	return true;
}

/* What a well-formed header asks for: bytes from..to, or the last n. */
struct wish {
	bool suffix;
	uint64_t from, to, last;
};

static bool
wish_parse(str value, struct wish *ret)
{
	struct wish w = { .to = UINT64_MAX };
	str rest = str_trim(value), first;

	if (!str_starts_nocase(rest, STR("bytes=")))
		return false;
	rest = str_skip(rest, 6);
	if (str_find(rest, '-') < 0)
		return false;
	first = str_take_until(&rest, '-');
	w.suffix = first.len == 0;
	if (w.suffix ? !digits(rest, &w.last) : !digits(first, &w.from))
		return false;
	if (!w.suffix && rest.len > 0 && !digits(rest, &w.to))
		return false;
	*ret = w;
	return w.from <= w.to;
}

err
range_parse(str value, uint64_t size, struct range *ret)
{
	struct wish w;
	struct range r = { 0, size, false };

	if (!wish_parse(value, &w)) {
		*ret = r;
		return ERR_OK;
	}
	if (w.suffix ? w.last == 0 || size == 0 : w.from >= size)
		return err_s3f(S3_InvalidRange, "The range begins past the end of the object, which has %llu bytes.",
		    (unsigned long long)size);
	if (w.suffix) {
		r.len = w.last < size ? w.last : size;
		r.off = size - r.len;
	} else {
		r.off = w.from;
		r.len = (w.to < size - 1 ? w.to : size - 1) - w.from + 1;
	}
	assert(r.len > 0 && r.len <= size && r.off <= size - r.len);
	r.partial = true;
	*ret = r;
	return ERR_OK;
}

err
range_parse_copy(str value, uint64_t size, struct range *ret)
{
	str rest = value, first;
	uint64_t from, to;
	bool ok = str_starts(rest, STR("bytes="));

	rest = str_skip(rest, 6);
	first = str_take_until(&rest, '-');
	if (!ok || !str_u64(first, &from) || !str_u64(rest, &to) || from > to)
		return err_s3f(S3_InvalidArgument,
		    "x-amz-copy-source-range must be bytes=first-last, counted from 0, with first not above last.");
	if (to >= size)
		return err_s3f(S3_InvalidArgument, "The copy source has %llu bytes; the range reaches beyond them.",
		    (unsigned long long)size);
	*ret = (struct range){ from, to - from + 1, true };
	return ERR_OK;
}
