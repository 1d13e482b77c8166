/*
 * route.c - from a request head to a bucket, a key and a row of tbl/operations.h.
 *
 * A host below one of our endpoint domains names the bucket; any other host (an endpoint domain itself, an IP address,
 * a name that we do not know) leaves bucket and key to the path. The key is decoded exactly once, here.
 */
#include "s3/route.h"

#include <arpa/inet.h>

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define KEY_MAX 1024u
#define HOST_MAX 255u

#define SERVICE OP_SERVICE
#define BUCKET OP_BUCKET
#define OBJECT OP_OBJECT
#define CONTROL OP_CONTROL
static const struct operation operations[] = {
#define OPERATION(name, method, scope, match, permissions, source, class, handler) \
	{ #name, HTTP_##method, scope, match, permissions, source, OP_##class },
#include "tbl/operations.h"
#undef OPERATION
};
#undef SERVICE
#undef BUCKET
#undef OBJECT
#undef CONTROL
static_assert(COUNT(operations) == OP_COUNT, "one row for each op");

const struct operation *
operation(enum op op)
{
	assert(op < OP_COUNT);
	return &operations[op];
}

/* ---- host ---- */

/* Without the port; "[::1]" keeps its brackets. */
static str
host_without_port(str host)
{
	str rest = host;

	if (str_starts(host, STR("["))) {
		ptrdiff_t end = str_find(host, ']');

		return end < 0 ? host : str_sub(host, 0, (size_t)end + 1);
	}
	return str_take_until(&rest, ':');
}

static bool
host_is_ip(str host)
{
	char text[HOST_MAX + 1];
	uint8_t bytes[16];

	if (str_starts(host, STR("[")))
		return true;
	if (host.len > HOST_MAX)
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, bytes) == 1;
}

/*
 * The bucket that the host names, or "" for path style. The longest domain wins: with "localhost" and "s3.localhost",
 * the host "b.s3.localhost" is bucket "b". Bucket names have no upper case, so the host is compared in lower case.
 */
static str
host_bucket(const struct store *store, str host, struct arena *arena)
{
	str name = host_without_port(host), best = STR_NONE;

	if (str_ends(name, STR(".")))
		name = str_sub(name, 0, name.len - 1);
	if (str_empty(name) || name.len > HOST_MAX || host_is_ip(name))
		return STR_NONE;
	name = arena_lower(arena, name);

	for (unsigned i = 0; i < store->ndomains; i++) {
		str domain = store->domains[i];

		if (str_eq(name, domain))
			return STR_NONE;
		if (name.len > domain.len + 1 && str_ends(name, domain)
		    && name.p[name.len - domain.len - 1] == '.') {
			str bucket = str_sub(name, 0, name.len - domain.len - 1);

			if (str_empty(best) || bucket.len < best.len)
				best = bucket;
		}
	}
	return best;
}

/* ---- operation ---- */

/* One name of a match: "acl", "list-type=2", "@x-amz-copy-source". */
static bool
term_fits(const struct http_head *head, str term)
{
	str rest = term, name = str_take_until(&rest, '=');
	const struct http_query *query;

	if (str_starts(term, STR("@")))
		return http_header_has(head, str_skip(term, 1));
	query = http_query(head, name);
	if (query == NULL)
		return false;
	return rest.p == NULL || str_eq(query->value, rest);
}

static bool
match_fits(const struct http_head *head, str match)
{
	while (!str_empty(match))
		if (!term_fits(head, str_take_until(&match, '&')))
			return false;
	return true;
}

/* No query, or that of a signature alone, which no row names. */
static bool
query_is_bare(const struct http_head *head)
{
	for (unsigned i = 0; i < head->queries; i++)
		if (!str_starts_nocase(head->query[i].name, STR("x-amz-")))
			return false;
	return true;
}

static enum op
op_find(const struct http_head *head, enum op_scope scope)
{
	bool bare = query_is_bare(head);

	for (unsigned i = 0; i < OP_COUNT; i++) {
		const struct operation *op = &operations[i];

		if (op->method != head->method || op->scope != scope)
			continue;
		if (bare && op->match[0] != '\0' && op->match[0] != '@')
			continue;	/* most rows: without looking for what they name */
		if (match_fits(head, str_c(op->match)))
			return (enum op)i;
	}
	return OP_NONE;
}

/* Does a match name this query parameter, without asking for a value? */
static bool
match_names(str match, str name)
{
	while (!str_empty(match))
		if (str_eq(str_take_until(&match, '&'), name))
			return true;
	return false;
}

/*
 * A sub-resource that the row at hand does not speak of, but another one of its scope does: DELETE key?acl must not delete the key.
 * NULL: none.
 */
static const struct http_query *
stray_subresource(const struct http_head *head, enum op op)
{
	for (unsigned q = 0; q < head->queries; q++) {
		const struct http_query *query = &head->query[q];

		/* No row names a parameter of a signature, and a presigned request has six of them. */
		if (str_starts_nocase(query->name, STR("x-amz-")) || match_names(str_c(operations[op].match), query->name))
			continue;
		for (unsigned i = 0; i < OP_COUNT; i++)
			if (operations[i].scope == operations[op].scope && match_names(str_c(operations[i].match), query->name))
				return query;
	}
	return NULL;
}

static err
stray_check(const struct http_head *head, enum op op)
{
	const struct http_query *stray;

	if (head->method != HTTP_PUT && head->method != HTTP_POST && head->method != HTTP_DELETE)
		return ERR_OK;
	stray = stray_subresource(head, op);
	if (stray == NULL)
		return ERR_OK;
	/* A part that lacks one of its two names must not become the object itself. */
	if (head->method == HTTP_PUT && (str_eq(stray->name, STR("uploadId")) || str_eq(stray->name, STR("partNumber"))))
		return err_s3f(S3_InvalidArgument, "Uploading a part takes both partNumber and uploadId.");
	return err_s3f(S3_MethodNotAllowed, "%.*s is not allowed on the sub-resource \"%.*s\".", STR_FMT(str_sub(head->method_text, 0, 32)),
	    STR_FMT(str_sub(stray->name, 0, 64)));
}

/* ---- path ---- */

static err
path_split(const struct http_head *head, struct arena *arena, struct route *r)
{
	str path = head->path_raw, bucket;

	if (!str_starts(path, STR("/")))
		return err_s3f(S3_InvalidURI, "The request target must be a path that begins with \"/\".");
	path = str_skip(path, 1);
	if (!r->virtual_host) {
		bucket = str_take_until(&path, '/');
		if (!url_decode(arena, bucket, URL_PLUS_IS_PLUS, &r->bucket))
			return err_s3f(S3_InvalidURI, "The path holds a broken %%-escape.");
	}
	if (!url_decode(arena, path, URL_PLUS_IS_PLUS, &r->key))
		return err_s3f(S3_InvalidURI, "The path holds a broken %%-escape.");
	if (str_empty(r->bucket) && !str_empty(r->key))
		return err_s3f(S3_InvalidURI, "The path names a key but no bucket.");
	return ERR_OK;
}

/* ---- S3 Control ---- */

static const str CONTROL_PATH = { "/v20180820/", 11 };

/* Its requests name an account in a header, and again in the host. */
static bool
is_control(const struct http_head *head)
{
	return str_starts(head->path_raw, CONTROL_PATH) && http_header_has(head, STR("x-amz-account-id"));
}

/* Of all of it, the tags of a bucket: /v20180820/tags/arn:aws:s3:::bucket. */
static err
control_split(const struct http_head *head, struct arena *arena, struct route *r)
{
	static const str tags = { "tags/", 5 }, arn = { "arn:aws:s3:::", 13 };
	str path = str_skip(head->path_raw, CONTROL_PATH.len), name;

	if (!str_starts(path, tags))
		return err_s3f(S3_NotImplemented, "Of S3 Control only the tags of buckets are implemented.");
	if (!url_decode(arena, str_skip(path, tags.len), URL_PLUS_IS_PLUS, &name))
		return err_s3f(S3_InvalidURI, "The path holds a broken %%-escape.");
	if (!str_starts(name, arn) || name.len == arn.len || str_find(name, '/') >= 0 || str_find(str_skip(name, arn.len), ':') >= 0)
		return err_s3f(S3_NotImplemented, "Of S3 Control only the tags of buckets are implemented: arn:aws:s3:::bucket.");
	r->bucket = str_skip(name, arn.len);
	r->key = STR("");
	return ERR_OK;
}

static err
scope_find(const struct store *store, const struct http_head *head, struct arena *arena, struct route *r, enum op_scope *ret)
{
	if (is_control(head)) {
		TRY(control_split(head, arena, r));
		*ret = OP_CONTROL;
		return ERR_OK;
	}
	r->bucket = host_bucket(store, http_header(head, STR("host")), arena);
	r->virtual_host = !str_empty(r->bucket);
	TRY(path_split(head, arena, r));
	*ret = str_empty(r->bucket) ? OP_SERVICE : str_empty(r->key) ? OP_BUCKET : OP_OBJECT;
	return ERR_OK;
}

err
route_find(const struct store *store, const struct http_head *head, struct arena *arena, struct route *ret)
{
	static const char *const places[] = { "the service", "a bucket", "an object", "tags" };
	enum op_scope scope;

	*ret = (struct route){ .op = OP_NONE };
	TRY(scope_find(store, head, arena, ret, &scope));
	ret->op = op_find(head, scope);
	if (store->require_virtual_host && !ret->virtual_host && (scope == OP_BUCKET || scope == OP_OBJECT))
		return err_s3(S3_PathStyleRequestNotAllowed);
	if (ret->op == OP_NONE)
		return err_s3f(S3_MethodNotAllowed, "%.*s is not allowed on %s.", STR_FMT(str_sub(head->method_text, 0, 32)),
		    places[scope]);
	if (ret->key.len > KEY_MAX)
		return err_s3(S3_KeyTooLongError);
	if (!str_is_utf8(ret->key))
		return err_s3f(S3_InvalidURI, "The key is not valid UTF-8.");
	return stray_check(head, ret->op);
}
