/*
 * test_form.c - form bodies however they are cut, and policies of forms.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "s3/form_data.h"
#include "s3/form_policy.h"
#include "test.h"

/* A source that gives at most step bytes at a time. */
struct drip { str rest; size_t step; };

static err
drip_read(void *ctx, void *p, size_t max, size_t *ret_len)
{
	struct drip *d = ctx;
	size_t n = d->step < max ? d->step : max;
	str piece = str_sub(d->rest, 0, n);

	if (piece.len > 0)
		memcpy(p, piece.p, piece.len);
	d->rest = str_skip(d->rest, piece.len);
	*ret_len = piece.len;
	return ERR_OK;
}

static struct form_data *
open_drip(struct drip *d, const char *boundary)
{
	return form_data_open((struct byte_source){ d, drip_read, UINT64_MAX }, str_c(boundary));
}

TEST(form_boundary)
{
	static const struct { const char *type; bool good; const char *boundary; } cases[] = {
		{ "multipart/form-data; boundary=abc", true, "abc" },
		{ "Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"", true, "a b" },
		{ "multipart/form-data", false, "" },
		{ "multipart/form-data; boundary=", false, "" },
		{ "text/plain; boundary=abc", false, "" },
		{ "", false, "" },
		{ "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890", false, "" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		str got = STR("");

		EXPECT_EQ(cases[i].type, form_data_boundary(str_c(cases[i].type), &got), cases[i].good);
		if (cases[i].good)
			EXPECT_STR(cases[i].type, got, str_c(cases[i].boundary));
	}
}

/* However the bytes arrive, the fields are the same; content may look almost like a delimiter. */
TEST(form_fields_in_drips)
{
	static const str body = STR("preamble\r\n--b\r\nContent-Disposition: form-data; name=\"one\"\r\n\r\n1\r\n--\r\n--x\r\n"
	    "--b\r\ncontent-disposition:form-data;name=two;filename=\"C:\\x\\\"y\\\".txt\"\r\nContent-Type: text/plain\r\n\r\n"
	    "\r\n--b\r\nContent-Disposition: form-data; name=\"three\"\r\n\r\n\r\n-b\r\n--b--\r\nepilogue");

	for (size_t step = 1; step <= body.len; step++) {
		AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
		struct drip d = { body, step };
		AUTO(form_data_close) struct form_data *f = open_drip(&d, "b");
		struct form_field field;
		bool more, fits;
		str value;

		EXPECT_OK(form_data_next(f, a, &field, &more));
		REQUIRE(more);
		EXPECT_STR("one", field.name, STR("one"));
		EXPECT_OK(form_data_value(f, a, 100, &value, &fits));
		EXPECT_STR("value", value, STR("1\r\n--\r\n--x"));
		EXPECT(fits);
		EXPECT_OK(form_data_next(f, a, &field, &more));
		EXPECT_STR("two", field.name, STR("two"));
		EXPECT(field.has_filename);
		EXPECT_STR("file", field.filename, STR("C:\\x\"y\".txt"));
		EXPECT_OK(form_data_value(f, a, 100, &value, &fits));
		EXPECT_STR("empty", value, STR(""));
		EXPECT_OK(form_data_next(f, a, &field, &more));
		EXPECT_OK(form_data_value(f, a, 3, &value, &fits));
		EXPECT(!fits);
		EXPECT_OK(form_data_next(f, a, &field, &more));
		EXPECT(!more);
	}
}

TEST(form_broken)
{
	static const char *const cases[] = {
		"", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nnever ends",
		"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", "--b\r\n\r\n\r\nx\r\n--b--",
		"--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--", "--c--\r\n",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO(arena_free) struct arena *a = arena_new(4096, 1 << 20);
		struct drip d = { str_c(cases[i]), 7 };
		AUTO(form_data_close) struct form_data *f = open_drip(&d, "b");
		struct form_field field;
		bool more = true;
		err_v e = ERR_OK;

		while (err_ok(e) && more)
			e = form_data_next(f, a, &field, &more);
		EXPECT_ERR(cases[i], e, S3_MalformedPOSTRequest);
	}
}

#define EXPIRES "\"expiration\": \"2026-11-25T00:00:00.000Z\", "
#define OF_BUCKET "[\"starts-with\", \"$bucket\", \"\"]"
#define ALL_OF(list) "{" EXPIRES "\"conditions\": [" list "," OF_BUCKET "]}"
#define ANY_TYPE "[\"starts-with\", \"$content-type\", \"\"]"

TEST(form_policy)
{
	static struct pair fields[] = { { STR("key"), STR("user/eric/x") }, { STR("content-type"), STR("image/a, image/b") },
	    { STR("x-ignore-me"), STR("1") }, { STR("bucket"), STR("c") } };		/* the bucket is b, whatever a field says */
	static const struct { const char *json; int want; } cases[] = {
		{ ALL_OF("[\"starts-with\", \"$key\", \"user/\"], [\"starts-with\", \"$Content-Type\", \"image/\"]"), 0 },
		{ ALL_OF("[\"eq\", \"$key\", \"user/eric/x\"], {\"content-type\": \"image/a, image/b\"}"), 0 },
		{ ALL_OF("[\"EQ\", \"$key\", \"user/eric/x\"], " ANY_TYPE ", {\"bucket\": \"b\"}"), 0 },
		{ ALL_OF("[\"eq\", \"$key\", \"user/eric/x\"], " ANY_TYPE ", {\"bucket\": \"c\"}"),
		    S3_AccessDenied },
		{ ALL_OF("[\"starts-with\", \"$key\", \"user/\"]"), S3_AccessDenied },
		{ "{" EXPIRES "\"conditions\": [[\"starts-with\", \"$key\", \"user/\"], " ANY_TYPE "]}", S3_AccessDenied },
		{ ALL_OF("[\"eq\", \"$key\", \"user/\"], " ANY_TYPE), S3_AccessDenied },
		{ ALL_OF("[\"starts-with\", \"$key\", \"\"], [\"starts-with\", \"$content-type\", \"image/a\"]"),
		    S3_AccessDenied },
		{ ALL_OF("{\"key\": \"user/eric/x\", \"content-type\": \"image/a, image/b\", \"absent\": \"x\"}"),
		    S3_AccessDenied },
		{ "{\"expiration\": \"2026-11-23T23:59:59Z\", \"conditions\": []}", S3_AccessDenied },
		{ ALL_OF("[\"like\", \"$key\", \"\"]"), S3_InvalidPolicyDocument },
		{ ALL_OF("[\"eq\", \"key\", \"\"]"), S3_InvalidPolicyDocument },
		{ ALL_OF("[\"content-length-range\", 5, 1]"), S3_InvalidPolicyDocument },
		{ ALL_OF("[\"content-length-range\", -5, 1]"), S3_InvalidPolicyDocument },
		{ ALL_OF("7"), S3_InvalidPolicyDocument },
		{ ALL_OF("{\"key\": 7}"), S3_InvalidPolicyDocument },
		{ "{" EXPIRES "\"conditions\": {}}", S3_InvalidPolicyDocument },
		{ "{\"conditions\": []}", S3_InvalidPolicyDocument },
		{ "{\"expiration\": \"soon\", \"conditions\": []}", S3_InvalidPolicyDocument },
		{ "[]", S3_InvalidPolicyDocument }, { "", S3_InvalidPolicyDocument }, { "{", S3_InvalidPolicyDocument },
	};
	static const uint64_t now_ms = 1795478400000;	/* 2026-11-24 */

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct form_limits limits;

		EXPECT_ERR(cases[i].json, form_policy_check(str_c(cases[i].json), STR("b"), (struct pairs){ fields, COUNT(fields) }, now_ms,
		    &limits), cases[i].want);
	}
}

TEST(form_policy_sizes)
{
	struct form_limits limits = { 7, 7 };

	EXPECT_OK(form_policy_check(STR(ALL_OF("[\"content-length-range\", 1, 100], [\"content-length-range\", \"10\", 50]")), STR("b"),
	    (struct pairs){ 0 }, 0, &limits));
	EXPECT_EQ("the tightest counts", limits.size_min, 10);
	EXPECT_EQ("the tightest counts", limits.size_max, 50);
	EXPECT_OK(form_policy_check(STR(ALL_OF("{}")), STR("b"), (struct pairs){ 0 }, 0, &limits));
	EXPECT_EQ("no limit", limits.size_max, UINT64_MAX);
}

/* What the head of a field costs is bounded by its length, however many parameters it has; and its length is, even if all comes at once. */
TEST(form_heads_of_many_parameters)
{
	static const struct { unsigned parameters; int want; } cases[] = {
		{ 780, 0 }, { 900, S3_MalformedPOSTRequest }, { 10000, S3_MalformedPOSTRequest },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		AUTO(arena_free) struct arena *a = arena_new(4096, 256u << 10);
		AUTO(buf_done) struct buf body;
		AUTO(form_data_close) struct form_data *f = NULL;
		struct drip d = { .step = SIZE_MAX };
		struct form_field field = { 0 };
		bool more = false;

		buf_init(&body, 1u << 20);
		buf_add_c(&body, "--b\r\nContent-Disposition: form-data; name=\"n\"");
		for (unsigned k = 0; k < cases[i].parameters; k++)
			buf_add_c(&body, ";a=\"\"");
		buf_add_c(&body, "\r\n\r\nvalue\r\n--b--\r\n");
		d.rest = buf_str(&body);
		f = open_drip(&d, "b");
		EXPECT_ERR("parameters", form_data_next(f, a, &field, &more), cases[i].want);
		if (cases[i].want == 0)
			EXPECT_STR("name", field.name, STR("n"));
	}
}
