/* Times as text, both ways. */
#include "test.h"

#include <time.h>

#include "base/mem.h"
#include "http/date.h"

TEST(date_write)
{
	struct arena *a = arena_new(4096, 1 << 20);

	EXPECT_STR("http", date_http(a, 784111777000), STR("Sun, 06 Nov 1994 08:49:37 GMT"));
	EXPECT_STR("http", date_http(a, 0), STR("Thu, 01 Jan 1970 00:00:00 GMT"));
	EXPECT_STR("http", date_http(a, UINT64_MAX), STR("Fri, 31 Dec 9999 23:59:59 GMT"));
	EXPECT_STR("iso", date_iso(a, 784111777007), STR("1994-11-06T08:49:37.007Z"));
	EXPECT_STR("amz", date_amz(a, 784111777), STR("19941106T084937Z"));
	arena_free(&a);
}

/* Against libc, day by day over 400 years and a bit. */
TEST(date_agrees_with_libc)
{
	struct arena *a = arena_new(4096, 1 << 20);

	for (uint64_t day = 0; day < 146097 + 20000; day++) {
		time_t t = (time_t)(day * 86400 + day % 86400);
		char want[64];
		struct tm tm;
		uint64_t back = 0;
		str got = date_http(a, (uint64_t)t * 1000);

		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		EXPECT_STR("date_http", got, str_c(want));
		EXPECT(date_http_parse(got, &back));
		EXPECT_EQ(want, back, t);
		EXPECT(date_iso_parse(date_iso(a, (uint64_t)t * 1000 + 999), &back));
		EXPECT_EQ(want, back, (uint64_t)t * 1000 + 999);
		EXPECT(date_amz_parse(date_amz(a, (uint64_t)t), &back));
		EXPECT_EQ(want, back, t);
		arena_reset(a);
		if (test_failed)
			break;
	}
	arena_free(&a);
}

TEST(date_http_parse)
{
	static const struct { const char *text; bool ok; uint64_t unix_s; } cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", true, 784111777 },
		{ "Sun Nov  6 08:49:37 1994", true, 784111777 },
		{ "Wed Nov 16 08:49:37 1994", true, 784975777 },
		{ "Thu, 29 Feb 2024 00:00:00 GMT", true, 1709164800 },
		{ "Wed, 29 Feb 2023 00:00:00 GMT", false, 0 }, { "Sun, 06 Nov 1994 24:00:00 GMT", false, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 CET", false, 0 }, { "Sun, 06 Nov 1994 08:49:37", false, 0 },
		{ "Sun, 6 Nov 1994 08:49:37 GMT", false, 0 }, { "Sun, 06 Foo 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 00 Nov 1994 08:49:37 GMT", false, 0 }, { "Sun, 06 Nov 1969 08:49:37 GMT", false, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT!", false, 0 }, { "", false, 0 }, { "784111777", false, 0 },
		{ "1994-11-06T08:49:37Z", false, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t got = 0;

		EXPECT_EQ(cases[i].text, date_http_parse(str_c(cases[i].text), &got), cases[i].ok);
		EXPECT_EQ(cases[i].text, got, cases[i].unix_s);
	}
}

TEST(date_iso_parse)
{
	static const struct { const char *text; bool ok; uint64_t unix_ms; } cases[] = {
		{ "1994-11-06", true, 784080000000 }, { "1994-11-06T08:49:37Z", true, 784111777000 },
		{ "1994-11-06T08:49:37.5Z", true, 784111777500 }, { "1994-11-06T08:49:37.1239Z", true, 784111777123 },
		{ "1994-11-06T08:49:37+01:00", true, 784108177000 }, { "1994-11-06T08:49:37-0130", true, 784117177000 },
		{ "1994-11-06T08:49:37", false, 0 }, { "1994-11-06T08:49Z", false, 0 },
		{ "1994-11-06T08:49:37.Z", false, 0 }, { "1994-13-06", false, 0 }, { "1994-11-31", false, 0 },
		{ "1994-11-06T08:49:37+1", false, 0 }, { "1994-11-06T08:49:37ZZ", false, 0 },
		{ "19941106", false, 0 }, { "1970-01-01T00:00:00+01:00", false, 0 }, { "", false, 0 },
	};
	static const char *const bad_amz[] = { "", "19941106", "19941106T084937", "1994-11-06T08:49:37Z",
		"19941106T084937Z0", "19941306T084937Z", "19941106t084937z", "1994110 T084937Z" };
	uint64_t got;

	for (size_t i = 0; i < COUNT(cases); i++) {
		got = 0;
		EXPECT_EQ(cases[i].text, date_iso_parse(str_c(cases[i].text), &got), cases[i].ok);
		EXPECT_EQ(cases[i].text, got, cases[i].unix_ms);
	}
	for (size_t i = 0; i < COUNT(bad_amz); i++)
		EXPECT_EQ(bad_amz[i], date_amz_parse(str_c(bad_amz[i]), &got), false);
}
