/* sigv4.c: Amazon's published examples, every way to be refused, the cache of signing keys. */
#include "test.h"

#include "base/mem.h"
#include "base/text.h"
#include "s3/canonical.h"
#include "s3/sigv4.h"

#define KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SCOPE "20130524/us-east-1/s3/aws4_request"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define THEN_MS 1369353600000u		/* 2013-05-24T00:00:00Z */

static struct http_head head;
static struct arena *arena;
static struct signing_cache *cache;
static unsigned lookups;

static err
find(void *ctx, str access_key, str token, struct arena *a, struct principal *ret, struct secret *ret_secret)
{
	static const struct secret secret = { SECRET, sizeof(SECRET) - 1 };

	lookups++;
	if (!str_eq(access_key, STR(KEY)))
		return err_s3(S3_InvalidAccessKeyId);
	if (token.p != NULL)
		return err_s3(S3_InvalidToken);
	*ret = (struct principal){ .name = STR("coreweave/example"), .access_key = access_key };
	*ret_secret = secret;
	return ERR_OK;
}

static const struct sigv4_keys keys = { NULL, find };

static err
check(const char *raw, uint64_t now_ms, struct signature *ret)
{
	const char *why = "incomplete";
	size_t len;

	if (arena == NULL)
		arena = arena_new(4096, 1u << 24);
	if (cache == NULL)
		cache = signing_cache_new();
	if (http_head_parse(str_c(raw), arena, &head, &len, &why) != HTTP_PARSE_DONE) {
		printf("%s: %s\n", why, raw);
		return err_s3(S3_InternalError);
	}
	return sigv4_check(cache, &keys, &head, now_ms, arena, ret);
}

static void
end(void)
{
	signing_cache_free(&cache);
	arena_free(&arena);
}

static str
detail_of(const struct signature *sig, const char *name)
{
	for (unsigned i = 0; i < sig->ndetails; i++)
		if (str_eq(sig->detail[i].name, str_c(name)))
			return sig->detail[i].value;
	return STR_NONE;
}

#define AUTH(signed, signature) \
	"Authorization: AWS4-HMAC-SHA256 Credential=" KEY "/" SCOPE ",SignedHeaders=" signed ",Signature=" signature "\r\n"
#define HOST "Host: examplebucket.s3.amazonaws.com\r\n"
#define STAMP "x-amz-date: 20130524T000000Z\r\n"

/* Amazon S3 API Reference: the examples of the four ways to sign. */
static const struct example { const char *name, *raw; enum payload_mode payload; } examples[] = {
	{ "GET Object",
	  "GET /test.txt HTTP/1.1\r\n" HOST
	  AUTH("host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
	  "Range: bytes=0-9\r\nx-amz-content-sha256: " EMPTY "\r\n" STAMP "\r\n", PAYLOAD_HASH },
	{ "PUT Object, with the Date header",
	  "PUT /test$file.text HTTP/1.1\r\n" HOST "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"
	  AUTH("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") STAMP
	  "x-amz-storage-class: REDUCED_REDUNDANCY\r\n"
	  "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n\r\n", PAYLOAD_HASH },
	{ "GET Bucket Lifecycle",
	  "GET /?lifecycle HTTP/1.1\r\n" HOST
	  AUTH("host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
	  STAMP "x-amz-content-sha256: " EMPTY "\r\n\r\n", PAYLOAD_HASH },
	{ "List Objects, query out of order",
	  "GET /?prefix=J&max-keys=2 HTTP/1.1\r\n" HOST
	  AUTH("host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
	  STAMP "x-amz-content-sha256: " EMPTY "\r\n\r\n", PAYLOAD_HASH },
	{ "presigned GET",
	  "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
	  "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
	  "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\r\n" HOST "\r\n", PAYLOAD_UNSIGNED },
	{ "signed chunks",
	  "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\n" STAMP
	  "x-amz-storage-class: REDUCED_REDUNDANCY\r\n"
	  AUTH("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
	      "x-amz-storage-class", "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
	  "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nContent-Encoding: aws-chunked\r\n"
	  "x-amz-decoded-content-length: 66560\r\nContent-Length: 66824\r\n\r\n", PAYLOAD_CHUNKS },
	{ "signed chunks and trailer",
	  "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\n" STAMP
	  "x-amz-storage-class: REDUCED_REDUNDANCY\r\nx-amz-trailer: x-amz-checksum-crc32c\r\n"
	  AUTH("content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;"
	      "x-amz-trailer", "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
	  "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\r\nContent-Encoding: aws-chunked\r\n"
	  "x-amz-decoded-content-length: 66560\r\nContent-Length: 66824\r\n\r\n", PAYLOAD_CHUNKS_TRAILER },
};

TEST(published_examples)
{
	for (int round = 0; round < 2; round++) {	/* the second finds the signing key in the cache */
		for (size_t i = 0; i < COUNT(examples); i++) {
			struct signature sig;

			EXPECT_ERR(examples[i].name, check(examples[i].raw, THEN_MS + 1000, &sig), 0);
			EXPECT_EQ(examples[i].name, sig.payload, examples[i].payload);
			EXPECT_STR(examples[i].name, sig.who.name, STR("coreweave/example"));
		}
	}
	end();
}

#define GET_WITH(authorization, more) "GET /test.txt HTTP/1.1\r\n" HOST "Authorization: " authorization "\r\n" more "\r\n"
#define SIGNED "host;x-amz-content-sha256;x-amz-date"
#define SIG64 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
#define V4(credential, signed, signature) "AWS4-HMAC-SHA256 Credential=" credential ", SignedHeaders=" signed ", Signature=" signature
#define USUAL STAMP "x-amz-content-sha256: " EMPTY "\r\n"
#define PRESIGNED(query) "GET /test.txt?" query " HTTP/1.1\r\n" HOST "\r\n"
#define QUERY(algorithm, credential, date, expires, signed) "X-Amz-Algorithm=" algorithm "&X-Amz-Credential=" credential \
	"&X-Amz-Date=" date "&X-Amz-Expires=" expires "&X-Amz-SignedHeaders=" signed "&X-Amz-Signature=" SIG64
#define CREDENTIAL KEY "/" SCOPE

static const struct { const char *name, *raw; int code; const char *detail, *value; } refused[] = {
	{ "SigV2", GET_WITH("AWS " KEY ":c2lnbmF0dXJl", ""), S3_InvalidRequest, NULL, NULL },
	{ "SigV4A", GET_WITH("AWS4-ECDSA-P256-SHA256 Credential=x", USUAL), S3_InvalidRequest, NULL, NULL },
	{ "bearer", GET_WITH("Bearer abc", USUAL), S3_InvalidArgument, "ArgumentName", "Authorization" },
	{ "no space", GET_WITH("AWS4-HMAC-SHA256", USUAL), S3_InvalidArgument, "ArgumentName", "Authorization" },
	{ "empty", GET_WITH("", USUAL), S3_InvalidArgument, "ArgumentName", "Authorization" },
	{ "two parts", GET_WITH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",Signature=" SIG64, USUAL),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "short scope", GET_WITH(V4(KEY "/20130524/us-east-1/s3", SIGNED, SIG64), USUAL),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "no region", GET_WITH(V4(KEY "/20130524//s3/aws4_request", SIGNED, SIG64), USUAL),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "other service", GET_WITH(V4(KEY "/20130524/us-east-1/ec2/aws4_request", SIGNED, SIG64), USUAL),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "other terminal", GET_WITH(V4(KEY "/20130524/us-east-1/s3/aws3_request", SIGNED, SIG64), USUAL),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "date not a date", GET_WITH(V4(KEY "/2013-524/us-east-1/s3/aws4_request", SIGNED, SIG64), USUAL),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "other day", GET_WITH(V4(KEY "/20130525/us-east-1/s3/aws4_request", SIGNED, SIG64), USUAL),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "no date", GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), "x-amz-content-sha256: " EMPTY "\r\n"),
	  S3_AccessDenied, NULL, NULL },
	{ "date unreadable", GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), "x-amz-date: yesterday\r\n"), S3_AccessDenied, NULL, NULL },
	{ "no hash", GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), STAMP), S3_InvalidRequest, NULL, NULL },
	{ "hash unreadable", GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), STAMP "x-amz-content-sha256: abc\r\n"),
	  S3_InvalidArgument, "ArgumentValue", "abc" },
	{ "SigV4A chunks", GET_WITH(V4(CREDENTIAL, SIGNED, SIG64),
	  STAMP "x-amz-content-sha256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD\r\n"), S3_NotImplemented, NULL, NULL },
	{ "other key", GET_WITH(V4("NOBODY/" SCOPE, SIGNED, SIG64), USUAL), S3_InvalidAccessKeyId, "AWSAccessKeyId", "NOBODY" },
	{ "token of another", GET_WITH(V4(CREDENTIAL, SIGNED ";x-amz-security-token", SIG64),
	  USUAL "x-amz-security-token: t\r\n"), S3_InvalidToken, NULL, NULL },
	{ "empty token is none", GET_WITH(V4(CREDENTIAL, SIGNED ";x-amz-security-token", SIG64),
	  USUAL "x-amz-security-token:\r\n"), S3_SignatureDoesNotMatch, NULL, NULL },
	{ "host unsigned", GET_WITH(V4(CREDENTIAL, "x-amz-date", SIG64), USUAL), S3_AccessDenied, "HeadersNotSigned", "Host" },
	{ "amz unsigned", GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), USUAL "x-amz-acl: private\r\nX-Amz-Tagging: a=b\r\n"),
	  S3_AccessDenied, "HeadersNotSigned", "x-amz-acl, X-Amz-Tagging" },
	{ "mismatch", GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), USUAL), S3_SignatureDoesNotMatch, "SignatureProvided", SIG64 },
	{ "short signature", GET_WITH(V4(CREDENTIAL, SIGNED, "f0"), USUAL), S3_SignatureDoesNotMatch, "SignatureProvided", "f0" },
	{ "the beginning of the signature", "GET /test.txt HTTP/1.1\r\n" HOST
	  AUTH("host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed31")
	  "Range: bytes=0-9\r\n" USUAL "\r\n", S3_SignatureDoesNotMatch, NULL, NULL },
	{ "a header named for ever", GET_WITH(V4(CREDENTIAL,
	  SIGNED ";range;range;range;range;range;range;range;range;range;range;range", SIG64),
	  USUAL "Range: bytes=0-012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n"),
	  S3_AuthorizationHeaderMalformed, NULL, NULL },
	{ "both", "GET /t?X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1\r\n" HOST AUTH(SIGNED, SIG64) USUAL "\r\n",
	  S3_InvalidArgument, "ArgumentName", "Authorization" },
	{ "SigV2 query", PRESIGNED("AWSAccessKeyId=" KEY "&Signature=x&Expires=1"), S3_InvalidRequest, NULL, NULL },
	{ "query lacks some", PRESIGNED("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20130524T000000Z"),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "query algorithm", PRESIGNED(QUERY("AWS4-HMAC-SHA1", CREDENTIAL, "20130524T000000Z", "9", "host")),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "query credential", PRESIGNED(QUERY("AWS4-HMAC-SHA256", KEY, "20130524T000000Z", "9", "host")),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "query date", PRESIGNED(QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "2013-05-24", "9", "host")),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "query other day", PRESIGNED(QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "20130523T235959Z", "9", "host")),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "expires no number", PRESIGNED(QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "20130524T000000Z", "soon", "host")),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "expires negative", PRESIGNED(QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "20130524T000000Z", "-1", "host")),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "expires in 8 days", PRESIGNED(QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "20130524T000000Z", "604801", "host")),
	  S3_AuthorizationQueryParametersError, NULL, NULL },
	{ "query host unsigned", PRESIGNED(QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "20130524T000000Z", "9", "range")),
	  S3_AccessDenied, "HeadersNotSigned", "Host" },
	{ "query mismatch", PRESIGNED(QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "20130524T000000Z", "604800", "host")),
	  S3_SignatureDoesNotMatch, "AWSAccessKeyId", KEY },
	{ "framing outside the signature",
	  "PUT /t?" QUERY("AWS4-HMAC-SHA256", CREDENTIAL, "20130524T000000Z", "9", "host") " HTTP/1.1\r\n" HOST
	  "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n\r\n",
	  S3_AccessDenied, "HeadersNotSigned", "x-amz-content-sha256" },
	{ "signed chunks by nobody", "PUT /t HTTP/1.1\r\n" HOST
	  "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n\r\n", S3_AccessDenied, NULL, NULL },
};

TEST(refusals)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct signature sig;

		EXPECT_ERR(refused[i].name, check(refused[i].raw, THEN_MS + 1000, &sig), refused[i].code);
		EXPECT_EQ(refused[i].name, sig.who.anonymous, true);
		if (refused[i].detail != NULL)
			EXPECT_STR(refused[i].name, detail_of(&sig, refused[i].detail), str_c(refused[i].value));
	}
	end();
}

/* Canonical request and string to sign come back to the one who got them wrong, as text and as bytes. */
TEST(a_mismatch_shows_what_was_signed)
{
	struct signature sig;

	EXPECT_ERR("mismatch", check(GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), USUAL), THEN_MS, &sig), S3_SignatureDoesNotMatch);
	EXPECT_STR("request", detail_of(&sig, "CanonicalRequest"), STR("GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\n"
	    "x-amz-content-sha256:" EMPTY "\nx-amz-date:20130524T000000Z\n\n" SIGNED "\n" EMPTY));
	EXPECT_STR("bytes", str_sub(detail_of(&sig, "CanonicalRequestBytes"), 0, 14), STR("47 45 54 0a 2f"));
	EXPECT_STR("text", str_sub(detail_of(&sig, "StringToSign"), 0, 69),
	    STR("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"));
	EXPECT_STR("bytes", str_sub(detail_of(&sig, "StringToSignBytes"), 0, 14), STR("41 57 53 34 2d"));
	end();
}

TEST(times)
{
	static const struct { size_t example; int64_t after_s; int code; const char *detail; } rows[] = {
		{ 0, 900, S3_OK, NULL }, { 0, -900, S3_OK, NULL },
		{ 0, 901, S3_RequestTimeTooSkewed, "MaxAllowedSkewMilliseconds" },
		{ 0, -901, S3_RequestTimeTooSkewed, "ServerTime" },
		{ 1, 901, S3_RequestTimeTooSkewed, "RequestTime" },
		{ 4, 86400, S3_OK, NULL }, { 4, 86401, S3_AccessDenied, "Expires" }, { 4, 86401, S3_AccessDenied, "X-Amz-Expires" },
		{ 4, -900, S3_OK, NULL }, { 4, -901, S3_AccessDenied, "X-Amz-Date" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct example *x = &examples[rows[i].example];
		struct signature sig;

		EXPECT_ERR(x->name, check(x->raw, (uint64_t)((int64_t)THEN_MS + rows[i].after_s * 1000), &sig), rows[i].code);
		if (rows[i].detail != NULL)
			EXPECT(detail_of(&sig, rows[i].detail).len > 0);
	}
	end();
}

TEST(anonymous)
{
	struct signature sig;

	EXPECT_OK(check("GET /b/k HTTP/1.1\r\n" HOST "\r\n", 0, &sig));
	EXPECT(sig.who.anonymous && sig.payload == PAYLOAD_UNSIGNED);
	EXPECT_OK(check("PUT /b/k HTTP/1.1\r\n" HOST "x-amz-content-sha256: " EMPTY "\r\n\r\n", 0, &sig));
	EXPECT(sig.who.anonymous && sig.payload == PAYLOAD_HASH);
	EXPECT_OK(check("PUT /b/k HTTP/1.1\r\n" HOST "x-amz-trailer: x-amz-checksum-crc32\r\n"
	    "x-amz-decoded-content-length: 3\r\n\r\n", 0, &sig));
	EXPECT(sig.who.anonymous && sig.payload == PAYLOAD_UNSIGNED_TRAILER);
	end();
}

/* Keys of signatures that did not match never get in, nor is a key found for another secret. */
TEST(signing_keys_are_cached)
{
	struct signing_name name = { STR(KEY), STR(SECRET), STR("20130524"), STR("us-east-1") };
	uint8_t key[32], want[32];
	struct signature sig;

	EXPECT_ERR("mismatch", check(GET_WITH(V4(CREDENTIAL, SIGNED, SIG64), USUAL), THEN_MS, &sig), S3_SignatureDoesNotMatch);
	EXPECT(!signing_cache_get(cache, &name, key));
	EXPECT_OK(check(examples[0].raw, THEN_MS, &sig));
	REQUIRE(signing_cache_get(cache, &name, key));
	sigv4_key(name.secret, name.date, name.region, want);
	EXPECT(memcmp(key, want, sizeof(key)) == 0);
	name.secret = STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ");
	EXPECT(!signing_cache_get(cache, &name, key));
	for (unsigned i = 0; i < 200; i++) {		/* a tenth of its room: none is pushed out */
		name.region = arena_fmt(arena, "s%u", i);
		signing_cache_put(cache, &name, want);
	}
	for (unsigned i = 0; i < 200; i++) {
		name.region = arena_fmt(arena, "s%u", i);
		EXPECT(signing_cache_get(cache, &name, key));
	}
	for (unsigned i = 0; i < 100000; i++) {		/* bounded: it forgets */
		name.region = arena_fmt(arena, "r%u", i);
		signing_cache_put(cache, &name, want);
		EXPECT(signing_cache_get(cache, &name, key));
	}
	name.region = STR("a-region-with-a-name-longer-than-any-real-one");
	signing_cache_put(cache, &name, want);
	EXPECT(!signing_cache_get(cache, &name, key));
	end();
}

/* Whether a client escapes more or less than it should, it may sign what is meant or what it sent. */
TEST(canonical_forms)
{
	static char semicolons[HTTP_HEADERS_MAX];	/* one name more than a head can have */
	static const struct { const char *target; const char *encoded, *sent; } rows[] = {
		{ "/", "/\n", "/\n" },
		{ "/b//a/../c", "/b//a/../c\n", "/b//a/../c\n" },
		{ "/b/%7e~%2f(!)*'+", "/b/~~/%28%21%29%2A%27%2B\n", "/b/%7e~%2f(!)*'+\n" },
		{ "/b/%C3%A9%zz%", "/b/%C3%A9%25zz%25\n", "/b/%C3%A9%zz%\n" },
		{ "/b?b=2&a=%2f&a=%20&a&acl", "/b\na=&a=%20&a=%2F&acl=&b=2", "/b\na=&a=%20&a=%2f&acl=&b=2" },
		{ "/b?a=x+y&A=1&a-=2&a%21=3", "/b\nA=1&a=x%20y&a%21=3&a-=2", "/b\nA=1&a=x+y&a%21=3&a-=2" },
		{ "/b?=v&&x==", "/b\n=v&x=%3D", "/b\n=v&x==" },
	};

	memset(semicolons, ';', sizeof(semicolons));
	for (size_t i = 0; i < COUNT(rows); i++) {
		char raw[512];
		struct signature sig;
		str got;

		snprintf(raw, sizeof(raw), "GET %s HTTP/1.1\r\nHost: h\r\nX-B:  a   b\t c \r\nx-b: d\r\n\r\n", rows[i].target);
		EXPECT_OK(check(raw, 0, &sig));
		REQUIRE(canonical_request(CANONICAL_ENCODED, &head, STR("host;x-absent;x-b"), STR("P"), arena, &got));
		EXPECT_STR(rows[i].target, str_sub(str_skip(got, 4), 0, strlen(rows[i].encoded)), str_c(rows[i].encoded));
		EXPECT(str_ends(got, STR("\nhost:h\nx-absent:\nx-b:a b c,d\n\nhost;x-absent;x-b\nP")));
		REQUIRE(canonical_request(CANONICAL_AS_SENT, &head, STR("host"), STR("P"), arena, &got));
		EXPECT_STR(rows[i].target, str_sub(str_skip(got, 4), 0, strlen(rows[i].sent)), str_c(rows[i].sent));
		EXPECT(!canonical_request(CANONICAL_AS_SENT, &head, str_n(semicolons, sizeof(semicolons)), STR("P"), arena, &got));
	}
	end();
}

TEST(headers_in_the_query)
{
	struct signature sig;

	EXPECT_ERR("as sent", check("PUT /b/k?X-Amz-Signature=1&X-Amz-Date=2&x-amz-tagging=a%3Db&X-Amz-Meta-M=v&x-amz-acl=public&x-id=P "
	    "HTTP/1.1\r\nHost: h\r\nx-amz-acl: private\r\n\r\n", 0, &sig), S3_AuthorizationQueryParametersError);
	sigv4_hoisted(&head);
	sigv4_hoisted(&head);
	EXPECT_EQ("once each", head.headers, 4);
	EXPECT_STR("tagging", http_header(&head, STR("x-amz-tagging")), STR("a=b"));
	EXPECT_STR("metadata", http_header(&head, STR("x-amz-meta-m")), STR("v"));
	EXPECT_STR("the header wins", http_header(&head, STR("x-amz-acl")), STR("private"));
	EXPECT(!http_header_has(&head, STR("x-amz-date")));
	EXPECT_STR("not signed by the query: it says otherwise", canonical_unsigned(&head, STR("host"), arena), STR("x-amz-acl"));
	EXPECT_OK(check("PUT /b/k?x-amz-tagging=a HTTP/1.1\r\nHost: h\r\n\r\n", 0, &sig));
	sigv4_hoisted(&head);
	EXPECT_EQ("only where it is presigned", head.headers, 1);
	end();
}
