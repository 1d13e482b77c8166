/*
 * meta/keys.c: any bytes as the name of a row, and as an object's key.
 *
 * Claims: a name that parses is the name that is made of what came out; a key comes back from its row; rows sort as their keys do.
 */
#include "fuzz.h"

#include "meta/keys.h"

static bool
same(const struct row_key *k, str row)
{
	return str_eq(row_str(k), row);
}

static void
as_row(str row)
{
	char key[OBJECT_KEY_MAX];
	struct row_key k;
	struct id id, other;
	uint64_t when;
	uint32_t n;
	size_t len;
	bool owner;
	str rest;

	if (row_object_key(row, ROW_OBJECT, key, &len, &rest)) {
		k = row_object(str_n(key, len));
		CLAIM(str_starts(row, row_str(&k)) && k.len + rest.len == row.len);
	}
	if (row_object_key(row, ROW_VERSION, key, &len, &rest) && row_version_id(rest, &id)) {
		k = row_version(str_n(key, len), id);
		CLAIM(same(&k, row));
	}
	if (row_object_key(row, ROW_UPLOAD, key, &len, &rest) && row_upload_id(rest, &id)) {
		k = row_upload(str_n(key, len), id);
		CLAIM(same(&k, row));
	}
	if (row_part_parse(row, &id, &n)) {
		k = row_part(id, n);
		CLAIM(same(&k, row));
	}
	if (row_link_parse(row, &id, &owner, &other)) {
		k = owner ? row_owner(id, other) : row_link(id);
		CLAIM(same(&k, row));
	}
	if (row_dead_parse(row, &when, &id)) {
		k = row_dead(when, id);
		CLAIM(same(&k, row));
	}
	if (row_id_parse(row, ROW_BLOB, &id)) {
		k = row_blob(id);
		CLAIM(same(&k, row));
	}
	if (row_id_parse(row, ROW_PENDING, &id)) {
		k = row_pending(id);
		CLAIM(same(&k, row));
	}
	if (row_space_parse(row, &n)) {
		k = row_space(n);
		CLAIM(same(&k, row));
	}
	if (row_bucket_parse(row, &rest))
		CLAIM(rest.len <= row.len);
}

static void
as_keys(str a, str b)
{
	struct row_key ka = row_object(a), kb = row_object(b), prefix = row_prefix(ROW_OBJECT, a), behind = row_behind(prefix);
	char key[OBJECT_KEY_MAX];
	bool within;
	size_t len;
	str rest;

	CLAIM(row_object_key(row_str(&ka), ROW_OBJECT, key, &len, &rest) && str_eq(str_n(key, len), a) && rest.len == 0);
	CLAIM((str_cmp(row_str(&ka), row_str(&kb)) < 0) == (str_cmp(a, b) < 0) && same(&ka, row_str(&kb)) == str_eq(a, b));
	within = str_cmp(row_str(&kb), row_str(&prefix)) >= 0 && str_cmp(row_str(&kb), row_str(&behind)) < 0;
	CLAIM(within == str_starts(b, a));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str all = fuzz_copy(fuzz_arena(), data, size), a, b = all;

	as_row(all);
	a = str_take_until(&b, '|');
	if (b.p != NULL && err_ok(key_check(a)) && err_ok(key_check(b)))
		as_keys(a, b);
	return 0;
}
