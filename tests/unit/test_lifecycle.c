/*
 * test_lifecycle.c - lifecycle rules: what is refused and how, what reads back, and when what ends.
 */
#include "test.h"

#include "base/mem.h"
#include "meta/lifecycle.h"

#define DAY 86400u
#define DAY_MS 86400000ull

#define CONFIG(rules) "<LifecycleConfiguration>" rules "</LifecycleConfiguration>"
#define RULE(inside) CONFIG("<Rule>" inside "</Rule>")
#define ENABLED "<Status>Enabled</Status>"
#define ALL "<Filter></Filter>"
#define DAYS(n) "<Expiration><Days>" #n "</Days></Expiration>"
#define TAG(k, v) "<Tag><Key>" k "</Key><Value>" v "</Value></Tag>"

static struct arena *arena;

static err
parse(const char *xml, enum lifecycle_prefix old, struct lifecycle *ret)
{
	struct xml_node *root;

	if (arena == NULL)
		arena = arena_new(1 << 20, 256 << 20);
	TRY(xml_parse(str_c(xml), arena, &root));
	return lifecycle_parse(root, old, arena, ret);
}

static const struct { const char *xml; int want; } refusals[] = {
	{ RULE(ENABLED ALL DAYS(1)), 0 },
	{ RULE(ENABLED "<Filter><Prefix/></Filter>" DAYS(1)), 0 },
	{ RULE("<Status>Disabled</Status>" ALL DAYS(2147483647)), 0 },
	{ RULE(ENABLED ALL "<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>"), 0 },
	{ RULE(ENABLED ALL "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
	    "<NewerNoncurrentVersions>100</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), 0 },
	{ RULE(ENABLED "<Filter><And><Prefix>a</Prefix>" TAG("k", "v") "</And></Filter>" DAYS(1)), 0 },
	{ CONFIG(""), S3_MalformedXML },
	{ "<Lifecycle/>", S3_MalformedXML },
	{ CONFIG("<rule/>"), S3_MalformedXML },
	{ RULE(ALL DAYS(1)), S3_MalformedXML },			/* no status */
	{ RULE("<Status>enabled</Status>" ALL DAYS(1)), S3_MalformedXML },
	{ RULE(ENABLED DAYS(1)), S3_MalformedXML },		/* no filter */
	{ RULE(ENABLED ALL), S3_InvalidRequest },		/* no action */
	{ RULE(ENABLED ALL ALL DAYS(1)), S3_MalformedXML },
	{ RULE(ENABLED ALL DAYS(1) DAYS(1)), S3_MalformedXML },
	{ RULE(ENABLED ALL DAYS(1) "<Colour/>"), S3_MalformedXML },
	{ RULE(ENABLED ALL DAYS(0)), S3_InvalidArgument },
	{ RULE(ENABLED ALL DAYS(-1)), S3_InvalidArgument },
	{ RULE(ENABLED ALL DAYS(1.5)), S3_InvalidArgument },
	{ RULE(ENABLED ALL DAYS(2147483648)), S3_InvalidArgument },
	{ RULE(ENABLED ALL DAYS(99999999999999999999)), S3_InvalidArgument },
	{ RULE(ENABLED ALL "<Expiration/>"), S3_MalformedXML },
	{ RULE(ENABLED ALL "<Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>"), S3_MalformedXML },
	{ RULE(ENABLED ALL "<Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>"), S3_InvalidArgument },
	{ RULE(ENABLED ALL "<Expiration><Date>soon</Date></Expiration>"), S3_MalformedXML },
	{ RULE(ENABLED ALL "<Expiration><ExpiredObjectDeleteMarker>yes</ExpiredObjectDeleteMarker></Expiration>"), S3_MalformedXML },
	{ RULE(ENABLED "<Filter>" TAG("k", "v") "</Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
	    "</Expiration>"), S3_InvalidRequest },
	{ RULE(ENABLED ALL "<NoncurrentVersionExpiration/>"), S3_MalformedXML },
	{ RULE(ENABLED ALL "<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"),
	    S3_InvalidArgument },
	{ RULE(ENABLED ALL "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
	    "<NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), S3_InvalidArgument },
	{ RULE(ENABLED "<Filter>" TAG("k", "v") "</Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
	    "</AbortIncompleteMultipartUpload>"), S3_InvalidRequest },
	{ RULE(ENABLED ALL "<AbortIncompleteMultipartUpload/>"), S3_MalformedXML },
	{ RULE(ENABLED ALL "<Transition><Days>1</Days><StorageClass>STANDARD_IA</StorageClass></Transition>"), S3_NotImplemented },
	{ RULE(ENABLED ALL DAYS(1) "<NoncurrentVersionTransition/>"), S3_NotImplemented },
	{ RULE(ENABLED "<Filter><Prefix>a</Prefix>" TAG("k", "v") "</Filter>" DAYS(1)), S3_MalformedXML },	/* needs And */
	{ RULE(ENABLED "<Filter><And><Prefix>a</Prefix></And></Filter>" DAYS(1)), S3_MalformedXML },
	{ RULE(ENABLED "<Filter><And>" TAG("k", "v") TAG("k", "w") "</And></Filter>" DAYS(1)), S3_InvalidRequest },
	{ RULE(ENABLED "<Filter>" TAG("", "v") "</Filter>" DAYS(1)), S3_InvalidTag },
	{ RULE(ENABLED "<Filter><And><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And>"
	    "</Filter>" DAYS(1)), S3_InvalidRequest },
	{ RULE(ENABLED "<Filter><ObjectSizeLessThan>-1</ObjectSizeLessThan></Filter>" DAYS(1)), S3_InvalidRequest },
	{ RULE(ENABLED "<Prefix>a</Prefix>" DAYS(1)), S3_InvalidRequest },	/* the old form, in dialect caios */
	{ CONFIG("<Rule><ID>x</ID>" ENABLED ALL DAYS(1) "</Rule><Rule><ID>x</ID>" ENABLED ALL DAYS(2) "</Rule>"), S3_InvalidArgument },
	{ CONFIG("<Rule><ID/>" ENABLED ALL DAYS(1) "</Rule><Rule>" ENABLED ALL DAYS(2) "</Rule>"), 0 },
};

TEST(refusals)
{
	struct lifecycle l;

	for (size_t i = 0; i < COUNT(refusals); i++)
		EXPECT_ERR(refusals[i].xml, parse(refusals[i].xml, LIFECYCLE_OLD_PREFIX_REFUSED, &l), refusals[i].want);
	EXPECT_OK(parse(RULE(ENABLED "<Prefix>a</Prefix>" DAYS(1)), LIFECYCLE_OLD_PREFIX_ALLOWED, &l));
	EXPECT_ERR("both", parse(RULE(ENABLED ALL "<Prefix>a</Prefix>" DAYS(1)), LIFECYCLE_OLD_PREFIX_ALLOWED, &l), S3_MalformedXML);
}

TEST(a_thousand_rules)
{
	struct lifecycle l;
	struct buf b;

	for (int n = 1000; n <= 1001; n++) {
		buf_init(&b, 1 << 20);
		buf_add_c(&b, "<LifecycleConfiguration>");
		for (int i = 0; i < n; i++)
			buf_addf(&b, "<Rule><ID>%d</ID>" ENABLED ALL DAYS(1) "</Rule>", i);
		buf_add_c(&b, "</LifecycleConfiguration>");
		buf_add_char(&b, 0);
		EXPECT_ERR("rules", parse(b.p, LIFECYCLE_OLD_PREFIX_REFUSED, &l), n == 1000 ? 0 : S3_MalformedXML);
		buf_done(&b);
	}
	EXPECT_EQ("n", l.n, 1000);
}

/* What is written reads back, and is written the same again. */
TEST(round_trip)
{
	static const char *const t[] = {
		RULE("<ID>a &amp; b</ID><Filter><And><Prefix>p/</Prefix>" TAG("k", "v") TAG("l", "") "<ObjectSizeGreaterThan>1"
		    "</ObjectSizeGreaterThan></And></Filter>" ENABLED DAYS(7)),
		RULE("<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter><Status>Disabled</Status>"
		    "<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>"),
		RULE("<Filter></Filter>" ENABLED "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
		    "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>"
		    "</NoncurrentVersionExpiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
		    "</AbortIncompleteMultipartUpload>"),
		RULE("<Prefix>old</Prefix>" ENABLED DAYS(1)),
		RULE("<Filter><Prefix></Prefix></Filter>" ENABLED DAYS(1)),
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct lifecycle l;
		struct buf b;
		str body;

		buf_init(&b, 1 << 16);
		REQUIRE(err_ok(parse(t[i], LIFECYCLE_OLD_PREFIX_ALLOWED, &l)));
		lifecycle_write(&b, &l);
		body = str_skip(buf_str(&b), (size_t)str_find_str(buf_str(&b), STR("<Rule>")));
		EXPECT_STR(t[i], body, str_skip(str_c(t[i]), strlen("<LifecycleConfiguration>")));
		buf_done(&b);
	}
}

static struct object
object(const char *key, uint64_t modified_ms, uint64_t size)
{
	return (struct object){ .key = str_c(key), .modified_ms = modified_ms, .size = size };
}

TEST(midnight)
{
	static const struct { uint64_t created, want; unsigned days; } t[] = {
		{ 100 * DAY_MS + 1, 102 * DAY_MS, 1 },
		{ 100 * DAY_MS, 102 * DAY_MS, 1 },
		{ 101 * DAY_MS - 1, 102 * DAY_MS, 1 },
		{ 100 * DAY_MS + 37800000, 104 * DAY_MS, 3 },	/* 10:30, three days: the fourth midnight */
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct object o = object("k", t[i].created, 0);
		struct lifecycle_rule r = { .enabled = true, .expire_days = t[i].days };
		struct lifecycle l = { &r, 1 };
		struct lifecycle_end end = { 0 };

		EXPECT(lifecycle_object(&l, &o, DAY, &end));
		EXPECT_EQ("at", end.at_ms, t[i].want);
		EXPECT(end.rule == &r);
	}
}

TEST(filters)
{
	struct pair tag[] = { { STR("a"), STR("1") }, { STR("b"), STR("2") } }, other[] = { { STR("b"), STR("3") } };
	struct lifecycle_rule r = { .enabled = true, .expire_days = 1 };
	struct lifecycle l = { &r, 1 };
	struct lifecycle_end end;
	struct object o = object("dir/x", 0, 10);

	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	r.prefix = STR("dir/");
	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	r.prefix = STR("dirs");
	EXPECT(!lifecycle_object(&l, &o, DAY, &end));
	r.prefix = STR_NONE;
	r.has_size_above = true;
	r.size_above = 9;
	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	r.size_above = 10;
	EXPECT(!lifecycle_object(&l, &o, DAY, &end));
	r.has_size_above = false;
	r.has_size_below = true;
	r.size_below = 11;
	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	r.size_below = 10;
	EXPECT(!lifecycle_object(&l, &o, DAY, &end));
	r.has_size_below = false;
	r.tags = (struct pairs){ tag, 1 };
	EXPECT(!lifecycle_object(&l, &o, DAY, &end));
	o.tags = (struct pairs){ tag, 2 };
	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	r.tags = (struct pairs){ other, 1 };
	EXPECT(!lifecycle_object(&l, &o, DAY, &end));
	r.tags.n = 0;
	r.enabled = false;
	EXPECT(!lifecycle_object(&l, &o, DAY, &end));
}

TEST(the_first_to_end_wins)
{
	struct lifecycle_rule r[] = {
		{ .enabled = true, .id = STR("ten"), .expire_days = 10 },
		{ .enabled = true, .id = STR("three"), .expire_days = 3 },
		{ .enabled = true, .id = STR("three too"), .expire_days = 3 },
		{ .enabled = false, .id = STR("off"), .expire_days = 1 },
		{ .enabled = true, .id = STR("date"), .expire_at_ms = 20 * DAY_MS },
	};
	struct lifecycle l = { r, COUNT(r) };
	struct object o = object("k", 12 * DAY_MS, 0);
	struct lifecycle_end end;

	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	EXPECT_STR("rule", end.rule->id, STR("three"));
	o.modified_ms = 18 * DAY_MS;
	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	EXPECT_STR("rule", end.rule->id, STR("date"));
	EXPECT_EQ("at", end.at_ms, 20 * DAY_MS);
}

TEST(versions_markers_uploads)
{
	struct lifecycle_rule r = { .enabled = true, .noncurrent_days = 2, .noncurrent_newer = 3, .abort_days = 1, .prefix = STR("k") };
	struct lifecycle l = { &r, 1 };
	struct object o = object("k", 0, 1), marker = object("k", 5 * DAY_MS, 0);
	struct lifecycle_end end;

	marker.delete_marker = true;
	EXPECT(!lifecycle_object(&l, &o, DAY, &end));
	EXPECT(!lifecycle_noncurrent(&l, &o, 10 * DAY_MS, 2, DAY, &end));
	EXPECT(lifecycle_noncurrent(&l, &o, 10 * DAY_MS, 3, DAY, &end));
	EXPECT_EQ("two days after it was replaced", end.at_ms, 13 * DAY_MS);
	EXPECT(lifecycle_noncurrent(&l, &marker, 10 * DAY_MS, 3, DAY, &end));
	EXPECT(!lifecycle_lone_marker(&l, &marker, DAY, &end));
	r.expire_markers = true;
	EXPECT(lifecycle_lone_marker(&l, &marker, DAY, &end));
	EXPECT_EQ("at once", end.at_ms, 5 * DAY_MS);
	r.expire_markers = false;
	r.expire_days = 1;
	EXPECT(lifecycle_lone_marker(&l, &marker, DAY, &end));
	EXPECT_EQ("like an object", end.at_ms, 7 * DAY_MS);
	r.has_size_above = true;
	EXPECT(!lifecycle_lone_marker(&l, &marker, DAY, &end));
	EXPECT(lifecycle_upload(&l, STR("key"), 3 * DAY_MS + 5, DAY, &end));
	EXPECT_EQ("upload", end.at_ms, 5 * DAY_MS);
	EXPECT(!lifecycle_upload(&l, STR("a"), 0, DAY, &end));
}

TEST(far_times)
{
	struct lifecycle_rule r = { .enabled = true, .expire_days = INT32_MAX };
	struct lifecycle l = { &r, 1 };
	struct object o = object("k", UINT64_MAX - 5, 0);
	struct lifecycle_end end;

	EXPECT(lifecycle_object(&l, &o, DAY, &end));
	EXPECT(end.at_ms == UINT64_MAX);
}

TEST(prefixes)
{
	static const struct { const char *in[4], *want; } t[] = {
		{ { "b", "a", "ab" }, "a b " },
		{ { "logs/", "tmp/", "logs/x/" }, "logs/ tmp/ " },
		{ { "a", "" }, " " },
		{ { NULL }, "" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct lifecycle_rule r[5] = { { .prefix = STR("off") } };
		struct lifecycle l = { r, 1 };
		str *p, all = STR("");
		unsigned n;

		for (int j = 0; t[i].in[j] != NULL; j++)
			r[l.n++] = (struct lifecycle_rule){ .enabled = true, .prefix = str_c(t[i].in[j]) };
		lifecycle_prefixes(&l, arena, &p, &n);
		for (unsigned j = 0; j < n; j++)
			all = arena_fmt(arena, "%.*s%.*s ", STR_FMT(all), STR_FMT(p[j]));
		EXPECT_STR(t[i].want, all, str_c(t[i].want));
	}
	arena_free(&arena);
}
