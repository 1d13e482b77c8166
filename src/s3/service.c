/*
 * service.c - ListBuckets.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
 */
#include "base/panic.h"
#include "base/text.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/handlers.h"
#include "s3/list.h"
#include "s3/store.h"

#define BUCKETS_MAX 10000u		/* a page */
#define BUCKETS_STEP 500u		/* looked up at once */
#define BUCKETS_XML_MAX (4u << 20)
#define BUCKET_NAME_MAX 63u
#define TOKEN_VERSION 1

struct buckets_query {
	str prefix, region;		/* region.p == NULL: any */
	unsigned max;
	char after[BUCKET_NAME_MAX];	/* the last one given out */
	size_t after_len;
};

static void
query_after(struct buckets_query *q, str name)
{
	assert(name.len <= sizeof(q->after));
	memcpy(q->after, name.p, name.len);
	q->after_len = name.len;
}

/* A token is base64 of a version byte and the last name given out. */
static err
query_read(struct s3_req *rq, struct buckets_query *q)
{
	str max = http_query_value(rq->head, STR("max-buckets"));
	str token = http_query_value(rq->head, STR("continuation-token"));
	char text[1 + BUCKET_NAME_MAX];
	uint64_t n = BUCKETS_MAX;
	size_t len;

	q->prefix = http_query_value(rq->head, STR("prefix"));
	q->region = http_query_value(rq->head, STR("bucket-region"));
	if (max.p != NULL && (!str_u64(max, &n) || n < 1 || n > BUCKETS_MAX))
		return argument_bad(rq, "max-buckets", max, "max-buckets is a number from 1 to 10000.");
	q->max = (unsigned)n;
	if (token.p == NULL)
		return ERR_OK;
	if (!base64_decode(token, text, sizeof(text), &len) || len < 2 || text[0] != TOKEN_VERSION)
		return argument_bad(rq, "continuation-token", token, "The continuation token is not one that this store has given.");
	query_after(q, str_n(text + 1, len - 1));
	return ERR_OK;
}

static void
bucket_xml(struct buf *b, const struct bucket *bucket)
{
	xml_open(b, "Bucket");
	xml_text(b, "Name", bucket->name);
	xml_time(b, "CreationDate", bucket->created_ms);
	xml_text(b, "BucketRegion", bucket->location);
	xml_close(b, "Bucket");
}

/* Rows until the page is full or there are no more. *ret_more: there is at least one beyond q->after. */
static err
buckets_xml(struct s3_req *rq, struct buckets_query *q, struct arena *arena, struct buf *b, bool *ret_more)
{
	unsigned rows = 0;
	bool more = true;

	while (more) {
		struct bucket *found;
		unsigned n;

		arena_reset(arena);
		TRY(catalog_bucket_list(rq->store->catalog, rq->who.org, q->prefix, str_n(q->after, q->after_len), BUCKETS_STEP,
		    arena, &found, &n, &more));
		for (unsigned i = 0; i < n; i++) {
			bool wanted = q->region.p == NULL || str_eq_nocase(found[i].location, q->region);

			if (wanted && rows == q->max) {
				*ret_more = true;
				return ERR_OK;
			}
			if (wanted) {
				bucket_xml(b, &found[i]);
				rows++;
			}
			query_after(q, found[i].name);
		}
	}
	*ret_more = false;
	return ERR_OK;
}

/* GET / - S3 API: ListBuckets */
err_v
s3_list_buckets(struct s3_req *rq)
{
	AUTO(arena_free) struct arena *arena = list_arena();
	AUTO(buf_done) struct buf b = { 0 };
	struct buckets_query q = { 0 };
	bool more;

	TRY(query_read(rq, &q));
	buf_init(&b, BUCKETS_XML_MAX);
	xml_begin(&b, "ListAllMyBucketsResult", true);
	xml_owner(&b, "Owner", rq->who.org);
	xml_open(&b, "Buckets");
	TRY(buckets_xml(rq, &q, arena, &b, &more));
	xml_close(&b, "Buckets");
	if (more)
		xml_text(&b, "ContinuationToken", base64_encode(rq->arena,
		    arena_fmt(rq->arena, "%c%.*s", TOKEN_VERSION, (int)q.after_len, q.after)));
	if (!str_empty(q.prefix))
		xml_text(&b, "Prefix", q.prefix);
	xml_close(&b, "ListAllMyBucketsResult");
	return answer_xml(rq, &b);
}
