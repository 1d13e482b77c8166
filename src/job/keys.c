/* keys.c - forgets access keys and tokens that are over: identity providers make temporary ones all the time. */
#include "access/admin.h"
#include "job/job_impl.h"

err_v
job_keys(struct job *j)
{
	unsigned n = 1;

	while (n > 0 && !job_stopping(j)) {
		TRY(access_sweep(j->options->access, &n));
		atomic_fetch_add(&j->done, n);
		if (!job_pace(j, n))
			break;
	}
	return ERR_OK;
}
