/* api_jobs.c - background jobs: what they do, what they have found, and a pass now. */
#include "control/api.h"
#include "job/jobs.h"

#define FOUND_MAX 100u

static json_t *
job_json(struct api_req *rq, enum job_kind kind)
{
	struct job_progress p;

	jobs_progress(rq->control->jobs, kind, &p);
	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:I, s:I}",
	    "name", p.name, "unit", p.unit, "running", p.running,
	    "passes", (json_int_t)p.passes, "seen", (json_int_t)p.seen, "done", (json_int_t)p.done, "bytes", (json_int_t)p.bytes,
	    "failed", (json_int_t)p.failed, "findings", (json_int_t)p.findings,
	    "passSeen", (json_int_t)p.pass_seen, "passFailed", (json_int_t)p.pass_failed,
	    "passFindings", (json_int_t)p.pass_findings, "backlog", (json_int_t)p.backlog,
	    "percent", (double)p.permille / 10, "passBegan", api_time(rq->arena, p.began_ms),
	    "passEnded", api_time(rq->arena, p.ended_ms), "serves", (json_int_t)p.serves,
	    "served", (json_int_t)p.served);
}

static err
find(struct api_req *rq, enum job_kind *ret)
{
	return job_by_name(rq->param, ret) ? ERR_OK : ERR_NOT_FOUND;
}

err_v
api_job_list(struct api_req *rq)
{
	json_t *list = json_array();

	for (int i = 0; i < JOB_COUNT; i++)
		json_array_append_new(list, job_json(rq, (enum job_kind)i));
	rq->answer = json_pack("{s:o}", "jobs", list);
	return ERR_OK;
}

/* With what its pass has found, from number ?offset= on. */
err_v
api_job_get(struct api_req *rq)
{
	json_t *list;
	enum job_kind kind;
	unsigned from, limit, n;
	str *line;

	TRY(find(rq, &kind));
	TRY(api_page(rq, &from, &limit));
	if (from > JOB_FINDINGS_MAX)
		from = JOB_FINDINGS_MAX;
	jobs_findings(rq->control->jobs, kind, from, limit < FOUND_MAX ? limit : FOUND_MAX, rq->arena, &line, &n);
	list = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, api_json(line[i]));
	rq->answer = json_pack("{s:o, s:o}", "job", job_json(rq, kind), "found", list);
	return ERR_OK;
}

err_v
api_job_run(struct api_req *rq)
{
	enum job_kind kind;
	uint64_t ticket;

	TRY(find(rq, &kind));
	ticket = jobs_run(rq->control->jobs, kind);
	rq->answer = json_pack("{s:I}", "ticket", (json_int_t)ticket);
	return ERR_OK;
}
