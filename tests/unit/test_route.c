/* route.c: hosts, paths and the operation table. */
#include "test.h"

#include "base/mem.h"
#include "s3/route.h"

/* Only what route_find reads of a head. */
struct given {
	const char *method, *host, *path, *query;
};

static struct http_head head;
static struct arena *arena;

static enum http_method
method_of(const char *name)
{
	static const char *const names[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS" };

	for (unsigned i = 0; i < COUNT(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum http_method)i;
	return HTTP_METHOD_OTHER;
}

/* query: "a&b=1&@header" */
static const struct http_head *
head_of(const struct given *g)
{
	str query = str_c(g->query);

	memset(&head, 0, sizeof(head));
	head.method = method_of(g->method);
	head.method_text = str_c(g->method);
	head.path_raw = str_c(g->path);
	head.header[head.headers++] = (struct http_header){ STR("Host"), str_c(g->host) };
	while (!str_empty(query)) {
		str value = str_take_until(&query, '&'), name;

		if (value.p[0] == '@') {
			head.header[head.headers++] = (struct http_header){ str_skip(value, 1), STR("x") };
			continue;
		}
		name = str_take_until(&value, '=');
		head.query[head.queries++] = (struct http_query){ .name = name, .value = value, .has_value = value.p != NULL };
	}
	return &head;
}

static str domains[] = { { "localhost", 9 }, { "s3.localhost", 12 }, { "s3.example.com", 14 } };
static struct store plain = { .domains = domains, .ndomains = 3 };
static struct store strict = { .domains = domains, .ndomains = 3, .require_virtual_host = true };

TEST(hosts_and_paths)
{
	static const struct {
		struct given g;
		const char *op, *bucket, *key;
		bool virtual_host;
	} rows[] = {
		{ { "GET", "localhost:9000", "/", "" }, "ListBuckets", "", "", false },
		{ { "GET", "s3.localhost", "/", "" }, "ListBuckets", "", "", false },
		{ { "GET", "127.0.0.1:9000", "/b", "" }, "ListObjects", "b", "", false },
		{ { "GET", "[::1]:9000", "/b/", "list-type=2" }, "ListObjectsV2", "b", "", false },
		{ { "GET", "[::1]", "/b/k", "" }, "GetObject", "b", "k", false },
		{ { "GET", "b.localhost:80", "/", "" }, "ListObjects", "b", "", true },
		{ { "GET", "b.s3.localhost", "/k", "" }, "GetObject", "b", "k", true },
		{ { "GET", "B.S3.LocalHost.", "/k/l", "" }, "GetObject", "b", "k/l", true },
		{ { "GET", "a.b.s3.example.com", "/k", "" }, "GetObject", "a.b", "k", true },
		{ { "GET", "s3.example.com", "/b/k", "" }, "GetObject", "b", "k", false },
		{ { "GET", "example.com", "/b/k", "" }, "GetObject", "b", "k", false },
		{ { "GET", "xlocalhost", "/b/k", "" }, "GetObject", "b", "k", false },
		{ { "GET", "1.2.3.4", "/b/k%2Fl%20+%C3%A9", "" }, "GetObject", "b", "k/l +\xc3\xa9", false },
		{ { "GET", "h", "/b//k", "" }, "GetObject", "b", "/k", false },
		{ { "GET", "b.localhost", "//", "" }, "GetObject", "b", "/", true },
		{ { "PUT", "h", "/b", "" }, "CreateBucket", "b", "", false },
		{ { "PUT", "h", "/b", "policy" }, "PutBucketPolicy", "b", "", false },
		{ { "PUT", "h", "/b/k", "@x-amz-copy-source" }, "CopyObject", "b", "k", false },
		{ { "PUT", "h", "/b/k", "x-id=PutObject" }, "PutObject", "b", "k", false },
		{ { "PUT", "h", "/b/k", "uploadId=1&partNumber=2" }, "UploadPart", "b", "k", false },
		{ { "PUT", "h", "/b/k", "uploadId=1&partNumber=2&@X-Amz-Copy-Source" }, "UploadPartCopy", "b", "k", false },
		{ { "PUT", "h", "/b/k", "renameObject" }, "RenameObject", "b", "k", false },
		{ { "POST", "h", "/b/k", "uploads" }, "CreateMultipartUpload", "b", "k", false },
		{ { "POST", "h", "/b", "delete=" }, "DeleteObjects", "b", "", false },
		{ { "DELETE", "h", "/b/k", "versionId=null" }, "DeleteObject", "b", "k", false },
		{ { "HEAD", "h", "/b", "" }, "HeadBucket", "b", "", false },
		{ { "GET", "h", "/b", "website" }, "GetBucketWebsite", "b", "", false },
		{ { "OPTIONS", "h", "/b/k", "" }, "OptionsObject", "b", "k", false },
	};

	arena = arena_new(4096, 1 << 20);
	for (unsigned i = 0; i < COUNT(rows); i++) {
		const char *what = rows[i].g.path;
		struct route r;

		EXPECT_ERR(what, route_find(&plain, head_of(&rows[i].g), arena, &r), 0);
		EXPECT_STR(what, r.op < OP_COUNT ? str_c(operation(r.op)->name) : STR("none"), str_c(rows[i].op));
		EXPECT_STR(what, r.bucket, str_c(rows[i].bucket));
		EXPECT_STR(what, r.key, str_c(rows[i].key));
		EXPECT_EQ(what, r.virtual_host, rows[i].virtual_host);
	}
	arena_free(&arena);
}

TEST(refusals)
{
	static const struct {
		struct given g;
		const struct store *store;
		int code;
	} rows[] = {
		{ { "GET", "h", "b/k", "" }, &plain, S3_InvalidURI },
		{ { "GET", "h", "/b/%zz", "" }, &plain, S3_InvalidURI },
		{ { "GET", "h", "/b/%ff", "" }, &plain, S3_InvalidURI },
		{ { "GET", "h", "//k", "" }, &plain, S3_InvalidURI },
		{ { "DELETE", "h", "/", "" }, &plain, S3_MethodNotAllowed },
		{ { "PATCH", "h", "/b/k", "" }, &plain, S3_MethodNotAllowed },
		{ { "POST", "h", "/b/k", "" }, &plain, S3_MethodNotAllowed },
		{ { "PUT", "h", "/b/k", "partNumber=1" }, &plain, S3_InvalidArgument },
		{ { "PUT", "h", "/b/k", "uploadId=1" }, &plain, S3_InvalidArgument },
		{ { "DELETE", "h", "/b/k", "acl" }, &plain, S3_MethodNotAllowed },
		{ { "DELETE", "h", "/b/k", "versionId=1&legal-hold" }, &plain, S3_MethodNotAllowed },
		{ { "DELETE", "h", "/b/k", "tagging&uploadId=1" }, &plain, S3_MethodNotAllowed },
		{ { "DELETE", "h", "/b/k", "x-id=DeleteObject&whatever=1" }, &plain, 0 },
		{ { "DELETE", "h", "/b", "versioning" }, &plain, S3_MethodNotAllowed },
		{ { "PUT", "h", "/b/k", "torrent" }, &plain, S3_MethodNotAllowed },
		{ { "PUT", "h", "/b", "location" }, &plain, S3_MethodNotAllowed },
		{ { "POST", "h", "/b", "acl" }, &plain, S3_MethodNotAllowed },
		{ { "GET", "h", "/b/k", "uploads" }, &plain, 0 },
		{ { "GET", "1.localhost", "/v20180820/tags/arn:aws:s3:::b", "@x-amz-account-id" }, &strict, 0 },
		{ { "GET", "h", "/v20180820/tags/arn:aws:s3:::b%2Fk", "@x-amz-account-id" }, &plain, S3_NotImplemented },
		{ { "GET", "h", "/v20180820/tags/arn:aws:s3:::", "@x-amz-account-id" }, &plain, S3_NotImplemented },
		{ { "GET", "h", "/v20180820/tags/arn:aws:s3:us:1:accesspoint/b", "@x-amz-account-id" }, &plain, S3_NotImplemented },
		{ { "GET", "h", "/v20180820/accesspoint", "@x-amz-account-id" }, &plain, S3_NotImplemented },
		{ { "PUT", "h", "/v20180820/tags/arn:aws:s3:::b", "@x-amz-account-id" }, &plain, S3_MethodNotAllowed },
		{ { "GET", "localhost", "/", "" }, &strict, 0 },
		{ { "GET", "localhost", "/b/k", "" }, &strict, S3_PathStyleRequestNotAllowed },
		{ { "HEAD", "127.0.0.1", "/b", "" }, &strict, S3_PathStyleRequestNotAllowed },
		{ { "GET", "b.localhost", "/k", "" }, &strict, 0 },
	};

	arena = arena_new(4096, 1 << 20);
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct route r;

		EXPECT_ERR(rows[i].g.path, route_find(rows[i].store, head_of(&rows[i].g), arena, &r), rows[i].code);
	}
	arena_free(&arena);
}

TEST(key_length)
{
	char path[1100];
	struct route r;

	arena = arena_new(4096, 1 << 20);
	for (unsigned len = 1023; len <= 1025; len++) {
		memset(path, 'k', sizeof(path));
		memcpy(path, "/b/", 3);
		path[3 + len] = '\0';
		EXPECT_ERR("length", route_find(&plain, head_of(&(struct given){ "GET", "h", path, "" }), arena, &r),
		    len <= 1024 ? 0 : S3_KeyTooLongError);
	}
	arena_free(&arena);
}

/* Every row can be reached by what its match asks for: none is shadowed by a row above it. */
TEST(every_row_is_reachable)
{
	static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS" };
	static const char *const paths[] = { "/", "/b", "/b/k", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ab" };

	arena = arena_new(4096, 1 << 20);
	for (unsigned i = 0; i < OP_COUNT; i++) {
		const struct operation *op = operation((enum op)i);
		struct given g = { methods[op->method], "h", paths[op->scope], op->scope == OP_CONTROL ? "@x-amz-account-id" : op->match };
		struct route r;

		EXPECT_ERR(op->name, route_find(&plain, head_of(&g), arena, &r), 0);
		EXPECT_EQ(op->name, r.op, i);
	}
	arena_free(&arena);
}
