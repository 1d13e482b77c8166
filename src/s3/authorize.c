/*
 * authorize.c - which permissions a request needs, and whether its caller has them.
 *
 * Beyond the table: deleting a version needs s3:DeleteObjectVersion as well, tags in the head of an upload need
 * s3:PutObjectTagging, an ETag to be compared needs s3:GetObject, a copy needs its source's permission on the source. Amazon has further
 * actions where ours are fewer (s3:GetObjectVersion, ...): nobody needs them, but a Deny of them refuses.
 */
#include "s3/authorize.h"

#include "base/panic.h"
#include "base/text.h"
#include "s3/answer.h"
#include "s3/buckets.h"
#include "s3/headers.h"
#include "s3/route.h"

#define RECORD_FIRST (16u << 10)
#define RECORD_MAX (4u << 20)

/* The tags of the object there is, for a policy that asks about them. None if there is no object. a: for the whole record. */
static err
existing_tags(struct s3_req *rq, const struct bucket *bucket, str key, const struct which *which, struct arena *a, struct pairs *ret)
{
	static const struct which current = { .kind = WHICH_CURRENT };
	struct object object;
	err_v e = catalog_get(rq->store->catalog, bucket, key, which != NULL ? which : &current, rq->wait, a, &object);

	if (err_is(e, S3_NoSuchKey) || err_is(e, S3_NoSuchVersion))
		*ret = (struct pairs){ 0 };
	else if (!err_ok(e))
		return e;
	else
		*ret = object.tags;
	return ERR_OK;
}

/* For the audit log: the first refusal counts, else the last permission. */
static void
decided(struct s3_req *rq, err_v e, str why)
{
	if (rq->store->audit == NULL || rq->decision == AUDIT_DENY || (!err_ok(e) && !err_is(e, S3_AccessDenied)))
		return;
	rq->decision = err_ok(e) ? AUDIT_ALLOW : AUDIT_DENY;
	rq->why = arena_str(rq->arena, why);
}

enum ask_for { ASK_ALLOWED, ASK_NOT_REFUSED };

static err
ask(struct s3_req *rq, enum ask_for what, const char *action, const struct bucket *bucket, str key, const struct which *which,
    const struct pairs *tags)
{
	AUTO(arena_free) struct arena *record = NULL;	/* not the request's: DeleteObjects asks for a thousand objects */
	struct pairs existing;
	bool needs_tags = false;
	str why = STR_NONE;
	err_v e;
	struct access_question q = {
		.who = &rq->who, .action = str_c(action), .bucket = bucket != NULL ? bucket->name : rq->bucket_name, .key = key,
		.target = bucket, .head = rq->head, .source_ip = rq->http->peer, .tls = rq->http->tls,
		.request_tags = tags, .wait = rq->wait, .copy_source = rq->copy_source, .refusals_only = what == ASK_NOT_REFUSED,
	};

	if (which != NULL && which->kind == WHICH_VERSION)
		q.version_id = version_text(rq->arena, which->version);
	if (bucket != NULL && !str_empty(key))
		TRY(access_needs_tags(rq->store->access, bucket, rq->wait, &needs_tags));
	if (needs_tags) {
		record = arena_new(RECORD_FIRST, RECORD_MAX);
		TRY(existing_tags(rq, bucket, key, which, record, &existing));
		q.existing_tags = &existing;
	}
	e = access_check(rq->store->access, &q, &why);
	if (what == ASK_ALLOWED || !err_ok(e))
		decided(rq, e, why);
	return e;
}

err_v
authorize_action(struct s3_req *rq, const char *action, const struct bucket *bucket, str key, const struct which *which,
    const struct pairs *tags)
{
	return ask(rq, ASK_ALLOWED, action, bucket, key, which, tags);
}

err_v
authorize_etag(struct s3_req *rq, str key, const struct which *which, str if_match)
{
	if (str_empty(if_match) || str_eq(if_match, STR("*")))
		return ERR_OK;
	return authorize_action(rq, "s3:GetObject", &rq->bucket, key, which, NULL);
}

/* What a policy written for Amazon may deny. NULL: nothing more. */
static const struct { const char *plain, *version; } amazon_has[OP_COUNT] = {
	[OP_GetBucketAcl] = { "s3:GetBucketAcl", NULL },
	[OP_ListObjectVersions] = { "s3:ListBucketVersions", NULL },
	[OP_GetObject] = { NULL, "s3:GetObjectVersion" },
	[OP_HeadObject] = { NULL, "s3:GetObjectVersion" },
	[OP_GetObjectAttributes] = { "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes" },
	[OP_GetObjectAcl] = { "s3:GetObjectAcl", "s3:GetObjectVersionAcl" },
	[OP_GetObjectTagging] = { NULL, "s3:GetObjectVersionTagging" },
	[OP_PutObjectTagging] = { NULL, "s3:PutObjectVersionTagging" },
	[OP_DeleteObjectTagging] = { NULL, "s3:DeleteObjectVersionTagging" },
	[OP_RenameObject] = { "s3:RenameObject", NULL },
};

static err
not_refused(struct s3_req *rq, const struct bucket *bucket)
{
	const char *action = rq->which.kind == WHICH_VERSION ? amazon_has[rq->op].version : amazon_has[rq->op].plain;

	return action != NULL ? ask(rq, ASK_NOT_REFUSED, action, bucket, rq->key, &rq->which, NULL) : ERR_OK;
}

/* Each action of a list such as "s3:GetObject|s3:PutObject". */
static err
actions_check(struct s3_req *rq, const char *list, const struct bucket *bucket, str key, const struct which *which,
    const struct pairs *tags)
{
	str rest = str_c(list);

	while (!str_empty(rest)) {
		str action = str_take_until(&rest, '|');

		TRY(authorize_action(rq, arena_str(rq->arena, action).p, bucket, key, which, tags));
	}
	return ERR_OK;
}

/* Whoever says whose bucket they expect is not served from another's. Nor told whose it is: they may have no rights in it. */
static err
owner_check(struct s3_req *rq, str header, const struct bucket *bucket)
{
	str expected = s3_header(rq, header);

	return expected.p == NULL || str_eq(expected, bucket->org) ? ERR_OK : err_s3(S3_AccessDenied);
}

/* ---- the source of a copy ---- */

static err
bad_source(struct s3_req *rq, const char *why)
{
	return argument_bad(rq, "x-amz-copy-source", s3_header(rq, STR("x-amz-copy-source")), why);
}

/*
 * "/bucket/key?versionId=...", URL-encoded, the first slash optional. The version is cut off before decoding, so that a key may hold
 * a question mark.
 */
static err
source_parse(struct s3_req *rq, str text, str *ret_bucket, struct s3_source *s)
{
	str path = text, bucket;
	ptrdiff_t at = str_find_str(text, STR("?versionId="));

	if (str_starts(text, STR("arn:")))
		return err_s3f(S3_NotImplemented, "Access points are not implemented: x-amz-copy-source takes bucket/key.");
	s->which.kind = WHICH_CURRENT;
	if (at >= 0) {
		path = str_sub(text, 0, (size_t)at);
		TRY(argument_which(rq, "versionId", str_skip(text, (size_t)at + sizeof("?versionId=") - 1), &s->which));
	}
	if (str_starts(path, STR("/")))
		path = str_skip(path, 1);
	if (!url_decode(rq->arena, path, URL_PLUS_IS_SPACE, &path))
		return bad_source(rq, "x-amz-copy-source holds a broken %-escape.");
	bucket = str_take_until(&path, '/');
	if (str_empty(bucket) || str_empty(path))
		return bad_source(rq, "x-amz-copy-source must be bucket/key.");
	if (!str_is_utf8(path))
		return bad_source(rq, "The key in x-amz-copy-source is not valid UTF-8.");
	*ret_bucket = bucket;
	s->key = path;
	return ERR_OK;
}

/* What it is called; it is looked for when the target is known to be allowed. */
static err
source_name(struct s3_req *rq, str *ret_bucket, struct s3_source *ret)
{
	str bucket, slash = STR("/");

	TRY(source_parse(rq, s3_header(rq, STR("x-amz-copy-source")), &bucket, ret));
	rq->copy_source = arena_join(rq->arena, (str[]){ bucket, slash, ret->key }, 3);
	*ret_bucket = bucket;
	return ERR_OK;
}

static err
source_check(struct s3_req *rq, const char *permission, str bucket, struct s3_source *s)
{
	if (str_eq(bucket, rq->bucket.name)) {
		s->bucket = rq->bucket;
	} else {
		err_v e = catalog_bucket(rq->store->catalog, bucket, rq->wait, rq->arena, &s->bucket);

		if (err_is(e, S3_NoSuchBucket) && !err_ok(bucket_name_check(rq->store->dialect, bucket)))
			return bad_source(rq, "The bucket in x-amz-copy-source has an impossible name.");
		if (err_is(e, S3_NoSuchBucket)) {
			s3_detail(rq, "BucketName", bucket);
			return err_s3(S3_NoSuchBucket);
		}
		if (!err_ok(e))
			return e;
	}
	TRY(owner_check(rq, STR("x-amz-source-expected-bucket-owner"), &s->bucket));
	TRY(actions_check(rq, permission, &s->bucket, s->key, &s->which, NULL));
	if (s->which.kind == WHICH_VERSION)
		TRY(ask(rq, ASK_NOT_REFUSED, "s3:GetObjectVersion", &s->bucket, s->key, &s->which, NULL));
	rq->source = s;
	return ERR_OK;
}

/* ---- the request ---- */

/* Uploads may carry tags in their head; a copy's count only if they replace those of the source. */
static bool
sets_tags(struct s3_req *rq)
{
	if (rq->op != OP_PutObject && rq->op != OP_CreateMultipartUpload && rq->op != OP_CopyObject)
		return false;
	if (str_empty(s3_header(rq, STR("x-amz-tagging"))))
		return false;
	return rq->op != OP_CopyObject || str_eq_nocase(s3_header(rq, STR("x-amz-tagging-directive")), STR("REPLACE"));
}

static bool
compares_etag(enum op op)
{
	return op == OP_PutObject || op == OP_CopyObject || op == OP_CompleteMultipartUpload || op == OP_DeleteObject;
}

err_v
authorize(struct s3_req *rq)
{
	const struct operation *op = operation(rq->op);
	const struct bucket *bucket = rq->bucket.name.p != NULL ? &rq->bucket : NULL;
	struct s3_source *source = NULL;
	str source_bucket = STR_NONE;
	struct pairs tags = { 0 };

	if (bucket != NULL)
		TRY(owner_check(rq, STR("x-amz-expected-bucket-owner"), bucket));
	if (rq->op == OP_CopyObject || rq->op == OP_UploadPartCopy) {
		source = ARENA_NEW(rq->arena, struct s3_source);
		TRY(source_name(rq, &source_bucket, source));
	}
	if (sets_tags(rq)) {
		TRY(headers_tagging(rq->head, rq->arena, &tags));
		TRY(authorize_action(rq, "s3:PutObjectTagging", bucket, rq->key, NULL, &tags));
	}
	if (rq->op != OP_PutObjectTagging)	/* its handler asks, with the tags of the body */
		TRY(actions_check(rq, op->permissions, bucket, rq->key, &rq->which, &tags));
	if (rq->op == OP_DeleteObject && rq->which.kind == WHICH_VERSION)
		TRY(authorize_action(rq, "s3:DeleteObjectVersion", bucket, rq->key, &rq->which, NULL));
	TRY(not_refused(rq, bucket));
	if (compares_etag(rq->op))
		TRY(authorize_etag(rq, rq->key, &rq->which, s3_header(rq, STR("if-match"))));
	return source != NULL ? source_check(rq, op->source, source_bucket, source) : ERR_OK;
}

/* What the handler left for the answer would tell what the caller may not know. */
static err
hidden(struct s3_req *rq)
{
	rq->ndetails = rq->nerror_headers = 0;
	return err_s3(S3_AccessDenied);
}

err_v
authorize_missing(struct s3_req *rq, err_v e)
{
	const struct bucket *bucket = rq->source_missing ? &rq->source->bucket : &rq->bucket;
	const char *message;
	err_v may;

	if ((!err_is(e, S3_NoSuchKey) && !err_is(e, S3_NoSuchVersion)) || bucket->name.p == NULL)
		return e;
	message = arena_str(rq->arena, str_c(err_context())).p;	/* the next question overwrites it */
	may = authorize_action(rq, "s3:ListBucket", bucket, STR(""), NULL, NULL);
	if (err_is(may, S3_AccessDenied))
		return hidden(rq);
	TRY(may);
	return err_again(e, message);
}
