/*
 * delete.c - DeleteObject and DeleteObjects.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 * Deleting what is not there succeeds, unless a condition says otherwise.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/authorize.h"
#include "s3/failure.h"
#include "s3/handlers.h"
#include "s3/store.h"

#define DELETE_MAX 1000u		/* keys a request */
#define DELETE_XML_MAX (2u << 20)
#define RESULT_XML_MAX (16u << 20)	/* 1,000 of the longest keys, escaped */
#define KEY_MAX 1024u

/* Conditions that only directory buckets of Amazon know. */
static err
conditions_refuse(const struct s3_req *rq)
{
	static const str refused[] = { STR("x-amz-if-match-last-modified-time"), STR("x-amz-if-match-size") };

	for (size_t i = 0; i < COUNT(refused); i++)
		if (http_header_has(rq->head, refused[i]))
			return err_s3f(S3_NotImplemented, "The header %s is not implemented.", refused[i].p);
	return ERR_OK;
}

/* DELETE /bucket/key - S3 API: DeleteObject */
err_v
s3_delete_object(struct s3_req *rq)
{
	struct conditions conditions;
	struct deleted d;

	TRY(conditions_refuse(rq));
	TRY(conditions_parse(rq, CONDITIONS_WRITE, &conditions));
	TRY(catalog_delete(rq->store->catalog, &rq->bucket, rq->key, &rq->which, &conditions, NULL, &d));
	if (d.marker)
		resp_header(rq->resp, STR("x-amz-delete-marker"), STR("true"));
	if (d.has_version)
		resp_header(rq->resp, STR("x-amz-version-id"), version_text(rq->arena, d.version));
	return answer_empty(rq, 204);
}

/* ---- DeleteObjects ---- */

/* One <Object>. */
struct item {
	str key, version_id;		/* version_id.p == NULL: the current one */
	str etag;
	bool unsupported;		/* a condition that we do not know */
	err_v error;
	str message;			/* of the error, or "" */
	struct delete_item *todo;	/* NULL: refused */
};

static err
item_read(const struct xml_node *node, struct item *ret)
{
	struct item item = {
		.key = xml_child_text(node, "Key"), .version_id = xml_child_text(node, "VersionId"),
		.etag = xml_child_text(node, "ETag"),
		.unsupported = xml_child(node, "LastModifiedTime") != NULL || xml_child(node, "Size") != NULL,
	};

	if (str_empty(item.key))
		return err_s3f(S3_MalformedXML, "An Object has no Key.");
	if (str_empty(item.version_id))
		item.version_id = STR_NONE;
	*ret = item;
	return ERR_OK;
}

static err
items_read(const struct xml_node *root, struct arena *a, struct item **ret, unsigned *ret_n)
{
	struct item *items;
	unsigned n = 0;

	if (!str_eq(root->name, STR("Delete")))
		return err_s3f(S3_MalformedXML, "The body must be a Delete element.");
	for (const struct xml_node *o = xml_child(root, "Object"); o != NULL; o = xml_next(o))
		n++;
	if (n == 0 || n > DELETE_MAX)
		return err_s3f(S3_MalformedXML, "A Delete holds 1 to %u Object elements; here are %u.", DELETE_MAX, n);
	items = ARENA_ARRAY(a, struct item, n);
	n = 0;
	for (const struct xml_node *o = xml_child(root, "Object"); o != NULL; o = xml_next(o))
		TRY(item_read(o, &items[n++]));
	*ret = items;
	*ret_n = n;
	return ERR_OK;
}

/* May it be tried? */
static err
item_check(struct s3_req *rq, const struct item *item, struct delete_item *ret)
{
	struct delete_item todo = { .key = item->key, .which.kind = WHICH_CURRENT, .conditions.if_match = item->etag };

	if (item->key.len > KEY_MAX)
		return err_s3(S3_KeyTooLongError);
	if (item->unsupported)
		return err_s3f(S3_NotImplemented, "LastModifiedTime and Size are not implemented as conditions.");
	if (item->version_id.p != NULL && !err_ok(which_parse(item->version_id, &todo.which)))
		return err_s3(S3_NoSuchVersion);
	TRY(authorize_action(rq, "s3:DeleteObject", &rq->bucket, item->key, &todo.which, NULL));
	if (item->version_id.p != NULL)
		TRY(authorize_action(rq, "s3:DeleteObjectVersion", &rq->bucket, item->key, &todo.which, NULL));
	TRY(authorize_etag(rq, item->key, &todo.which, item->etag));
	*ret = todo;
	return ERR_OK;
}

static void
items_delete(struct s3_req *rq, struct item *item, unsigned n)
{
	struct delete_item *todo = ARENA_ARRAY(rq->arena, struct delete_item, n);
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		item[i].error = item_check(rq, &item[i], &todo[left]);
		if (err_ok(item[i].error))
			item[i].todo = &todo[left++];
		else
			item[i].message = arena_str(rq->arena, str_c(err_context()));
	}
	catalog_delete_many(rq->store->catalog, &rq->bucket, todo, left);
	for (unsigned i = 0; i < n; i++)
		if (item[i].todo != NULL)
			item[i].error = authorize_missing(rq, item[i].todo->error);
}

static void
item_deleted(struct buf *b, const struct item *item, const struct deleted *d, struct arena *a)
{
	xml_open(b, "Deleted");
	xml_key(b, "Key", item->key, KEY_AS_IS);
	if (item->version_id.p != NULL)
		xml_text(b, "VersionId", item->version_id);
	if (d->marker) {
		xml_bool(b, "DeleteMarker", true);
		xml_text(b, "DeleteMarkerVersionId", version_text(a, d->version));
	}
	xml_close(b, "Deleted");
}

static void
item_failed(struct buf *b, const struct item *item)
{
	const struct s3_error_info *info = s3_error_info((int)failure_code(item->error));

	xml_open(b, "Error");
	xml_key(b, "Key", item->key, KEY_AS_IS);
	if (item->version_id.p != NULL)
		xml_text(b, "VersionId", item->version_id);
	xml_text(b, "Code", str_c(info->code));
	xml_text(b, "Message", item->error.code > 0 && !str_empty(item->message) ? item->message : str_c(info->message));
	xml_close(b, "Error");
}

/* Amazon wants an integrity check of its own here: a request damaged on its way would delete something else. */
static err
integrity_check(const struct s3_req *rq)
{
	if (http_header_has(rq->head, STR("content-md5")) || http_header_has(rq->head, STR("x-amz-trailer")))
		return ERR_OK;
	for (unsigned i = 0; i < rq->head->headers; i++)
		if (str_starts_nocase(rq->head->header[i].name, STR("x-amz-checksum-")))
			return ERR_OK;
	return err_s3f(S3_InvalidRequest, "This call needs a checksum of its body: send Content-MD5 or x-amz-checksum-*.");
}

/* POST /bucket?delete - S3 API: DeleteObjects */
err_v
s3_delete_objects(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct xml_node *root;
	struct item *items = NULL;
	unsigned n = 0;
	bool quiet;

	TRY(integrity_check(rq));
	TRY(request_xml(rq, DELETE_XML_MAX, &root));
	TRY(items_read(root, rq->arena, &items, &n));
	quiet = str_eq_nocase(str_trim(xml_child_text(root, "Quiet")), STR("true"));

	items_delete(rq, items, n);
	buf_init(&b, RESULT_XML_MAX);
	xml_begin(&b, "DeleteResult", true);
	for (unsigned i = 0; i < n; i++) {
		if (!err_ok(items[i].error))
			item_failed(&b, &items[i]);
		else if (!quiet)
			item_deleted(&b, &items[i], &items[i].todo->result, rq->arena);
	}
	xml_close(&b, "DeleteResult");
	return answer_xml(rq, &b);
}
