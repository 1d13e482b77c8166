/*
 * conditions.c - If-Match and its kin, on what is there now (RFC 9110 section 13.2.2).
 */
#include "meta/catalog.h"

/* One ETag of a list: with or without quotes, W/ in front or not. */
static str
next_etag(str *rest, bool *ret_weak)
{
	str s = str_trim(*rest), tag;
	ptrdiff_t end;

	*ret_weak = str_starts(s, STR("W/"));
	if (*ret_weak)
		s = str_skip(s, 2);
	if (str_starts(s, STR("\""))) {
		s = str_skip(s, 1);
		end = str_find(s, '"');
		tag = end < 0 ? s : str_sub(s, 0, (size_t)end);
		s = end < 0 ? STR("") : str_skip(s, (size_t)end + 1);
		str_take_until(&s, ',');
		*rest = s;
		return tag;
	}
	tag = str_trim(str_take_until(&s, ','));
	*rest = s;
	return tag;
}

enum weak { WEAK_EQUAL, WEAK_DIFFERS };

static bool
matches(str list, str etag, enum weak how)
{
	str rest = list;
	bool weak;

	if (str_eq(str_trim(list), STR("*")))
		return true;
	while (rest.len > 0) {
		str one = next_etag(&rest, &weak);

		if (str_eq(one, etag) && !(weak && how == WEAK_DIFFERS))
			return true;
	}
	return false;
}

/* The rules that reads and writes share. if_none: what a failed If-None-Match or If-Modified-Since is. */
static err
judge(const struct conditions *c, const struct object *o, enum s3_error if_none)
{
	uint64_t modified = o->modified_ms / 1000;

	if (c->if_match.p != NULL) {
		if (!matches(c->if_match, o->etag, WEAK_DIFFERS))
			return err_s3(S3_PreconditionFailed);
	} else if (c->has_unmodified_since && modified > c->if_unmodified_since) {
		return err_s3(S3_PreconditionFailed);
	}
	if (c->if_none_match.p != NULL) {
		if (matches(c->if_none_match, o->etag, WEAK_EQUAL))
			return err_s3(if_none);
	} else if (c->has_modified_since && modified <= c->if_modified_since) {
		return err_s3(if_none);
	}
	return ERR_OK;
}

err_v
conditions_read(const struct conditions *c, const struct object *o)
{
	return c == NULL ? ERR_OK : judge(c, o, S3_NotModified);
}

err_v
conditions_write(const struct conditions *c, const struct object *current)
{
	if (c == NULL)
		return ERR_OK;
	if (current == NULL)
		return c->if_match.p != NULL ? err_s3(S3_NoSuchKey) : ERR_OK;
	return judge(c, current, S3_PreconditionFailed);
}
