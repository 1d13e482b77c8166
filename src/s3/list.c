/*
 * list.c - ListObjects, ListObjectsV2, ListObjectVersions.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 * A page is one consistent scan of the index; its rows become XML straight away, without memory of their own. An
 * entry, key or common prefix, comes after a marker if it sorts behind it.
 */
#include "s3/list.h"

#include "base/panic.h"
#include "base/text.h"
#include "http/xml_out.h"
#include "s3/checksum.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/list_token.h"
#include "s3/store.h"

#define KEY_MAX 1024u
#define ARENA_FIRST (512u << 10)
#define ARENA_MAX (16u << 20)

/* ---- arguments ---- */

err_v
list_max_read(struct s3_req *rq, const char *name, unsigned *ret)
{
	str text = http_query_value(rq->head, str_c(name));
	uint64_t n = LIST_MAX;

	if (!str_empty(text))
		TRY(argument_number(rq, name, text, &n));
	*ret = n < LIST_MAX ? (unsigned)n : LIST_MAX;
	return ERR_OK;
}

err_v
list_form_read(struct s3_req *rq, enum key_form *ret)
{
	str text = http_query_value(rq->head, STR("encoding-type"));

	if (!str_empty(text) && !str_eq(text, STR("url")))
		return argument_bad(rq, "encoding-type", text, "encoding-type can only be url. Leave it out for keys as they are.");
	*ret = str_empty(text) ? KEY_AS_IS : KEY_URL;
	return ERR_OK;
}

err_v
list_args_read(struct s3_req *rq, const char *max_name, struct list_args *ret)
{
	struct list_args a = {
		.prefix = http_query_value(rq->head, STR("prefix")), .delimiter = http_query_value(rq->head, STR("delimiter")),
	};

	TRY(list_form_read(rq, &a.form));
	TRY(list_max_read(rq, max_name, &a.max));
	*ret = a;
	return ERR_OK;
}

bool
list_after(struct list_query *q, str marker)
{
	ptrdiff_t at;

	q->after = marker;
	if (str_empty(q->delimiter) || !str_starts(marker, q->prefix))
		return true;
	at = str_find_str(str_skip(marker, q->prefix.len), q->delimiter);
	if (at < 0)
		return true;
	q->after = str_sub(marker, 0, q->prefix.len + (size_t)at + q->delimiter.len);
	q->after_is_prefix = true;
	return false;
}

/* ---- pages ---- */

struct arena *
list_arena(void)
{
	return arena_new(ARENA_FIRST, ARENA_MAX);
}

err_v
list_page_read(struct s3_req *rq, const struct list_query *q, struct arena *a, struct list_page *ret)
{
	if (q->max == 0) {
		*ret = (struct list_page){ 0 };
		return ERR_OK;
	}
	return catalog_list(rq->store->catalog, &rq->bucket, q, a, ret);
}

void
list_args_xml(struct buf *b, const struct list_args *a)
{
	if (!str_empty(a->delimiter))
		xml_key(b, "Delimiter", a->delimiter, a->form);
	if (a->form == KEY_URL)
		xml_text(b, "EncodingType", STR("url"));
}

void
list_prefixes(struct buf *b, const struct list_page *page, enum key_form form)
{
	for (unsigned i = 0; i < page->n; i++) {
		if (!page->row[i].is_prefix)
			continue;
		xml_open(b, "CommonPrefixes");
		xml_key(b, "Prefix", page->row[i].prefix, form);
		xml_close(b, "CommonPrefixes");
	}
}

/* What Contents and Version have in common, in Amazon's order. */
static void
object_xml(struct buf *b, const struct object *o)
{
	xml_time(b, "LastModified", o->modified_ms);
	xml_etag(b, "ETag", o->etag);
	if (o->checksum.set) {
		xml_text(b, "ChecksumAlgorithm", checksum_name(o->checksum.alg));
		xml_text(b, "ChecksumType", checksum_type_name(o->checksum.type));
	}
	xml_u64(b, "Size", o->size);
}

enum with_owner { WITHOUT_OWNER, WITH_OWNER };

static void
contents_xml(struct buf *b, const struct list_page *page, enum key_form form, enum with_owner owner)
{
	for (unsigned i = 0; i < page->n; i++) {
		const struct object *o = &page->row[i].object;

		if (page->row[i].is_prefix)
			continue;
		xml_open(b, "Contents");
		xml_key(b, "Key", o->key, form);
		object_xml(b, o);
		if (owner == WITH_OWNER)
			xml_owner(b, "Owner", o->owner_org);
		xml_text(b, "StorageClass", storage_class_name(o->class));
		xml_close(b, "Contents");
	}
}

/* ---- ListObjects ---- */

/* GET /bucket - S3 API: ListObjects (version 1) */
err_v
s3_list_objects(struct s3_req *rq)
{
	AUTO(arena_free) struct arena *arena = list_arena();
	AUTO(buf_done) struct buf b = { 0 };
	str marker = http_query_value(rq->head, STR("marker"));
	struct list_args args;
	struct list_page page;
	struct list_query q;

	TRY(list_args_read(rq, "max-keys", &args));
	q = (struct list_query){ .what = LIST_OBJECTS, .prefix = args.prefix, .delimiter = args.delimiter, .max = args.max,
	    .early = LIST_EARLY_AT_KEY };
	list_after(&q, marker);
	TRY(list_page_read(rq, &q, arena, &page));

	buf_init(&b, LIST_XML_MAX);
	xml_begin(&b, "ListBucketResult", true);
	xml_text(&b, "Name", rq->bucket.name);
	xml_key(&b, "Prefix", args.prefix, args.form);
	xml_key(&b, "Marker", marker, args.form);
	/* Without a delimiter the last key is the marker of the next page, as a rule. */
	if (page.more && (page.early || !str_empty(args.delimiter)))
		xml_key(&b, "NextMarker", list_page_end(&page), args.form);
	xml_u64(&b, "MaxKeys", args.max);
	list_args_xml(&b, &args);
	xml_bool(&b, "IsTruncated", page.more);
	contents_xml(&b, &page, args.form, WITH_OWNER);
	list_prefixes(&b, &page, args.form);
	xml_close(&b, "ListBucketResult");
	return answer_xml(rq, &b);
}

/* ---- ListObjectsV2 ---- */

/* GET /bucket?list-type=2 - S3 API: ListObjectsV2 */
err_v
s3_list_objects_v2(struct s3_req *rq)
{
	AUTO(arena_free) struct arena *arena = list_arena();
	AUTO(buf_done) struct buf b = { 0 };
	str token = http_query_value(rq->head, STR("continuation-token"));
	str start = http_query_value(rq->head, STR("start-after"));
	bool owner = str_eq_nocase(http_query_value(rq->head, STR("fetch-owner")), STR("true"));
	struct list_args args;
	struct list_page page;
	struct list_query q;

	TRY(list_args_read(rq, "max-keys", &args));
	q = (struct list_query){ .what = LIST_OBJECTS, .prefix = args.prefix, .delimiter = args.delimiter, .max = args.max,
	    .early = LIST_EARLY };
	if (token.p == NULL)
		list_after(&q, start);
	else if (!list_token_parse(token, rq->arena, &q))
		return argument_bad(rq, "continuation-token", token, "The continuation token is not one that this store has given.");
	TRY(list_page_read(rq, &q, arena, &page));

	buf_init(&b, LIST_XML_MAX);
	xml_begin(&b, "ListBucketResult", true);
	xml_text(&b, "Name", rq->bucket.name);
	xml_key(&b, "Prefix", args.prefix, args.form);
	if (token.p != NULL)
		xml_text(&b, "ContinuationToken", token);
	if (page.more)
		xml_text(&b, "NextContinuationToken", list_token(arena, &page));
	if (!str_empty(start))
		xml_key(&b, "StartAfter", start, args.form);
	xml_u64(&b, "KeyCount", page.n);
	xml_u64(&b, "MaxKeys", args.max);
	list_args_xml(&b, &args);
	xml_bool(&b, "IsTruncated", page.more);
	contents_xml(&b, &page, args.form, owner ? WITH_OWNER : WITHOUT_OWNER);
	list_prefixes(&b, &page, args.form);
	xml_close(&b, "ListBucketResult");
	return answer_xml(rq, &b);
}

/* ---- ListObjectVersions ---- */

static void
versions_xml(struct buf *b, const struct list_page *page, enum key_form form, struct arena *arena)
{
	for (unsigned i = 0; i < page->n; i++) {
		const struct list_row *row = &page->row[i];
		const struct object *o = &row->object;
		const char *tag = o->delete_marker ? "DeleteMarker" : "Version";

		if (row->is_prefix)
			continue;
		xml_open(b, tag);
		xml_key(b, "Key", o->key, form);
		xml_text(b, "VersionId", version_text(arena, o->version));
		xml_bool(b, "IsLatest", row->is_latest);
		if (o->delete_marker) {
			xml_time(b, "LastModified", o->modified_ms);
		} else {
			object_xml(b, o);
			xml_text(b, "StorageClass", storage_class_name(o->class));
		}
		xml_owner(b, "Owner", o->owner_org);
		xml_close(b, tag);
	}
}

static err
version_marker(struct s3_req *rq, str key, str version, struct list_query *q)
{
	struct which which;
	bool within = list_after(q, key);

	if (version.p == NULL)
		return ERR_OK;
	if (str_empty(key))
		return argument_bad(rq, "version-id-marker", version, "version-id-marker needs key-marker beside it.");
	if (str_empty(version))
		return argument_bad(rq, "version-id-marker", version, "version-id-marker is empty. Leave it out.");
	if (!err_ok(which_parse(version, &which)))
		return argument_bad(rq, "version-id-marker", version, "version-id-marker is neither null nor the id of a version.");
	q->has_after_version = within;
	q->after_version = which.version;
	return ERR_OK;
}

/* GET /bucket?versions - S3 API: ListObjectVersions */
err_v
s3_list_versions(struct s3_req *rq)
{
	AUTO(arena_free) struct arena *arena = list_arena();
	AUTO(buf_done) struct buf b = { 0 };
	str key = http_query_value(rq->head, STR("key-marker"));
	str version = http_query_value(rq->head, STR("version-id-marker"));
	struct list_args args;
	struct list_page page;
	struct list_query q;

	TRY(list_args_read(rq, "max-keys", &args));
	q = (struct list_query){ .what = LIST_VERSIONS, .prefix = args.prefix, .delimiter = args.delimiter, .max = args.max,
	    .early = LIST_EARLY_AT_KEY };
	TRY(version_marker(rq, key, version, &q));
	TRY(list_page_read(rq, &q, arena, &page));

	buf_init(&b, LIST_XML_MAX);
	xml_begin(&b, "ListVersionsResult", true);
	xml_text(&b, "Name", rq->bucket.name);
	xml_key(&b, "Prefix", args.prefix, args.form);
	xml_key(&b, "KeyMarker", key, args.form);
	xml_text(&b, "VersionIdMarker", version);
	if (page.more) {
		xml_key(&b, "NextKeyMarker", list_page_end(&page), args.form);
		if (!page.end.is_prefix)
			xml_text(&b, "NextVersionIdMarker", version_text(arena, page.end.object.version));
	}
	xml_u64(&b, "MaxKeys", args.max);
	list_args_xml(&b, &args);
	xml_bool(&b, "IsTruncated", page.more);
	versions_xml(&b, &page, args.form, arena);
	list_prefixes(&b, &page, args.form);
	xml_close(&b, "ListVersionsResult");
	return answer_xml(rq, &b);
}
