/* api_store.c - what operators do to the store as a whole. */
#include "control/api.h"

err_v
api_master_rotate(struct api_req *rq)
{
	err_v e = access_master_rotate(rq->control->access, rq->control->master_key_file);

	return err_is(e, -ENOTSUP) ? err_s3f(S3_NotImplemented, "%s.", err_context()) : e;
}

err_v
api_worker_list(struct api_req *rq)
{
	json_t *list = json_array();
	struct pool_worker w;
	struct pool_stats s;

	for (unsigned i = 0; pool_worker(rq->control->pool, i, &w); i++)
		json_array_append_new(list, json_pack("{s:i, s:s, s:I, s:s, s:s}", "number", (int)i, "state", w.busy ? "BUSY" : "IDLE",
		    "busyMs", (json_int_t)w.busy_ms, "class", !w.busy ? "" : w.class == POOL_LARGE ? "LARGE" : "SMALL", "request", w.note));
	pool_stats(rq->control->pool, &s);
	rq->answer = json_pack("{s:o, s:i}", "workers", list, "queued", (int)s.queued);
	return ERR_OK;
}
