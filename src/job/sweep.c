/*
 * sweep.c - deletes blobs that were written and never committed to the index: what a crash between the two leaves.
 *
 * Only blobs begun before the last start come here (blob_list_suspects), so an upload in flight is never judged. One that could
 * not be judged keeps all suspects for the next pass. What loses its owner after that without being deleted, the scrub finds.
 */
#include "base/crash.h"
#include "job/job_impl.h"

struct sweep {
	struct job *job;
	err_v failed;
};

err_v
job_free_unowned(struct job *j, const struct blob_ref *ref)
{
	bool owned;

	TRY(catalog_blob_owned(j->options->catalog, ref, j->arena, &owned));
	if (owned)
		return ERR_OK;
	CRASH_POINT(sweep_judged);
	TRY(blob_delete(j->options->blobs, ref));
	atomic_fetch_add(&j->done, 1);
	atomic_fetch_add(&j->bytes, ref->size);
	return ERR_OK;
}

static bool
visit(void *arg, const struct blob_ref *ref)
{
	struct sweep *s = arg;

	if (!job_pace(s->job, 1))
		return false;
	s->failed = job_free_unowned(s->job, ref);
	arena_reset(s->job->arena);
	return err_ok(s->failed);
}

err_v
job_sweep(struct job *j)
{
	struct sweep s = { .job = j };

	TRY(blob_list_suspects(j->options->blobs, visit, &s));
	return s.failed;
}
