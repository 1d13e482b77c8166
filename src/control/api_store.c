/* api_store.c - what operators do to the store as a whole. */
#include "control/api.h"

err_v
api_master_rotate(struct api_req *rq)
{
	err_v e = access_master_rotate(rq->control->access, rq->control->master_key_file);

	return err_is(e, -ENOTSUP) ? err_s3f(S3_NotImplemented, "%s.", err_context()) : e;
}
