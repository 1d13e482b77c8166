/*
 * attributes.c - GetObjectAttributes: what is known of an object, parts included, without its bytes.
 *
 * As Amazon answers: the ETag without quotes, a composite checksum without its "-N". Parts are listed whenever the
 * object has any, whatever its checksum.
 */
#include "base/mem.h"
#include "http/date.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/checksum.h"
#include "s3/find.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/list.h"
#include "s3/sse_c.h"
#include "s3/store.h"

#define ATTRIBUTES_XML_MAX (1u << 20)

struct parts_page {
	uint32_t after;
	unsigned max, n;
	struct part *part;
	bool more;
};

static void
write_etag(struct s3_req *rq, const struct object *o, const struct parts_page *p, struct buf *b)
{
	xml_text(b, "ETag", o->etag);
}

static void
write_checksum(struct s3_req *rq, const struct object *o, const struct parts_page *p, struct buf *b)
{
	struct checksum bare = o->checksum;

	if (!o->checksum.set)
		return;
	bare.type = CHECKSUM_FULL_OBJECT;
	xml_open(b, "Checksum");
	xml_checksum(rq->arena, b, &bare, 0);
	xml_text(b, "ChecksumType", checksum_type_name(o->checksum.type));
	xml_close(b, "Checksum");
}

static void
write_parts(struct s3_req *rq, const struct object *o, const struct parts_page *p, struct buf *b)
{
	if (o->parts == 0)
		return;
	xml_open(b, "ObjectParts");
	xml_u64(b, "PartsCount", o->parts);
	xml_u64(b, "PartNumberMarker", p->after);
	xml_u64(b, "NextPartNumberMarker", p->n > 0 ? p->part[p->n - 1].number : p->after);
	xml_u64(b, "MaxParts", p->max);
	xml_bool(b, "IsTruncated", p->more);
	for (unsigned i = 0; i < p->n; i++) {
		xml_open(b, "Part");
		xml_u64(b, "PartNumber", p->part[i].number);
		xml_u64(b, "Size", p->part[i].size);
		xml_checksum(rq->arena, b, &p->part[i].checksum, 0);
		xml_close(b, "Part");
	}
	xml_close(b, "ObjectParts");
}

static void
write_class(struct s3_req *rq, const struct object *o, const struct parts_page *p, struct buf *b)
{
	xml_text(b, "StorageClass", storage_class_name(o->class));
}

static void
write_size(struct s3_req *rq, const struct object *o, const struct parts_page *p, struct buf *b)
{
	xml_u64(b, "ObjectSize", o->size);
}

/* In the order of the answer. */
static const struct attribute {
	str name;
	void (*write)(struct s3_req *, const struct object *, const struct parts_page *, struct buf *);
} attributes[] = {
	{ STR("ETag"), write_etag },
	{ STR("Checksum"), write_checksum },
	{ STR("ObjectParts"), write_parts },
	{ STR("StorageClass"), write_class },
	{ STR("ObjectSize"), write_size },
};

static err
names_read(struct s3_req *rq, str list, unsigned *set)
{
	while (list.p != NULL) {
		str name = str_trim(str_take_until(&list, ','));
		size_t i = 0;

		while (i < COUNT(attributes) && !str_eq(attributes[i].name, name))
			i++;
		if (i == COUNT(attributes))
			return argument_bad(rq, "x-amz-object-attributes", name,
			    "An attribute is one of ETag, Checksum, ObjectParts, StorageClass and ObjectSize.");
		*set |= 1u << i;
	}
	return ERR_OK;
}

/* The header may come in several lines. */
static err
attributes_read(struct s3_req *rq, unsigned *ret)
{
	const struct http_head *h = rq->head;
	unsigned set = 0;

	for (unsigned i = 0; i < h->headers; i++)
		if (str_eq_nocase(h->header[i].name, STR("x-amz-object-attributes")) && !str_empty(h->header[i].value))
			TRY(names_read(rq, h->header[i].value, &set));
	if (set == 0)
		return err_s3f(S3_InvalidRequest,
		    "Name the attributes that are wanted in x-amz-object-attributes, with commas between them.");
	*ret = set;
	return ERR_OK;
}

static err
header_number(struct s3_req *rq, str name, uint64_t *ret)
{
	str text = s3_header(rq, name);

	return text.p != NULL ? argument_number(rq, name.p, text, ret) : ERR_OK;
}

static err
page_read(struct s3_req *rq, const struct object *o, struct parts_page *ret)
{
	struct parts_page p = { 0 };
	uint64_t max = LIST_MAX, after = 0;

	TRY(header_number(rq, STR("x-amz-max-parts"), &max));
	TRY(header_number(rq, STR("x-amz-part-number-marker"), &after));
	p.max = max < LIST_MAX ? (unsigned)max : LIST_MAX;
	p.after = (uint32_t)after;
	if (o->parts > 0 && p.max > 0)
		TRY(catalog_parts(rq->store->catalog, &rq->bucket, o->body, p.after, p.max, rq->arena,
		    &p.part, &p.n, &p.more));
	*ret = p;
	return ERR_OK;
}

/* GET /bucket/key?attributes - S3 API: GetObjectAttributes */
err_v
s3_get_object_attributes(struct s3_req *rq)
{
	AUTO(sse_key_wipe) struct sse_key key = { 0 };
	AUTO(buf_done) struct buf b = { 0 };
	struct parts_page page;
	struct object o;
	unsigned set = 0;

	TRY(attributes_read(rq, &set));
	TRY(sse_key_read(rq, SSE_TARGET, &key));
	TRY(object_find(rq, &o));
	TRY(sse_c_check(&key, &o.sse));
	TRY(page_read(rq, &o, &page));
	buf_init(&b, ATTRIBUTES_XML_MAX);
	xml_begin(&b, "GetObjectAttributesResponse", true);
	for (size_t i = 0; i < COUNT(attributes); i++)
		if ((set & 1u << i) != 0)
			attributes[i].write(rq, &o, &page, &b);
	xml_close(&b, "GetObjectAttributesResponse");
	answer_version(rq, o.version);
	resp_header(rq->resp, STR("Last-Modified"), date_http(rq->arena, o.modified_ms));
	return answer_xml(rq, &b);
}
