/*
 * account.c - what is kept of a request when its answer is out.
 *
 * The access log has one key=value line a request; keys and names are URL-encoded, so a line splits at its spaces. No secret,
 * header or query comes here.
 */
#include "s3/account.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "s3/metrics.h"
#include "s3/store.h"

#define LINE_MAX_LEN 8192u

static void
add_text(struct buf *b, const char *name, str value)
{
	buf_add_char(b, ' ');
	buf_add_c(b, name);
	buf_add_char(b, '=');
	if (str_empty(value))
		buf_add_char(b, '-');
	else
		url_encode(b, value, URL_KEEP_SLASH);
}

static void
add_number(struct buf *b, const char *name, uint64_t value)
{
	buf_add_char(b, ' ');
	buf_add_c(b, name);
	buf_add_char(b, '=');
	buf_add_u64(b, value);
}

static void
access_line(const struct http_req *http, const struct s3_req *rq, const struct s3_outcome *o)
{
	AUTO(buf_done) struct buf b;

	buf_init(&b, LINE_MAX_LEN);
	buf_add_c(&b, "time=");
	buf_add(&b, date_iso(http->arena, clock_wall_ms()));
	add_text(&b, "id", str_c(http->id));
	add_text(&b, "peer", http->peer);
	add_text(&b, "op", str_c(s3_op_name((enum op)o->op)));
	add_text(&b, "bucket", rq != NULL ? rq->bucket_name : STR_NONE);
	add_text(&b, "key", rq != NULL ? rq->key : STR_NONE);
	add_number(&b, "status", (uint64_t)o->status);
	add_text(&b, "error", str_c(o->error));
	add_number(&b, "in", o->bytes_in);
	add_number(&b, "out", o->bytes_out);
	add_number(&b, "us", o->duration_ns / 1000);
	add_text(&b, "org", rq != NULL ? rq->who.org : STR_NONE);
	add_text(&b, "who", rq != NULL ? rq->who.name : STR_NONE);
	add_text(&b, "access_key", rq != NULL ? rq->who.access_key : STR_NONE);
	add_text(&b, "on", o->on_loop ? STR("loop") : STR("worker"));
	log_access(buf_str(&b));
}

/* What is about no bucket counts as its caller's organization. */
static bool
audited(struct store *store, const struct s3_req *rq)
{
	if (rq->bucket.name.p != NULL)
		return access_bucket_audited(store->access, &rq->bucket);
	return !str_empty(rq->who.org) && access_org_buckets_audited(store->access, rq->who.org);
}

static void
audit_event(struct audit *audit, const struct http_req *http, const struct s3_req *rq, const struct s3_outcome *o)
{
	struct audit_event event = {
		.plane = AUDIT_DATA, .time_ms = clock_wall_ms(), .request_id = str_c(http->id), .who = &rq->who,
		.source_ip = http->peer, .user_agent = s3_header(rq, STR("user-agent")), .operation = str_c(s3_op_name(rq->op)),
		.org = rq->bucket.name.p != NULL ? rq->bucket.org : rq->who.org, .bucket = rq->bucket_name, .key = rq->key,
		.version_id = http_query_value(rq->head, STR("versionId")), .decision = rq->decision, .why = rq->why,
		.status = o->status, .error = str_c(o->error), .bytes_in = o->bytes_in, .bytes_out = o->bytes_out,
		.duration_us = o->duration_ns / 1000,
	};

	audit_write(audit, &event);
}

void
account(struct store *store, struct http_req *http, const struct s3_req *rq)
{
	struct s3_outcome o = {
		.op = rq != NULL ? rq->op : OP_NONE, .status = resp_status_sent(http->resp), .on_loop = http->on_loop,
		.error = rq != NULL && rq->error != 0 ? s3_error_info(rq->error)->code : NULL,
		.bytes_in = http->body != NULL ? body_received(http->body) : 0, .bytes_out = resp_bytes_sent(http->resp),
		.duration_ns = clock_mono_ns() - http->started_ns,
	};

	if (store->observe != NULL)
		store->observe(store->observe_arg, &o);
	if (log_access_on())
		access_line(http, rq, &o);
	if (store->audit != NULL && rq != NULL && audited(store, rq))
		audit_event(store->audit, http, rq, &o);
}
