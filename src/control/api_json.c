/* api_json.c - members of JSON objects, read with their types checked, and written. */
#include <string.h>

#include "base/mem.h"
#include "control/api.h"
#include "http/date.h"

err_v
api_text(const json_t *object, const char *name, str *ret)
{
	const json_t *v = json_object_get(object, name);

	if (v == NULL || json_is_null(v)) {
		*ret = STR_NONE;
		return ERR_OK;
	}
	if (!json_is_string(v))
		return err_s3f(S3_InvalidArgument, "%s must be a string.", name);
	*ret = str_n(json_string_value(v), json_string_length(v));
	return ERR_OK;
}

err_v
api_text_needed(const json_t *object, const char *name, str *ret)
{
	TRY(api_text(object, name, ret));
	if (str_empty(*ret))
		return err_s3f(S3_InvalidArgument, "%s is missing.", name);
	return ERR_OK;
}

err_v
api_number(const json_t *object, const char *name, bool *ret_set, uint64_t *ret)
{
	const json_t *v = json_object_get(object, name);

	*ret_set = v != NULL && !json_is_null(v);
	*ret = 0;
	if (!*ret_set)
		return ERR_OK;
	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*ret = (uint64_t)json_integer_value(v);
		return ERR_OK;
	}
	if (json_is_string(v) && str_u64(str_n(json_string_value(v), json_string_length(v)), ret))
		return ERR_OK;
	return err_s3f(S3_InvalidArgument, "%s must be a whole number of at least 0.", name);
}

err_v
api_bool(const json_t *object, const char *name, bool *ret_set, bool *ret)
{
	const json_t *v = json_object_get(object, name);

	*ret_set = v != NULL && !json_is_null(v);
	*ret = json_is_true(v);
	if (*ret_set && !json_is_boolean(v))
		return err_s3f(S3_InvalidArgument, "%s must be true or false.", name);
	return ERR_OK;
}

err_v
api_pairs(const json_t *object, const char *name, struct arena *a, struct pairs *ret)
{
	json_t *v = json_object_get(object, name), *value;
	struct pairs p = { 0 };
	const char *key;

	if (v != NULL && !json_is_null(v) && !json_is_object(v))
		return err_s3f(S3_InvalidArgument, "%s must be an object of strings.", name);
	if (json_object_size(v) > 0)
		p.at = ARENA_ARRAY(a, struct pair, json_object_size(v));
	json_object_foreach(v, key, value) {
		if (!json_is_string(value))
			return err_s3f(S3_InvalidArgument, "%s.%s must be a string.", name, key);
		p.at[p.n++] = (struct pair){ str_c(key), str_n(json_string_value(value), json_string_length(value)) };
	}
	*ret = p;
	return ERR_OK;
}

err_v
api_names(const json_t *object, const char *name, struct arena *a, struct pairs *ret)
{
	json_t *v = json_object_get(object, name), *value;
	struct pairs p = { 0 };
	size_t i;

	if (v != NULL && !json_is_null(v) && !json_is_array(v))
		return err_s3f(S3_InvalidArgument, "%s must be a list of strings.", name);
	if (json_array_size(v) > 0)
		p.at = ARENA_ARRAY(a, struct pair, json_array_size(v));
	json_array_foreach(v, i, value) {
		if (!json_is_string(value))
			return err_s3f(S3_InvalidArgument, "%s must be a list of strings.", name);
		p.at[p.n++].name = str_n(json_string_value(value), json_string_length(value));
	}
	*ret = p;
	return ERR_OK;
}

static err
query_number(const struct api_req *rq, str name, uint64_t max, uint64_t def, unsigned *ret)
{
	str text = http_query_value(rq->http->head, name);
	uint64_t n = def;

	if (!str_empty(text) && (!str_u64(text, &n) || n > max))
		return err_s3f(S3_InvalidArgument, "%.*s must be a whole number from 0 to %llu.", STR_FMT(name), (unsigned long long)max);
	*ret = (unsigned)n;
	return ERR_OK;
}

err_v
api_page(const struct api_req *rq, unsigned *ret_offset, unsigned *ret_limit)
{
	TRY(query_number(rq, STR("offset"), UINT32_MAX, 0, ret_offset));
	TRY(query_number(rq, STR("limit"), API_PAGE_MAX, API_PAGE_MAX, ret_limit));
	if (*ret_limit == 0)
		*ret_limit = API_PAGE_MAX;
	return ERR_OK;
}

json_t *
api_json(str s)
{
	json_t *v = json_stringn(s.p != NULL ? s.p : "", s.len);

	/* Names in the index are UTF-8 since they were checked on their way in; what is not shows as nothing. */
	return v != NULL ? v : json_string("");
}

json_t *
api_time(struct arena *a, uint64_t ms)
{
	return ms == 0 ? json_string("1970-01-01T00:00:00Z") : api_json(date_iso(a, ms));
}

json_t *
api_json_pairs(struct pairs p)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < p.n; i++)
		json_object_setn_new(o, p.at[i].name.p, p.at[i].name.len, api_json(p.at[i].value));
	return o;
}

json_t *
api_json_names(struct pairs p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p.n; i++)
		json_array_append_new(list, api_json(p.at[i].name));
	return list;
}

json_t *
api_multi_attributes(struct pairs groups)
{
	json_t *o = json_object();

	if (groups.n > 0)
		json_object_set_new(o, "groups", api_json_names(groups));
	return o;
}
