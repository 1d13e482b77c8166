/*
 * backup.c - a set of a running store.
 *
 * First a checkpoint of the index: one instant of all buckets. Then every blob that its records need. Blobs never change, and the reaper
 * frees none between the checkpoint and the last copy, so what the checkpoint names is there; writes and deletes go on meanwhile.
 * At last sets beyond those to be kept go, and the blobs that no set needs any more. Those of a backup that was cut off go before the next
 * one copies: what both need is not copied again, and however often it is cut off, the directory does not grow.
 */
#include "job/backup.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/mem.h"
#include "job/job_impl.h"

#define PAGE 512u
#define INDEX_CACHE (8u << 20)

/* An index of a set, opened to be read. */
struct index {
	struct kv *kv;
	struct catalog *catalog;
};

struct backup {
	struct job *job;
	struct backup_order order;
	struct arena *arena;
	str dir, blobs_dir, partial, final;
	int lock;
	unsigned cut_off;		/* earlier ones that did not come to their end */
	str *sets;			/* that there were before this one */
	unsigned nsets;
	struct backup_set set;
	struct index index;
	struct blob_copy *copy;
	struct crew *crew;		/* its own: copying a page of large blobs takes long */
	struct { struct blob_ref ref; enum blob_need need; } page[PAGE];
	unsigned n;
	atomic_int failed;		/* code of the first blob that could not be copied */
	atomic_uint_fast64_t blobs, copied, bytes, missing;
};

static err
index_open(str set_dir, struct arena *a, struct index *ret)
{
	struct kv_options o = { .cache_bytes = INDEX_CACHE, .background_threads = 1, .read_only = true };

	TRY(kv_open(arena_fmt(a, "rocksdb:%.*s/index", STR_FMT(set_dir)), &o, &ret->kv));
	return catalog_open(ret->kv, &ret->catalog);
}

static void
index_close(struct index *i)
{
	catalog_close(&i->catalog);
	kv_close(&i->kv);
}

/* ---- blobs ---- */

static void
copy_one(void *arg, size_t i, struct arena *a)
{
	struct backup *b = arg;
	uint64_t bytes;
	err_v e;

	if (job_stopping(b->job) || atomic_load(&b->failed) != 0)
		return;
	e = blob_copy_add(b->copy, &b->page[i].ref, &bytes);
	if (err_is(e, ERR_NOT_FOUND.code) || err_is(e, ERR_DAMAGED.code)) {
		if (b->page[i].need == NEED_UPLOAD)
			return;			/* aborted, and half reaped when a crash came */
		atomic_fetch_add(&b->missing, 1);
		atomic_fetch_add(&b->job->findings, 1);
		job_failed(b->job, "a blob that the index names is missing or damaged", e);
		return;
	}
	if (!err_ok(e)) {
		job_failed(b->job, "copy a blob", e);
		atomic_store(&b->failed, e.code);
		return;
	}
	atomic_fetch_add(&b->blobs, 1);
	if (bytes == 0)
		return;
	atomic_fetch_add(&b->copied, 1);
	atomic_fetch_add(&b->bytes, bytes);
	atomic_fetch_add(&b->job->done, 1);
	atomic_fetch_add(&b->job->bytes, bytes);
}

/* The page's blobs, side by side. false: no more. */
static bool
copy_page(struct backup *b)
{
	crew_run(b->crew, b->n, copy_one, b);
	if (!job_pace(b->job, b->n))
		return false;
	b->n = 0;
	return atomic_load(&b->failed) == 0;
}

static bool
visit(void *arg, const struct blob_ref *ref, enum blob_need need)
{
	struct backup *b = arg;

	b->page[b->n].ref = *ref;
	b->page[b->n++].need = need;
	return b->n < PAGE || copy_page(b);
}

static err
copy_blobs(struct backup *b)
{
	uint32_t *space;
	unsigned n;
	int code;

	TRY(catalog_spaces(b->index.catalog, b->arena, &space, &n));
	TRY(blob_copy_begin(b->job->options->blobs, b->blobs_dir.p, &b->copy));
	for (unsigned i = 0; i < n && !job_stopping(b->job) && atomic_load(&b->failed) == 0; i++)
		TRY(catalog_blobs(b->index.catalog, space[i], visit, b));
	if (!job_stopping(b->job))
		(void)copy_page(b);
	code = atomic_load(&b->failed);
	if (code != 0)
		return (err_v){ code };
	return job_stopping(b->job) ? err_errno(ECANCELED, "the store is being stopped") : ERR_OK;
}

/* ---- what is not kept ---- */

struct prune {
	struct backup *backup;
	struct blobs *blobs;
	struct index *index;		/* of the sets that stay, newest last */
	unsigned n;
	struct arena *arena;
	err_v failed;
};

static err
judge(struct prune *p, const struct blob_ref *ref)
{
	bool owned = false;

	for (unsigned i = p->n; i > 0 && !owned; i--)
		TRY(catalog_blob_owned(p->index[i - 1].catalog, ref, p->arena, &owned));
	return owned ? ERR_OK : blob_delete(p->blobs, ref);
}

static bool
judge_each(void *arg, const struct blob_ref *ref)
{
	struct prune *p = arg;

	p->failed = judge(p, ref);
	arena_reset(p->arena);
	return err_ok(p->failed) && !job_stopping(p->backup->job);
}

static err
prune_with(struct prune *p, const str *set)
{
	struct backup *b = p->backup;

	for (unsigned i = 0; i < p->n; i++)
		TRY(index_open(arena_fmt(b->arena, "%.*s/%.*s", STR_FMT(b->dir), STR_FMT(set[i])), b->arena, &p->index[i]));
	TRY(blobs_open(arena_fmt(b->arena, "file:%.*s", STR_FMT(b->blobs_dir)), NULL, &p->blobs));
	TRY(blob_list(p->blobs, judge_each, p));
	return p->failed;
}

static err
prune(struct backup *b, const str *set, unsigned n)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, 1u << 20);
	struct prune p = { .backup = b, .index = ARENA_ARRAY(b->arena, struct index, n), .n = n, .arena = a };
	err_v e = prune_with(&p, set);

	blobs_close(&p.blobs);
	for (unsigned i = 0; i < n; i++)
		index_close(&p.index[i]);
	return e;
}

/* What a cut-off backup copied, and neither the sets nor the one that is being made need. The new set counts even if this fails. */
static void
prune_cut_off(struct backup *b)
{
	str *all = ARENA_ARRAY(b->arena, str, b->nsets + 1);
	err_v e;

	for (unsigned i = 0; i < b->nsets; i++)
		all[i] = b->sets[i];
	all[b->nsets] = arena_fmt(b->arena, "%.*s.partial", STR_FMT(b->set.name));
	e = prune(b, all, b->nsets + 1);
	if (!err_ok(e))
		job_failed(b->job, "free what a backup that was cut off copied", e);
}

/* ---- the set ---- */

/* Nothing that the checkpoint names may be freed until it is copied. */
static err
checkpoint_and_copy(struct backup *b)
{
	if (mkdir(b->partial.p, 0700) != 0)
		return err_errno(errno, "make %s", b->partial.p);
	TRY(backup_files_copy(b->job->options->data_dir, b->partial, b->arena));
	b->set.made_ms = clock_wall_ms();
	TRY(kv_checkpoint(catalog_kv(b->job->options->catalog), arena_fmt(b->arena, "%.*s/index", STR_FMT(b->partial)).p));
	TRY(backup_key_copy(b->job->options->data_dir, b->partial, b->arena));
	CRASH_POINT(backup_checkpointed);
	if (b->cut_off > 0)
		prune_cut_off(b);
	TRY(index_open(b->partial, b->arena, &b->index));
	return copy_blobs(b);
}

static err
make_set(struct backup *b)
{
	err_v e;

	if (!job_deletions_hold(b->job))
		return err_errno(ECANCELED, "the store is being stopped");
	e = checkpoint_and_copy(b);
	job_deletions_release(b->job);
	TRY(e);
	TRY(blob_copy_end(&b->copy));
	CRASH_POINT(backup_copied);
	b->set.blobs = atomic_load(&b->blobs);
	b->set.missing = atomic_load(&b->missing);
	TRY(backup_manifest_write(b->partial, &b->set, b->arena));
	TRY(file_flush_parent(arena_fmt(b->arena, "%.*s/manifest", STR_FMT(b->partial)).p));
	index_close(&b->index);
	TRY(file_rename(b->partial.p, b->final.p));
	CRASH_POINT(backup_named);
	return ERR_OK;
}

/* Their names stay until their blobs are gone: if that is cut off, whoever comes next sees that there is something to be pruned. */
static err
remove_old(struct backup *b)
{
	unsigned n, gone, keep = b->order.keep, drop;
	str *set;

	TRY(backup_dir_sets(b->dir, b->arena, &set, &n));
	drop = n > keep ? n - keep : 0;
	for (unsigned i = 0; i < drop; i++) {
		str path = arena_fmt(b->arena, "%.*s/%.*s", STR_FMT(b->dir), STR_FMT(set[i]));

		TRY(file_rename(path.p, arena_fmt(b->arena, "%s.partial", path.p).p));
	}
	if (drop == 0)
		return ERR_OK;
	TRY(prune(b, set + drop, n - drop));
	if (job_stopping(b->job))
		return ERR_OK;
	return backup_dir_clean(b->dir, b->arena, &gone);
}

/* ---- the job ---- */

static err
run(struct backup *b)
{
	b->dir = str_c(b->order.directory);
	b->blobs_dir = arena_fmt(b->arena, "%.*s/blobs", STR_FMT(b->dir));
	TRY(backup_dir_take(b->dir, b->arena, &b->lock));
	TRY(backup_dir_clean(b->dir, b->arena, &b->cut_off));
	TRY(backup_dir_sets(b->dir, b->arena, &b->sets, &b->nsets));
	b->set.name = backup_dir_name(b->sets, b->nsets, clock_wall_ms(), b->arena);
	b->final = arena_fmt(b->arena, "%.*s/%.*s", STR_FMT(b->dir), STR_FMT(b->set.name));
	b->partial = arena_fmt(b->arena, "%.*s.partial", STR_FMT(b->final));
	TRY(make_set(b));
	return remove_old(b);
}

err_v
job_backup(struct job *j)
{
	AUTO(mem_free_p) struct backup *b = MEM_NEW(struct backup);
	struct backup_report *r = &b->order.report;
	err_v e;

	b->job = j;
	b->arena = j->arena;
	b->lock = -1;
	if (!job_backup_order(j, &b->order))
		return ERR_OK;			/* nobody asked for one */
	b->crew = crew_new(j->options->threads);
	e = run(b);
	if (!err_ok(e))
		job_failed(j, "backup", e);
	crew_free(&b->crew);
	blob_copy_drop(&b->copy);
	index_close(&b->index);
	if (b->lock >= 0)
		close(b->lock);
	r->state = err_ok(e) ? BACKUP_DONE : BACKUP_FAILED;
	snprintf(r->name, sizeof(r->name), "%.*s", STR_FMT(b->set.name));
	r->blobs = atomic_load(&b->blobs);
	r->copied = atomic_load(&b->copied);
	r->bytes = atomic_load(&b->bytes);
	r->missing = atomic_load(&b->missing);
	r->ended_ms = clock_wall_ms();
	if (r->state == BACKUP_DONE && r->missing == 0)
		job_remember(j, &(struct job_memo){ .ended_ms = r->ended_ms });
	job_backup_ended(j, &b->order);
	return ERR_OK;
}
