/*
 * record.c - rows of the index as JSON, and checks of what goes into them.
 *
 * Every record is an object with "v": 1. Members that are not known are kept by nobody and harm nobody; a higher "v" is refused.
 */
#include "access/access_impl.h"
#include "base/mem.h"
#include "base/panic.h"

#define RECORD_VERSION 1

str
row_key(struct arena *a, const char *kind, str org, str name)
{
	if (org.p == NULL)
		return arena_str(a, str_c(kind));
	return arena_fmt(a, "%s%.*s/%.*s", kind, STR_FMT(org), STR_FMT(name));
}


err_v
rows_each(struct kv *kv, const char *kind, str org, row_f *f, void *arg)
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	str from = row_key(mem, kind, org, STR_NONE), to = arena_str(mem, from);

	((char *)to.p)[to.len - 1]++;		/* behind every row that begins so */
	TRY(kv_scan(kv, KV_SYSTEM_SPACE, from, to, &it));
	for (; kv_iter_valid(it); kv_iter_next(it)) {
		str name = str_skip(kv_iter_key(it), strlen(kind)), owner;

		owner = str_take_until(&name, '/');
		TRY(f(arg, owner, name, kv_iter_value(it)));
	}
	return kv_iter_error(it);
}

static err
count_row(void *arg, str org, str name, str value)
{
	(*(unsigned *)arg)++;
	return ERR_OK;
}

err_v
rows_room(struct access *a, const char *kind, str org, unsigned max)
{
	unsigned n = 0;

	TRY(rows_each(a->kv, kind, org, count_row, &n));
	return n < max ? ERR_OK : err_errno(EDQUOT, "%u are allowed", max);
}

err_v
record_parse(str value, json_t **ret)
{
	json_t *root = json_loadb(value.p ? value.p : "", value.len, 0, NULL);

	if (!json_is_object(root) || json_integer_value(json_object_get(root, "v")) != RECORD_VERSION) {
		json_decref(root);
		return ERR_DAMAGED;
	}
	*ret = root;
	return ERR_OK;
}

static str
text_of(json_t *json, struct arena *a)
{
	return json_is_string(json) ? arena_str(a, str_n(json_string_value(json), json_string_length(json))) : STR("");
}

str
record_str(json_t *r, const char *member, struct arena *a)
{
	return text_of(json_object_get(r, member), a);
}

uint64_t
record_u64(json_t *r, const char *member)
{
	json_int_t n = json_integer_value(json_object_get(r, member));

	return n > 0 ? (uint64_t)n : 0;
}

bool
record_flag(json_t *r, const char *member)
{
	return json_is_true(json_object_get(r, member));
}

struct pairs
record_pairs(json_t *r, const char *member, struct arena *a)
{
	json_t *object = json_object_get(r, member), *value;
	size_t n = json_object_size(object);
	struct pairs ret = { .at = n > 0 ? ARENA_ARRAY(a, struct pair, n) : NULL };
	const char *name;

	json_object_foreach(object, name, value)
		ret.at[ret.n++] = (struct pair){ arena_str(a, str_c(name)), text_of(value, a) };
	return ret;
}

struct pairs
record_names(json_t *r, const char *member, struct arena *a)
{
	json_t *list = json_object_get(r, member), *value;
	size_t n = json_array_size(list), i;
	struct pairs ret = { .at = n > 0 ? ARENA_ARRAY(a, struct pair, n) : NULL };

	json_array_foreach(list, i, value)
		ret.at[ret.n++] = (struct pair){ .name = text_of(value, a), .value = STR("") };
	return ret;
}

static void
set(json_t *r, const char *member, json_t *value)
{
	/* Fails on texts that are not UTF-8, which text_check() keeps out, and without memory. */
	if (json_object_set_new(r, member, value) != 0)
		PANIC("record: cannot set %s", member);
}

json_t *
record_new(void)
{
	json_t *r = json_object();

	set(r, "v", json_integer(RECORD_VERSION));
	return r;
}

void
record_set_str(json_t *r, const char *member, str s)
{
	set(r, member, json_stringn(s.p ? s.p : "", s.len));
}

void
record_set_u64(json_t *r, const char *member, uint64_t n)
{
	set(r, member, json_integer((json_int_t)n));
}

void
record_set_flag(json_t *r, const char *member, int on)
{
	set(r, member, json_boolean(on));
}

void
record_set_pairs(json_t *r, const char *member, struct pairs p)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < p.n; i++) {
		json_t *value = json_stringn(p.at[i].value.p ? p.at[i].value.p : "", p.at[i].value.len);

		if (json_object_setn_new(object, p.at[i].name.p, p.at[i].name.len, value) != 0)
			PANIC("record: cannot set %s", member);
	}
	set(r, member, object);
}

void
record_set_names(json_t *r, const char *member, struct pairs p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p.n; i++)
		if (json_array_append_new(list, json_stringn(p.at[i].name.p, p.at[i].name.len)) != 0)
			PANIC("record: cannot set %s", member);
	set(r, member, list);
}

str
record_text(json_t *r, struct arena *a)
{
	char *text = json_dumps(r, JSON_COMPACT);
	str ret;

	if (text == NULL)
		PANIC("record: cannot write JSON");
	ret = arena_str(a, str_c(text));
	free(text);
	return ret;
}

void
record_put(struct kv_batch *b, str row, json_t **record)
{
	char *text = json_dumps(*record, JSON_COMPACT);

	if (text == NULL)
		PANIC("record: cannot write JSON");
	kv_put(b, row, str_c(text));
	free(text);
	json_free(record);
}

err_v
text_check(const char *field, str s, enum text_may may, size_t max)
{
	if (s.len == 0 && may == TEXT_NOT_EMPTY)
		return err_s3f(S3_InvalidArgument, "%s is missing or empty.", field);
	if (s.len > max)
		return err_s3f(S3_InvalidArgument, "%s is longer than %zu bytes.", field, max);
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return err_s3f(S3_InvalidArgument, "%s has control characters.", field);
	if (!str_is_utf8(s))
		return err_s3f(S3_InvalidArgument, "%s is not UTF-8.", field);
	return ERR_OK;
}

err_v
names_check(const char *field, struct pairs p, unsigned max)
{
	if (p.n > max)
		return err_s3f(S3_InvalidArgument, "%s: at most %u are allowed.", field, max);
	for (unsigned i = 0; i < p.n; i++)
		TRY(text_check(field, p.at[i].name, TEXT_NOT_EMPTY, 255));
	return ERR_OK;
}
