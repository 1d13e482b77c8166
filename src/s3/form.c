/*
 * form.c - PostObject: an upload by a browser's form.
 *
 * Amazon S3 API Reference, "POST Object" and "Authenticating Requests in Browser-Based Uploads Using POST". The fields
 * come first, in any order, then the file, then nothing that counts. Fields that carry the names of headers mean what
 * the headers mean, so they are collected into a head of their own and read by the same code. Who signed the
 * policy is who asks; without a policy the upload is anonymous. Nothing is looked up before the policy has been checked.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/authorize.h"
#include "s3/expiry.h"
#include "s3/find.h"
#include "s3/form_data.h"
#include "s3/form_policy.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/sigv4.h"
#include "s3/store.h"
#include "s3/stream.h"
#include "s3/tagging.h"

#define FIELDS_MAX 100u
#define FIELDS_BYTES_MAX (20u << 10)	/* names and values before the file, as Amazon has it */
#define POLICY_MAX FIELDS_BYTES_MAX
#define REST_MAX (64u << 10)		/* what may stand behind the file */
#define KEY_MAX 1024u

struct form {
	struct s3_req *rq;
	struct form_data *data;
	struct http_head *head;		/* the fields as headers, and Host, Origin, Referer, User-Agent of the request */
	struct pairs fields;		/* all before the file, names in lower case */
	str filename;
	struct form_limits limits;
	str key;
	int status;			/* success_action_status */
	str redirect;			/* success_action_redirect */
};

static str
field(const struct form *f, const char *name)
{
	return pairs_get(f->fields, str_c(name));
}

static err
bad_field(struct form *f, const char *name, const char *message)
{
	s3_detail(f->rq, "ArgumentName", str_c(name));
	s3_detail(f->rq, "ArgumentValue", field(f, name));
	return err_s3f(S3_InvalidArgument, "%s", message);
}

/* ---- fields ---- */

/* Fields that are no header may hold anything; the others end up in headers of answers, so no control bytes. */
static bool
is_header(str name)
{
	static const str others[] = {
		STR("key"), STR("policy"), STR("tagging"), STR("x-amz-signature"), STR("bucket"), STR("submit"),
	};

	for (size_t i = 0; i < COUNT(others); i++)
		if (str_eq(name, others[i]))
			return false;
	return !str_starts(name, STR("x-ignore-"));
}

static bool
is_clean(str value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return false;
	return true;
}

static err
field_add(struct form *f, str name, str value)
{
	struct http_head *h = f->head;

	if (f->fields.n == FIELDS_MAX)
		return err_s3f(S3_MalformedPOSTRequest, "The form has more than %u fields.", FIELDS_MAX);
	if (pairs_get(f->fields, name).p != NULL)
		return err_s3f(S3_InvalidArgument, "The form has two fields %.*s.", STR_FMT(name));
	f->fields.at[f->fields.n++] = (struct pair){ name, value };
	if (!is_header(name))
		return ERR_OK;
	if (!is_clean(value))
		return err_s3f(S3_InvalidArgument, "The field %.*s holds a control character.", STR_FMT(name));
	assert(h->headers < HTTP_HEADERS_MAX);
	h->header[h->headers++] = (struct http_header){ str_eq(name, STR("acl")) ? STR("x-amz-acl") : name, str_trim(value) };
	return ERR_OK;
}

static err
fields_too_long(void)
{
	return err_s3f(S3_MaxPostPreDataLengthExceeded,
	    "The fields of the form before its file have more than %u bytes.", FIELDS_BYTES_MAX);
}

/* Everything up to the file, which is next to be read. */
static err
fields_read(struct form *f)
{
	struct arena *a = f->rq->arena;
	size_t left = FIELDS_BYTES_MAX;

	f->fields.at = ARENA_ARRAY(a, struct pair, FIELDS_MAX);
	for (;;) {
		struct form_field field;
		bool more, fits;
		str name, value;

		TRY(form_data_next(f->data, a, &field, &more));
		if (!more)
			return err_s3f(S3_InvalidArgument, "The form has no field file, which must be its last.");
		name = arena_lower(a, field.name);
		if (str_eq(name, STR("file"))) {
			f->filename = field.filename;
			return ERR_OK;
		}
		TRY(form_data_value(f->data, a, left, &value, &fits));
		if (!fits || name.len + value.len > left)
			return fields_too_long();
		left -= name.len + value.len;
		TRY(field_add(f, name, value));
	}
}

static void
head_begin(struct form *f)
{
	static const str kept[] = { STR("Host"), STR("Origin"), STR("Referer"), STR("User-Agent") };
	struct http_head *h = ARENA_NEW(f->rq->arena, struct http_head);

	static_assert(FIELDS_MAX + COUNT(kept) <= HTTP_HEADERS_MAX, "all fields have room");
	h->method = f->rq->head->method;
	h->method_text = f->rq->head->method_text;
	for (size_t i = 0; i < COUNT(kept); i++)
		if (http_header_has(f->rq->head, kept[i]))
			h->header[h->headers++] = (struct http_header){ kept[i], http_header(f->rq->head, kept[i]) };
	f->head = h;
}

/* The name of the file as its owner's system has it, without folders, in place of each ${filename}. */
static err
key_read(struct form *f)
{
	static const str hole = STR("${filename}");
	AUTO(buf_done) struct buf b = { 0 };
	str rest = field(f, "key"), name = f->filename;

	if (rest.p == NULL)
		return bad_field(f, "key", "The form needs a field key, before its file.");
	while (str_find(name, '/') >= 0)
		name = str_skip(name, (size_t)str_find(name, '/') + 1);
	while (str_find(name, '\\') >= 0)
		name = str_skip(name, (size_t)str_find(name, '\\') + 1);
	buf_init(&b, FIELDS_BYTES_MAX + KEY_MAX);
	for (ptrdiff_t at; (at = str_find_str(rest, hole)) >= 0; rest = str_skip(rest, (size_t)at + hole.len)) {
		buf_add(&b, str_sub(rest, 0, (size_t)at));
		buf_add(&b, name);
	}
	buf_add(&b, rest);
	if (buf_overflow(&b) || b.len > KEY_MAX)
		return err_s3(S3_KeyTooLongError);
	f->key = arena_str(f->rq->arena, buf_str(&b));
	if (str_empty(f->key))
		return bad_field(f, "key", "The field key is empty.");
	if (!str_is_utf8(f->key))
		return bad_field(f, "key", "The key is not valid UTF-8.");
	return ERR_OK;
}

static err
success_read(struct form *f)
{
	str status = field(f, "success_action_status");

	f->status = str_eq(status, STR("200")) ? 200 : str_eq(status, STR("201")) ? 201 : 204;
	f->redirect = field(f, "success_action_redirect");
	if (f->redirect.p == NULL)
		f->redirect = field(f, "redirect");
	if (!str_empty(f->redirect) && !str_starts(f->redirect, STR("http://")) && !str_starts(f->redirect, STR("https://")))
		f->redirect = STR_NONE;		/* as if it were not there, as Amazon does */
	return ERR_OK;
}

/* ---- who signed the policy ---- */

struct credential { str access_key, date, region; uint64_t time_s; };

static err
credential_read(struct form *f, struct credential *ret)
{
	str rest = field(f, "x-amz-credential"), service, end;
	struct credential c;

	c.access_key = str_take_until(&rest, '/');
	c.date = str_take_until(&rest, '/');
	c.region = str_take_until(&rest, '/');
	service = str_take_until(&rest, '/');
	end = rest;
	if (str_empty(c.access_key) || c.date.len != 8 || str_empty(c.region) || !str_eq(service, STR("s3")) ||
	    !str_eq(end, STR("aws4_request")))
		return bad_field(f, "x-amz-credential", "X-Amz-Credential must be <access key>/<date>/<region>/s3/aws4_request.");
	if (!date_amz_parse(field(f, "x-amz-date"), &c.time_s) || !str_starts(field(f, "x-amz-date"), c.date))
		return bad_field(f, "x-amz-date", "X-Amz-Date must be yyyyMMdd'T'HHmmss'Z', of the day of X-Amz-Credential.");
	*ret = c;
	return ERR_OK;
}

static err
signature_check(struct form *f, str policy)
{
	struct s3_req *rq = f->rq;
	AUTO(secret_wipe) struct secret secret = { 0 };
	struct principal who;
	struct credential c = { 0 };
	uint8_t key[32], mac[32];
	str token = field(f, "x-amz-security-token");

	if (!str_eq(field(f, "x-amz-algorithm"), STR("AWS4-HMAC-SHA256")))
		return bad_field(f, "x-amz-algorithm", "X-Amz-Algorithm must be AWS4-HMAC-SHA256.");
	TRY(credential_read(f, &c));
	TRY(access_key_find(rq->store->access, c.access_key, token, rq->arena, &who, &secret));
	sigv4_key(str_n(secret.bytes, secret.len), c.date, c.region, key);
	hmac_sha256(str_n(key, sizeof(key)), policy, mac);
	explicit_bzero(key, sizeof(key));
	if (!str_eq_secret(hex_str(rq->arena, str_n(mac, sizeof(mac))), field(f, "x-amz-signature"))) {
		s3_detail(rq, "StringToSign", policy);
		return err_s3(S3_SignatureDoesNotMatch);
	}
	who.signed_how = SIGNED_FORM;
	who.signed_s = c.time_s;
	rq->who = who;
	return ERR_OK;
}

/* What the policy must cover: all fields but itself and its signature. The key counts as it will be. */
static struct pairs
covered_fields(struct form *f)
{
	struct pairs p = { .at = ARENA_ARRAY(f->rq->arena, struct pair, FIELDS_MAX) };

	for (unsigned i = 0; i < f->fields.n; i++) {
		struct pair one = f->fields.at[i];

		if (str_eq(one.name, STR("policy")) || str_eq(one.name, STR("x-amz-signature")))
			continue;
		if (str_eq(one.name, STR("key")))
			one.value = f->key;
		p.at[p.n++] = one;
	}
	return p;
}

static err
identify(struct form *f)
{
	struct s3_req *rq = f->rq;
	str policy = field(f, "policy");
	char *json;
	size_t len;

	f->limits = (struct form_limits){ 0, UINT64_MAX };
	if (policy.p == NULL && field(f, "x-amz-signature").p != NULL)
		return bad_field(f, "policy", "A form with a signature needs a field policy, which is what is signed.");
	if (field(f, "awsaccesskeyid").p != NULL)
		return err_s3f(S3_InvalidRequest, SIGV4_ONLY);
	rq->who = (struct principal){ .anonymous = true };
	if (policy.p == NULL)
		return ERR_OK;
	TRY(signature_check(f, policy));
	json = arena_alloc(rq->arena, policy.len + 1);
	if (!base64_decode(policy, json, policy.len, &len))
		return err_s3f(S3_InvalidPolicyDocument, "The policy of the form is not base64.");
	return form_policy_check(str_n(json, len), rq->bucket.name, covered_fields(f), clock_wall_ms(), &f->limits);
}

/* ---- the object ---- */

static err
tags_read(struct form *f, struct pairs *tags)
{
	str text = field(f, "tagging");
	struct xml_node *root;

	if (str_empty(text))
		return ERR_OK;
	TRY(xml_parse(text, f->rq->arena, &root));
	return tagging_parse(root, TAGS_MAX, f->rq->arena, tags);
}

static err
allowed(struct form *f, const struct pairs *tags)
{
	TRY(authorize_action(f->rq, "s3:PutObject", &f->rq->bucket, f->key, NULL, tags));
	if (tags->n > 0)
		TRY(authorize_action(f->rq, "s3:PutObjectTagging", &f->rq->bucket, f->key, NULL, tags));
	return authorize_etag(f->rq, f->key, NULL, s3_header(f->rq, STR("if-match")));
}

/* Nothing counts behind the file, but the body must end, and be what was declared of it. */
static err
rest_read(struct form *f)
{
	char waste[4096];
	size_t sum = 0, n;

	do {
		TRY(aws_body_read(f->rq->payload, waste, sizeof(waste), &n));
		sum += n;
		if (sum > REST_MAX)
			return err_s3f(S3_MalformedPOSTRequest, "The form has more than %u bytes behind its file.", REST_MAX);
	} while (n > 0);
	return aws_body_finish(f->rq->payload, NULL);
}

static err
check_received(struct form *f, const struct stream_result *got)
{
	if (got->size < f->limits.size_min) {
		s3_detail(f->rq, "ProposedSize", arena_fmt(f->rq->arena, "%llu", (unsigned long long)got->size));
		s3_detail(f->rq, "MinSizeAllowed", arena_fmt(f->rq->arena, "%llu", (unsigned long long)f->limits.size_min));
		return err_s3f(S3_EntityTooSmall, "The file has %llu bytes; the policy of the form takes no less than %llu.",
		    (unsigned long long)got->size, (unsigned long long)f->limits.size_min);
	}
	return rest_read(f);
}

static err
store(struct form *f, struct object *o, struct version_id *ret)
{
	AUTO(sse_key_wipe) struct sse_key key = { 0 };
	struct s3_req *rq = f->rq;
	struct stream_plan plan = {
		.body = id_new(rq->bucket.space), .inline_max = rq->store->inline_max, .key = &key,
		.alg_default = true, .alg = DIGEST_CRC64NVME,
	};
	struct byte_source file = { .ctx = f->data, .read = form_data_read, .length = UINT64_MAX };
	struct object_headers said;
	struct conditions conditions;
	struct stream_result got;
	struct sse_c sse;
	err_v e;

	TRY(headers_read(rq->head, rq->arena, &said));
	TRY(tags_read(f, &said.tags));
	TRY(allowed(f, &said.tags));
	TRY(sse_key_read(rq, SSE_TARGET, &key));
	TRY(checksum_want_read(rq->head, &plan.want));
	TRY(conditions_parse(rq, CONDITIONS_WRITE, &conditions));
	TRY(object_conditions(rq, f->key, &conditions));
	sse_c_new(&key, &sse);
	plan.sse = &sse;
	plan.md5 = !key.on;
	plan.size_max = f->limits.size_max < rq->store->put_max ? f->limits.size_max : rq->store->put_max;
	TRY(stream_from(rq, &plan, file, &got));

	*o = (struct object){ .key = f->key, .headers = said.headers, .metadata = said.metadata, .tags = said.tags,
	    .class = said.class };
	stream_object(rq->arena, &plan, &got, o);
	e = check_received(f, &got);
	if (err_ok(e))
		e = catalog_put(rq->store->catalog, &rq->bucket, o, &conditions, ret);
	if (!err_ok(e))
		stream_drop(rq, &got, e);
	return e;
}

/* ---- the answer ---- */

static err
answer_redirect(struct form *f, const struct object *o)
{
	AUTO(buf_done) struct buf b = { 0 };

	buf_init(&b, FIELDS_BYTES_MAX + 8192);
	buf_add(&b, f->redirect);
	buf_add_c(&b, str_find(f->redirect, '?') >= 0 ? "&bucket=" : "?bucket=");
	url_encode(&b, f->rq->bucket.name, URL_ENCODE_SLASH);
	buf_add_c(&b, "&key=");
	url_encode(&b, f->key, URL_ENCODE_SLASH);
	buf_addf(&b, "&etag=%%22%.*s%%22", STR_FMT(o->etag));
	resp_header(f->rq->resp, STR("Location"), buf_str(&b));
	return answer_empty(f->rq, 303);
}

static err
answer_form(struct form *f, const struct object *o, struct version_id version)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct s3_req *rq = f->rq;
	str url = object_url(rq, f->key);

	answer_etag(rq, o->etag);
	answer_version(rq, version);
	TRY(answer_expiration(rq, o));
	answer_checksum(rq, &o->checksum, 0);
	sse_c_headers(rq, &o->sse);
	if (!str_empty(f->redirect))
		return answer_redirect(f, o);
	resp_header(rq->resp, STR("Location"), url);
	if (f->status != 201)
		return answer_empty(rq, f->status);
	buf_init(&b, 64u << 10);
	xml_begin(&b, "PostResponse", false);
	xml_text(&b, "Location", url);
	xml_text(&b, "Bucket", rq->bucket.name);
	xml_text(&b, "Key", f->key);
	xml_etag(&b, "ETag", o->etag);
	xml_close(&b, "PostResponse");
	resp_status(rq->resp, 201);
	resp_header(rq->resp, STR("Content-Type"), STR("application/xml"));
	return resp_send(rq->resp, buf_str(&b));
}

static err
post(struct form *f)
{
	struct version_id version;
	struct object o;

	TRY(fields_read(f));
	TRY(key_read(f));
	TRY(success_read(f));
	TRY(identify(f));
	f->rq->head = f->head;
	TRY(store(f, &o, &version));
	return answer_form(f, &o, version);
}

static err
read_payload(void *ctx, void *p, size_t max, size_t *ret_len)
{
	return aws_body_read(ctx, p, max, ret_len);
}

/* POST /bucket - S3 API: PostObject */
err_v
s3_post_object(struct s3_req *rq)
{
	AUTO(form_data_close) struct form_data *data = NULL;
	struct http_head *head = rq->head;
	struct form f = { .rq = rq };
	str boundary;
	err_v e;

	if (rq->payload != NULL && str_eq_nocase(str_trim(s3_header(rq, STR("content-type"))), STR("multipart/form-data")))
		return err_s3(S3_MalformedPOSTRequest);		/* without a boundary */
	if (rq->payload == NULL || !form_data_boundary(s3_header(rq, STR("content-type")), &boundary)) {
		s3_detail(rq, "Condition", STR("Content-Type: multipart/form-data"));
		return err_s3(S3_PreconditionFailed);
	}
	data = form_data_open((struct byte_source){ rq->payload, read_payload, UINT64_MAX }, boundary);
	f.data = data;
	head_begin(&f);
	e = post(&f);
	rq->head = head;		/* for the log, and an error's answer */
	return e;
}
