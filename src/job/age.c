/*
 * age.c - how much of each bucket is hot, warm and cold.
 *
 * A pass goes through all objects beside the days of their last reads. What was neither written nor read for more than WARM_DAYS is
 * warm, for more than COLD_DAYS cold; everything else is hot, and is not counted here: whoever shows it takes the rest of
 * the exact usage, so that what was written since is right at once. Days of reads whose object is gone are removed on the way.
 * After a restart a pass goes on behind the bucket that it had come to, and the next one is due when it would have been.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "job/job_impl.h"
#include "meta/touch.h"

#define PAGE 1000u
#define SAVE_MS 1000u
#define LONE_MAX 1000u
#define WARM_DAYS 7u
#define COLD_DAYS 30u

struct aging {
	struct job *job;
	const struct bucket *bucket;
	struct touches *touches;
	uint32_t today;
	struct bucket_ages ages;
	struct arena *lone_arena;
	str lone[LONE_MAX];		/* days of reads without an object */
	unsigned nlone;
};

static void
lone(void *arg, str key)
{
	struct aging *g = arg;

	if (g->nlone < LONE_MAX)	/* the next pass takes the others */
		g->lone[g->nlone++] = arena_str(g->lone_arena, key);
}

static err
remove_lone(struct aging *g)
{
	err_v e = ERR_OK;

	if (g->nlone > 0)
		e = catalog_untouch(g->job->options->catalog, g->bucket->space, g->lone, g->nlone, g->lone_arena);
	g->nlone = 0;
	arena_reset(g->lone_arena);
	return err_is(e, ERR_CONFLICT.code) ? ERR_OK : e;
}

/* An older version ages from when it was written: reads of it are not remembered. */
static err
judge(struct aging *g, const struct object *o, bool is_latest)
{
	uint32_t day = touch_day(g->job->options->touch, o->modified_ms), read = 0, age;

	if (is_latest)
		TRY(touches_find(g->touches, o->key, lone, g, &read));
	if (o->delete_marker || o->class != CLASS_STANDARD)
		return ERR_OK;
	if (read > day)
		day = read;
	age = g->today > day ? g->today - day : 0;
	if (age > COLD_DAYS) {
		g->ages.cold_objects++;
		g->ages.cold_bytes += (int64_t)o->size;
	} else if (age > WARM_DAYS) {
		g->ages.warm_objects++;
		g->ages.warm_bytes += (int64_t)o->size;
	}
	return ERR_OK;
}

static err
walk(struct aging *g, struct arena *arena[2])
{
	bool versions = g->bucket->versioning != VERSIONING_NEVER;
	struct list_query q = { .what = versions ? LIST_VERSIONS : LIST_OBJECTS, .max = PAGE, .once = true };
	struct list_page page = { .more = true };

	for (unsigned turn = 0; page.more; turn ^= 1) {
		const struct list_row *last;

		arena_reset(arena[turn]);
		TRY(catalog_list(g->job->options->catalog, g->bucket, &q, arena[turn], &page));
		if (!job_pace(g->job, page.n))
			return err_errno(ECANCELED, "the store is being stopped");
		for (unsigned i = 0; i < page.n; i++)
			TRY(judge(g, &page.row[i].object, !versions || page.row[i].is_latest));
		TRY(remove_lone(g));
		if (page.n == 0)
			break;
		last = &page.row[page.n - 1];
		q.after = last->object.key;
		q.has_after_version = versions;
		q.after_version = last->object.version;
	}
	TRY(touches_end(g->touches, lone, g));
	return remove_lone(g);
}

static err
age_bucket(struct job *j, const struct bucket *b, struct arena *page[2])
{
	AUTO(arena_free) struct arena *a = arena_new(64u << 10, 4u << 20);
	AUTO(mem_free_p) struct aging *g = MEM_NEW(struct aging);
	err_v e;

	g->job = j;
	g->bucket = b;
	g->lone_arena = a;
	g->ages.at_ms = clock_wall_ms();
	g->today = touch_day(j->options->touch, g->ages.at_ms);
	TRY(touches_open(j->options->catalog, b->space, &g->touches));
	e = walk(g, page);
	touches_close(&g->touches);
	TRY(e);
	atomic_fetch_add(&j->done, 1);
	return catalog_ages_set(j->options->catalog, b->space, &g->ages, a);
}

struct pass {
	struct job *job;
	struct arena *page[2];
	struct job_memo memo;
	str behind;			/* the bucket done last */
	uint64_t saved_ms;
};

/* A change of the bucket that came between, or a stop, is left to the next pass. */
static err
visit(void *arg, const struct bucket *b)
{
	struct pass *p = arg;
	err_v e;

	if (p->behind.p != NULL && clock_mono_ms() >= p->saved_ms + SAVE_MS) {
		job_remember(p->job, &(struct job_memo){ p->memo.ended_ms, p->behind });
		p->saved_ms = clock_mono_ms();
	}
	e = age_bucket(p->job, b, p->page);
	p->behind = b->name;
	return err_is(e, ERR_CONFLICT.code) || err_is(e, -ECANCELED) ? ERR_OK : e;
}

err_v
job_age(struct job *j)
{
	AUTO(arena_free) struct arena *even = arena_new(1u << 20, 16u << 20), *odd = arena_new(1u << 20, 16u << 20);
	struct pass p = { .job = j, .page = { even, odd }, .saved_ms = clock_mono_ms() };

	TRY(job_recall(j, j->arena, &p.memo));
	if (!job_is_due(j, &p.memo))
		return ERR_OK;
	TRY(job_each_bucket(j, job_called_for(j) ? STR_NONE : p.memo.place, "ages of a bucket", visit, &p));
	if (!job_stopping(j))
		job_remember(j, &(struct job_memo){ .ended_ms = clock_wall_ms() });
	return ERR_OK;
}
