/* cap.c - capacity caps before an upload. */
#include "s3/cap.h"

#include <string.h>

#include "meta/keys.h"
#include "s3/aws_chunked.h"
#include "s3/store.h"

#define ORG_PAGE 100u		/* buckets read at a time */

/* Nothing to ask: no cap, or who knows how much comes. */
static bool
unbounded(const struct s3_req *rq)
{
	return rq->bucket.capacity_cap == 0 || aws_body_length(rq->payload) == UINT64_MAX;
}

static err
bucket_used(struct s3_req *rq, uint32_t space, struct arena *a, uint64_t *ret)
{
	struct bucket_usage u;
	uint64_t used;

	TRY(catalog_usage(rq->store->catalog, space, a, &u));
	used = u.uploads_bytes > 0 ? (uint64_t)u.uploads_bytes : 0;
	for (int i = 0; i < CLASS_COUNT; i++)
		used += u.bytes[i] > 0 ? (uint64_t)u.bytes[i] : 0;
	*ret = used;
	return ERR_OK;
}

static err
check(struct s3_req *rq, uint64_t replaced)
{
	uint64_t used = 0, more = aws_body_length(rq->payload);

	TRY(bucket_used(rq, rq->bucket.space, rq->arena, &used));
	if (more <= replaced || used + (more - replaced) <= rq->bucket.capacity_cap)
		return ERR_OK;
	return err_s3(S3_QuotaExceeded);
}

err_v
cap_check_object(struct s3_req *rq)
{
	static const struct which current = { .kind = WHICH_CURRENT };
	struct object o;
	err_v e;

	/* With versions suspended it depends on which version is the newest: left to the catalog. */
	if (unbounded(rq) || rq->bucket.versioning == VERSIONING_SUSPENDED)
		return ERR_OK;
	if (rq->wait == KV_NO_WAIT)
		return ERR_WOULD_BLOCK;
	if (rq->bucket.versioning == VERSIONING_ENABLED)
		return check(rq, 0);
	e = catalog_get(rq->store->catalog, &rq->bucket, rq->key, &current, KV_MAY_BLOCK, rq->arena, &o);
	if (err_is(e, S3_NoSuchKey))
		return check(rq, 0);
	TRY(e);
	return check(rq, o.size);
}

err_v
cap_check_part(struct s3_req *rq, struct id upload, uint32_t number)
{
	struct part *p;
	unsigned n;
	bool more;

	if (unbounded(rq))
		return ERR_OK;
	TRY(catalog_parts(rq->store->catalog, &rq->bucket, upload, number - 1, 1, rq->arena, &p, &n, &more));
	return check(rq, n == 1 && p->number == number ? p->size : 0);
}

/* ---- organizations ---- */

static err
org_used(struct s3_req *rq, uint64_t *ret)
{
	AUTO(arena_free) struct arena *page = arena_new(1 << 16, 16 << 20);
	char last[BUCKET_NAME_MAX];
	str after = STR_NONE;
	uint64_t sum = 0, used;
	struct bucket *b;
	bool more = true;
	unsigned n;

	while (more) {
		TRY(catalog_bucket_list(rq->store->catalog, rq->bucket.org, STR_NONE, after, ORG_PAGE, page, &b, &n, &more));
		for (unsigned i = 0; i < n; i++) {
			TRY(bucket_used(rq, b[i].space, page, &used));
			sum += used;
		}
		if (n == 0)
			break;
		after = str_sub(b[n - 1].name, 0, sizeof(last));
		memcpy(last, after.p, after.len);
		after.p = last;
		arena_reset(page);
	}
	*ret = sum;
	return ERR_OK;
}

uint64_t
cap_declared(const struct http_head *h)
{
	uint64_t n;

	/* Of a body without chunks it says nothing, whatever a client sends. */
	if (str_starts(http_header(h, STR("x-amz-content-sha256")), STR("STREAMING-")) &&
	    str_u64(http_header(h, STR("x-amz-decoded-content-length")), &n))
		return n;
	return h->has_length ? h->length : 0;
}

err_v
cap_check_org(struct s3_req *rq)
{
	static const bool stores[OP_COUNT] = { [OP_PutObject] = true, [OP_CopyObject] = true, [OP_UploadPart] = true,
		[OP_UploadPartCopy] = true, [OP_PostObject] = true };
	uint64_t cap, used, more = cap_declared(rq->head);

	if (!stores[rq->op])
		return ERR_OK;
	cap = access_org_cap(rq->store->access, rq->bucket.org);
	if (cap == 0)
		return ERR_OK;
	if (rq->wait == KV_NO_WAIT)
		return ERR_WOULD_BLOCK;
	TRY(org_used(rq, &used));
	return used >= cap || more > cap - used ? err_s3(S3_QuotaExceeded) : ERR_OK;
}
