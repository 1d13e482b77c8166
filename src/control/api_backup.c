/* api_backup.c - ask for a backup, and how it goes. */
#include "control/api.h"
#include "job/jobs.h"

#define KEEP_DEFAULT 7u
#define KEEP_MAX 1000u

static json_t *
report_json(struct api_req *rq)
{
	static const char *const state[] = { "NEVER", "RUNNING", "DONE", "FAILED" };
	struct backup_report r;
	struct job_progress p;

	jobs_backup_report(rq->control->jobs, &r);
	jobs_progress(rq->control->jobs, JOB_backup, &p);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:s}", "state", state[r.state], "directory", r.directory,
	    "name", r.name, "beginTime", api_time(rq->arena, r.began_ms), "endTime", api_time(rq->arena, r.ended_ms),
	    "lastGoodTime", api_time(rq->arena, r.good_ms),
	    "blobsSeen", (json_int_t)(r.state == BACKUP_RUNNING ? p.pass_seen : r.blobs), "blobs", (json_int_t)r.blobs,
	    "blobsCopied", (json_int_t)r.copied, "bytesCopied", (json_int_t)r.bytes, "blobsMissing", (json_int_t)r.missing,
	    "message", r.trouble);
}

err_v
api_backup_create(struct api_req *rq)
{
	uint64_t keep;
	bool set;
	str dir;

	TRY(api_text_needed(rq->body, "directory", &dir));
	TRY(api_number(rq->body, "keep", &set, &keep));
	if (!set)
		keep = KEEP_DEFAULT;
	rq->resource = dir;
	if (!str_starts(dir, STR("/")) || dir.len >= BACKUP_DIR_MAX || str_find(dir, 0) >= 0)
		return err_s3f(S3_InvalidArgument, "directory must be an absolute path on the machine of the store.");
	if (keep < 1 || keep > KEEP_MAX)
		return err_s3f(S3_InvalidArgument, "keep must be from 1 to %u.", KEEP_MAX);
	TRY(jobs_backup(rq->control->jobs, dir, (unsigned)keep));
	rq->answer = json_pack("{s:o}", "backup", report_json(rq));
	return ERR_OK;
}

err_v
api_backup_get(struct api_req *rq)
{
	rq->answer = json_pack("{s:o}", "backup", report_json(rq));
	return ERR_OK;
}
