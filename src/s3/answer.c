/*
 * answer.c - what requests and answers have in common.
 */
#include "s3/answer.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "http/xml_out.h"
#include "s3/aws_chunked.h"
#include "s3/checksum.h"
#include "s3/store.h"

/* ---- headers ---- */

void
answer_etag(struct s3_req *rq, str etag)
{
	str quoted[] = { STR("\""), etag, STR("\"") };

	resp_header(rq->resp, STR("ETag"), arena_join(rq->arena, quoted, COUNT(quoted)));
}

void
answer_version(struct s3_req *rq, struct version_id v)
{
	if (v.null && rq->bucket.versioning == VERSIONING_NEVER)
		return;
	resp_header(rq->resp, STR("x-amz-version-id"), version_text(rq->arena, v));
}

void
answer_checksum(struct s3_req *rq, const struct checksum *c, uint32_t parts)
{
	if (!c->set)
		return;
	resp_header(rq->resp, checksum_header(c->alg), checksum_text(rq->arena, c, parts));
	resp_header(rq->resp, STR("x-amz-checksum-type"), checksum_type_name(c->type));
}

/* ---- what a request says ---- */

err_v
argument_bad(struct s3_req *rq, const char *name, str value, const char *message)
{
	s3_detail(rq, "ArgumentName", str_c(name));
	s3_detail(rq, "ArgumentValue", value);
	return err_s3f(S3_InvalidArgument, "%s", message);
}

err_v
argument_number(struct s3_req *rq, const char *name, str value, uint64_t *ret)
{
	uint64_t n;

	if (!str_u64(value, &n) || n > INT32_MAX)
		return argument_bad(rq, name, value, arena_fmt(rq->arena, "%s must be a number from 0 to %d.", name, INT32_MAX).p);
	*ret = n;
	return ERR_OK;
}

err_v
argument_which(struct s3_req *rq, const char *name, str value, struct which *ret)
{
	err_v e = which_parse(value, ret);

	return err_ok(e) ? e : argument_bad(rq, name, value, arena_str(rq->arena, str_c(err_context())).p);
}

str
version_text(struct arena *a, struct version_id v)
{
	char text[ID_TEXT_LEN];

	if (v.null)
		return STR("null");
	id_text(v.id, text);
	return arena_str(a, str_n(text, sizeof(text)));
}

err_v
which_parse(str version_id, struct which *ret)
{
	struct which w = { .kind = WHICH_VERSION };

	if (str_empty(version_id))
		return err_s3f(S3_InvalidArgument, "The version id is empty. Leave it out for the current version.");
	if (str_eq(version_id, STR("null")))
		w.version.null = true;
	else if (!id_parse(version_id, &w.version.id))
		return err_s3f(S3_InvalidArgument, "The version id is neither null nor one that this store has given.");
	*ret = w;
	return ERR_OK;
}

err_v
conditions_parse(const struct s3_req *rq, enum conditions_of of, struct conditions *ret)
{
	static const struct { str match, none_match, modified, unmodified; } names[] = {
		[CONDITIONS_READ] = { STR("if-match"), STR("if-none-match"),
		    STR("if-modified-since"), STR("if-unmodified-since") },
		[CONDITIONS_WRITE] = { STR("if-match"), STR("if-none-match"), STR(""), STR("") },
		[CONDITIONS_COPY_SOURCE] = { STR("x-amz-copy-source-if-match"), STR("x-amz-copy-source-if-none-match"),
		    STR("x-amz-copy-source-if-modified-since"), STR("x-amz-copy-source-if-unmodified-since") },
		[CONDITIONS_RENAME_SOURCE] = { STR("x-amz-rename-source-if-match"), STR("x-amz-rename-source-if-none-match"),
		    STR("x-amz-rename-source-if-modified-since"), STR("x-amz-rename-source-if-unmodified-since") },
		[CONDITIONS_RENAME_TARGET] = { STR("if-match"), STR("if-none-match"),
		    STR("if-modified-since"), STR("if-unmodified-since") },
	};
	struct conditions c = {
		.if_match = s3_header(rq, names[of].match), .if_none_match = s3_header(rq, names[of].none_match),
	};

	c.has_modified_since = date_http_parse(s3_header(rq, names[of].modified), &c.if_modified_since);
	c.has_unmodified_since = date_http_parse(s3_header(rq, names[of].unmodified), &c.if_unmodified_since);
	if ((of == CONDITIONS_WRITE || of == CONDITIONS_RENAME_TARGET) && c.if_none_match.p != NULL && !str_eq(c.if_none_match, STR("*")))
		return err_s3f(rq->store->dialect == DIALECT_AWS ? S3_NotImplemented : S3_InvalidRequest,
		    "If-None-Match of a write takes only *.");
	if (of == CONDITIONS_WRITE && c.if_none_match.p != NULL && c.if_match.p != NULL)
		return err_s3f(S3_NotImplemented, "A write takes one of If-Match and If-None-Match, not both.");
	*ret = c;
	return ERR_OK;
}

bool
conditions_any(const struct conditions *c)
{
	return c->if_match.p != NULL || c->if_none_match.p != NULL || c->has_modified_since || c->has_unmodified_since;
}

/* ---- small bodies ---- */

err_v
request_body(struct s3_req *rq, size_t max, str *ret)
{
	if (rq->payload == NULL) {
		*ret = STR("");
		return ERR_OK;
	}
	return aws_body_read_all(rq->payload, rq->arena, max, NULL, ret);
}

err_v
request_xml_optional(struct s3_req *rq, size_t max, struct xml_node **ret)
{
	str body;
	err_v e = request_body(rq, max, &body);

	if (err_is(e, S3_EntityTooLarge))
		return err_s3f(S3_MalformedXML, "The XML is longer than the %zu bytes allowed.", max);
	TRY(e);
	if (str_empty(body)) {
		*ret = NULL;
		return ERR_OK;
	}
	return xml_parse(body, rq->arena, ret);
}

err_v
request_xml(struct s3_req *rq, size_t max, struct xml_node **ret)
{
	struct xml_node *root;

	TRY(request_xml_optional(rq, max, &root));
	if (root == NULL)
		return err_s3f(S3_MalformedXML, "The request has no body; this call takes XML.");
	*ret = root;
	return ERR_OK;
}

/* ---- answers ---- */

err_v
answer_xml(struct s3_req *rq, const struct buf *b)
{
	if (buf_overflow(b))
		return err_s3f(S3_InternalError, "The answer is larger than %zu bytes.", b->max);
	resp_status(rq->resp, 200);
	resp_header(rq->resp, STR("Content-Type"), STR("application/xml"));
	return resp_send(rq->resp, buf_str(b));
}

err_v
answer_empty(struct s3_req *rq, int status)
{
	resp_status(rq->resp, status);
	return resp_send(rq->resp, STR(""));
}

void
xml_etag(struct buf *b, const char *tag, str etag)
{
	xml_open(b, tag);
	buf_add(b, STR("&quot;"));
	xml_escape(b, etag);
	buf_add(b, STR("&quot;"));
	xml_close(b, tag);
}

void
xml_time(struct buf *b, const char *tag, uint64_t ms)
{
	char text[DATE_ISO_LEN];

	date_iso_text(ms, text);
	xml_open(b, tag);
	buf_add(b, str_n(text, sizeof(text)));
	xml_close(b, tag);
}

void
xml_owner(struct buf *b, const char *tag, str org)
{
	xml_open(b, tag);
	xml_text(b, "ID", org);
	xml_text(b, "DisplayName", org);
	xml_close(b, tag);
}

void
xml_key(struct buf *b, const char *tag, str key, enum key_form form)
{
	xml_open(b, tag);
	if (form == KEY_URL)
		url_encode(b, key, URL_KEEP_SLASH);
	else
		xml_escape(b, key);
	xml_close(b, tag);
}

void
xml_checksum(struct arena *a, struct buf *b, const struct checksum *c, uint32_t parts)
{
	if (c->set)
		xml_text(b, checksum_tag(c->alg), checksum_text(a, c, parts));
}
