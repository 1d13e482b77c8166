/*
 * copy.c - CopyObject and UploadPartCopy.
 *
 * A copy is a record that points at the bytes of its source, so it takes constant time at any size, and the copy of a
 * multipart object keeps its parts and ETag. Bytes are read only where they must change (another SSE-C key, or one
 * where there was none) or where something has to be computed of them (another checksum algorithm; the MD5 of a range
 * that becomes a part).
 */
#include "base/clock.h"
#include "base/text.h"
#include "http/range.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/copy_bytes.h"
#include "s3/expiry.h"
#include "s3/find.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/multipart.h"
#include "s3/store.h"

#define COPY_TRIES 16

struct copying {
	struct s3_req *rq;
	struct object src;
	struct sse_key from_key, key;
	struct alive alive;
	/* CopyObject */
	bool replace_headers, replace_tags;	/* the directives */
	bool alg_set;				/* x-amz-checksum-algorithm */
	enum digest_alg alg;
	/* UploadPartCopy */
	struct upload upload;
	uint32_t number;
	struct range range;
};

static void
copying_done(struct copying *c)
{
	sse_key_wipe(&c->from_key);
	sse_key_wipe(&c->key);
}

/* Find the source, and see that the keys fit. */
static err
source_open(struct copying *c)
{
	TRY(sse_key_read(c->rq, SSE_COPY_SOURCE, &c->from_key));
	TRY(object_find_source(c->rq, &c->src));
	return sse_c_check(&c->from_key, &c->src.sse);
}

static void
source_touched(const struct copying *c)
{
	object_touched(c->rq, &c->rq->source->bucket, c->rq->source->key, &c->rq->source->which, &c->src);
}

/* Headers of the answer that are known before bytes are read. */
static void
answer_source(struct copying *c, const struct sse_c *target)
{
	struct s3_req *rq = c->rq;

	if (!c->src.version.null || rq->source->bucket.versioning != VERSIONING_NEVER)
		resp_header(rq->resp, STR("x-amz-copy-source-version-id"), version_text(rq->arena, c->src.version));
	sse_c_headers(rq, target);
}

static void
write_result(struct copying *c, const char *root, uint64_t modified_ms, str etag, const struct checksum *sum, uint32_t parts,
    struct buf *b)
{
	buf_init(b, 16384);
	xml_begin(b, root, true);
	xml_time(b, "LastModified", modified_ms);
	xml_etag(b, "ETag", etag);
	xml_checksum(c->rq->arena, b, sum, parts);
	if (sum->set)
		xml_text(b, "ChecksumType", checksum_type_name(sum->type));
	xml_close(b, root);
}

/* ---- CopyObject ---- */

static err
directive_read(struct s3_req *rq, str name, const char *unknown, bool *ret_replace)
{
	str value = s3_header(rq, name);

	*ret_replace = str_eq(value, STR("REPLACE"));
	if (value.p != NULL && !*ret_replace && !str_eq(value, STR("COPY")))
		return argument_bad(rq, name.p, value, unknown);
	return ERR_OK;
}

/* Of the source's headers, where a website's page is redirected to is never copied: only the request says. */
static struct pairs
headers_kept(struct arena *a, struct pairs from, str redirect)
{
	static const str name = STR("x-amz-website-redirect-location");
	struct pairs p = { .at = ARENA_ARRAY(a, struct pair, from.n + 1) };

	for (unsigned i = 0; i < from.n; i++)
		if (!str_eq_nocase(from.at[i].name, name))
			p.at[p.n++] = from.at[i];
	if (!str_empty(redirect))
		p.at[p.n++] = (struct pair){ name, redirect };
	return p;
}

static err
target_headers(struct copying *c, struct object *o)
{
	struct s3_req *rq = c->rq;

	TRY(directive_read(rq, STR("x-amz-metadata-directive"), "x-amz-metadata-directive must be COPY or REPLACE.", &c->replace_headers));
	TRY(directive_read(rq, STR("x-amz-tagging-directive"), "x-amz-tagging-directive must be COPY or REPLACE.", &c->replace_tags));
	TRY(headers_class(rq->head, &o->class));
	o->headers = headers_kept(rq->arena, c->src.headers, s3_header(rq, STR("x-amz-website-redirect-location")));
	o->metadata = c->src.metadata;
	o->tags = c->src.tags;
	if (c->replace_headers) {
		TRY(headers_content(rq->head, rq->arena, &o->headers));
		TRY(headers_metadata(rq->head, rq->arena, &o->metadata));
	}
	if (c->replace_tags)
		TRY(headers_tagging(rq->head, rq->arena, &o->tags));
	return ERR_OK;
}

/* A copy of the current version onto itself must change something. */
static err
check_onto_itself(const struct copying *c, const struct object *o)
{
	const struct s3_source *from = c->rq->source;
	bool same = str_eq(from->bucket.name, c->rq->bucket.name) && str_eq(from->key, c->rq->key) &&
	    from->which.kind == WHICH_CURRENT;
	bool changes = c->replace_headers || c->replace_tags || c->alg_set || o->class != c->src.class || c->key.on ||
	    c->from_key.on || !str_empty(s3_header(c->rq, STR("x-amz-website-redirect-location")));

	if (same && !changes)
		return err_s3f(S3_InvalidRequest, "A copy of an object onto itself must change something: its metadata, tags, storage "
		    "class, checksum, key or redirect.");
	return ERR_OK;
}

static err
algorithm_read(struct copying *c)
{
	str name = s3_header(c->rq, STR("x-amz-checksum-algorithm"));

	c->alg_set = name.p != NULL;
	if (c->alg_set && !checksum_alg_parse(name, &c->alg))
		return checksum_alg_bad();
	return ERR_OK;
}

/* Sealed with one key, to be sealed with another; the same key opens the same bytes. */
static bool
must_rewrite(const struct copying *c)
{
	return c->key.on != c->src.sse.on || !err_ok(sse_c_check(&c->key, &c->src.sse));
}

static err
copy_by_bytes(struct copying *c, const struct conditions *conditions, struct object *o, struct version_id *ret)
{
	struct s3_req *rq = c->rq;
	struct sse_c sse;
	struct stream_plan plan = {
		.body = id_new(rq->bucket.space), .size_max = UINT64_MAX, .inline_max = rq->store->inline_max, .key = &c->key,
		.sse = &sse, .md5 = !c->key.on, .alg_default = true,
		.alg = c->alg_set ? c->alg : c->src.checksum.set ? c->src.checksum.alg : DIGEST_CRC64NVME,
	};
	struct stream_result got;
	err_v e;

	/* Not asked before a copy of the record: source and target would be looked at at two instants; catalog_copy() sees both at one. */
	TRY(object_conditions(rq, rq->key, conditions));
	sse = o->sse;
	TRY(copy_rewrite(&c->alive, &c->src, &c->from_key, 0, c->src.size, &plan, &got));
	stream_object(rq->arena, &plan, &got, o);
	e = catalog_put(rq->store->catalog, &rq->bucket, o, conditions, ret);
	if (!err_ok(e))
		stream_drop(rq, &got, e);
	return e;
}

static err
copy_by_record(struct copying *c, const struct conditions *conditions, struct object *o, struct version_id *ret)
{
	struct s3_req *rq = c->rq;
	struct digest_values values;

	o->size = c->src.size;
	o->etag = c->src.etag;
	o->sse = c->src.sse;
	o->checksum = c->src.checksum;
	o->parts = c->src.parts;
	/* Whoever asks for a checksum means one of the whole, as Amazon has it. */
	if (c->alg_set && (!c->src.checksum.set || c->src.checksum.alg != c->alg || c->src.checksum.type == CHECKSUM_COMPOSITE)) {
		TRY(copy_hash(&c->alive, &c->src, &c->from_key, 0, c->src.size, DIGEST_BIT(c->alg), &values));
		o->checksum = checksum_of(c->alg, CHECKSUM_FULL_OBJECT, values.at[c->alg]);
	}
	return catalog_copy(rq->store->catalog, &rq->source->bucket, &c->src, &rq->bucket, o, conditions, ret);
}

static err
copy_object(struct copying *c, const struct conditions *conditions, struct object *o, struct version_id *ret)
{
	o->modified_ms = clock_wall_ms();
	return must_rewrite(c) ? copy_by_bytes(c, conditions, o, ret) : copy_by_record(c, conditions, o, ret);
}

/* What the copy will be, of the source as it is now. */
static err
copy_prepare(struct copying *c, struct object *o)
{
	*o = (struct object){ .key = c->rq->key };
	sse_c_new(&c->key, &o->sse);
	TRY(source_open(c));
	TRY(target_headers(c, o));
	return check_onto_itself(c, o);
}

/* A copy is of what the source holds when the copy appears: if it was replaced meanwhile, begin anew with the new one. */
static err
copy_until_fresh(struct copying *c, const struct conditions *conditions, struct object *o, struct version_id *ret)
{
	err_v e = copy_object(c, conditions, o, ret);

	for (int n = 0; n < COPY_TRIES && err_is(e, S3_OperationAborted) && !c->alive.begun; n++) {
		TRY(copy_prepare(c, o));
		e = copy_object(c, conditions, o, ret);
	}
	return e;
}

/* PUT /bucket/key with x-amz-copy-source - S3 API: CopyObject */
err_v
s3_copy_object(struct s3_req *rq)
{
	AUTO(copying_done) struct copying c = { .rq = rq };
	AUTO(buf_done) struct buf b = { 0 };
	struct conditions conditions;
	struct version_id version;
	struct object o;
	err_v e;

	TRY(headers_refuse(rq->head));
	TRY(conditions_parse(rq, CONDITIONS_WRITE, &conditions));
	TRY(algorithm_read(&c));
	TRY(sse_key_read(rq, SSE_TARGET, &c.key));
	TRY(copy_prepare(&c, &o));

	answer_source(&c, &o.sse);
	alive_init(&c.alive, rq);
	e = copy_until_fresh(&c, &conditions, &o, &version);
	if (err_ok(e)) {
		source_touched(&c);
		write_result(&c, "CopyObjectResult", o.modified_ms, o.etag, &o.checksum, o.parts, &b);
		if (!c.alive.begun) {
			answer_version(rq, version);
			e = answer_expiration(rq, &o);
		}
	}
	return alive_answer(&c.alive, e, &b);
}

/* ---- UploadPartCopy ---- */

static err
range_read(struct copying *c)
{
	str text = s3_header(c->rq, STR("x-amz-copy-source-range"));

	c->range = (struct range){ .len = c->src.size };
	if (text.p != NULL) {
		err_v e = range_parse_copy(text, c->src.size, &c->range);

		if (!err_ok(e))
			return argument_bad(c->rq, "x-amz-copy-source-range", text, arena_str(c->rq->arena, str_c(err_context())).p);
	}
	if (c->range.len > c->rq->store->put_max)
		return err_s3f(S3_InvalidRequest, "A copy into a part takes at most %llu bytes. Name fewer in "
		    "x-amz-copy-source-range.", (unsigned long long)c->rq->store->put_max);
	return ERR_OK;
}

/* Is all that a part's row must say known of the whole source? Its ETag is its MD5 if it came in one piece. */
static bool
digests_known(const struct copying *c, struct part *p)
{
	const struct checksum *sum = &c->src.checksum;

	if (c->range.len != c->src.size || c->src.parts != 0 || c->src.etag.len != 32 || !hex_decode(c->src.etag, p->md5))
		return false;
	if (!sum->set || sum->type != CHECKSUM_FULL_OBJECT || sum->alg != c->upload.checksum_alg)
		return false;
	p->checksum = *sum;
	return true;
}

static err
part_by_bytes(struct copying *c, struct part *ret)
{
	struct s3_req *rq = c->rq;
	struct sse_c sse;
	struct stream_plan plan = {
		.body = id_new(rq->bucket.space), .size_max = rq->store->put_max, .inline_max = rq->store->inline_max,
		.key = &c->key, .sse = &sse, .md5 = !c->key.on, .alg_default = true, .alg = c->upload.checksum_alg,
	};
	struct stream_result got;

	sse_c_new(&c->key, &sse);
	TRY(copy_rewrite(&c->alive, &c->src, &c->from_key, c->range.off, c->range.len, &plan, &got));
	return part_commit(rq, &c->upload, c->number, &plan, &got, ret);
}

static err
part_by_record(struct copying *c, struct part *ret)
{
	struct s3_req *rq = c->rq;
	struct part p = { .number = c->number, .size = c->range.len, .modified_ms = clock_wall_ms() };
	enum digest_alg alg = c->upload.checksum_alg;
	struct digest_values values;
	err_v e;

	if (!digests_known(c, &p)) {
		TRY(copy_hash(&c->alive, &c->src, &c->from_key, c->range.off, c->range.len,
		    DIGEST_BIT(DIGEST_MD5) | DIGEST_BIT(alg), &values));
		memcpy(p.md5, values.at[DIGEST_MD5], sizeof(p.md5));
		p.checksum = checksum_of(alg, CHECKSUM_FULL_OBJECT, values.at[alg]);
	}
	p.etag = hex_str(rq->arena, str_n(p.md5, sizeof(p.md5)));
	e = catalog_part_copy(rq->store->catalog, &rq->source->bucket, &c->src, c->range.off, c->range.len, &rq->bucket,
	    &c->upload, &p, rq->arena);
	if (err_is(e, -ENOTSUP))		/* inlined, or in too many pieces */
		return part_by_bytes(c, ret);
	TRY(e);
	*ret = p;
	return ERR_OK;
}

/* PUT /bucket/key?partNumber=N&uploadId=ID with x-amz-copy-source - S3 API: UploadPartCopy */
err_v
s3_upload_part_copy(struct s3_req *rq)
{
	AUTO(copying_done) struct copying c = { .rq = rq };
	AUTO(buf_done) struct buf b = { 0 };
	struct part part = { 0 };
	err_v e;

	TRY(part_number_read(rq, &c.number));
	TRY(headers_refuse(rq->head));
	TRY(sse_key_read(rq, SSE_TARGET, &c.key));
	TRY(upload_find(rq, &c.upload));
	TRY(sse_c_check(&c.key, &c.upload.sse));
	TRY(source_open(&c));
	TRY(range_read(&c));
	answer_source(&c, &c.upload.sse);

	alive_init(&c.alive, rq);
	if (c.src.sse.on || c.key.on || c.range.len == 0)
		e = part_by_bytes(&c, &part);
	else
		e = part_by_record(&c, &part);
	if (err_ok(e)) {
		source_touched(&c);
		part.checksum.set &= c.upload.checksum_set;
		write_result(&c, "CopyPartResult", part.modified_ms, part.etag, &part.checksum, 0, &b);
	}
	return alive_answer(&c.alive, e, &b);
}
