/* cap.c - capacity caps before an upload. */
#include "s3/cap.h"

#include "s3/aws_chunked.h"
#include "s3/store.h"

/* Nothing to ask: no cap, or who knows how much comes. */
static bool
unbounded(const struct s3_req *rq)
{
	return rq->bucket.capacity_cap == 0 || aws_body_length(rq->payload) == UINT64_MAX;
}

static err
check(struct s3_req *rq, uint64_t replaced)
{
	uint64_t used = 0, more = aws_body_length(rq->payload);
	struct bucket_usage u;

	TRY(catalog_usage(rq->store->catalog, rq->bucket.space, rq->arena, &u));
	for (int i = 0; i < CLASS_COUNT; i++)
		used += u.bytes[i] > 0 ? (uint64_t)u.bytes[i] : 0;
	used += u.uploads_bytes > 0 ? (uint64_t)u.uploads_bytes : 0;
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
