/*
 * account.c - what is kept of a request when its answer is out.
 *
 * The access log has one line a request: key=value, where keys and names are URL-encoded, so a line splits at its spaces; or JSON. No
 * secret, header or query comes here.
 */
#include "s3/account.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "s3/metrics.h"
#include "s3/store.h"

#define LINE_MAX_LEN 16384u

struct line {
	struct buf text;
	enum access_form form;
};

static void
add_name(struct line *l, const char *name)
{
	if (l->form == ACCESS_JSON)
		buf_addf(&l->text, "%s\"%s\":", l->text.len == 0 ? "{" : ",", name);
	else
		buf_addf(&l->text, "%s%s=", l->text.len == 0 ? "" : " ", name);
}

/* Nothing is "-", and null. */
static void
add_text(struct line *l, const char *name, str value)
{
	add_name(l, name);
	if (str_empty(value))
		buf_add_c(&l->text, l->form == ACCESS_JSON ? "null" : "-");
	else if (l->form == ACCESS_JSON)
		json_quote(&l->text, value);
	else
		url_encode(&l->text, value, URL_KEEP_SLASH);
}

static void
add_number(struct line *l, const char *name, uint64_t value)
{
	add_name(l, name);
	buf_add_u64(&l->text, value);
}

static void
add_time(struct line *l, str time)
{
	add_name(l, "time");
	buf_addf(&l->text, l->form == ACCESS_JSON ? "\"%.*s\"" : "%.*s", STR_FMT(time));
}

static void
access_line(enum access_form form, const struct http_req *http, const struct s3_req *rq, const struct s3_outcome *o)
{
	struct line l = { .form = form };

	buf_init(&l.text, LINE_MAX_LEN);
	add_time(&l, date_iso(http->arena, clock_wall_ms()));
	add_text(&l, "id", str_c(http->id));
	add_text(&l, "peer", http->peer);
	add_text(&l, "op", str_c(s3_op_name((enum op)o->op)));
	add_text(&l, "bucket", rq != NULL ? rq->bucket_name : STR_NONE);
	add_text(&l, "key", rq != NULL ? rq->key : STR_NONE);
	add_number(&l, "status", (uint64_t)o->status);
	add_text(&l, "error", str_c(o->error));
	add_number(&l, "in", o->bytes_in);
	add_number(&l, "out", o->bytes_out);
	add_number(&l, "ttfb_us", o->first_byte_ns / 1000);
	add_number(&l, "us", o->duration_ns / 1000);
	add_text(&l, "org", rq != NULL ? rq->who.org : STR_NONE);
	add_text(&l, "who", rq != NULL ? rq->who.name : STR_NONE);
	add_text(&l, "access_key", rq != NULL ? rq->who.access_key : STR_NONE);
	add_text(&l, "on", o->on_loop ? STR("loop") : STR("worker"));
	if (form == ACCESS_JSON)
		buf_add_char(&l.text, '}');
	log_access(buf_str(&l.text));
	buf_done(&l.text);
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
	uint64_t now = clock_mono_ns(), head_sent = resp_head_sent_ns(http->resp);
	struct s3_outcome o = {
		.op = rq != NULL ? rq->op : OP_NONE, .status = resp_status_sent(http->resp), .on_loop = http->on_loop,
		.error = rq != NULL && rq->error != 0 ? s3_error_info(rq->error)->code : NULL,
		.bytes_in = http->body != NULL ? body_received(http->body) : 0, .bytes_out = resp_bytes_sent(http->resp),
		.duration_ns = now - http->started_ns, .first_byte_ns = (head_sent != 0 ? head_sent : now) - http->started_ns,
	};

	if (store->observe != NULL)
		store->observe(store->observe_arg, &o);
	if (log_access_on())
		access_line(store->access_form, http, rq, &o);
	if (store->audit != NULL && rq != NULL && audited(store, rq))
		audit_event(store->audit, http, rq, &o);
}
