/* health.c - liveness and readiness. */
#include "control/health.h"

#include <inttypes.h>

#include "http/resp.h"

void
health_answer(struct http_req *rq, int status, str type, str body)
{
	resp_status(rq->resp, status);
	resp_header(rq->resp, STR("Content-Type"), type);
	if (!err_ok(resp_send(rq->resp, body)))
		resp_close(rq->resp);
}

void
health_live(struct control *c, struct http_req *rq)
{
	health_answer(rq, 200, STR("text/plain"), STR("ok\n"));
}

void
health_reasons(struct control *c, struct buf *why)
{
	const char *trouble = kv_trouble(catalog_kv(c->catalog));
	struct blob_stats blobs = { 0 };

	blob_stats(c->blobs, &blobs);
	if (atomic_load(&c->draining))
		buf_add_c(why, "draining: the process is about to end\n");
	if (trouble != NULL)
		buf_addf(why, "index: %s\n", trouble);
	if (!err_ok(kv_room(catalog_kv(c->catalog))))
		buf_addf(why, "index: no room for writes: %s\n", err_context());
	if (blobs.disk_free < blobs.reserve)
		buf_addf(why, "blobs: no room for writes: %" PRIu64 " bytes are free, %" PRIu64 " are held back\n", blobs.disk_free,
		    blobs.reserve);
}

void
health_ready(struct control *c, struct http_req *rq)
{
	AUTO(buf_done) struct buf why = { 0 };

	buf_init(&why, 4096);
	health_reasons(c, &why);
	if (why.len > 0)
		health_answer(rq, 503, STR("text/plain"), buf_str(&why));
	else
		health_answer(rq, 200, STR("text/plain"), STR("ready\n"));
}
