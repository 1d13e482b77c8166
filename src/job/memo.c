/*
 * memo.c - what a job knows of its passes over restarts: when the last whole one ended, and how far the present one is.
 *
 * One row of the index for each job: the time (8 bytes, little-endian milliseconds), then the place, which only the job understands.
 */
#include "base/clock.h"
#include "job/job_impl.h"

#define MEMO_TIME 8u
#define MEMO_MAX 4096u

err_v
job_recall(const struct job *j, struct arena *a, struct job_memo *ret)
{
	struct job_memo m = { .place = STR_NONE };
	str raw;
	err_v e = catalog_memo_get(j->options->catalog, str_c(job_name(j->kind)), a, &raw);

	if (!err_is(e, ERR_NOT_FOUND.code))
		TRY(e);
	if (err_ok(e) && raw.len >= MEMO_TIME) {
		memcpy(&m.ended_ms, raw.p, MEMO_TIME);
		m.place = str_skip(raw, MEMO_TIME);
	}
	*ret = m;
	return ERR_OK;
}

void
job_remember(const struct job *j, const struct job_memo *m)
{
	char raw[MEMO_MAX];

	if (m->place.len > sizeof(raw) - MEMO_TIME)
		return;
	memcpy(raw, &m->ended_ms, MEMO_TIME);
	if (m->place.len > 0)
		memcpy(raw + MEMO_TIME, m->place.p, m->place.len);
	/* Not kept: the next pass after a restart does a little more. */
	(void)!catalog_memo_set(j->options->catalog, str_c(job_name(j->kind)), str_n(raw, MEMO_TIME + m->place.len)).code;
}

bool
job_is_due(struct job *j, const struct job_memo *m)
{
	uint64_t now = clock_wall_ms(), interval = j->options->interval_ms[j->kind];

	if (job_called_for(j) || !str_empty(m->place) || now < m->ended_ms || now - m->ended_ms >= interval)
		return true;
	job_not_yet(j, interval - (now - m->ended_ms));
	return false;
}
