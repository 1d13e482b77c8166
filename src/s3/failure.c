/*
 * failure.c - S3's error XML.
 *
 * Amazon S3 API Reference, "Error Responses". The message is that of the error, or of its row in tbl/errors.h; the context of
 * an errno goes to the log, with the request id that the client sees.
 */
#include "s3/failure.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/panic.h"
#include "http/xml_out.h"
#include "meta/keys.h"
#include "s3/cors.h"
#include "s3/headers.h"
#include "s3/metrics.h"

#define XML_MAX (1u << 20)
#define RETRY_AFTER_S "1"

static const struct {
	int errnum;
	enum s3_error code;
} translations[] = {
	{ ENOSPC, S3_StorageFull }, { EDQUOT, S3_StorageFull },
	{ EMFILE, S3_SlowDown }, { ENFILE, S3_SlowDown }, { ETIMEDOUT, S3_SlowDown }, { EAGAIN, S3_SlowDown },
	{ EROFS, S3_ServiceUnavailable },
};

enum s3_error
failure_code(err_v e)
{
	assert(e.code != 0 && e.code < S3_ERROR_COUNT);
	if (e.code > 0)
		return (enum s3_error)e.code;
	for (size_t i = 0; i < COUNT(translations); i++)
		if (translations[i].errnum == -e.code)
			return translations[i].code;
	return S3_InternalError;
}

void
s3_detail(struct s3_req *rq, const char *element, str value)
{
	if (rq->ndetails < S3_DETAILS_MAX)
		rq->details[rq->ndetails++] = (struct pair){ str_c(element), value };
}

void
s3_error_header(struct s3_req *rq, const char *name, str value)
{
	if (rq->nerror_headers < S3_DETAILS_MAX)
		rq->error_headers[rq->nerror_headers++] = (struct pair){ str_c(name), value };
}

static bool
has_detail(const struct s3_req *rq, const char *element)
{
	for (unsigned i = 0; i < rq->ndetails; i++)
		if (str_eq(rq->details[i].name, str_c(element)))
			return true;
	return false;
}

/* ---- elements that follow from the request alone ---- */

static str detail_bucket(struct s3_req *rq) { return rq->bucket_name; }
static str detail_key(struct s3_req *rq) { return rq->key; }
static str detail_version(struct s3_req *rq) { return http_query_value(rq->head, STR("versionId")); }
static str detail_upload(struct s3_req *rq) { return http_query_value(rq->head, STR("uploadId")); }
static str detail_md5(struct s3_req *rq) { return s3_header(rq, STR("content-md5")); }
static str detail_class(struct s3_req *rq) { return s3_header(rq, STR("x-amz-storage-class")); }
static str detail_method(struct s3_req *rq) { return rq->head->method_text; }
static str detail_key_size(struct s3_req *rq) { return arena_fmt(rq->arena, "%zu", rq->key.len); }
static str detail_key_max(struct s3_req *rq) { return arena_fmt(rq->arena, "%u", OBJECT_KEY_MAX); }
static str detail_metadata_max(struct s3_req *rq) { return arena_fmt(rq->arena, "%u", METADATA_MAX); }

/* The condition that failed: of those sent the one that is looked at first. */
static str
detail_condition(struct s3_req *rq)
{
	static const str names[] = {
		STR("x-amz-copy-source-If-Match"), STR("x-amz-copy-source-If-Unmodified-Since"),
		STR("x-amz-copy-source-If-None-Match"), STR("x-amz-copy-source-If-Modified-Since"),
		STR("If-Match"), STR("If-Unmodified-Since"), STR("If-None-Match"), STR("If-Modified-Since"),
	};

	for (size_t i = 0; i < COUNT(names); i++)
		if (http_header_has(rq->head, names[i]))
			return names[i];
	return STR_NONE;
}

/* Amazon's elements and their order; one that has nothing to say is left out. */
static const struct element {
	enum s3_error code;
	const char *name;
	str (*value)(struct s3_req *);
} elements[] = {
	{ S3_BadDigest, "ExpectedDigest", detail_md5 },
	{ S3_BucketAlreadyExists, "BucketName", detail_bucket },
	{ S3_BucketAlreadyOwnedByYou, "BucketName", detail_bucket },
	{ S3_BucketNotEmpty, "BucketName", detail_bucket },
	{ S3_InvalidBucketName, "BucketName", detail_bucket },
	{ S3_InvalidDigest, "Content-MD5", detail_md5 },
	{ S3_InvalidPart, "UploadId", detail_upload },
	{ S3_InvalidPartOrder, "UploadId", detail_upload },
	{ S3_InvalidStorageClass, "StorageClassRequested", detail_class },
	{ S3_KeyTooLongError, "Size", detail_key_size },
	{ S3_KeyTooLongError, "MaxSizeAllowed", detail_key_max },
	{ S3_MetadataTooLarge, "MaxSizeAllowed", detail_metadata_max },
	{ S3_MethodNotAllowed, "Method", detail_method },
	{ S3_NoSuchBucket, "BucketName", detail_bucket },
	{ S3_NoSuchBucketPolicy, "BucketName", detail_bucket },
	{ S3_NoSuchCORSConfiguration, "BucketName", detail_bucket },
	{ S3_NoSuchKey, "Key", detail_key },
	{ S3_NoSuchLifecycleConfiguration, "BucketName", detail_bucket },
	{ S3_NoSuchTagSet, "BucketName", detail_bucket },
	{ S3_NoSuchUpload, "UploadId", detail_upload },
	{ S3_NoSuchVersion, "Key", detail_key },
	{ S3_NoSuchVersion, "VersionId", detail_version },
	{ S3_PreconditionFailed, "Condition", detail_condition },
};

static void
common_details(struct s3_req *rq, enum s3_error code)
{
	for (size_t i = 0; rq->head != NULL && i < COUNT(elements); i++) {
		str value;

		if (elements[i].code != code || has_detail(rq, elements[i].name))
			continue;
		value = elements[i].value(rq);
		if (value.p != NULL)
			s3_detail(rq, elements[i].name, value);
	}
}

static void
error_xml(struct s3_req *rq, enum s3_error code, str message, struct buf *b)
{
	xml_begin(b, "Error", false);
	xml_text(b, "Code", str_c(s3_error_info(code)->code));
	xml_text(b, "Message", message);
	for (unsigned i = 0; i < rq->ndetails; i++)
		xml_text(b, rq->details[i].name.p, rq->details[i].value);
	xml_open(b, "Resource");
	buf_add_c(b, "/");
	xml_escape(b, rq->bucket_name);
	if (!str_empty(rq->key))
		buf_add_c(b, "/");
	xml_escape(b, rq->key);
	xml_close(b, "Resource");
	xml_text(b, "RequestId", str_c(rq->http->id));
	xml_open(b, "HostId");
	resp_host_id(rq->resp, b);
	xml_close(b, "HostId");
	xml_close(b, "Error");
}

/* The client went away, or never read what was sent: nobody is left to be told, and nothing here is broken. */
static bool
client_gone(err_v e)
{
	return e.code == -EPIPE || e.code == -ECONNRESET || e.code == -ECANCELED || e.code == -ESHUTDOWN;
}

static void
log_failure(const struct s3_req *rq, err_v e, str context)
{
	if (e.code > 0 && e.code != S3_InternalError)
		return;
	if (client_gone(e))
		return;
	log_error("request=%s op=%s bucket=%.*s sent=%d errno=%d: %.*s", rq->http->id, s3_op_name(rq->op), STR_FMT(rq->bucket_name),
	    resp_status_sent(rq->resp), e.code < 0 ? -e.code : 0, STR_FMT(context));
}

static err
send_error(struct s3_req *rq, enum s3_error code, str message)
{
	AUTO(buf_done) struct buf b = { 0 };
	int status = s3_error_info(code)->status;

	resp_reset(rq->resp);
	if (rq->head != NULL)
		TRY(cors_answer(rq));
	resp_status(rq->resp, status);
	for (unsigned i = 0; i < rq->nerror_headers; i++)
		resp_header(rq->resp, rq->error_headers[i].name, rq->error_headers[i].value);
	if (status == 503)
		resp_header(rq->resp, STR("Retry-After"), STR(RETRY_AFTER_S));
	/* SDKs ask with nobody's name where a bucket lies. */
	if (rq->op == OP_HeadBucket && rq->bucket.name.p != NULL)
		resp_header(rq->resp, STR("x-amz-bucket-region"), rq->bucket.location);
	resp_header(rq->resp, STR("Content-Type"), STR("application/xml"));
	if (rq->head != NULL && rq->head->method == HTTP_HEAD)
		return resp_send(rq->resp, STR_NONE);
	common_details(rq, code);
	buf_init(&b, XML_MAX);
	error_xml(rq, code, message, &b);
	return resp_send(rq->resp, buf_str(&b));
}

err_v
failure_answer(struct s3_req *rq, err_v e)
{
	str context = arena_str(rq->arena, str_c(err_context()));	/* before anything else fails */
	enum s3_error code = failure_code(e);
	str message = e.code > 0 && !str_empty(context) ? context : str_c(s3_error_info(code)->message);
	err_v sent;

	rq->error = (int)code;
	if (resp_status_sent(rq->resp) != 0) {
		log_failure(rq, e, context);
		resp_close(rq->resp);
		return ERR_OK;
	}
	if (code == S3_NotModified) {
		resp_status(rq->resp, 304);
		sent = resp_send(rq->resp, STR_NONE);
	} else {
		sent = send_error(rq, code, message);
	}
	if (err_is(sent, ERR_WOULD_BLOCK.code))
		return sent;
	log_failure(rq, e, context);
	return ERR_OK;		/* if sending failed the connection is closed already */
}
