/*
 * dispatch.c - one S3 request from its head to its answer.
 *
 * new -> located (route) -> identified (signature) -> bucket -> authorized -> payload opened -> handler. On a loop only operations of
 * class QUICK are tried, with reads that may not wait; whatever would have to wait makes the request start anew on a
 * worker, where location and identity are kept. Operations of class HELD are tried on a loop too if their bytes are there and few.
 */
#include "s3/dispatch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "s3/account.h"
#include "s3/answer.h"
#include "s3/authorize.h"
#include "s3/aws_chunked.h"
#include "s3/buckets.h"
#include "s3/cap.h"
#include "s3/cors.h"
#include "s3/failure.h"
#include "s3/handlers.h"
#include "s3/route.h"
#include "s3/sigv4.h"

typedef err_v handler_f(struct s3_req *);

static handler_f *const handlers[OP_COUNT] = {
#define OPERATION(name, method, scope, match, permissions, source, class, handler) [OP_##name] = handler,
#include "tbl/operations.h"
#undef OPERATION
};

err_v
s3_not_implemented(struct s3_req *rq)
{
	return err_s3f(S3_NotImplemented, "%s is not implemented.",
	    operation(rq->op)->name);
}

/* ---- stages ---- */

static err
locate(struct s3_req *rq)
{
	struct route route;
	err_v e;

	sigv4_hoisted(rq->http->head);
	e = route_find(rq->store, rq->head, rq->arena, &route);
	rq->op = route.op;
	rq->bucket_name = route.bucket;
	rq->key = route.key;
	rq->virtual_host = route.virtual_host;
	TRY(e);
	if (operation(rq->op)->scope == OP_OBJECT && http_query(rq->head, STR("versionId")) != NULL)
		TRY(argument_which(rq, "versionId", http_query_value(rq->head, STR("versionId")), &rq->which));
	rq->stage = S3_LOCATED;
	return ERR_OK;
}

static err
find_in_access(void *ctx, str access_key, str token, struct arena *arena, struct principal *ret, struct secret *ret_secret)
{
	return access_key_find(ctx, access_key, token, arena, ret, ret_secret);
}

/* Browsers do not sign the question whether they may ask. */
static err
identify(struct s3_req *rq, struct signature *ret)
{
	struct sigv4_keys keys = { rq->store->access, find_in_access };
	err_v e;

	*ret = (struct signature){ .who.anonymous = true };
	if (rq->head->method == HTTP_OPTIONS)
		return ERR_OK;
	e = sigv4_check(rq->store->signing, &keys, rq->head, clock_wall_ms(), rq->arena, ret);
	for (unsigned i = 0; i < ret->ndetails; i++)
		s3_detail(rq, ret->detail[i].name.p, ret->detail[i].value);
	if (err_ok(e)) {
		rq->who = ret->who;
		rq->stage = S3_IDENTIFIED;
	}
	return e;
}

/* A name that no bucket can have is told apart from one that none has. */
static err
bucket_find(struct s3_req *rq)
{
	err_v e;

	if (operation(rq->op)->scope == OP_SERVICE || rq->op == OP_CreateBucket)
		return ERR_OK;
	e = catalog_bucket(rq->store->catalog, rq->bucket_name, rq->wait, rq->arena, &rq->bucket);
	if (err_is(e, S3_NoSuchBucket)) {
		TRY(bucket_name_check(rq->store->dialect, rq->bucket_name));
		return err_s3(S3_NoSuchBucket);
	}
	return e;
}

/* Refused before it is known who asks. The bucket is looked up all the same: its audit log has the attempt. */
static err
refused(struct s3_req *rq, err_v e)
{
	const char *context = arena_str(rq->arena, str_c(err_context())).p;

	if (rq->store->audit == NULL || str_empty(rq->bucket_name))
		return e;
	if (err_is(bucket_find(rq), ERR_WOULD_BLOCK.code))
		return ERR_WOULD_BLOCK;
	return err_again(e, context);
}

/* What is declared of the body. CompleteMultipartUpload speaks of the object to come in x-amz-checksum-*, not of its XML. */
static const struct http_head *
payload_head(struct s3_req *rq)
{
	struct http_head *h;
	unsigned n = 0;

	if (rq->op != OP_CompleteMultipartUpload)
		return rq->head;
	h = ARENA_NEW(rq->arena, struct http_head);
	*h = *rq->head;
	for (unsigned i = 0; i < h->headers; i++)
		if (!str_starts_nocase(h->header[i].name, STR("x-amz-checksum-")) &&
		    !str_eq_nocase(h->header[i].name, STR("x-amz-sdk-checksum-algorithm")))
			h->header[n++] = h->header[i];
	h->headers = n;
	return h;
}

/* Only these carry something that a handler reads. */
static err
payload_open(struct s3_req *rq, const struct signature *sig)
{
	if (rq->head->method != HTTP_PUT && rq->head->method != HTTP_POST)
		return ERR_OK;
	return aws_body_open(sig, payload_head(rq), byte_source_body(rq->body), rq->arena, &rq->payload);
}

/* What makes the store larger is refused early, so that what makes it smaller goes on. A Complete only names what is there. */
static err
room_check(struct s3_req *rq)
{
	bool grows = rq->head->method == HTTP_PUT || rq->head->method == HTTP_POST;

	if (!grows || rq->op == OP_DeleteObjects || rq->op == OP_CompleteMultipartUpload)
		return ERR_OK;
	TRY(kv_room(catalog_kv(rq->store->catalog)));
	return cap_check_org(rq);
}

static err
serve(struct s3_req *rq)
{
	struct signature sig = { .who.anonymous = true };
	err_v e;

	if (rq->stage < S3_LOCATED)
		TRY(locate(rq));
	if (rq->stage < S3_IDENTIFIED && !err_ok(e = identify(rq, &sig)))
		return refused(rq, e);
	TRY(bucket_find(rq));
	TRY(authorize(rq));
	TRY(room_check(rq));
	TRY(payload_open(rq, &sig));
	TRY(cors_answer(rq));
	return handlers[rq->op](rq);
}

/* ---- the http_handler ---- */

static struct s3_req *
request_new(struct store *store, struct http_req *http)
{
	struct s3_req *rq = ARENA_NEW(http->arena, struct s3_req);

	rq->magic = S3_REQ_MAGIC;
	rq->store = store;
	rq->http = http;
	rq->head = http->head;
	rq->arena = http->arena;
	rq->resp = http->resp;
	rq->body = http->body;
	rq->op = OP_NONE;
	rq->who.anonymous = true;
	rq->which.kind = WHICH_CURRENT;
	rq->decision = AUDIT_NOT_ASKED;
	http->user = rq;
	return rq;
}

/* Forget what a try on the loop left behind. */
static void
request_again(struct s3_req *rq)
{
	resp_reset(rq->resp);
	rq->ndetails = rq->nerror_headers = 0;
	rq->bucket = (struct bucket){ 0 };
	rq->source = NULL;
	rq->copy_source = STR_NONE;
	rq->source_missing = false;
	rq->error = 0;
	rq->decision = AUDIT_NOT_ASKED;
	kv_batch_free(&rq->commit.batch);
	rq->committing = false;
	/* The signature is of the body too, which is read anew. */
	if (operation(rq->op)->class == OP_HELD && rq->stage > S3_LOCATED)
		rq->stage = S3_LOCATED;
}

/* Serve and answer. ERR_WOULD_BLOCK: nothing is sent yet, and a worker must do it again. */
static err
run(struct s3_req *rq)
{
	err_v e = serve(rq);

	if (!err_ok(e) && !err_is(e, ERR_WOULD_BLOCK.code) && resp_status_sent(rq->resp) == 0)
		e = authorize_missing(rq, e);
	assert(!rq->committing || !err_is(e, ERR_WOULD_BLOCK.code));
	if (err_is(e, ERR_WOULD_BLOCK.code) && rq->wait == KV_NO_WAIT)
		return e;
	return err_ok(e) ? ERR_OK : failure_answer(rq, e);
}

/* Which kind of worker: a GET may last as long as its client likes. */
static enum http_next
worker_for(const struct s3_req *rq)
{
	enum op_class class = operation(rq->op)->class;

	return class == OP_SMALL || (class == OP_QUICK && rq->head->method == HTTP_HEAD) ? HTTP_NEEDS_SMALL : HTTP_NEEDS_WORKER;
}

/* Should the loop itself do it, as far as that goes without waiting? */
static bool
tried_on_loop(const struct s3_req *rq)
{
	enum op_class class = operation(rq->op)->class;

	return class == OP_QUICK || (class == OP_HELD && rq->http->may_hold && rq->head->has_length &&
	    cap_declared(rq->head) <= rq->store->inline_max);
}

static enum http_next
quick(void *ctx, struct http_req *http)
{
	struct s3_req *rq = request_new(ctx, http);
	err_v e;

	panic_note(http->id);
	rq->wait = KV_NO_WAIT;
	e = locate(rq);
	if (!err_ok(e))
		e = failure_answer(rq, e);
	else if (!tried_on_loop(rq))
		e = ERR_WOULD_BLOCK;
	else {
		if (operation(rq->op)->class == OP_HELD)
			resp_hold(rq->resp);
		e = run(rq);
		aws_body_close(&rq->payload);
	}
	panic_note(NULL);
	if (rq->committing)
		return HTTP_HELD;
	if (err_ok(e))
		return HTTP_ANSWERED;
	request_again(rq);
	return worker_for(rq);
}

static void
full(void *ctx, struct http_req *http)
{
	struct s3_req *rq = http->user != NULL ? http->user : request_new(ctx, http);
	err_v e;

	CHECK_OBJ(rq, S3_REQ_MAGIC);
	panic_note(http->id);
	rq->wait = KV_MAY_BLOCK;
	/* A lost race is decided again; after another failure it is not known what the disk has: this says so, and the audit log. */
	if (rq->committing && !err_is(rq->outcome, ERR_CONFLICT.code)) {
		e = failure_answer(rq, err_again(rq->outcome, rq->outcome_why));
	} else {
		if (rq->committing)
			request_again(rq);
		e = run(rq);
	}
	assert(err_ok(e));
	aws_body_close(&rq->payload);
	panic_note(NULL);
}

/* Refused by the server itself: its status picks the code. */
static void
refuse(void *ctx, struct http_req *http, int status, const char *why)
{
	static const struct { int status; enum s3_error code; } codes[] = {
		{ 408, S3_RequestTimeout }, { 414, S3_RequestHeaderSectionTooLarge }, { 431, S3_RequestHeaderSectionTooLarge },
		{ 501, S3_NotImplemented }, { 503, S3_SlowDown },
	};
	struct s3_req *rq = http->user != NULL ? http->user : request_new(ctx, http);
	enum s3_error code = S3_InvalidRequest;
	err_v e;

	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].status == status)
			code = codes[i].code;
	e = failure_answer(rq, err_s3f(code, "%s", why));
	assert(err_ok(e));
}

static void
done(void *ctx, struct http_req *http)
{
	struct s3_req *rq = http->user;

	account(ctx, http, rq);
	if (rq != NULL)
		kv_batch_free(&rq->commit.batch);
}

struct http_handler
s3_handler(struct store *store)
{
	return (struct http_handler){ .ctx = store, .quick = quick, .full = full, .refuse = refuse, .done = done };
}
