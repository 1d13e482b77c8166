/*
 * cors.c - CORS configuration of buckets, preflights, and headers of answers.
 *
 * Amazon S3 API Reference: PutBucketCors, GetBucketCors, DeleteBucketCors, "OPTIONS object". The first rule that
 * allows origin, method and headers decides. The configuration is stored as the XML that GetBucketCors answers, so it is
 * parsed only for requests that come from a browser (those with an Origin).
 */
#include "s3/cors.h"

#include "base/mem.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/handlers.h"
#include "s3/store.h"

#define CORS_RULES_MAX 100u
#define CORS_BODY_MAX (64u << 10)
#define CORS_ID_MAX 255u

/* ---- rules ---- */

/* Does text match a pattern with at most one "*"? */
static bool
pattern_match(str pattern, str text)
{
	ptrdiff_t star = str_find(pattern, '*');
	str head, tail;

	if (star < 0)
		return str_eq(pattern, text);
	head = str_sub(pattern, 0, (size_t)star);
	tail = str_skip(pattern, (size_t)star + 1);
	return text.len >= head.len + tail.len && str_starts(text, head) && str_ends(text, tail);
}

/* The first child of this name whose pattern matches, or NULL. */
static const struct xml_node *
rule_value(const struct xml_node *rule, const char *name, str text)
{
	const struct xml_node *n = xml_child(rule, name);

	while (n != NULL && !pattern_match(n->text, text))
		n = xml_next(n);
	return n;
}

/* Are all headers of a list "a, b" allowed? Header names know no case. */
static bool
rule_headers(struct arena *a, const struct xml_node *rule, str list)
{
	while (list.p != NULL) {
		str name = arena_lower(a, str_trim(str_take_until(&list, ',')));
		const struct xml_node *n = xml_child(rule, "AllowedHeader");

		if (str_empty(name))
			continue;
		while (n != NULL && !pattern_match(arena_lower(a, n->text), name))
			n = xml_next(n);
		if (n == NULL)
			return false;
	}
	return true;
}

static const struct xml_node *
rule_find(struct arena *a, const struct xml_node *root, str origin, str method, str headers)
{
	const struct xml_node *rule = xml_child(root, "CORSRule");

	for (; rule != NULL; rule = xml_next(rule))
		if (rule_value(rule, "AllowedOrigin", origin) != NULL && rule_value(rule, "AllowedMethod", method) != NULL &&
		    rule_headers(a, rule, headers))
			return rule;
	return NULL;
}

/* All values of one name, "a, b". */
static str
rule_join(struct arena *a, const struct xml_node *rule, const char *name)
{
	const struct xml_node *n = xml_child(rule, name);
	str joined = n != NULL ? n->text : STR_NONE;

	while (n != NULL && (n = xml_next(n)) != NULL)
		joined = arena_fmt(a, "%.*s, %.*s", STR_FMT(joined), STR_FMT(n->text));
	return joined;
}

static void
answer_rule(struct s3_req *rq, const struct xml_node *rule, str origin, str headers)
{
	str expose = rule_join(rq->arena, rule, "ExposeHeader"), age = xml_child_text(rule, "MaxAgeSeconds");
	bool any = str_eq(rule_value(rule, "AllowedOrigin", origin)->text, STR("*"));

	resp_header(rq->resp, STR("Access-Control-Allow-Origin"), any ? STR("*") : origin);
	resp_header(rq->resp, STR("Access-Control-Allow-Methods"), rule_join(rq->arena, rule, "AllowedMethod"));
	if (!str_empty(headers))
		resp_header(rq->resp, STR("Access-Control-Allow-Headers"), headers);
	if (!str_empty(expose))
		resp_header(rq->resp, STR("Access-Control-Expose-Headers"), expose);
	if (age.p != NULL)
		resp_header(rq->resp, STR("Access-Control-Max-Age"), age);
	if (!any)
		resp_header(rq->resp, STR("Access-Control-Allow-Credentials"), STR("true"));
	resp_header(rq->resp, STR("Vary"), STR("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"));
}

static err
config_read(struct s3_req *rq, struct xml_node **ret)
{
	str text;

	TRY(catalog_config_get(rq->store->catalog, &rq->bucket, CONFIG_CORS, rq->arena, &text));
	return xml_parse(text, rq->arena, ret);
}

err_v
cors_answer(struct s3_req *rq)
{
	str origin = s3_header(rq, STR("origin"));
	const struct xml_node *rule;
	struct xml_node *root;

	if (str_empty(origin) || !rq->bucket.has_cors || rq->head->method == HTTP_OPTIONS)
		return ERR_OK;
	if (rq->wait == KV_NO_WAIT)
		return ERR_WOULD_BLOCK;
	if (!err_ok(config_read(rq, &root)))
		return ERR_OK;			/* deleted meanwhile: as if it had not been there */
	rule = rule_find(rq->arena, root, origin, rq->head->method_text, STR_NONE);
	if (rule != NULL)
		answer_rule(rq, rule, origin, STR_NONE);
	return ERR_OK;
}

/* OPTIONS /bucket and /bucket/key - what a browser asks before a request. */
err_v
s3_cors_preflight(struct s3_req *rq)
{
	str origin = s3_header(rq, STR("origin")), method = s3_header(rq, STR("access-control-request-method"));
	str headers = s3_header(rq, STR("access-control-request-headers"));
	const struct xml_node *rule;
	struct xml_node *root;
	err_v e;

	if (str_empty(origin))
		return err_s3f(S3_BadRequest, "A question about CORS needs an Origin header.");
	if (str_empty(method))
		return err_s3f(S3_BadRequest, "A question about CORS needs an Access-Control-Request-Method header.");
	e = rq->bucket.has_cors ? config_read(rq, &root) : ERR_NOT_FOUND;
	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3f(S3_AccessForbidden, "The bucket has no CORS rules. Give it one that allows this origin.");
	TRY(e);
	rule = rule_find(rq->arena, root, origin, method, headers);
	if (rule == NULL)
		return err_s3(S3_AccessForbidden);
	answer_rule(rq, rule, origin, headers);
	return answer_empty(rq, 200);
}

/* ---- configuration ---- */

static err
pattern_check(const struct xml_node *n)
{
	ptrdiff_t star = str_find(n->text, '*');

	if (str_empty(n->text))
		return err_s3f(S3_MalformedXML, "%.*s is empty.", STR_FMT(n->name));
	if (star >= 0 && str_find(str_skip(n->text, (size_t)star + 1), '*') >= 0)
		return err_s3f(S3_InvalidRequest, "%.*s \"%.*s\" has more than one *; one is allowed.",
		    STR_FMT(n->name), STR_FMT(n->text));
	for (size_t i = 0; i < n->text.len; i++)
		if ((unsigned char)n->text.p[i] <= ' ')
			return err_s3f(S3_InvalidRequest, "%.*s has white space or a control character in it.", STR_FMT(n->name));
	return ERR_OK;
}

static err
method_check(const struct xml_node *n)
{
	static const str methods[] = { STR("GET"), STR("PUT"), STR("POST"), STR("DELETE"), STR("HEAD") };

	for (size_t i = 0; i < COUNT(methods); i++)
		if (str_eq(n->text, methods[i]))
			return ERR_OK;
	return err_s3f(S3_InvalidRequest, "AllowedMethod is GET, PUT, POST, DELETE or HEAD, not \"%.*s\".", STR_FMT(n->text));
}

/* Names of headers are tokens: RFC 9110, section 5.6.2. */
static err
header_check(const struct xml_node *n)
{
	TRY(pattern_check(n));
	for (size_t i = 0; i < n->text.len; i++) {
		unsigned char c = (unsigned char)n->text.p[i];

		if (c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
			return err_s3f(S3_InvalidRequest,
			    "%.*s \"%.*s\" has a character that no header name has.", STR_FMT(n->name), STR_FMT(n->text));
	}
	return ERR_OK;
}

static err
expose_check(const struct xml_node *n)
{
	if (str_find(n->text, '*') >= 0)
		return err_s3f(S3_InvalidRequest, "ExposeHeader \"%.*s\" has a *. Name each header whole.", STR_FMT(n->text));
	return header_check(n);
}

static err
id_check(const struct xml_node *n)
{
	if (n->text.len > CORS_ID_MAX)
		return err_s3f(S3_InvalidArgument, "The ID of a rule has at most %u characters.", CORS_ID_MAX);
	return ERR_OK;
}

static err
age_check(const struct xml_node *n)
{
	uint64_t seconds;

	if (!str_u64(n->text, &seconds) || seconds > INT32_MAX)
		return err_s3f(S3_MalformedXML, "MaxAgeSeconds is not a number of seconds.");
	return ERR_OK;
}

/* The elements of a rule, in the order in which they are written. */
static const struct element {
	const char *name;
	unsigned min, max;
	err_v (*check)(const struct xml_node *);
} elements[] = {
	{ "ID", 0, 1, id_check },
	{ "AllowedOrigin", 1, UINT32_MAX, pattern_check },
	{ "AllowedMethod", 1, UINT32_MAX, method_check },
	{ "AllowedHeader", 0, UINT32_MAX, header_check },
	{ "ExposeHeader", 0, UINT32_MAX, expose_check },
	{ "MaxAgeSeconds", 0, 1, age_check },
};

static err
rule_check(const struct xml_node *rule)
{
	unsigned known = 0;

	for (size_t i = 0; i < COUNT(elements); i++) {
		unsigned n = 0;

		for (const struct xml_node *c = xml_child(rule, elements[i].name); c != NULL; c = xml_next(c), n++)
			TRY(elements[i].check(c));
		if (n < elements[i].min || n > elements[i].max)
			return err_s3f(S3_MalformedXML, "A CORSRule has %u elements %s.", n, elements[i].name);
		known += n;
	}
	if (known != rule->children)
		return err_s3f(S3_MalformedXML, "A CORSRule has an element that does not belong there.");
	return ERR_OK;
}

static void
rule_write(struct buf *b, const struct xml_node *rule)
{
	xml_open(b, "CORSRule");
	for (size_t i = 0; i < COUNT(elements); i++)
		for (const struct xml_node *c = xml_child(rule, elements[i].name); c != NULL; c = xml_next(c))
			xml_text(b, elements[i].name, c->text);
	xml_close(b, "CORSRule");
}

static err
config_check(const struct xml_node *root)
{
	unsigned rules = 0;

	if (!str_eq(root->name, STR("CORSConfiguration")))
		return err_s3f(S3_MalformedXML, "A CORSConfiguration is expected.");
	for (const struct xml_node *rule = root->child; rule != NULL; rule = rule->next, rules++) {
		if (!str_eq(rule->name, STR("CORSRule")))
			return err_s3f(S3_MalformedXML, "A CORSConfiguration holds nothing but CORSRules.");
		TRY(rule_check(rule));
	}
	if (rules == 0 || rules > CORS_RULES_MAX)
		return err_s3f(S3_MalformedXML, "A CORSConfiguration has 1 to %u rules.", CORS_RULES_MAX);
	return ERR_OK;
}

/* PUT /bucket?cors - S3 API: PutBucketCors */
err_v
s3_put_bucket_cors(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct xml_node *root;

	TRY(request_xml(rq, CORS_BODY_MAX, &root));
	TRY(config_check(root));
	buf_init(&b, 8 * CORS_BODY_MAX);	/* escaping makes it longer */
	xml_begin(&b, "CORSConfiguration", true);
	for (const struct xml_node *rule = root->child; rule != NULL; rule = rule->next)
		rule_write(&b, rule);
	xml_close(&b, "CORSConfiguration");
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_CORS, buf_str(&b)));
	return answer_empty(rq, 200);
}

/* GET /bucket?cors - S3 API: GetBucketCors */
err_v
s3_get_bucket_cors(struct s3_req *rq)
{
	str text;
	err_v e = catalog_config_get(rq->store->catalog, &rq->bucket, CONFIG_CORS, rq->arena, &text);

	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3(S3_NoSuchCORSConfiguration);
	TRY(e);
	resp_status(rq->resp, 200);
	resp_header(rq->resp, STR("Content-Type"), STR("application/xml"));
	return resp_send(rq->resp, text);
}

/* DELETE /bucket?cors - S3 API: DeleteBucketCors */
err_v
s3_delete_bucket_cors(struct s3_req *rq)
{
	TRY(catalog_config_set(rq->store->catalog, &rq->bucket, CONFIG_CORS, STR_NONE));
	return answer_empty(rq, 204);
}
