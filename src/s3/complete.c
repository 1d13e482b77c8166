/*
 * complete.c - CompleteMultipartUpload: the parts become an object.
 *
 * No byte moves: the catalog turns the upload's record into the object's in one batch. Here the list of parts is read, and the
 * ETag and the checksum of the whole are computed from those of the parts. The answer is sent at once; there is nothing
 * to wait for that would need white space to keep the connection alive.
 *
 * x-amz-checksum-* of this request speak of the object, not of the XML.
 */
#include "base/panic.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/expiry.h"
#include "s3/find.h"
#include "s3/handlers.h"
#include "s3/multipart.h"
#include "s3/store.h"

#define COMPLETE_BODY_MAX (4u << 20)	/* 10,000 parts with ETags and checksums */

struct completion {
	struct s3_req *rq;
	struct part_choice *choice;
	unsigned n;
	bool has_size;
	uint64_t size;			/* x-amz-mp-object-size */
	bool has_type;
	enum checksum_type type;	/* x-amz-checksum-type */
	str checksum[DIGEST_COUNT];	/* x-amz-checksum-<algorithm> */
};

/* ---- what the request says ---- */

static str
etag_bare(str text)
{
	str s = str_trim(text);

	if (s.len >= 2 && str_starts(s, STR("\"")) && str_ends(s, STR("\"")))
		return str_sub(s, 1, s.len - 2);
	return s;
}

static err
bad_checksums(void)
{
	return err_s3f(S3_InvalidArgument, "A Part has one checksum at most, in base64.");
}

static err
choice_checksum(const struct xml_node *part, struct checksum *ret)
{
	for (int i = DIGEST_MD5 + 1; i < DIGEST_COUNT; i++) {
		enum digest_alg alg = (enum digest_alg)i;
		str text = xml_child_text(part, checksum_tag(alg));
		uint8_t value[DIGEST_MAX];

		if (text.p == NULL)
			continue;
		if (ret->set)
			return bad_checksums();
		if (!checksum_text_parse(alg, text, 0, value))
			return bad_checksums();
		*ret = checksum_of(alg, CHECKSUM_FULL_OBJECT, value);
	}
	return ERR_OK;
}

static err
choice_read(const struct xml_node *part, struct part_choice *ret)
{
	struct part_choice c = { .etag = etag_bare(xml_child_text(part, "ETag")) };
	str number = xml_child_text(part, "PartNumber");
	uint64_t n;

	if (!str_eq(part->name, STR("Part")) || number.p == NULL || xml_child(part, "ETag") == NULL)
		return err_s3f(S3_MalformedXML, "Each Part has a PartNumber and an ETag.");
	if (!str_u64(number, &n) || n < 1 || n > PARTS_MAX)
		return err_s3f(S3_InvalidArgument, "A PartNumber is a number from 1 to %u.", PARTS_MAX);
	c.number = (uint32_t)n;
	TRY(choice_checksum(part, &c.checksum));
	*ret = c;
	return ERR_OK;
}

static err
choices_read(const struct xml_node *root, struct arena *a, struct completion *c)
{
	if (!str_eq(root->name, STR("CompleteMultipartUpload")))
		return err_s3f(S3_MalformedXML, "A CompleteMultipartUpload is expected.");
	if (root->children == 0)
		return err_s3f(S3_MalformedXML, "A CompleteMultipartUpload holds the parts, at least one.");
	if (root->children > PARTS_MAX)
		return err_s3(S3_TooManyParts);
	c->choice = ARENA_ARRAY(a, struct part_choice, root->children);
	for (const struct xml_node *part = root->child; part != NULL; part = part->next, c->n++) {
		TRY(choice_read(part, &c->choice[c->n]));
		if (c->n > 0 && c->choice[c->n].number <= c->choice[c->n - 1].number)
			return err_s3(S3_InvalidPartOrder);
	}
	return ERR_OK;
}

static err
head_read(const struct http_head *h, struct completion *c)
{
	str size = http_header(h, STR("x-amz-mp-object-size")), type = http_header(h, STR("x-amz-checksum-type"));

	c->has_size = size.p != NULL;
	if (c->has_size && !str_u64(size, &c->size))
		return err_s3f(S3_InvalidRequest, "x-amz-mp-object-size must be a number of bytes.");
	for (int i = DIGEST_MD5 + 1, n = 0; i < DIGEST_COUNT; i++)
		if (http_header_has(h, checksum_header((enum digest_alg)i)) && ++n > 1)
			return checksum_too_many();
	c->has_type = type.p != NULL;
	if (c->has_type && !checksum_type_parse(type, &c->type))
		return err_s3f(S3_InvalidRequest, "x-amz-checksum-type must be COMPOSITE or FULL_OBJECT.");
	for (int i = DIGEST_MD5 + 1; i < DIGEST_COUNT; i++)
		c->checksum[i] = http_header(h, checksum_header((enum digest_alg)i));
	return ERR_OK;
}

static err
list_read(struct s3_req *rq, struct completion *c)
{
	struct xml_node *root;

	TRY(request_xml(rq, COMPLETE_BODY_MAX, &root));
	return choices_read(root, rq->arena, c);
}

/*
 * Where an upload named no algorithm, parts keep the default one only; what their senders chose besides was verified when
 * they came, and cannot be compared again.
 */
static err
choices_fit(struct completion *c, const struct upload *u)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct checksum *sum = &c->choice[i].checksum;

		if (!sum->set || sum->alg == u->checksum_alg)
			continue;
		if (u->checksum_set)
			return err_s3f(S3_BadDigest,
			    "The list has a %.*s for part %u, and the upload has other checksums. Send those that UploadPart answered.",
			    STR_FMT(checksum_name(sum->alg)), c->choice[i].number);
		sum->set = false;
	}
	return ERR_OK;
}

/* ---- what follows from the parts ---- */

static err
check_choices(const struct completion *c, const struct upload *u)
{
	for (unsigned i = 0; i < c->n; i++)
		if (u->checksum_set && u->checksum_type == CHECKSUM_COMPOSITE && !c->choice[i].checksum.set)
			return err_s3f(S3_InvalidRequest, "The upload has %.*s checksums of its parts: send that of part %u too.",
			    STR_FMT(checksum_name(u->checksum_alg)), c->choice[i].number);
	if (c->has_type && c->type != u->checksum_type)
		return err_s3f(S3_InvalidRequest, "The upload was begun with x-amz-checksum-type %.*s: complete it with the same.",
		    STR_FMT(checksum_type_name(u->checksum_type)));
	return ERR_OK;
}

static err
check_size(const struct completion *c, const struct part *parts, unsigned n)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += parts[i].size;
	if (c->has_size && c->size != size)
		return err_s3f(S3_InvalidRequest, "x-amz-mp-object-size is %llu, but the parts listed have %llu bytes together.",
		    (unsigned long long)c->size, (unsigned long long)size);
	return ERR_OK;
}

static err
check_checksum(const struct completion *c, const struct upload *u, const struct checksum *whole)
{
	for (int i = DIGEST_MD5 + 1; i < DIGEST_COUNT; i++) {
		enum digest_alg alg = (enum digest_alg)i;
		uint8_t value[DIGEST_MAX];

		if (c->checksum[i].p == NULL)
			continue;
		if (alg != u->checksum_alg)
			return err_s3f(S3_InvalidRequest, "The upload has %.*s checksums: %.*s cannot be verified.",
			    STR_FMT(checksum_name(u->checksum_alg)), STR_FMT(checksum_header(alg)));
		if (!checksum_text_parse(alg, c->checksum[i], c->n, value))
			return err_s3f(S3_InvalidRequest, "%.*s must be the base64 of %zu bytes.", STR_FMT(checksum_header(alg)),
			    digest_len(alg));
		if (!whole->set || memcmp(value, whole->value, digest_len(alg)) != 0)
			return err_s3f(S3_BadDigest, "The %.*s that was sent is not that of the parts listed.",
			    STR_FMT(checksum_name(alg)));
	}
	return ERR_OK;
}

/* Called by the catalog with the chosen parts, before the commit. */
static err
finish(void *arg, const struct upload *u, const struct part *parts, unsigned n, struct object *o)
{
	const struct completion *c = arg;
	struct checksum whole;

	assert(n == c->n);
	TRY(check_choices(c, u));
	TRY(check_size(c, parts, n));
	checksum_of_parts(u->checksum_alg, u->checksum_type, parts, n, &whole);
	TRY(check_checksum(c, u, &whole));
	o->etag = etag_of_parts(c->rq->arena, parts, n);
	o->checksum = whole;
	return ERR_OK;
}

/* POST /bucket/key?uploadId=ID - S3 API: CompleteMultipartUpload */
err_v
s3_complete_upload(struct s3_req *rq)
{
	AUTO(buf_done) struct buf b = { 0 };
	struct completion c = { .rq = rq };
	struct conditions conditions;
	struct version_id version;
	struct upload u;
	struct object o;
	struct id id;
	err_v e;

	if (!id_parse(http_query_value(rq->head, STR("uploadId")), &id))
		return err_s3(S3_NoSuchUpload);
	TRY(conditions_parse(rq, CONDITIONS_WRITE, &conditions));
	TRY(head_read(rq->head, &c));
	TRY(list_read(rq, &c));
	/* It may have been completed already: then the catalog knows whether this is the same request again. */
	e = upload_find(rq, &u);
	if (err_ok(e))
		e = choices_fit(&c, &u);
	if (!err_ok(e) && !err_is(e, S3_NoSuchUpload))
		return e;
	TRY(catalog_upload_complete(rq->store->catalog, &rq->bucket, rq->key, id, c.choice, c.n, &conditions, finish, &c,
	    rq->arena, &o, &version));

	buf_init(&b, 64u << 10);
	xml_begin(&b, "CompleteMultipartUploadResult", true);
	xml_text(&b, "Location", object_url(rq, rq->key));
	xml_text(&b, "Bucket", rq->bucket.name);
	xml_text(&b, "Key", rq->key);
	xml_etag(&b, "ETag", o.etag);
	xml_checksum(rq->arena, &b, &o.checksum, o.parts);
	if (o.checksum.set)
		xml_text(&b, "ChecksumType", checksum_type_name(o.checksum.type));
	xml_close(&b, "CompleteMultipartUploadResult");
	answer_version(rq, version);
	TRY(answer_expiration(rq, &o));
	sse_c_headers(rq, &o.sse);
	return answer_xml(rq, &b);
}
