/* Notes of reads, and the days that come of them. */
#include "test.h"

#include "base/clock.h"
#include "base/panic.h"
#include "meta/touch.h"
#include "catalog_help.h"

static unsigned
count(struct touch *t, str *ret_last)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct touched one;
	unsigned n = 0;
	static char last[64];
	str rest;

	touch_buf_init(&b);
	touch_take(t, &b);
	for (rest = buf_str(&b); touched_next(&rest, &one); n++) {
		memcpy(last, one.key.p, one.key.len);
		*ret_last = str_n(last, one.key.len);
	}
	return n;
}

TEST(touch_once_a_day)
{
	struct touch *t = touch_new(86400);
	struct touch_stats s;
	str last = STR_NONE;

	touch_note(NULL, 1, STR("k"), 0);
	touch_note(t, 1, STR("new"), clock_wall_ms());		/* written today */
	EXPECT_EQ("written today", count(t, &last), 0);
	for (int i = 0; i < 3; i++)
		touch_note(t, 1, STR("old"), 0);
	touch_note(t, 2, STR("old"), 0);			/* of another bucket */
	EXPECT_EQ("noted", count(t, &last), 2);
	EXPECT_STR("key", last, STR("old"));
	touch_note(t, 1, STR("old"), 0);
	EXPECT_EQ("noted before the last take", count(t, &last), 0);
	touch_stats(t, &s);
	EXPECT_EQ("noted", s.noted, 2);
	EXPECT_EQ("day", touch_day(t, 86400000ull * 20000 + 5), 20000);
	touch_free(&t);
}

TEST(touch_queue_is_bounded)
{
	struct touch *t = touch_new(86400);
	struct touch_stats s;
	str last = STR_NONE;
	char key[40];
	unsigned n = 0;

	do {
		snprintf(key, sizeof(key), "key-%030u", n++);
		touch_note(t, 1, str_c(key), 0);
		touch_stats(t, &s);
	} while (s.dropped == 0 && n < 1000000);
	EXPECT_EQ("dropped", s.dropped, 1);
	EXPECT(s.noted + 1000 > n);				/* a few have the hash of another */
	EXPECT_EQ("taken", count(t, &last), s.noted);
	touch_note(t, 1, str_c(key), 0);			/* what was dropped is noted by the next read */
	EXPECT_EQ("again", count(t, &last), 1);
	touch_free(&t);
}

struct lone { char text[64]; };

static void
add_lone(void *arg, str key)
{
	struct lone *l = arg;
	size_t at = strlen(l->text);

	snprintf(l->text + at, sizeof(l->text) - at, "%.*s ", STR_FMT(key));
}

static uint32_t
find(struct touches *t, str key, struct lone *l)
{
	uint32_t day = UINT32_MAX;

	EXPECT_OK(touches_find(t, key, add_lone, l, &day));
	return day;
}

TEST(days_beside_a_walk)
{
	AUTO(bed_done) struct bed t = bed_new();
	str keys[] = { STR("a"), STR("c\0c"), STR("b/1"), STR("z") }, one[] = { STR("b/1") };
	struct lone l = { "" };
	struct touches *ts;

	EXPECT_OK(catalog_touch(t.c, t.b.space, keys, 4, 20000, t.a));
	EXPECT_OK(catalog_touch(t.c, t.b.space, one, 1, 70000, t.a));
	EXPECT_OK(touches_open(t.c, t.b.space, &ts));
	EXPECT_EQ("a", find(ts, STR("a"), &l), 20000);
	EXPECT_EQ("b", find(ts, STR("b"), &l), 0);
	EXPECT_EQ("b/1", find(ts, STR("b/1"), &l), 70000);
	EXPECT_EQ("c", find(ts, STR("c"), &l), 0);
	EXPECT_EQ("d", find(ts, STR("d"), &l), 0);
	EXPECT_OK(touches_end(ts, add_lone, &l));
	touches_close(&ts);
	EXPECT(str_starts(str_c(l.text), STR("c")));		/* and a NUL; "z" is behind it */
	EXPECT_OK(catalog_untouch(t.c, t.b.space, keys, 3, t.a));
	EXPECT_EQ("left", rows(&t, 'A'), 1);
}

TEST(days_follow_renames_and_go_with_the_bucket)
{
	AUTO(bed_done) struct bed t = bed_new();
	struct rename r = { .from = STR("old"), .to = STR("new") };
	str keys[] = { STR("old"), STR("other") };
	struct bucket_ages ages = { 5, 1, 2, 3, 4 }, got;
	struct lone l = { "" };
	struct touches *ts;

	put(&t, STR("old"), STR("1"));
	put(&t, STR("new"), STR("2"));
	EXPECT_OK(catalog_touch(t.c, t.b.space, keys, 2, 20000, t.a));
	EXPECT_OK(catalog_rename(t.c, &t.b, &r));
	EXPECT_OK(touches_open(t.c, t.b.space, &ts));
	EXPECT_EQ("new", find(ts, STR("new"), &l), 20000);
	EXPECT_EQ("old", find(ts, STR("old"), &l), 0);
	touches_close(&ts);
	EXPECT_OK(catalog_ages(t.c, t.b.space, t.a, &got));
	EXPECT_EQ("never", got.at_ms, 0);
	EXPECT_OK(catalog_ages_set(t.c, t.b.space, &ages, t.a));
	EXPECT_OK(catalog_ages(t.c, t.b.space, t.a, &got));
	EXPECT(memcmp(&got, &ages, sizeof(got)) == 0);
	del(&t, STR("new"), current);
	EXPECT_OK(catalog_bucket_delete(t.c, &t.b));
	EXPECT_EQ("days", rows(&t, 'A'), 0);
	EXPECT_EQ("ages", rows(&t, 'G'), 0);
	EXPECT_OK(catalog_touch(t.c, t.b.space, keys, 2, 20001, t.a));	/* too late */
	EXPECT_OK(catalog_ages_set(t.c, t.b.space, &ages, t.a));
	EXPECT_EQ("days of a dead bucket", rows(&t, 'A') + rows(&t, 'G'), 0);
}

TEST(ages_add_up)
{
	struct bucket_usage u = { .objects = { 10, 5 }, .bytes = { 1000, 500 } };
	struct bucket_ages ages = { 1, 2, 200, 3, 300 }, many = { 1, 20, 2000, 3, 300 }, all = { 1, 2, 200, 30, 3000 };
	struct bucket_split s = bucket_split(&u, &ages);

	EXPECT(s.objects[AGE_HOT] == 5 && s.objects[AGE_WARM] == 2 && s.objects[AGE_COLD] == 3);
	EXPECT(s.bytes[AGE_HOT] == 500 && s.bytes[AGE_WARM] == 200 && s.bytes[AGE_COLD] == 300);
	s = bucket_split(&u, &many);
	EXPECT(s.bytes[AGE_HOT] == 0 && s.bytes[AGE_WARM] == 700 && s.bytes[AGE_COLD] == 300);
	s = bucket_split(&u, &all);
	EXPECT(s.bytes[AGE_HOT] == 0 && s.bytes[AGE_WARM] == 0 && s.bytes[AGE_COLD] == 1000);
}
