/*
 * test_record.c - keys of rows keep their order; records come back as they went in, and nothing else does.
 */
#include "base/mem.h"
#include "meta/keys.h"
#include "meta/record.h"
#include "meta/wire.h"
#include "test.h"

static struct id
id_of(uint8_t c)
{
	struct id id;

	memset(id.byte, c, sizeof(id.byte));
	return id;
}

static const str sorted[] = {
	{ "\0", 1 }, { "\0\0", 2 }, { "\0\1", 2 }, { "\0\xff", 2 }, { "\1", 1 }, { "a", 1 }, { "a\0", 2 }, { "a\0\0", 3 }, { "a\0b", 3 },
	{ "a\1", 2 }, { "a/", 2 }, { "a/b", 3 }, { "aa", 2 }, { "b", 1 }, { "\xc3\xa9", 2 }, { "\xff", 1 }, { "\xff\xff", 2 },
};

TEST(keys_keep_their_order)
{
	for (size_t i = 0; i < COUNT(sorted); i++) {
		struct row_key k = row_object(sorted[i]), behind = row_behind(row_prefix(ROW_OBJECT, sorted[i]));
		char back[OBJECT_KEY_MAX];
		size_t len = 0;
		str rest;

		EXPECT(row_object_key(row_str(&k), ROW_OBJECT, back, &len, &rest));
		EXPECT_STR("there and back", str_n(back, len), sorted[i]);
		EXPECT_EQ("nothing behind", rest.len, 0);
		for (size_t j = 0; j < COUNT(sorted); j++) {
			struct row_key other = row_object(sorted[j]);
			bool below = str_cmp(row_str(&other), row_str(&behind)) < 0 && j >= i;

			EXPECT_EQ("order", str_cmp(row_str(&k), row_str(&other)) < 0, i < j);
			EXPECT_EQ("prefix", below, str_starts(sorted[j], sorted[i]));
		}
	}
}

TEST(versions_sort_newest_first)
{
	struct id old = id_of(1), new = id_of(2), back;
	struct row_key o = row_version(STR("k"), old), n = row_version(STR("k"), new), k = row_of_key(ROW_VERSION, STR("k"));

	EXPECT(str_cmp(row_str(&n), row_str(&o)) < 0);
	EXPECT(str_starts(row_str(&n), row_str(&k)));
	EXPECT(row_version_id(str_skip(row_str(&n), k.len), &back));
	EXPECT(id_eq(back, new));
}

TEST(broken_names_are_refused)
{
	static const str bad[] = { { "", 0 }, { "O", 1 }, { "Oa", 2 }, { "Oa\0", 3 }, { "Oa\0\2", 4 }, { "Va\0\1", 4 } };
	char back[OBJECT_KEY_MAX], long_name[2 + OBJECT_KEY_MAX + 3];
	size_t len;
	str rest;

	for (size_t i = 0; i < COUNT(bad); i++)
		EXPECT(!row_object_key(bad[i], ROW_OBJECT, back, &len, &rest));
	memset(long_name, 'a', sizeof(long_name));
	long_name[0] = 'O';
	memcpy(long_name + sizeof(long_name) - 2, "\0\1", 2);
	EXPECT(!row_object_key(str_n(long_name, sizeof(long_name)), ROW_OBJECT, back, &len, &rest));
	EXPECT_ERR("1,025 bytes", key_check(str_n(long_name, OBJECT_KEY_MAX + 1)), S3_KeyTooLongError);
	EXPECT_OK(key_check(str_n(long_name, OBJECT_KEY_MAX)));
}

static bool
pairs_eq(struct pairs a, struct pairs b)
{
	bool eq = a.n == b.n;

	for (unsigned i = 0; eq && i < a.n; i++)
		eq = str_eq(a.at[i].name, b.at[i].name) && str_eq(a.at[i].value, b.at[i].value);
	return eq;
}

static struct pair some_pairs[] = { { { "Content-Type", 12 }, { "text/plain", 10 } }, { { "", 0 }, { "", 0 } }, { { "x", 1 }, { "", 0 } } };
static struct part_run some_runs[] = { { 1, 3, 5 << 20 }, { 7, 1, 12 } };

static struct object
full_object(void)
{
	struct object o = {
		.version = { true, id_of(3) }, .oid = id_of(4), .modified_ms = 1234567890123, .size = 3 * (5 << 20) + 12,
		.etag = STR("0123456789abcdef0123456789abcdef-4"), .class = CLASS_STANDARD_IA, .owner_org = STR("org"),
		.headers = { some_pairs, 3 }, .metadata = { some_pairs, 1 }, .tags = { some_pairs + 1, 2 },
		.data = DATA_MULTIPART, .body = id_of(5), .runs = some_runs, .nruns = 2, .parts = 4,
	};

	o.checksum = (struct checksum){ .set = true, .alg = DIGEST_CRC32C, .type = CHECKSUM_COMPOSITE, .value = { 1, 0, 3, 4 } };
	o.sse.on = true;
	memset(o.sse.salt, 7, sizeof(o.sse.salt));
	return o;
}

TEST(object_comes_back)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
	AUTO(buf_done) struct buf b, moved;
	struct older older = { true, true, id_of(9) }, got_older, none = { .any = false };
	struct object o = full_object(), got;

	buf_init(&b, KV_VALUE_MAX);
	buf_init(&moved, KV_VALUE_MAX);
	record_object(&b, &older, &o);
	EXPECT_OK(record_object_read(buf_str(&b), RECORD_FULL, a, &got_older, &got));
	EXPECT(got_older.any && got_older.has_null && id_eq(got_older.null, id_of(9)));
	EXPECT(got.version.null && id_eq(got.version.id, o.version.id) && id_eq(got.oid, o.oid) && id_eq(got.body, o.body));
	EXPECT_EQ("size", got.size, o.size);
	EXPECT_EQ("modified", got.modified_ms, o.modified_ms);
	EXPECT_STR("etag", got.etag, o.etag);
	EXPECT_STR("owner", got.owner_org, o.owner_org);
	EXPECT(got.checksum.set && got.checksum.alg == DIGEST_CRC32C && got.checksum.type == CHECKSUM_COMPOSITE);
	EXPECT(memcmp(got.checksum.value, o.checksum.value, 4) == 0);
	EXPECT(pairs_eq(got.headers, o.headers) && pairs_eq(got.metadata, o.metadata) && pairs_eq(got.tags, o.tags));
	EXPECT(got.nruns == 2 && got.runs[1].first == 7 && got.runs[1].size == 12 && got.parts == 4);
	EXPECT(got.sse.on && memcmp(&got.sse, &o.sse, sizeof(o.sse)) == 0);
	EXPECT_EQ("class", got.class, CLASS_STANDARD_IA);
	record_object_again(&moved, &none, buf_str(&b));
	EXPECT_OK(record_object_read(buf_str(&moved), RECORD_LISTED, a, &got_older, &got));
	EXPECT(!got_older.any && !got_older.has_null && got.headers.n == 0);
	EXPECT_STR("etag", got.etag, o.etag);
}

TEST(etags_of_any_form_come_back)
{
	static const char *etags[] = { "", "0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789abcdef",
		"0123456789abcdef0123456789abcdef-",
		"0123456789abcdef0123456789abcdef-0", "0123456789abcdef0123456789abcdef-01", "0123456789abcdef0123456789abcdef-10000",
		"0123456789abcdef0123456789abcdef-99999999", "0123456789abcdef0123456789abcdeg", "x" };
	AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
	AUTO(buf_done) struct buf b;
	struct older older = { .any = false };

	buf_init(&b, KV_VALUE_MAX);
	for (size_t i = 0; i < COUNT(etags); i++) {
		struct object o = { .version.id = id_of(1), .oid = id_of(2), .etag = str_c(etags[i]) }, got;

		record_object(&b, &older, &o);
		EXPECT_OK(record_object_read(buf_str(&b), RECORD_FULL, a, &older, &got));
		EXPECT_STR("etag", got.etag, o.etag);
	}
}

/* Nobody writes both forms of an ETag; disk input may hold them, in any order. */
TEST(an_etag_in_two_forms_stays_within_bounds)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
	AUTO(buf_done) struct buf b;
	struct older older;
	struct object got;

	buf_init(&b, KV_VALUE_MAX);
	buf_add(&b, str_n("\1", 2));		/* format, flags */
	wire_id(&b, 1, id_of(1));
	wire_id(&b, 4, id_of(2));
	wire_bytes(&b, 9, STR("ab"));
	wire_id(&b, 7, id_of(3));
	EXPECT_OK(record_object_read(buf_str(&b), RECORD_FULL, a, &older, &got));
	EXPECT_STR("etag", got.etag, STR("ab"));
}

/* Every cut and every flipped bit is an error or a record within bounds; the sanitizers watch. */
TEST(damage_is_an_error)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
	AUTO(buf_done) struct buf b;
	struct older older = { true, true, id_of(9) };
	struct object o = full_object(), got;

	buf_init(&b, KV_VALUE_MAX);
	record_object(&b, &older, &o);
	for (size_t cut = 0; cut < b.len; cut++) {
		char *copy = mem_alloc(cut + 1);

		memcpy(copy, b.p, cut);
		(void)!record_object_read(str_n(copy, cut), RECORD_FULL, a, &older, &got).code;
		free(copy);
		arena_reset(a);
	}
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		b.p[bit / 8] ^= (char)(1 << bit % 8);
		(void)!record_object_read(buf_str(&b), RECORD_FULL, a, &older, &got).code;
		b.p[bit / 8] ^= (char)(1 << bit % 8);
		arena_reset(a);
	}
	b.p[0] = 2;
	EXPECT_ERR("a newer format", record_object_read(buf_str(&b), RECORD_FULL, a, &older, &got), -EBADMSG);
}

TEST(runs_are_checked)
{
	struct part_run bad_order[] = { { 3, 1, 1 }, { 3, 1, 1 } }, zero[] = { { 0, 1, 1 } }, many[] = { { 9999, 3, 1 } };
	struct part_run huge[] = { { 1, 2, UINT64_MAX } };

	EXPECT(runs_valid(some_runs, 2, 4, 3 * (5 << 20) + 12));
	EXPECT(!runs_valid(some_runs, 2, 5, 3 * (5 << 20) + 12));
	EXPECT(!runs_valid(some_runs, 2, 4, 3 * (5 << 20) + 13));
	EXPECT(!runs_valid(bad_order, 2, 2, 2));
	EXPECT(!runs_valid(zero, 1, 1, 1));
	EXPECT(!runs_valid(many, 1, 3, 3));
	EXPECT(!runs_valid(huge, 1, 2, UINT64_MAX - 1));
}
