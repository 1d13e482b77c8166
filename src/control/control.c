/*
 * control.c - from a request on the control listener to the function that answers it.
 */
#include "control/control.h"

#include "base/log.h"
#include "base/mem.h"
#include "control/health.h"
#include "http/resp.h"

static const struct row {
	enum http_method method;
	const char *path;
	void (*run)(struct control *, struct http_req *);
} rows[] = {
	{ HTTP_GET, "/healthz", health_live },
	{ HTTP_GET, "/readyz", health_ready },
	{ HTTP_GET, "/metrics", health_metrics },
};

/* The error body of the API: a gRPC status. */
static void
answer_status(struct http_req *rq, int status, int code, const char *message)
{
	resp_status(rq->resp, status);
	resp_header(rq->resp, STR("Content-Type"), STR("application/json"));
	if (!err_ok(resp_send(rq->resp, arena_fmt(rq->arena, "{\"code\":%d,\"message\":\"%s\",\"details\":[]}\n", code, message))))
		resp_close(rq->resp);
}

static void
full(void *ctx, struct http_req *rq)
{
	struct control *c = ctx;

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!str_eq(rq->head->path_raw, str_c(rows[i].path)))
			continue;
		if (rows[i].method == rq->head->method || rq->head->method == HTTP_HEAD)
			rows[i].run(c, rq);
		else
			answer_status(rq, 405, 12, "The method is not allowed here.");
		return;
	}
	answer_status(rq, 404, 5, "There is nothing of this name here.");
}

static void
refuse(void *ctx, struct http_req *rq, int status, const char *why)
{
	answer_status(rq, status, status == 503 ? 14 : 3, why);
}

struct http_handler
control_handler(struct control *c)
{
	return (struct http_handler){ .ctx = c, .full = full, .refuse = refuse };
}
