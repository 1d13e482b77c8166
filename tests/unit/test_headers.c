/* Content headers, metadata, tags, and what is refused. */
#include "test.h"

#include "base/arena.h"
#include "s3/headers.h"

static struct http_head *
head_of(struct arena *a, const char *lines)
{
	struct http_head *h = ARENA_NEW(a, struct http_head);
	str rest = str_c(lines);

	while (rest.p != NULL && rest.len > 0) {
		str line = str_take_until(&rest, '\n');
		str name = str_take_until(&line, ':');

		h->header[h->headers++] = (struct http_header){ name, str_trim(line) };
	}
	return h;
}

TEST(content)
{
	struct arena *a = arena_new(4096, 1 << 20);
	struct object_headers o;

	EXPECT_OK(headers_read(head_of(a, ""), a, &o));
	EXPECT_STR("default", pairs_get(o.headers, STR("Content-Type")), STR("binary/octet-stream"));
	EXPECT_EQ("only that", o.headers.n, 1);
	EXPECT_EQ("class", o.class, CLASS_STANDARD);
	EXPECT_OK(headers_read(head_of(a, "content-type: text/plain\nContent-Encoding: aws-chunked, gzip\n"
	    "expires: Wed, 21 Oct 2026 07:28:00 GMT\nx-amz-storage-class: STANDARD_IA"), a, &o));
	EXPECT_STR("type", pairs_get(o.headers, STR("Content-Type")), STR("text/plain"));
	EXPECT_STR("encoding", pairs_get(o.headers, STR("Content-Encoding")), STR("gzip"));
	EXPECT_STR("expires", pairs_get(o.headers, STR("Expires")), STR("Wed, 21 Oct 2026 07:28:00 GMT"));
	EXPECT_EQ("class", o.class, CLASS_STANDARD_IA);
	EXPECT_OK(headers_read(head_of(a, "Content-Encoding: aws-chunked"), a, &o));
	EXPECT(pairs_get(o.headers, STR("Content-Encoding")).p == NULL);
	EXPECT_ERR("class", headers_read(head_of(a, "x-amz-storage-class: GLACIER"), a, &o), S3_InvalidStorageClass);
	arena_free(&a);
}

TEST(refused)
{
	static const struct { const char *head; int code; } cases[] = {
		{ "x-amz-acl: private", 0 }, { "x-amz-acl: bucket-owner-full-control", 0 },
		{ "x-amz-acl: public-read", S3_AccessControlListNotSupported },
		{ "x-amz-grant-read: id=x", S3_AccessControlListNotSupported },
		{ "x-amz-server-side-encryption: AES256", S3_NotImplemented },
		{ "x-amz-server-side-encryption: aws:kms", S3_NotImplemented },
		{ "x-amz-object-lock-mode: GOVERNANCE", S3_NotImplemented },
		{ "x-amz-object-lock-legal-hold: ON", S3_NotImplemented },
		{ "x-amz-write-offset-bytes: 3", S3_NotImplemented },
		{ "x-amz-server-side-encryption-customer-algorithm: AES256", 0 },
	};
	struct arena *a = arena_new(4096, 1 << 20);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EXPECT_ERR(cases[i].head, headers_refuse(head_of(a, cases[i].head)), cases[i].code);
	arena_free(&a);
}

TEST(metadata_values)
{
	static const struct { const char *in, *stored, *out; } cases[] = {
		{ "plain", "plain", "plain" },
		{ "", "", "" },
		{ "a=?b", "a=?b", "a=?b" },
		{ "\xC3\xA4", "\xC3\xA4", "=?UTF-8?B?w6Q=?=" },
		{ "\xE4", "\xC3\xA4", "=?UTF-8?B?w6Q=?=" },
		{ "=?UTF-8?B?w6Q=?=", "\xC3\xA4", "=?UTF-8?B?w6Q=?=" },
		{ "=?utf-8?q?=C3=A4_x?=", "\xC3\xA4 x", "=?UTF-8?B?w6QgeA==?=" },
		{ "=?ISO-8859-1?Q?=E4?=", "\xC3\xA4", "=?UTF-8?B?w6Q=?=" },
		{ "=?UTF-8?B?aGVs?= =?UTF-8?B?bG8=?=", "hello", "hello" },
		{ "=?UTF-8?B?aGVs?= lo", "hel lo", "hel lo" },
		{ "=?UTF-8?B?!!?=", "=?UTF-8?B?!!?=", "=?UTF-8?B?!!?=" },
		{ "=?UTF-16?B?aGVs?=", "=?UTF-16?B?aGVs?=", "=?UTF-16?B?aGVs?=" },
		{ "=?UTF-8?B?DQo=?=", "\r\n", "=?UTF-8?B?DQo=?=" },
	};
	struct arena *a = arena_new(4096, 1 << 20);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		str stored = metadata_decode(a, str_c(cases[i].in));

		EXPECT_STR(cases[i].in, stored, str_c(cases[i].stored));
		EXPECT_STR(cases[i].in, metadata_encode(a, stored), str_c(cases[i].out));
	}
	arena_free(&a);
}

TEST(metadata_limit)
{
	struct arena *a = arena_new(4096, 1 << 20);
	char line[3000];
	struct pairs p;

	snprintf(line, sizeof(line), "x-amz-meta-abcd: %0*d", 2044, 1);
	EXPECT_OK(headers_metadata(head_of(a, line), a, &p));
	EXPECT_EQ("one", p.n, 1);
	snprintf(line, sizeof(line), "x-amz-meta-abcd: %0*d", 2045, 1);
	EXPECT_ERR("too large", headers_metadata(head_of(a, line), a, &p), S3_MetadataTooLarge);
	EXPECT_OK(headers_metadata(head_of(a, "X-Amz-Meta-A: 1\nx-amz-meta-a: 2\nx-amz-meta-B: 3"), a, &p));
	EXPECT_EQ("joined", p.n, 2);
	EXPECT_STR("a", pairs_get(p, STR("a")), STR("1,2"));
	EXPECT_STR("b", pairs_get(p, STR("b")), STR("3"));
	arena_free(&a);
}

TEST(tagging)
{
	static const struct { const char *value; int code; unsigned n; } cases[] = {
		{ "", 0, 0 }, { "a=1", 0, 1 }, { "a=1&b=2", 0, 2 }, { "a", 0, 1 }, { "a=", 0, 1 },
		{ "a=1&a=2", S3_InvalidArgument, 0 }, { "=1", S3_InvalidArgument, 0 }, { "a=%zz", S3_InvalidArgument, 0 },
		{ "a=b%26c", S3_InvalidTag, 0 }, { "k%20x=%C3%A9", 0, 1 }, { "aws:x=1", S3_InvalidTag, 0 },
		{ "0&1&2&3&4&5&6&7&8&9", 0, 10 }, { "0&1&2&3&4&5&6&7&8&9&10", S3_BadRequest, 0 },
	};
	struct arena *a = arena_new(4096, 1 << 20);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pairs p = { 0 };
		str line = arena_fmt(a, "x-amz-tagging: %s", cases[i].value);

		EXPECT_ERR(cases[i].value, headers_tagging(head_of(a, line.p), a, &p), cases[i].code);
		EXPECT_EQ(cases[i].value, p.n, cases[i].n);
	}
	arena_free(&a);
}
