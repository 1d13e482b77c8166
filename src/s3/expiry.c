/*
 * expiry.c - what answers say of the lifecycle.
 *
 * Compiled rules are kept by bucket and generation, which every change of a bucket's configuration raises: an old entry is never asked
 * again. One entry a slot, the newest bucket wins; whoever judges by rules holds a reference, so they may be replaced meanwhile.
 */
#include "s3/expiry.h"

#include <stdatomic.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "meta/lifecycle.h"
#include "s3/store.h"

#define SLOTS 64u
#define RULES_ARENA_MAX (16u << 20)

struct rules {
	atomic_uint refs;
	uint32_t space;
	uint64_t generation;
	struct arena *arena;
	struct lifecycle lifecycle;
};

struct expiry {
	unsigned magic;
#define EXPIRY_MAGIC 0x0e5914e5
	struct lock lock;		/* rank BUCKETS */
	struct rules *slot[SLOTS] GUARDED_BY(lock);
};

struct expiry *
expiry_new(void)
{
	struct expiry *x = MEM_NEW(struct expiry);

	x->magic = EXPIRY_MAGIC;
	lock_init(&x->lock, LOCK_BUCKETS);
	return x;
}

static void
rules_unref(struct rules **rp)
{
	struct rules *r = *rp;

	*rp = NULL;
	if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	arena_free(&r->arena);
	free(r);
}

void
expiry_free(struct expiry **xp)
{
	struct expiry *x = *xp;

	if (x == NULL)
		return;
	CHECK_OBJ(x, EXPIRY_MAGIC);
	for (unsigned i = 0; i < SLOTS; i++)
		rules_unref(&x->slot[i]);
	lock_done(&x->lock);
	x->magic = 0;
	free(x);
	*xp = NULL;
}

static struct rules *
rules_kept(struct expiry *x, const struct bucket *b)
{
	struct rules *r;

	lock_take(&x->lock);
	r = x->slot[b->space % SLOTS];
	if (r != NULL && r->space == b->space && r->generation == b->generation)
		atomic_fetch_add(&r->refs, 1);
	else
		r = NULL;
	lock_drop(&x->lock);
	return r;
}

static void
rules_keep(struct expiry *x, struct rules *r)
{
	struct rules *old;

	atomic_fetch_add(&r->refs, 1);
	lock_take(&x->lock);
	old = x->slot[r->space % SLOTS];
	x->slot[r->space % SLOTS] = r;
	lock_drop(&x->lock);
	rules_unref(&old);
}

/* What is stored was accepted once; what cannot be read any more (or was deleted since) is as no rule at all. */
static err
rules_compile(struct catalog *c, const struct bucket *b, struct rules **ret)
{
	struct rules *r = MEM_NEW(struct rules);
	struct xml_node *root;
	str text;
	err_v e;

	atomic_init(&r->refs, 1);
	r->space = b->space;
	r->generation = b->generation;
	r->arena = arena_new(4096, RULES_ARENA_MAX);
	e = catalog_config_get(c, b, CONFIG_LIFECYCLE, r->arena, &text);
	if (!err_ok(e) && !err_is(e, ERR_NOT_FOUND.code)) {
		rules_unref(&r);
		return e;
	}
	if (err_ok(e) && err_ok(xml_parse(text, r->arena, &root)))
		if (!err_ok(lifecycle_parse(root, LIFECYCLE_OLD_PREFIX_ALLOWED, r->arena, &r->lifecycle)))
			r->lifecycle.n = 0;
	*ret = r;
	return ERR_OK;
}

/* The rules of the request's bucket; NULL: none. ERR_WOULD_BLOCK. */
static err
rules_of(struct s3_req *rq, struct rules **ret)
{
	struct rules *r;

	*ret = NULL;
	if (!rq->bucket.has_lifecycle)
		return ERR_OK;
	r = rules_kept(rq->store->expiry, &rq->bucket);
	if (r == NULL) {
		if (rq->wait == KV_NO_WAIT)
			return ERR_WOULD_BLOCK;
		if (!err_ok(rules_compile(rq->store->catalog, &rq->bucket, &r)))
			return ERR_OK;
		rules_keep(rq->store->expiry, r);
	}
	*ret = r;
	return ERR_OK;
}

/* Anything can be in the ID of a rule. */
static str
rule_id(struct s3_req *rq, const struct lifecycle_rule *r)
{
	AUTO(buf_done) struct buf b = { 0 };

	if (str_empty(r->id))
		return STR("");
	buf_init(&b, 4096);
	url_encode(&b, r->id, URL_ENCODE_SLASH);
	return arena_str(rq->arena, buf_str(&b));
}

err_v
answer_expiration(struct s3_req *rq, const struct object *o)
{
	AUTO(rules_unref) struct rules *r = NULL;
	struct lifecycle_end end;

	if (rq->which.kind != WHICH_CURRENT)
		return ERR_OK;
	TRY(rules_of(rq, &r));
	if (r == NULL || !lifecycle_object(&r->lifecycle, o, rq->store->day_seconds, &end))
		return ERR_OK;
	resp_headerf(rq->resp, "x-amz-expiration", "expiry-date=\"%.*s\", rule-id=\"%.*s\"", STR_FMT(date_http(rq->arena, end.at_ms)),
	    STR_FMT(rule_id(rq, end.rule)));
	return ERR_OK;
}

err_v
answer_abortion(struct s3_req *rq, const struct upload *u)
{
	AUTO(rules_unref) struct rules *r = NULL;
	struct lifecycle_end end;

	TRY(rules_of(rq, &r));
	if (r == NULL || !lifecycle_upload(&r->lifecycle, u->key, u->started_ms, rq->store->day_seconds, &end))
		return ERR_OK;
	resp_header(rq->resp, STR("x-amz-abort-date"), date_http(rq->arena, end.at_ms));
	resp_header(rq->resp, STR("x-amz-abort-rule-id"), rule_id(rq, end.rule));
	return ERR_OK;
}
