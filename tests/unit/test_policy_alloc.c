/*
 * test_policy_alloc.c - a question to the policies allocates nothing.
 *
 * Every allocation of the program is counted, those of the C library among them: by the sanitizer's hooks where there is one, else by
 * functions that take the place of the C library's. The question goes through organization policies and a bucket policy
 * which together use every operator with every key.
 */
#include "access/admin.h"
#include "access/policy.h"
#include "base/buf.h"
#include "base/mem.h"
#include "http/head.h"
#include "test.h"

static _Thread_local unsigned long allocations;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

#ifdef SANITIZED
/* Of every sanitizer's run time; the header that declares it does not come with every compiler. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t), void (*on_free)(const volatile void *));

static void
on_malloc(const volatile void *p, size_t n)
{
	allocations++;
}

static void
on_free(const volatile void *p)
{
}

__attribute__((constructor)) static void
count_begin(void)
{
	if (__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0)
		printf("no hooks\n");
}
#else
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *
malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	allocations++;
	return __libc_memalign(align, n);
}
#endif

/* ---- the questions ---- */

static struct http_head *
head_of(const char *text, struct arena *mem)
{
	struct http_head *h = ARENA_NEW(mem, struct http_head);
	const char *why;
	size_t len;

	if (http_head_parse(str_c(text), mem, h, &len, &why) != HTTP_PARSE_DONE)
		TEST_FAIL("%s", why);
	return h;
}

static const struct pair names[] = { { STR("a"), STR("1") }, { STR("b"), STR("") } };
static const struct pairs pairs = { (struct pair *)names, 2 };

static struct principal
asker(str org)
{
	return (struct principal){ .org = org, .name = STR("coreweave/u"), .access_key = STR("CWU"), .groups = pairs,
		.signed_how = SIGNED_QUERY, .signed_s = 1764000000 };
}

static struct access_question
question(const char *action, const struct principal *who, struct arena *mem)
{
	return (struct access_question){ .who = who, .action = str_c(action), .source_ip = STR("2001:db8::1"), .version_id = STR("v"),
		.copy_source = STR("src/k"), .existing_tags = &pairs, .request_tags = &pairs, .key = STR("dir/a key"),
		.head = head_of("PUT /b/k?prefix=a&delimiter=/&max-keys=10 HTTP/1.1\r\nHost: b\r\nReferer: a\r\nUser-Agent: a\r\n"
		    "If-Match: a\r\nIf-None-Match: *\r\nx-amz-acl: a\r\nx-amz-storage-class: a\r\nx-amz-metadata-directive: a\r\n"
		    "x-amz-content-sha256: a\r\nx-amz-server-side-encryption-customer-algorithm: a\r\n\r\n", mem) };
}

/* Every operator on every key. */
TEST(conditions_allocate_nothing)
{
	static const struct { const char *name, *value; } operators[] = {
#define VALUE_STRING "*a?*"
#define VALUE_NUMBER "7.5e3"
#define VALUE_DATE "2026-01-01T00:00:00.000Z"
#define VALUE_BOOL "true"
#define VALUE_IP "2001:db8::/33"
#define VALUE_NOTHING "true"
#define CONDITION_OP(name, type, test, negated) { #name, VALUE_##type },
#include "tbl/condition_ops.h"
#undef CONDITION_OP
	};
	static const char *const keys[] = {
#define CONDITION_KEY(id, name, meaning) name,
#include "tbl/condition_keys.h"
#undef CONDITION_KEY
	};
	AUTO(arena_free) struct arena *mem = arena_new(1 << 16, 8 << 20);
	struct principal who = asker(STR("ab1cd2"));

	for (size_t i = 0; i < COUNT(operators) * COUNT(keys); i++) {
		const char *op = operators[i / COUNT(keys)].name, *key = keys[i % COUNT(keys)];
		const char *tag = key[strlen(key) - 1] == '/' ? "a" : "";
		str json = arena_fmt(mem, "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\","
		    "\"Condition\":{\"%s\":{\"%s%s\":[\"%s\"]}}}}", op, strcmp(key, "iam:ORG:groups") == 0 ? "iam:ab1cd2:groups" : key, tag,
		    operators[i / COUNT(keys)].value);
		AUTO(policy_free) struct policy *p = NULL;
		struct access_question q = question(i % 2 ? "s3:PutObject" : "s3:ListBucket", &who, mem);
		struct ask ask = { .question = &q, .action = action_find(q.action), .resource = STR("b/dir/a key"),
			.now_ms = 1764000000000ull };
		const struct statement *s;
		unsigned long before;

		EXPECT_ERR(json.p, policy_compile_bucket(STR("b"), json, &p), 0);
		REQUIRE(p != NULL);
		before = allocations;
		(void)policy_ask(p, &ask, &s);
		EXPECT_EQ(json.p, allocations - before, 0);
		arena_reset(mem);
	}
	EXPECT(allocations > 0);		/* the compiler's: so they are counted */
}

/* ---- the whole way ---- */

static err
save_nothing(void *ctx, const struct first_start *f)
{
	return ERR_OK;
}

#define STATEMENT "{\"Sid\":\"s\",\"Effect\":\"%s\",\"NotAction\":\"s3:Put*\",\"Resource\":\"arn:aws:s3:::bbb/*a*k?y\"," \
	"\"Principal\":{\"CW\":[\"arn:aws:iam::%.*s:coreweave/%s\",\"arn:aws:iam:::user/CWU\"]},\"Condition\":{" \
	"\"NotIpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"},\"DateLessThan\":{\"aws:CurrentTime\":\"2999-01-01T00:00:00Z\"}}}"

/* Ten organization policies, and one of a bucket: of the organization and of a stranger, allowed and denied. */
TEST(access_check_allocates_nothing)
{
	static const char *const effects[] = { "Allow", "Deny" };
	AUTO(arena_free) struct arena *mem = arena_new(1 << 16, 8 << 20);
	struct catalog *catalog;
	struct access *access;
	struct first_start first;
	struct bucket b;
	struct kv *kv;
	str name;

	EXPECT_OK(kv_open(STR("memory:"), &(struct kv_options){ 0 }, &kv));
	EXPECT_OK(catalog_open(kv, &catalog));
	EXPECT_OK(access_open(kv, catalog, (const uint8_t[32]){ 1 }, &access));
	EXPECT_OK(access_first_start(access, save_nothing, NULL, mem, &first));
	for (int i = 0; i < 10; i++)
		EXPECT_OK(access_policy_ensure(access, first.org.id, arena_fmt(mem, "{\"version\":\"v1alpha1\",\"name\":\"p%d\","
		    "\"statements\":[{\"name\":\"s\",\"effect\":\"Allow\",\"actions\":[\"s3:*\"],\"resources\":[\"b*\"],"
		    "\"principals\":[\"coreweave/u\"]}]}", i), mem, &name));
	EXPECT_OK(catalog_bucket_create(catalog, &(struct bucket_new){ .name = STR("bbb"), .org = first.org.id, .location = STR("x"),
	    .creator = STR("c"), .limit = 10 }));
	for (size_t i = 0; i < 4; i++) {
		struct principal who = asker(i < 2 ? first.org.id : STR("ffffff"));
		struct access_question q = question("s3:GetObject", &who, mem);
		unsigned long before;
		str why;
		err_v e;

		EXPECT_OK(catalog_bucket(catalog, STR("bbb"), KV_MAY_BLOCK, mem, &b));
		EXPECT_OK(catalog_config_set(catalog, &b, CONFIG_POLICY, arena_fmt(mem, "{\"Statement\":[" STATEMENT "," STATEMENT "]}",
		    "Allow", STR_FMT(first.org.id), "x*", effects[i % 2], STR_FMT(first.org.id), "u")));
		EXPECT_OK(catalog_bucket(catalog, STR("bbb"), KV_MAY_BLOCK, mem, &b));
		q.target = &b;
		e = access_check(access, &q, &why);		/* compiles it */
		EXPECT_EQ("who", err_ok(e), i == 0);
		before = allocations;
		EXPECT_ERR("again", access_check(access, &q, &why), e.code);
		EXPECT_EQ("allocations", allocations - before, 0);
	}
	access_close(&access);
	catalog_close(&catalog);
	kv_close(&kv);
}
