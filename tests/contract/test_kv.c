/*
 * test_kv.c - what every index engine obeys.
 *
 * Each test runs against each engine. What is particular to RocksDB (rot, torn logs, full disks) is in
 * test_kv_rocksdb.c; concurrency is in test_kv_threads.c.
 */
#include "test.h"

#include "base/panic.h"
#include "kv_env.h"

static const char *const engines[] = { "memory", "rocksdb" };

/* A test body for each engine. */
static void
each(void (*body)(struct kv_env *))
{
	for (size_t i = 0; i < COUNT(engines); i++) {
		struct kv_env e;

		env_start(&e, engines[i], "/dev/shm");	/* thousands of commits, and nothing here depends on how long they take */
		body(&e);
		if (test_failed)
			printf("with engine %s\n", engines[i]);
		env_end(&e);
	}
}

TEST(open_refuses)
{
	static const char *const bad[] = { "", "rocksdb", "memory", "memory:x", "leveldb:/tmp/x", ":", "rocksdb:" };
	struct kv *kv = NULL;

	for (size_t i = 0; i < COUNT(bad); i++) {
		EXPECT_ERR(bad[i], kv_open(str_c(bad[i]), &kv_env_options, &kv), -EINVAL);
		EXPECT(kv == NULL);
	}
}

static void
put_get_delete(struct kv_env *e)
{
	str v = STR("untouched");

	EXPECT_ERR("absent", kv_get(e->kv, 1, STR("a"), KV_MAY_BLOCK, e->arena, &v), -ENOENT);
	EXPECT_STR("absent", v, STR("untouched"));
	EXPECT_OK(put1(e->kv, 1, STR("a"), STR("one")));
	EXPECT_STR("put", get1(e, 1, STR("a")), STR("one"));
	EXPECT_OK(put1(e->kv, 1, STR("a"), STR("")));
	EXPECT_STR("an empty value is a value", get1(e, 1, STR("a")), STR(""));
	EXPECT_OK(delete1(e->kv, 1, STR("a")));
	EXPECT_OK(delete1(e->kv, 1, STR("a")));
	EXPECT_STR("deleted", get1(e, 1, STR("a")), STR("(none)"));

	EXPECT_OK(put1(e->kv, 1, STR("a\0b"), STR("\0\xff")));
	EXPECT_STR("bytes", get1(e, 1, STR("a\0b")), STR("\0\xff"));
	EXPECT_STR("the shorter key", get1(e, 1, STR("a")), STR("(none)"));
}
TEST(put_get_delete) { each(put_get_delete); }

static void
spaces_are_apart(struct kv_env *e)
{
	static const uint32_t space[] = { 0, 1, 2, 255, 256, 65536, UINT32_MAX - 1 };
	uint32_t next = 0;

	for (size_t i = 0; i < COUNT(space); i++)
		EXPECT_OK(put1(e->kv, space[i], STR("k"), arena_fmt(e->arena, "%u", space[i])));
	for (size_t i = 0; i < COUNT(space); i++) {
		EXPECT_STR("get", get1(e, space[i], STR("k")), arena_fmt(e->arena, "%u", space[i]));
		EXPECT_STR("scan", scan1(e, space[i], STR_NONE, STR_NONE), arena_fmt(e->arena, "k=%u ", space[i]));
	}
	for (size_t i = 0; i + 1 < COUNT(space); i++) {
		uint32_t after = 0;

		EXPECT_OK(kv_space_after(e->kv, space[i], &after));
		EXPECT(after == space[i + 1]);
	}
	EXPECT_ERR("the last", kv_space_after(e->kv, UINT32_MAX - 1, &(uint32_t){ 0 }), ERR_NOT_FOUND.code);
	EXPECT_OK(delete1(e->kv, 1, STR("k")));
	EXPECT_OK(kv_space_after(e->kv, 0, &next));
	EXPECT(next == 2);
	EXPECT_STR("scan", scan1(e, 1, STR_NONE, STR_NONE), STR(""));
	EXPECT_STR("get", get1(e, 2, STR("k")), STR("2"));
}
TEST(spaces_are_apart) { each(spaces_are_apart); }

static void
limits(struct kv_env *e)
{
	char *key = mem_alloc(KV_KEY_MAX + 1), *value = mem_alloc(KV_VALUE_MAX + 1);
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
	struct kv_iter *it = NULL;

	memset(key, 'k', KV_KEY_MAX + 1);
	memset(value, 'v', KV_VALUE_MAX + 1);
	EXPECT_OK(put1(e->kv, 1, str_n(key, KV_KEY_MAX), str_n(value, KV_VALUE_MAX)));
	EXPECT_EQ("longest", get1(e, 1, str_n(key, KV_KEY_MAX)).len, KV_VALUE_MAX);
	EXPECT_ERR("empty key", put1(e->kv, 1, STR(""), STR("v")), -EINVAL);
	EXPECT_ERR("long key", put1(e->kv, 1, str_n(key, KV_KEY_MAX + 1), STR("v")), -EINVAL);
	EXPECT_ERR("long value", put1(e->kv, 1, STR("k"), str_n(value, KV_VALUE_MAX + 1)), -EINVAL);
	EXPECT_ERR("get", kv_get(e->kv, 1, str_n(key, KV_KEY_MAX + 1), KV_MAY_BLOCK, e->arena, &(str){ 0 }), -ENOENT);
	EXPECT_ERR("get", kv_get(e->kv, 1, STR(""), KV_MAY_BLOCK, e->arena, &(str){ 0 }), -ENOENT);
	EXPECT_ERR("scan", kv_scan(e->kv, 1, str_n(key, KV_KEY_MAX + 1), STR_NONE, &it), -EINVAL);

	/* One bad call spoils the batch, whatever comes after it. */
	kv_put(b, STR("good"), STR("1"));
	kv_delete(b, STR(""));
	kv_put(b, STR("good too"), STR("1"));
	EXPECT_ERR("spoiled", kv_commit(e->kv, b), -EINVAL);
	EXPECT_STR("nothing changed", get1(e, 1, STR("good")), STR("(none)"));

	/* Seeking beyond the longest key. */
	EXPECT_OK(put1(e->kv, 1, STR("l"), STR("1")));
	EXPECT_OK(kv_scan(e->kv, 1, STR_NONE, STR_NONE, &it));
	kv_iter_seek(it, str_n(key, KV_KEY_MAX));
	EXPECT_EQ("at", kv_iter_key(it).len, KV_KEY_MAX);
	kv_iter_seek(it, str_n(key, KV_KEY_MAX + 1));
	EXPECT_STR("after", kv_iter_key(it), STR("l"));
	kv_iter_close(&it);
	free(key);
	free(value);
}
TEST(limits) { each(limits); }

static void
batch_too_large(struct kv_env *e)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
	char *value = mem_alloc(KV_VALUE_MAX);

	for (int i = 0; i < 70; i++)
		kv_put(b, arena_fmt(e->arena, "%d", i), str_n(value, KV_VALUE_MAX));
	EXPECT_ERR("70 MiB", kv_commit(e->kv, b), -E2BIG);
	EXPECT_STR("nothing changed", get1(e, 1, STR("0")), STR("(none)"));
	free(value);
}
TEST(batch_too_large) { each(batch_too_large); }

static void
expectations(struct kv_env *e)
{
	static const struct { const char *key, *value; int want; } t[] = {
		{ "a", "1", 0 },		/* value NULL: absent */
		{ "a", "2", -EAGAIN },
		{ "a", "", -EAGAIN },
		{ "a", "11", -EAGAIN },
		{ "a", NULL, -EAGAIN },
		{ "b", NULL, 0 },
		{ "b", "", -EAGAIN },
		{ "b", "1", -EAGAIN },
		{ "empty", "", 0 },
		{ "empty", NULL, -EAGAIN },
	};

	EXPECT_OK(put1(e->kv, 1, STR("a"), STR("1")));
	EXPECT_OK(put1(e->kv, 1, STR("empty"), STR("")));
	for (size_t i = 0; i < COUNT(t); i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
		str mark = arena_fmt(e->arena, "mark%zu", i);

		kv_put(b, mark, STR("x"));
		if (t[i].value != NULL)
			kv_expect_value(b, str_c(t[i].key), str_c(t[i].value));
		else
			kv_expect_absent(b, str_c(t[i].key));
		kv_add(b, STR("count"), (int64_t[]){ 1 }, 1);
		kv_delete_range(b, STR("zz"), STR_NONE);
		EXPECT_ERR(t[i].key, kv_commit(e->kv, b), t[i].want);
		EXPECT_STR(t[i].key, get1(e, 1, mark), t[i].want == 0 ? STR("x") : STR("(none)"));
	}
}
TEST(expectations) { each(expectations); }

/* Whoever changes a key after it was read is seen, however it does so; who does not, is not in the way. */
static void
expectations_since(struct kv_env *e)
{
	enum { NOTHING, OTHER, ADDS, PUT, DELETE, RANGE, MANY, REOPEN, WAYS };

	for (int way = 0; way < WAYS; way++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1), *change = kv_batch_new(1);
		uint64_t stamp;

		EXPECT_OK(put1(e->kv, 1, STR("k"), STR("old")));
		stamp = kv_stamp(e->kv, 1, STR("k"));
		kv_expect_value(b, STR("k"), STR("old"));
		kv_expect_since(b, stamp);
		kv_put(b, STR("done"), arena_fmt(e->arena, "%d", way));
		if (way == OTHER)
			kv_put(change, STR("l"), STR("new"));
		if (way == ADDS)
			kv_add(change, STR("n"), (int64_t[]){ 1 }, 1);
		if (way == PUT || way == REOPEN)
			kv_put(change, STR("k"), STR("new"));
		if (way == DELETE)
			kv_delete(change, STR("k"));
		if (way == RANGE)
			kv_delete_range(change, STR("j"), STR("l"));
		for (int i = 0; way == MANY && i < 2000; i++)
			kv_put(change, i == 1000 ? STR("k") : arena_fmt(e->arena, "m%d", i), STR("new"));
		EXPECT_OK(kv_commit(e->kv, change));
		if (way == REOPEN && !env_reopen(e))
			break;
		EXPECT_ERR(arena_fmt(e->arena, "way %d", way).p, kv_commit(e->kv, b), way < PUT ? 0 : -EAGAIN);
		EXPECT_STR("done", get1(e, 1, STR("done")), way < PUT ? arena_fmt(e->arena, "%d", way) : STR("2"));
	}
}
TEST(expectations_since) { each(expectations_since); }

/* Expectations speak of what was there before the batch, wherever they stand in it. */
static void
expectations_and_changes(struct kv_env *e)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1), *none = kv_batch_new(1), *two = kv_batch_new(1);

	kv_put(b, STR("a"), STR("1"));
	kv_expect_absent(b, STR("a"));
	EXPECT_OK(kv_commit(e->kv, b));
	EXPECT_ERR("again", kv_commit(e->kv, b), -EAGAIN);
	EXPECT_OK(kv_commit(e->kv, none));
	kv_expect_value(none, STR("a"), STR("1"));
	EXPECT_OK(kv_commit(e->kv, none));
	kv_expect_absent(none, STR("b"));
	EXPECT_OK(kv_commit(e->kv, none));
	kv_expect_absent(none, STR("a"));
	EXPECT_ERR("both cannot be", kv_commit(e->kv, none), -EAGAIN);
	kv_expect_value(two, STR("a"), STR("1"));
	kv_expect_value(two, STR("a"), STR("1"));
	kv_delete(two, STR("a"));
	EXPECT_OK(kv_commit(e->kv, two));
	EXPECT_STR("deleted", get1(e, 1, STR("a")), STR("(none)"));
}
TEST(expectations_and_changes) { each(expectations_and_changes); }

static void
changes_in_order(struct kv_env *e)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
	int64_t n[2] = { 0 };

	EXPECT_OK(put1(e->kv, 1, STR("old"), STR("1")));
	kv_put(b, STR("a"), STR("1"));
	kv_put(b, STR("a"), STR("2"));
	kv_put(b, STR("b"), STR("1"));
	kv_delete(b, STR("b"));
	kv_delete(b, STR("c"));
	kv_put(b, STR("c"), STR("1"));
	kv_put(b, STR("n"), STR("\5\0\0\0\0\0\0\0"));
	kv_add(b, STR("n"), (int64_t[]){ 1 }, 1);
	kv_put(b, STR("range"), STR("1"));
	kv_add(b, STR("o"), (int64_t[]){ 1 }, 1);
	kv_delete_range(b, STR("o"), STR("z"));
	kv_put(b, STR("range2"), STR("1"));
	kv_add(b, STR("o"), (int64_t[]){ 7 }, 1);
	EXPECT_EQ("bytes are counted", kv_batch_bytes(b) > 40 && kv_batch_bytes(b) < 400, true);
	EXPECT_OK(kv_commit(e->kv, b));
	EXPECT_STR("all but counters", scan1(e, 1, STR_NONE, STR("d")), STR("a=2 c=1 "));
	EXPECT_STR("old", get1(e, 1, STR("old")), STR("(none)"));
	EXPECT_STR("range", get1(e, 1, STR("range")), STR("(none)"));
	EXPECT_STR("range2", get1(e, 1, STR("range2")), STR("1"));
	EXPECT(kv_counters(get1(e, 1, STR("n")), n, 2));
	EXPECT_EQ("n", n[0], 6);
	EXPECT(kv_counters(get1(e, 1, STR("o")), n, 2));
	EXPECT_EQ("o", n[0], 7);
	if (env_reopen(e)) {
		EXPECT_STR("all but counters", scan1(e, 1, STR_NONE, STR("d")), STR("a=2 c=1 "));
		EXPECT(kv_counters(get1(e, 1, STR("o")), n, 2));
		EXPECT_EQ("o", n[0], 7);
	}
}
TEST(changes_in_order) { each(changes_in_order); }

static void
counters(struct kv_env *e)
{
	int64_t n[KV_COUNTERS_MAX];
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);

	EXPECT_OK(add1(e->kv, 1, STR("c"), 5));
	EXPECT_OK(add1(e->kv, 1, STR("c"), -7));
	kv_add(b, STR("c"), (int64_t[]){ 0, INT64_MIN, 3 }, 3);
	EXPECT_OK(kv_commit(e->kv, b));
	EXPECT_OK(add1(e->kv, 1, STR("c"), 100));
	EXPECT(kv_counters(get1(e, 1, STR("c")), n, KV_COUNTERS_MAX));
	EXPECT_EQ("0", n[0], 98);
	EXPECT_EQ("1", n[1], INT64_MIN);
	EXPECT_EQ("2", n[2], 3);
	EXPECT_EQ("not there", n[7], 0);
	EXPECT_OK(kv_scan(e->kv, 1, STR_NONE, STR_NONE, &it));
	EXPECT(kv_iter_valid(it));
	EXPECT(kv_counters(kv_iter_value(it), n, 1));
	EXPECT_EQ("in a scan", n[0], 98);
	EXPECT_OK(delete1(e->kv, 1, STR("c")));
	EXPECT_OK(add1(e->kv, 1, STR("c"), 1));
	EXPECT(kv_counters(get1(e, 1, STR("c")), n, 3));
	EXPECT_EQ("from zero", n[0], 1);
	EXPECT_EQ("from zero", n[1], 0);

	EXPECT(!kv_counters(STR("1234567"), n, 1));
	EXPECT(kv_counters(STR(""), n, 2));
	EXPECT_EQ("empty", n[1], 0);
}
TEST(counters) { each(counters); }

static void
scan_bounds(struct kv_env *e)
{
	static const struct { const char *from, *to, *want; } t[] = {
		{ NULL, NULL, "a=1 b=2 b1=3 c=4 \xff=5 " },
		{ "", NULL, "a=1 b=2 b1=3 c=4 \xff=5 " },
		{ "b", NULL, "b=2 b1=3 c=4 \xff=5 " },
		{ "b", "c", "b=2 b1=3 " },
		{ "b0", "b1", "" },
		{ NULL, "b", "a=1 " },
		{ NULL, "", "" },		/* an empty bound is a bound: before everything */
		{ "c", "b", "" },
		{ "b", "b", "" },
		{ "d", NULL, "\xff=5 " },
		{ "\xff\xff", NULL, "" },
	};
	static const char *const keys[] = { "c", "b1", "\xff", "a", "b" }, *const values[] = { "4", "3", "5", "1", "2" };

	for (size_t i = 0; i < COUNT(keys); i++)
		EXPECT_OK(put1(e->kv, 7, str_c(keys[i]), str_c(values[i])));
	EXPECT_OK(put1(e->kv, 6, STR("z"), STR("below")));
	EXPECT_OK(put1(e->kv, 8, STR("a"), STR("above")));
	for (size_t i = 0; i < COUNT(t); i++)
		EXPECT_STR(t[i].want, scan1(e, 7, str_c(t[i].from), str_c(t[i].to)), str_c(t[i].want));
}
TEST(scan_bounds) { each(scan_bounds); }

static void
scan_seeks(struct kv_env *e)
{
	static const struct { const char *to, *want; } t[] = {
		{ "k50", "k50" }, { "k10", "k20" }, { "k79", "k79" }, { "k80", NULL }, { "k205", "k21" }, { "", "k20" },
		{ "zzz", NULL }, { "k30", "k30" },
	};
	AUTO(kv_iter_close) struct kv_iter *it = NULL;

	for (int i = 10; i < 100; i++)
		EXPECT_OK(put1(e->kv, 3, arena_fmt(e->arena, "k%d", i), STR("v")));
	EXPECT_OK(kv_scan(e->kv, 3, STR("k20"), STR("k80"), &it));
	for (size_t i = 0; i < COUNT(t); i++) {
		kv_iter_seek(it, str_c(t[i].to));
		EXPECT_EQ(t[i].to, kv_iter_valid(it), t[i].want != NULL);
		if (kv_iter_valid(it))
			EXPECT_STR(t[i].to, kv_iter_key(it), str_c(t[i].want));
		EXPECT_OK(kv_iter_error(it));
	}
	kv_iter_seek(it, STR("k30\0"));
	EXPECT_STR("one above", kv_iter_key(it), STR("k31"));
	kv_iter_seek(it, STR("k78"));
	kv_iter_next(it);
	EXPECT_STR("next", kv_iter_key(it), STR("k79"));
	kv_iter_next(it);
	EXPECT(!kv_iter_valid(it));
	kv_iter_seek(it, STR("k21"));
	EXPECT_STR("back from the end", kv_iter_key(it), STR("k21"));
}
TEST(scan_seeks) { each(scan_seeks); }

static void
scan_is_a_snapshot(struct kv_env *e)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
	str all = STR("");

	EXPECT_OK(put1(e->kv, 1, STR("a"), STR("1")));
	EXPECT_OK(put1(e->kv, 1, STR("b"), STR("2")));
	EXPECT_OK(put1(e->kv, 1, STR("d"), STR("4")));
	EXPECT_OK(add1(e->kv, 1, STR("n"), 3));
	EXPECT_OK(kv_scan(e->kv, 1, STR_NONE, STR("n"), &it));
	kv_put(b, STR("a"), STR("changed"));
	kv_delete(b, STR("b"));
	kv_put(b, STR("c"), STR("new"));
	kv_delete_range(b, STR("d"), STR("e"));
	EXPECT_OK(kv_commit(e->kv, b));
	for (int round = 0; round < 2; round++) {
		all = STR("");
		for (kv_iter_seek(it, STR("")); kv_iter_valid(it); kv_iter_next(it))
			all = arena_fmt(e->arena, "%.*s%.*s=%.*s ", STR_FMT(all), STR_FMT(kv_iter_key(it)), STR_FMT(kv_iter_value(it)));
		EXPECT_STR("as it was", all, STR("a=1 b=2 d=4 "));
	}
	EXPECT_STR("as it is", scan1(e, 1, STR_NONE, STR("n")), STR("a=changed c=new "));
}
TEST(scan_is_a_snapshot) { each(scan_is_a_snapshot); }

static void
delete_range(struct kv_env *e)
{
	static const struct { const char *from, *to, *left; } t[] = {
		{ "b", "d", "a=1 d=1 e=1 " },
		{ "b", NULL, "a=1 " },
		{ NULL, "c", "c=1 d=1 e=1 " },
		{ "d", "b", "a=1 b=1 c=1 d=1 e=1 " },
		{ "c", "c", "a=1 b=1 c=1 d=1 e=1 " },
		{ "bb", "bc", "a=1 b=1 c=1 d=1 e=1 " },
		{ NULL, NULL, "" },
	};

	EXPECT_OK(put1(e->kv, 1, STR("z"), STR("below")));
	EXPECT_OK(put1(e->kv, 3, STR("a"), STR("above")));
	for (size_t i = 0; i < COUNT(t); i++) {
		AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(2);

		for (char c = 'a'; c <= 'e'; c++)
			EXPECT_OK(put1(e->kv, 2, str_n(&c, 1), STR("1")));
		kv_delete_range(b, str_c(t[i].from), str_c(t[i].to));
		EXPECT_OK(kv_commit(e->kv, b));
		EXPECT_STR(t[i].left, scan1(e, 2, STR_NONE, STR_NONE), str_c(t[i].left));
		if (env_reopen(e))
			EXPECT_STR(t[i].left, scan1(e, 2, STR_NONE, STR_NONE), str_c(t[i].left));
	}
	EXPECT_STR("below", get1(e, 1, STR("z")), STR("below"));
	EXPECT_STR("above", get1(e, 3, STR("a")), STR("above"));
}
TEST(delete_range) { each(delete_range); }

static void
delete_many(struct kv_env *e)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(2), *c = kv_batch_new(2), *d = kv_batch_new(2);

	for (int i = 0; i < 20000; i++)
		kv_put(b, arena_fmt(e->arena, "k%05d", i), STR("v"));
	EXPECT_OK(kv_commit(e->kv, b));
	/* A row behind more deleted ones than a commit may pass over. */
	for (int i = 0; i < 5000; i++)
		kv_delete(c, arena_fmt(e->arena, "j%05d", i));
	kv_put(c, STR("j05000"), STR("v"));
	EXPECT_OK(kv_commit(e->kv, c));
	kv_delete_range(d, STR("j"), STR("k"));
	kv_delete_range(d, STR("k00001"), STR("k19999"));
	EXPECT_OK(kv_commit(e->kv, d));
	EXPECT_STR("both ends", scan1(e, 2, STR_NONE, STR_NONE), STR("k00000=v k19999=v "));
	if (env_reopen(e))
		EXPECT_STR("both ends", scan1(e, 2, STR_NONE, STR_NONE), STR("k00000=v k19999=v "));
}
TEST(delete_many) { each(delete_many); }

/* What may not wait answers rightly, or says that it would have to wait. */
static void
no_wait(struct kv_env *e)
{
	str v;
	err_v x;

	for (int i = 0; i < 100; i++)
		EXPECT_OK(put1(e->kv, 1, arena_fmt(e->arena, "%d", i), arena_fmt(e->arena, "v%d", i)));
	EXPECT_OK(kv_get(e->kv, 1, STR("7"), KV_NO_WAIT, e->arena, &v));	/* just written */
	EXPECT_STR("7", v, STR("v7"));
	EXPECT_ERR("absent", kv_get(e->kv, 1, STR("x"), KV_NO_WAIT, e->arena, &v), -ENOENT);
	if (!env_reopen(e))
		return;
	for (int i = 0; i < 100; i++) {
		str key = arena_fmt(e->arena, "%d", i);

		x = kv_get(e->kv, 1, key, KV_NO_WAIT, e->arena, &v);
		if (err_is(x, ERR_WOULD_BLOCK.code))
			EXPECT_OK(kv_get(e->kv, 1, key, KV_MAY_BLOCK, e->arena, &v));
		else
			EXPECT_OK(x);
		EXPECT_STR("value", v, arena_fmt(e->arena, "v%d", i));
		EXPECT_OK(kv_get(e->kv, 1, key, KV_NO_WAIT, e->arena, &v));
	}
}
TEST(no_wait) { each(no_wait); }

static void
stats(struct kv_env *e)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(1);
	struct kv_stats s;

	for (int i = 0; i < 10; i++)
		EXPECT_OK(put1(e->kv, 1, arena_fmt(e->arena, "%d", i), STR("v")));
	kv_expect_absent(b, STR("1"));
	EXPECT_ERR("conflict", kv_commit(e->kv, b), -EAGAIN);
	kv_stats(e->kv, &s);
	EXPECT_EQ("commits", s.commits, 10);
	EXPECT_EQ("conflicts", s.conflicts, 1);
	EXPECT(kv_trouble(e->kv) == NULL);
}
TEST(stats) { each(stats); }

/* ---- against a naive model: rows in a sorted array ---- */

#define MODEL_ROWS 600
struct row { uint32_t space; char key[8]; size_t key_len; char value[24]; size_t value_len; };
struct model { struct row row[MODEL_ROWS]; size_t n; };

static int
row_cmp(const struct row *r, uint32_t space, str key)
{
	if (r->space != space)
		return r->space < space ? -1 : 1;
	return str_cmp(str_n(r->key, r->key_len), key);
}

static size_t
model_find(const struct model *m, uint32_t space, str key)
{
	size_t i = 0;

	while (i < m->n && row_cmp(&m->row[i], space, key) < 0)
		i++;
	return i;
}

static bool
model_has(const struct model *m, size_t i, uint32_t space, str key)
{
	return i < m->n && row_cmp(&m->row[i], space, key) == 0;
}

static void
model_put(struct model *m, uint32_t space, str key, str value)
{
	size_t i = model_find(m, space, key);

	assert(key.len <= sizeof(m->row[0].key) && value.len <= sizeof(m->row[0].value));
	if (!model_has(m, i, space, key)) {
		assert(m->n < MODEL_ROWS);
		memmove(&m->row[i + 1], &m->row[i], (m->n - i) * sizeof(m->row[0]));
		m->n++;
	}
	m->row[i] = (struct row){ .space = space, .key_len = key.len, .value_len = value.len };
	memcpy(m->row[i].key, key.p, key.len);
	memcpy(m->row[i].value, value.p, value.len);
}

static void
model_delete_range(struct model *m, uint32_t space, str from, str to)
{
	size_t i = model_find(m, space, from), j = i;

	while (j < m->n && m->row[j].space == space && (to.p == NULL || row_cmp(&m->row[j], space, to) < 0))
		j++;
	memmove(&m->row[i], &m->row[j], (m->n - j) * sizeof(m->row[0]));
	m->n -= j - i;
}

static void
model_delete(struct model *m, uint32_t space, str key)
{
	size_t i = model_find(m, space, key);

	if (model_has(m, i, space, key)) {
		memmove(&m->row[i], &m->row[i + 1], (m->n - i - 1) * sizeof(m->row[0]));
		m->n--;
	}
}

static void
model_add(struct model *m, uint32_t space, str key, const int64_t *delta, size_t n)
{
	size_t i = model_find(m, space, key), old = 0;
	int64_t sum[3] = { 0 };

	if (model_has(m, i, space, key)) {
		old = m->row[i].value_len;
		memcpy(sum, m->row[i].value, old);
	}
	for (size_t j = 0; j < n; j++)
		sum[j] += delta[j];
	model_put(m, space, key, str_n(sum, old > n * 8 ? old : n * 8));
}

/* Keys of up to three letters of three, so that they meet; those of counters begin with "#". */
static str
random_key(uint64_t *seed, char *ret, const char *first)
{
	size_t len = 1 + env_random(seed) % 3, i = 0;

	if (first != NULL)
		ret[i++] = *first;
	for (; i < len; i++)
		ret[i] = "\x00m\xff"[env_random(seed) % 3];
	return str_n(ret, len);
}

static void
check_scan(const struct model *m, struct kv_iter *it, uint32_t space, str from, str to)
{
	size_t i = model_find(m, space, from);

	for (; kv_iter_valid(it); kv_iter_next(it), i++) {
		REQUIRE(i < m->n && m->row[i].space == space);
		EXPECT_STR("key", kv_iter_key(it), str_n(m->row[i].key, m->row[i].key_len));
		EXPECT_STR("value", kv_iter_value(it), str_n(m->row[i].value, m->row[i].value_len));
	}
	EXPECT_OK(kv_iter_error(it));
	EXPECT(i >= m->n || m->row[i].space != space || (to.p != NULL && row_cmp(&m->row[i], space, to) >= 0));
}

/* One random expectation: true if the model says that it holds. */
static bool
random_expectation(struct model *m, struct kv_batch *b, uint32_t space, uint64_t *seed)
{
	char key[8];
	str k = random_key(seed, key, NULL);
	size_t i = model_find(m, space, k);
	bool has = model_has(m, i, space, k), lie = env_random(seed) % 8 == 0;

	if (has && !lie) {
		kv_expect_value(b, k, str_n(m->row[i].value, m->row[i].value_len));
		return true;
	}
	if (lie && env_random(seed) % 2) {
		kv_expect_value(b, k, STR("never"));
		return false;
	}
	kv_expect_absent(b, k);
	return !has;
}

static void
random_change(struct model *m, struct kv_batch *b, uint32_t space, uint64_t *seed)
{
	char key[8], other[8], value[24];
	int64_t delta[3];
	size_t n = env_random(seed) % sizeof(value);
	str k = random_key(seed, key, NULL), to;

	for (size_t i = 0; i < n; i++)
		value[i] = (char)env_random(seed);
	switch (env_random(seed) % 8) {
	case 0:
		to = env_random(seed) % 8 == 0 ? STR_NONE : random_key(seed, other, NULL);
		kv_delete_range(b, k, to);
		if (to.p == NULL || str_cmp(k, to) < 0)
			model_delete_range(m, space, k, to);
		break;
	case 1:
	case 2:
		kv_delete(b, k);
		model_delete(m, space, k);
		break;
	case 3:
	case 4:
		k = random_key(seed, key, "#");
		n = 1 + env_random(seed) % 3;
		for (size_t i = 0; i < n; i++)
			delta[i] = (int64_t)(env_random(seed) >> 20) - (1ll << 43);
		kv_add(b, k, delta, n);
		model_add(m, space, k, delta, n);
		break;
	default:
		kv_put(b, k, str_n(value, n));
		model_put(m, space, k, str_n(value, n));
		break;
	}
}

static void
random_commit(struct kv_env *e, struct model *m, uint64_t *seed)
{
	static struct model before;
	uint32_t space = 1 + env_random(seed) % 2;
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(space);
	uint64_t nexpect = env_random(seed) % 3, nchange = env_random(seed) % 6;
	bool holds = true;

	before = *m;
	while (nexpect-- > 0)
		holds = random_expectation(m, b, space, seed) && holds;
	while (nchange-- > 0)
		random_change(m, b, space, seed);
	EXPECT_ERR("commit", kv_commit(e->kv, b), holds ? 0 : -EAGAIN);
	if (!holds)
		*m = before;
}

static void
random_look(struct kv_env *e, const struct model *m, uint64_t *seed)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	uint32_t space = 1 + env_random(seed) % 2;
	char a[8], b[8], c[8];
	str from = random_key(seed, a, NULL), to = random_key(seed, b, NULL), seek;
	size_t i = model_find(m, space, from);

	EXPECT_STR("get", get1(e, space, from), model_has(m, i, space, from) ?
	    str_n(m->row[i].value, m->row[i].value_len) : STR("(none)"));
	if (env_random(seed) % 4 == 0)
		to = STR_NONE;
	if (to.p != NULL && str_cmp(from, to) > 0)
		return;
	REQUIRE(err_ok(kv_scan(e->kv, space, from, to, &it)));
	check_scan(m, it, space, from, to);
	for (int n = 0; n < 3; n++) {
		seek = random_key(seed, c, NULL);
		kv_iter_seek(it, seek);
		if (str_cmp(seek, from) < 0)
			seek = from;
		if (to.p != NULL && str_cmp(seek, to) > 0)
			seek = to;
		check_scan(m, it, space, seek, to);
	}
}

static void
as_the_model(struct kv_env *e)
{
	static struct model now, then;
	struct kv_iter *held = NULL;
	uint64_t seed = 88172645463325252u;

	now.n = 0;
	for (int step = 0; step < 4000 && !test_failed; step++) {
		random_commit(e, &now, &seed);
		random_look(e, &now, &seed);
		if (step % 50 == 0) {
			then = now;
			EXPECT_OK(kv_scan(e->kv, 1, STR_NONE, STR_NONE, &held));
		} else if (step % 50 == 20) {
			check_scan(&then, held, 1, STR_NONE, STR_NONE);
			kv_iter_close(&held);
		}
		if (step % 400 == 399)
			env_reopen(e);
		arena_reset(e->arena);
		if (test_failed)
			printf("step %d\n", step);
	}
	kv_iter_close(&held);
}
TEST(as_the_model) { each(as_the_model); }
