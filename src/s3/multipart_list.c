/*
 * multipart_list.c - ListParts and ListMultipartUploads.
 */
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/expiry.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/list.h"
#include "s3/multipart.h"
#include "s3/store.h"

static void
write_id(struct buf *b, const char *tag, struct id id)
{
	char text[ID_TEXT_LEN];

	id_text(id, text);
	xml_text(b, tag, str_n(text, sizeof(text)));
}

static void
write_checksum_kind(struct buf *b, const struct upload *u)
{
	if (!u->checksum_set)
		return;
	xml_text(b, "ChecksumAlgorithm", checksum_name(u->checksum_alg));
	xml_text(b, "ChecksumType", checksum_type_name(u->checksum_type));
}

/* ---- parts ---- */

static void
write_part(struct s3_req *rq, struct buf *b, const struct part *p)
{
	xml_open(b, "Part");
	xml_u64(b, "PartNumber", p->number);
	xml_time(b, "LastModified", p->modified_ms);
	xml_etag(b, "ETag", p->etag);
	xml_u64(b, "Size", p->size);
	xml_checksum(rq->arena, b, &p->checksum, 0);
	xml_close(b, "Part");
}

static err
marker_read(struct s3_req *rq, uint32_t *ret)
{
	str text = http_query_value(rq->head, STR("part-number-marker"));
	uint64_t n = 0;

	if (!str_empty(text))
		TRY(argument_number(rq, "part-number-marker", text, &n));
	*ret = (uint32_t)n;
	return ERR_OK;
}

/* GET /bucket/key?uploadId=ID - S3 API: ListParts */
err_v
s3_list_parts(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	enum key_form form = KEY_AS_IS;
	struct part *part = NULL;
	struct upload u;
	unsigned max, n = 0;
	uint32_t after = 0;
	bool more = false;

	TRY(list_max_read(rq, "max-parts", &max));
	TRY(marker_read(rq, &after));
	TRY(list_form_read(rq, &form));
	TRY(upload_find(rq, &u));
	if (max > 0)
		TRY(catalog_parts(rq->store->catalog, &rq->bucket, u.id, after, max, rq->arena, &part, &n, &more));

	buf_init(&b, LIST_XML_MAX);
	xml_begin(&b, "ListPartsResult", true);
	xml_text(&b, "Bucket", rq->bucket.name);
	xml_key(&b, "Key", rq->key, form);
	write_id(&b, "UploadId", u.id);
	xml_owner(&b, "Initiator", u.initiator);
	xml_owner(&b, "Owner", u.owner_org);
	xml_text(&b, "StorageClass", storage_class_name(u.class));
	xml_u64(&b, "PartNumberMarker", after);
	xml_u64(&b, "NextPartNumberMarker", n > 0 ? part[n - 1].number : 0);
	xml_u64(&b, "MaxParts", max);
	if (form == KEY_URL)
		xml_text(&b, "EncodingType", STR("url"));
	xml_bool(&b, "IsTruncated", more);
	for (unsigned i = 0; i < n; i++)
		write_part(rq, &b, &part[i]);
	write_checksum_kind(&b, &u);
	xml_close(&b, "ListPartsResult");
	TRY(answer_abortion(rq, &u));
	return answer_xml(rq, &b);
}

/* ---- uploads ---- */

/* Where a page begins: behind a key, or within it behind one of its uploads. */
static err
uploads_after(struct s3_req *rq, struct list_query *q)
{
	str key = http_query_value(rq->head, STR("key-marker")), id = http_query_value(rq->head, STR("upload-id-marker"));

	if (str_empty(key))
		return ERR_OK;		/* an upload id alone means nothing, as Amazon has it */
	if (!list_after(q, key) || str_empty(id))
		return ERR_OK;
	if (!id_parse(id, &q->after_upload))
		return argument_bad(rq, "upload-id-marker", id, "upload-id-marker is not the id of an upload.");
	q->has_after_version = true;
	return ERR_OK;
}

static void
write_upload(struct buf *b, const struct upload *u, enum key_form form)
{
	xml_open(b, "Upload");
	xml_key(b, "Key", u->key, form);
	write_id(b, "UploadId", u->id);
	xml_owner(b, "Initiator", u->initiator);
	xml_owner(b, "Owner", u->owner_org);
	xml_text(b, "StorageClass", storage_class_name(u->class));
	xml_time(b, "Initiated", u->started_ms);
	write_checksum_kind(b, u);
	xml_close(b, "Upload");
}

static void
write_next(struct buf *b, const struct list_page *page, enum key_form form)
{
	const struct list_row *last = &page->end;

	xml_key(b, "NextKeyMarker", last->is_prefix ? last->prefix : last->upload.key, form);
	if (last->is_prefix)
		xml_text(b, "NextUploadIdMarker", STR(""));
	else
		write_id(b, "NextUploadIdMarker", last->upload.id);
}

/* GET /bucket?uploads - S3 API: ListMultipartUploads */
err_v
s3_list_uploads(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct list_query q = { .what = LIST_UPLOADS, .early = LIST_EARLY_AT_KEY };
	str key = http_query_value(rq->head, STR("key-marker"));
	struct list_args args;
	struct list_page page;

	TRY(list_args_read(rq, "max-uploads", &args));
	q.prefix = args.prefix;
	q.delimiter = args.delimiter;
	q.max = args.max;
	TRY(uploads_after(rq, &q));
	TRY(list_page_read(rq, &q, rq->arena, &page));

	buf_init(&b, LIST_XML_MAX);
	xml_begin(&b, "ListMultipartUploadsResult", true);
	xml_text(&b, "Bucket", rq->bucket.name);
	xml_key(&b, "KeyMarker", key, args.form);
	xml_text(&b, "UploadIdMarker", str_empty(key) ? STR("") : http_query_value(rq->head, STR("upload-id-marker")));
	if (page.more)
		write_next(&b, &page, args.form);
	xml_key(&b, "Prefix", args.prefix, args.form);
	list_args_xml(&b, &args);
	xml_u64(&b, "MaxUploads", args.max);
	xml_bool(&b, "IsTruncated", page.more);
	for (unsigned i = 0; i < page.n; i++)
		if (!page.row[i].is_prefix)
			write_upload(&b, &page.row[i].upload, args.form);
	list_prefixes(&b, &page, args.form);
	xml_close(&b, "ListMultipartUploadsResult");
	return answer_xml(rq, &b);
}
