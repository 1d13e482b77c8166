/*
 * keys.c - names of rows, there and back.
 *
 * Order: 00 in an object key becomes 00 FF and the end 00 01, so a key sorts before all that continue it, and these
 * before all that differ later. Everything after the end is of fixed length.
 */
#include "meta/keys.h"

#include "base/be.h"
#include "base/panic.h"

static_assert(ROW_KEY_MAX >= 3 + ORG_MAX * 2 + 2 + BUCKET_NAME_MAX, "names of buckets fit");

enum system_row { SYSTEM_NAME = 'N', SYSTEM_OWNED = 'O', SYSTEM_SPACE = 'Z', SYSTEM_NEXT = 'S', SYSTEM_MEMO = 'J' };

err_v
key_check(str key)
{
	if (key.len == 0)
		return err_s3(S3_InvalidURI);
	if (key.len > OBJECT_KEY_MAX)
		return err_s3(S3_KeyTooLongError);
	return ERR_OK;
}

static void
add(struct row_key *k, const void *p, size_t n)
{
	assert(n <= sizeof(k->bytes) - k->len);
	if (n > 0)
		memcpy(k->bytes + k->len, p, n);
	k->len += n;
}

static void
add_byte(struct row_key *k, unsigned c)
{
	char byte = (char)c;

	add(k, &byte, 1);
}

static void
add_be(struct row_key *k, uint64_t v, size_t n)
{
	uint8_t bytes[8];

	be_put(bytes, v, n);
	add(k, bytes, n);
}

static void
add_id(struct row_key *k, struct id id)
{
	add(k, id.byte, ID_LEN);
}

static void
add_escaped(struct row_key *k, str s)
{
	while (s.len > 0) {
		ptrdiff_t zero = str_find(s, '\0');
		size_t n = zero < 0 ? s.len : (size_t)zero;

		add(k, s.p, n);
		s = str_skip(s, n);
		if (s.len > 0) {
			add(k, "\x00\xff", 2);
			s = str_skip(s, 1);
		}
	}
}

static void
add_key(struct row_key *k, str key)
{
	assert(key.len <= OBJECT_KEY_MAX);
	add_escaped(k, key);
	add(k, "\x00\x01", 2);
}

static struct id
complement(struct id id)
{
	for (int i = 0; i < ID_LEN; i++)
		id.byte[i] = (uint8_t)~id.byte[i];
	return id;
}

struct row_key
row_kind_from(enum row_kind kind)
{
	struct row_key k;

	k.len = 0;
	add_byte(&k, kind);
	return k;
}

struct row_key
row_head(void)
{
	return row_kind_from(ROW_HEAD);
}

struct row_key
row_counters(void)
{
	return row_kind_from(ROW_COUNTERS);
}

struct row_key
row_config(str name)
{
	struct row_key k = row_kind_from(ROW_CONFIG);

	add(&k, name.p, name.len);
	return k;
}

struct row_key
row_of_key(enum row_kind kind, str key)
{
	struct row_key k = row_kind_from(kind);

	add_key(&k, key);
	return k;
}

struct row_key
row_object(str key)
{
	return row_of_key(ROW_OBJECT, key);
}

struct row_key
row_version(str key, struct id version)
{
	struct row_key k = row_of_key(ROW_VERSION, key);

	add_id(&k, complement(version));
	return k;
}

struct row_key
row_upload(str key, struct id upload)
{
	struct row_key k = row_of_key(ROW_UPLOAD, key);

	add_id(&k, upload);
	return k;
}

struct row_key
row_of_body(enum row_kind kind, struct id body)
{
	struct row_key k = row_kind_from(kind);

	add_id(&k, body);
	return k;
}

struct row_key
row_part(struct id body, uint32_t number)
{
	struct row_key k = row_of_body(ROW_PART, body);

	assert(number <= PART_NUMBER_MAX);
	add_be(&k, number, 2);
	return k;
}

struct row_key
row_blob(struct id blob)
{
	return row_of_body(ROW_BLOB, blob);
}

struct row_key
row_link(struct id body)
{
	return row_of_body(ROW_LINK, body);
}

struct row_key
row_owner(struct id body, struct id owner)
{
	struct row_key k = row_link(body);

	add_id(&k, owner);
	return k;
}

struct row_key
row_pending(struct id owner)
{
	return row_of_body(ROW_PENDING, owner);
}

struct row_key
row_token(const uint8_t digest[32])
{
	struct row_key k = row_kind_from(ROW_TOKEN);

	add(&k, digest, 32);
	return k;
}

struct row_key
row_dead(uint64_t when_ms, struct id id)
{
	struct row_key k = row_kind_from(ROW_DEAD);

	add_be(&k, when_ms, 8);
	add_id(&k, id);
	return k;
}

static struct row_key
system_from(enum system_row kind)
{
	struct row_key k = row_kind_from(ROW_SYSTEM);

	add_byte(&k, kind);
	return k;
}

struct row_key
row_bucket_names(str prefix)
{
	struct row_key k = system_from(SYSTEM_NAME);

	assert(prefix.len <= BUCKET_NAME_MAX);
	add(&k, prefix.p, prefix.len);
	return k;
}

struct row_key
row_bucket_name(str name)
{
	return row_bucket_names(name);
}

struct row_key
row_buckets_of(str org, str prefix)
{
	struct row_key k = system_from(SYSTEM_OWNED);

	assert(org.len <= ORG_MAX && prefix.len <= BUCKET_NAME_MAX);
	add_key(&k, org);
	add(&k, prefix.p, prefix.len);
	return k;
}

struct row_key
row_bucket_of(str org, str name)
{
	return row_buckets_of(org, name);
}

struct row_key
row_spaces(void)
{
	return system_from(SYSTEM_SPACE);
}

struct row_key
row_memo(str name)
{
	struct row_key k = system_from(SYSTEM_MEMO);

	assert(name.len <= BUCKET_NAME_MAX);
	add(&k, name.p, name.len);
	return k;
}

struct row_key
row_space(uint32_t space)
{
	struct row_key k = row_spaces();

	add_be(&k, space, 4);
	return k;
}

struct row_key
row_next_space(void)
{
	return system_from(SYSTEM_NEXT);
}

struct row_key
row_prefix(enum row_kind kind, str prefix)
{
	struct row_key k = row_kind_from(kind);

	assert(prefix.len <= OBJECT_KEY_MAX);
	add_escaped(&k, prefix);
	return k;
}

struct row_key
row_behind(struct row_key k)
{
	/* The kind is never FF, so this ends. */
	while ((uint8_t)k.bytes[k.len - 1] == 0xff)
		k.len--;
	k.bytes[k.len - 1]++;
	return k;
}

struct row_key
row_next(struct row_key k)
{
	add_byte(&k, 0);
	return k;
}

static bool
take(str *s, void *ret, size_t n)
{
	if (s->len < n)
		return false;
	memcpy(ret, s->p, n);
	*s = str_skip(*s, n);
	return true;
}

static bool
take_kind(str *s, enum row_kind kind)
{
	char c;

	return take(s, &c, 1) && c == (char)kind;
}

static bool
take_be(str *s, size_t n, uint64_t *ret)
{
	uint8_t bytes[8];

	if (!take(s, bytes, n))
		return false;
	*ret = be_get(bytes, n);
	return true;
}

static bool
take_last_id(str *s, struct id *ret)
{
	return take(s, ret->byte, ID_LEN) && s->len == 0;
}

bool
row_object_key(str row, enum row_kind kind, char *ret_key, size_t *ret_len, str *ret_rest)
{
	size_t len = 0;

	if (!take_kind(&row, kind))
		return false;
	for (;;) {
		ptrdiff_t zero = str_find(row, '\0');
		size_t n = (size_t)zero;

		if (zero < 0 || n + 1 >= row.len || n > OBJECT_KEY_MAX - len)
			return false;
		memcpy(ret_key + len, row.p, n);
		len += n;
		if (row.p[n + 1] == '\x01') {
			*ret_len = len;
			*ret_rest = str_skip(row, n + 2);
			return true;
		}
		if (row.p[n + 1] != '\xff' || len == OBJECT_KEY_MAX)
			return false;
		ret_key[len++] = '\0';
		row = str_skip(row, n + 2);
	}
}

bool
row_version_id(str rest, struct id *ret)
{
	struct id id;

	if (!take_last_id(&rest, &id))
		return false;
	*ret = complement(id);
	return true;
}

bool
row_upload_id(str rest, struct id *ret)
{
	return take_last_id(&rest, ret);
}

bool
row_part_parse(str row, struct id *ret_body, uint32_t *ret_number)
{
	uint64_t n;

	if (!take_kind(&row, ROW_PART) || !take(&row, ret_body->byte, ID_LEN) || !take_be(&row, 2, &n) || row.len != 0 ||
	    n > PART_NUMBER_MAX)
		return false;
	*ret_number = (uint32_t)n;
	return true;
}

bool
row_link_parse(str row, struct id *ret_body, bool *ret_is_owner, struct id *ret_owner)
{
	if (!take_kind(&row, ROW_LINK) || !take(&row, ret_body->byte, ID_LEN))
		return false;
	*ret_is_owner = row.len > 0;
	return row.len == 0 || take_last_id(&row, ret_owner);
}

bool
row_dead_parse(str row, uint64_t *ret_when_ms, struct id *ret)
{
	return take_kind(&row, ROW_DEAD) && take_be(&row, 8, ret_when_ms) && take_last_id(&row, ret);
}

bool
row_id_parse(str row, enum row_kind kind, struct id *ret)
{
	return take_kind(&row, kind) && take_last_id(&row, ret);
}

bool
row_space_parse(str row, uint32_t *ret)
{
	uint64_t v;

	if (row.len != 6 || !str_starts(row, STR("BZ")))
		return false;
	row = str_skip(row, 2);
	if (!take_be(&row, 4, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool
row_bucket_parse(str row, str *ret_name)
{
	char org[OBJECT_KEY_MAX];
	size_t len;
	str rest;

	if (str_starts(row, STR("BN"))) {
		*ret_name = str_skip(row, 2);
		return true;
	}
	if (!str_starts(row, STR("BO")) || !row_object_key(str_skip(row, 1), (enum row_kind)SYSTEM_OWNED, org, &len, &rest))
		return false;
	*ret_name = rest;
	return true;
}
