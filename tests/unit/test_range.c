/* Range headers: what is ignored, what is clipped, what is refused. */
#include "test.h"

#include "base/mem.h"
#include "http/range.h"

TEST(range_parse)
{
	static const struct {
		const char *header;
		uint64_t size;
		int want;
		uint64_t off, len;
		bool partial;
	} cases[] = {
		{ "bytes=0-3", 10, 0, 0, 4, true },
		{ "bytes=9-9", 10, 0, 9, 1, true },
		{ "bytes=8-99", 10, 0, 8, 2, true },		/* clipped */
		{ "bytes=5-", 10, 0, 5, 5, true },
		{ "bytes=-4", 10, 0, 6, 4, true },
		{ "bytes=-40", 10, 0, 0, 10, true },
		{ "Bytes=0-0", 10, 0, 0, 1, true },
		{ " bytes=0-3 ", 10, 0, 0, 4, true },
		{ "bytes=0-18446744073709551615", 10, 0, 0, 10, true },
		{ "bytes=0-99999999999999999999999", 10, 0, 0, 10, true },
		{ "bytes=-99999999999999999999999", 10, 0, 0, 10, true },
		{ "bytes=0-3", UINT64_MAX, 0, 0, 4, true },
		{ "bytes=10-", 10, S3_InvalidRange, 0, 0, false },
		{ "bytes=10-11", 10, S3_InvalidRange, 0, 0, false },
		{ "bytes=99999999999999999999999-", 10, S3_InvalidRange, 0, 0, false },
		{ "bytes=-0", 10, S3_InvalidRange, 0, 0, false },
		{ "bytes=0-", 0, S3_InvalidRange, 0, 0, false },
		{ "bytes=-5", 0, S3_InvalidRange, 0, 0, false },
		/* as if there were none */
		{ "", 10, 0, 0, 10, false }, { "bytes=4-2", 10, 0, 0, 10, false },
		{ "bytes=0-1,4-5", 10, 0, 0, 10, false }, { "bytes=", 10, 0, 0, 10, false },
		{ "bytes=-", 10, 0, 0, 10, false }, { "bytes=a-b", 10, 0, 0, 10, false },
		{ "bytes=1-b", 10, 0, 0, 10, false }, { "bytes=+1-2", 10, 0, 0, 10, false },
		{ "bytes=1 - 2", 10, 0, 0, 10, false }, { "bytes= -1", 10, 0, 0, 10, false }, { "items=0-3", 10, 0, 0, 10, false },
		{ "bytes 0-3", 10, 0, 0, 10, false }, { "bytes=1-2-3", 10, 0, 0, 10, false },
		{ "bytes=0x1-2", 10, 0, 0, 10, false }, { "0-3", 10, 0, 0, 10, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct range r = { 0 };

		EXPECT_ERR(cases[i].header, range_parse(str_c(cases[i].header), cases[i].size, &r), cases[i].want);
		EXPECT_EQ(cases[i].header, r.off, cases[i].off);
		EXPECT_EQ(cases[i].header, r.len, cases[i].len);
		EXPECT_EQ(cases[i].header, r.partial, cases[i].partial);
	}
}

TEST(range_parse_copy)
{
	static const struct { const char *header; uint64_t size; int want; uint64_t off, len; } cases[] = {
		{ "bytes=0-9", 10, 0, 0, 10 }, { "bytes=3-3", 10, 0, 3, 1 },
		{ "bytes=0-10", 10, S3_InvalidArgument, 0, 0 }, { "bytes=0-0", 0, S3_InvalidArgument, 0, 0 },
		{ "bytes=0-", 10, S3_InvalidArgument, 0, 0 }, { "bytes=-3", 10, S3_InvalidArgument, 0, 0 },
		{ "bytes=4-2", 10, S3_InvalidArgument, 0, 0 }, { "0-3", 10, S3_InvalidArgument, 0, 0 },
		{ "bytes=0-3,5-6", 10, S3_InvalidArgument, 0, 0 }, { "", 10, S3_InvalidArgument, 0, 0 },
		{ "bytes=hello-world", 10, S3_InvalidArgument, 0, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct range r = { 0 };

		EXPECT_ERR(cases[i].header, range_parse_copy(str_c(cases[i].header), cases[i].size, &r), cases[i].want);
		EXPECT_EQ(cases[i].header, r.off, cases[i].off);
		EXPECT_EQ(cases[i].header, r.len, cases[i].len);
	}
}
