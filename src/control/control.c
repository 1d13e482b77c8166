/*
 * control.c - the way of a request on the control listener: health, or row of tbl/control.h, caller, handler, JSON.
 */
#include "control/control.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/private.h"
#include "base/text.h"
#include "control/api.h"
#include "control/health.h"
#include "http/body.h"
#include "http/resp.h"

enum who { WHO_ANYONE, WHO_TOKEN, WHO_OPERATOR };

static const struct call {
	const char *name;
	enum http_method method;
	const char *path;
	enum who who;
	const char *permission;
	err_v (*run)(struct api_req *);
} calls[] = {
#define CONTROL(name, method, path, who, permission, handler) { #name, HTTP_##method, path, WHO_##who, permission, handler },
#include "tbl/control.h"
#undef CONTROL
};

static const struct {
	const char *path;
	void (*run)(struct control *, struct http_req *);
} pages[] = {
	{ "/healthz", health_live },
	{ "/readyz", health_ready },
	{ "/metrics", health_metrics },
};

/* ---- answers ---- */

/* gRPC codes, and the HTTP status that each is sent with. */
enum status_code {
	STATUS_INVALID_ARGUMENT = 3, STATUS_NOT_FOUND = 5, STATUS_ALREADY_EXISTS = 6, STATUS_PERMISSION_DENIED = 7,
	STATUS_RESOURCE_EXHAUSTED = 8, STATUS_FAILED_PRECONDITION = 9, STATUS_ABORTED = 10, STATUS_UNIMPLEMENTED = 12,
	STATUS_INTERNAL = 13, STATUS_UNAVAILABLE = 14, STATUS_UNAUTHENTICATED = 16
};

static const struct {
	int code;		/* of an err */
	enum status_code status;
	int http;
	const char *message;	/* where the err has none */
} statuses[] = {
	{ S3_InvalidArgument, STATUS_INVALID_ARGUMENT, 400, NULL },
	{ S3_MalformedPolicy, STATUS_INVALID_ARGUMENT, 400, NULL },
	{ S3_EntityTooLarge, STATUS_INVALID_ARGUMENT, 400, "The body is too large." },
	{ S3_IncompleteBody, STATUS_INVALID_ARGUMENT, 400, NULL },
	{ S3_RequestTimeout, STATUS_INVALID_ARGUMENT, 400, NULL },
	{ S3_InvalidRequest, STATUS_INVALID_ARGUMENT, 400, NULL },
	{ -ENOENT, STATUS_NOT_FOUND, 404, "It does not exist." },
	{ S3_NoSuchBucket, STATUS_NOT_FOUND, 404, NULL },
	{ -EEXIST, STATUS_ALREADY_EXISTS, 409, "It exists already." },
	{ S3_AccessDenied, STATUS_PERMISSION_DENIED, 403, "permission denied" },
	{ -EDQUOT, STATUS_RESOURCE_EXHAUSTED, 429, "There are as many as there may be." },
	{ -EBUSY, STATUS_ABORTED, 409, "That is under way already." },
	{ -ENOTEMPTY, STATUS_FAILED_PRECONDITION, 400, "It is not empty: delete its buckets first." },
	{ -EAGAIN, STATUS_ABORTED, 409, "Another change was under way. Try again." },
	{ S3_NotImplemented, STATUS_UNIMPLEMENTED, 501, NULL },
	{ -ENOTSUP, STATUS_UNIMPLEMENTED, 501, "This is not possible here." },
	{ -ENOSPC, STATUS_UNAVAILABLE, 503, "The disk is full." },
	{ S3_InvalidToken, STATUS_UNAUTHENTICATED, 401, "Invalid token." },
	{ -EHOSTUNREACH, STATUS_UNAVAILABLE, 503, "The identity provider cannot be asked now." },
	{ S3_ExpiredToken, STATUS_UNAUTHENTICATED, 401, "The token has expired." },
};

static void
answer_json(struct http_req *rq, int status, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

	assert(text != NULL);
	resp_status(rq->resp, status);
	resp_header(rq->resp, STR("Content-Type"), STR("application/json"));
	resp_header(rq->resp, STR("Cache-Control"), STR("no-store"));
	if (!err_ok(resp_send(rq->resp, str_c(text))))
		resp_close(rq->resp);
	private_text_free(text);
	json_decref(value);
}

static void
answer_status(struct http_req *rq, int http, enum status_code status, const char *message)
{
	answer_json(rq, http, json_pack("{s:i, s:s, s:[]}", "code", (int)status, "message", message, "details"));
}

/* Returns the HTTP status sent. */
static int
answer_error(struct http_req *rq, err_v e)
{
	const char *context = err_context();

	for (size_t i = 0; i < COUNT(statuses); i++) {
		const char *message;

		if (statuses[i].code != e.code)
			continue;
		message = e.code > 0 && *context != '\0' ? context : statuses[i].message;
		if (message == NULL)
			message = s3_error_info(e.code)->message;
		answer_status(rq, statuses[i].http, statuses[i].status, message);
		return statuses[i].http;
	}
	log_error("request=%s control call failed: %s (%d)", rq->id, context, e.code);
	answer_status(rq, 500, STATUS_INTERNAL, "Something failed inside the store; its log says what.");
	return 500;
}

/* ---- finding the call ---- */

/* Does a path fit "/a/{b}/c"? *ret: what stands for {b}, as sent. */
static bool
path_fits(str path, str pattern, str *ret)
{
	str param = STR_NONE;

	while (path.p != NULL && pattern.p != NULL) {
		str got = str_take_until(&path, '/'), want = str_take_until(&pattern, '/');

		if (str_starts(want, STR("{")) && !str_empty(got))
			param = got;
		else if (!str_eq(got, want))
			return false;
	}
	if (path.p != NULL || pattern.p != NULL)
		return false;
	*ret = param;
	return true;
}

/* NULL: no such call; *ret_other says if there is one of another method. */
static const struct call *
call_find(const struct http_head *head, str *ret_param, bool *ret_other)
{
	*ret_other = false;
	for (size_t i = 0; i < COUNT(calls); i++) {
		if (!path_fits(head->path_raw, str_c(calls[i].path), ret_param))
			continue;
		if (calls[i].method == head->method)
			return &calls[i];
		*ret_other = true;
	}
	return NULL;
}

/* ---- running it ---- */

static err
authenticate(struct api_req *rq, const struct call *call)
{
	str token = http_header(rq->http->head, STR("authorization")), org = http_query_value(rq->http->head, STR("org"));

	if (call->who == WHO_ANYONE)
		return ERR_OK;
	if (!str_starts_nocase(token, STR("Bearer ")))
		return err_s3f(S3_InvalidToken, "Send \"Authorization: Bearer TOKEN\" with a token of the control API.");
	TRY(access_token_find(rq->control->access, str_trim(str_skip(token, 7)), rq->arena, &rq->caller));
	rq->org = rq->caller.who.org;
	if (!str_empty(org) && !str_eq(org, rq->org)) {
		if (rq->caller.role != ROLE_OPERATOR)
			return err_s3f(S3_AccessDenied, "permission denied: only an operator may name another organization.");
		rq->org = org;
	}
	if (call->who == WHO_OPERATOR && rq->caller.role != ROLE_OPERATOR)
		return err_s3f(S3_AccessDenied, "permission denied: this takes an operator's token.");
	if (*call->permission == '\0' || call->who == WHO_OPERATOR)
		return ERR_OK;
	return access_control(rq->control->access, &rq->caller, str_c(call->permission), &rq->why);
}

static err
read_body(struct api_req *rq)
{
	json_error_t error;
	str text;

	rq->body = json_object();
	if (rq->http->head->method != HTTP_POST && rq->http->head->method != HTTP_PUT)
		return ERR_OK;
	TRY(body_read_all(rq->http->body, rq->arena, API_BODY_MAX, &text));
	if (str_empty(text))
		return ERR_OK;
	json_decref(rq->body);
	rq->body = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);
	if (rq->body == NULL) {
		rq->body = json_object();
		return err_s3f(S3_InvalidArgument, "The body is not JSON: line %d: %s.", error.line, error.text);
	}
	if (!json_is_object(rq->body))
		return err_s3f(S3_InvalidArgument, "The body must be a JSON object.");
	return ERR_OK;
}

static err
run_call(struct api_req *rq, const struct call *call)
{
	err_v e = authenticate(rq, call);

	rq->audited = !str_empty(rq->org) && access_org_audited(rq->control->access, rq->org);
	TRY(e);
	TRY(read_body(rq));
	if (!url_decode(rq->arena, rq->param, URL_PLUS_IS_PLUS, &rq->param))
		return err_s3f(S3_InvalidArgument, "The path holds a broken %%-escape.");
	rq->resource = rq->param;
	return call->run(rq);
}

/* Calls without a token are written too if they named an organization that keeps a log. */
static void
audit(struct api_req *rq, const struct call *call, int status, err_v e)
{
	struct http_req *http = rq->http;
	struct audit_event event = {
		.plane = AUDIT_CONTROL, .time_ms = clock_wall_ms(), .request_id = str_c(http->id), .who = &rq->caller.who,
		.source_ip = http->peer, .user_agent = http_header(http->head, STR("user-agent")), .operation = str_c(call->name),
		.org = rq->org, .resource = rq->resource, .why = rq->why, .status = status,
		.decision = err_is(e, S3_AccessDenied) ? AUDIT_DENY : err_ok(e) ? AUDIT_ALLOW : AUDIT_NOT_ASKED,
		.error = e.code > 0 ? str_c(s3_error_info(e.code)->code) : STR_NONE,
		.duration_us = (clock_mono_ns() - http->started_ns) / 1000,
	};

	if (rq->control->audit != NULL &&
	    (rq->audited || (!str_empty(rq->org) && access_org_audited(rq->control->access, rq->org))))
		audit_write(rq->control->audit, &event);
}

static void
full(void *ctx, struct http_req *http)
{
	struct api_req rq = { .control = ctx, .http = http, .arena = http->arena };
	const struct call *call;
	int status = 200;
	bool other;
	err_v e;

	for (size_t i = 0; i < COUNT(pages); i++) {
		if (str_eq(http->head->path_raw, str_c(pages[i].path)) &&
		    (http->head->method == HTTP_GET || http->head->method == HTTP_HEAD)) {
			pages[i].run(ctx, http);
			return;
		}
	}
	call = call_find(http->head, &rq.param, &other);
	if (call == NULL) {
		answer_status(http, other ? 405 : 404, other ? STATUS_UNIMPLEMENTED : STATUS_NOT_FOUND,
		    other ? "The method is not allowed here." : "There is no such call.");
		return;
	}
	e = run_call(&rq, call);
	if (err_ok(e))
		answer_json(http, 200, rq.answer != NULL ? json_incref(rq.answer) : json_object());
	else
		status = answer_error(http, e);
	audit(&rq, call, status, e);
	json_decref(rq.answer);
	json_decref(rq.body);
}

static void
refuse(void *ctx, struct http_req *rq, int status, const char *why)
{
	answer_status(rq, status, status == 503 ? STATUS_UNAVAILABLE : STATUS_INVALID_ARGUMENT, why);
}

struct http_handler
control_handler(struct control *c)
{
	return (struct http_handler){ .ctx = c, .full = full, .refuse = refuse };
}
