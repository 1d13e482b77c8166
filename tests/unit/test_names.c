/* Bucket names and places of both dialects, and where a listing goes on. */
#include "test.h"

#include "base/mem.h"
#include "s3/buckets.h"
#include "s3/list.h"

TEST(bucket_names)
{
	static const struct { const char *name; bool caios, aws; } cases[] = {
		{ "abc", true, true }, { "a-b", true, true }, { "a--b", true, true }, { "0", false, false }, { "ab", false, false },
		{ "", false, false }, { "-ab", false, false }, { "ab-", false, false }, { "aBc", false, false }, { "a_b", false, false },
		{ "a.b", false, true }, { "a..b", false, false }, { ".ab", false, false }, { "ab.", false, false },
		{ "1.2.3.4", false, false }, { "1.2.3.400", false, true }, { "1.2.3", false, true },
		{ "xn--ab", false, false }, { "cw-ab", false, true }, { "vip-ab", false, true }, { "log-stitcher-ch-a", false, true },
		{ "int", false, true }, { "int1", true, true }, { "sthree-a", true, false }, { "amzn-s3-demo-a", true, false },
		{ "a-s3alias", true, false }, { "a--ol-s3", true, false }, { "a.mrap", false, false }, { "a--x-s3", true, false },
		{ "a--table-s3", true, false }, { "a b", false, false }, { "a/b", false, false }, { "\xC3\xA9" "abc", false, false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true, true },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		str name = str_c(cases[i].name);

		EXPECT_ERR(cases[i].name, bucket_name_check(DIALECT_CAIOS, name), cases[i].caios ? 0 : S3_InvalidBucketName);
		EXPECT_ERR(cases[i].name, bucket_name_check(DIALECT_AWS, name), cases[i].aws ? 0 : S3_InvalidBucketName);
	}
}

TEST(bucket_locations)
{
	str zones[] = { STR("US-EAST-04A"), STR("RNO2A") };
	struct store any = { 0 }, some = { .zones = zones, .nzones = 2 };

	EXPECT_OK(bucket_location_check(&any, STR("anything-1_A")));
	EXPECT_OK(bucket_location_check(&some, STR("RNO2A")));
	EXPECT_ERR("case", bucket_location_check(&some, STR("rno2a")), S3_InvalidLocationConstraint);
	EXPECT_ERR("other", bucket_location_check(&some, STR("x")), S3_InvalidLocationConstraint);
	EXPECT_ERR("empty", bucket_location_check(&any, STR("")), S3_InvalidLocationConstraint);
	EXPECT_ERR("blank", bucket_location_check(&any, STR("a b")), S3_InvalidLocationConstraint);
}

TEST(list_after)
{
	static const struct { const char *prefix, *delimiter, *marker, *after; bool within; } cases[] = {
		{ "", "", "a/b", "a/b", true },
		{ "", "/", "a", "a", true },
		{ "", "/", "a/", "a/", false },
		{ "", "/", "a/b", "a/", false },		/* "a/" sorts before the marker, so it is over */
		{ "a/", "/", "a/b", "a/b", true },
		{ "a/", "/", "a/b/c", "a/b/", false },
		{ "b", "/", "a/x", "a/x", true },		/* before everything that is listed */
		{ "", "--", "a--b", "a--", false },
		{ "", "/", "", "", true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct list_query q = { .prefix = str_c(cases[i].prefix), .delimiter = str_c(cases[i].delimiter) };

		EXPECT_EQ(cases[i].marker, list_after(&q, str_c(cases[i].marker)), cases[i].within);
		EXPECT_STR(cases[i].marker, q.after, str_c(cases[i].after));
		EXPECT_EQ(cases[i].marker, q.after_is_prefix, !cases[i].within);
	}
}
