/*
 * restore.c - a data directory out of a set.
 *
 * It is built under the name DATA_DIR.restoring, looked through as caisson check does, and renamed when all of it is on stable storage.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"
#include "blob/blob.h"
#include "job/backup.h"
#include "job/crew.h"
#include "job/verify.h"
#include "meta/catalog.h"

#define THREADS 4
#define PAGE 256u
#define LINE_BYTES (64u << 10)
#define INDEX_CACHE (32u << 20)

struct restore {
	struct arena *arena;
	str set_dir, building;
	void (*said)(const char *line);
	struct kv *kv;
	struct catalog *catalog;
	struct blobs *blobs;
	struct blob_copy *copy;
	struct crew *crew;
	struct blob_ref page[PAGE];
	unsigned n;
	int dir_lock;
	struct lock lock;		/* rank: LOCK_JOBS */
	err_v failed GUARDED_BY(lock);	/* the first, and what it was */
	char why[512] GUARDED_BY(lock);
	struct restore_report report;
};

static void
restore_done(struct restore *r)
{
	blob_copy_drop(&r->copy);
	blobs_close(&r->blobs);
	catalog_close(&r->catalog);
	kv_close(&r->kv);
	crew_free(&r->crew);
	if (r->dir_lock >= 0)
		close(r->dir_lock);
	lock_done(&r->lock);
}

static str
path(struct restore *r, str dir, const char *name)
{
	return arena_fmt(r->arena, "%.*s/%s", STR_FMT(dir), name);
}

/* ---- the index ---- */

static err
copy_index(struct restore *r)
{
	str from = path(r, r->set_dir, "index"), to = path(r, r->building, "index");
	DIR *d = opendir(from.p);
	struct dirent *entry;
	err_v e = ERR_OK;

	if (d == NULL)
		return err_errno(errno, "open %s", from.p);
	if (mkdir(to.p, 0700) != 0)
		e = err_errno(errno, "make %s", to.p);
	while (err_ok(e) && (entry = readdir(d)) != NULL)
		if (entry->d_type != DT_DIR)
			e = file_copy(path(r, from, entry->d_name).p, path(r, to, entry->d_name).p);
	closedir(d);
	TRY(e);
	return file_flush_parent(path(r, to, "CURRENT").p);
}

/* ---- blobs ---- */

static void
copy_one(void *arg, size_t i, struct arena *a)
{
	struct restore *r = arg;
	uint64_t bytes;
	err_v e = blob_copy_add(r->copy, &r->page[i], &bytes);

	/* What is missing or broken is told by the verifier, with the object that it is of. */
	if (err_ok(e) || err_is(e, ERR_NOT_FOUND.code) || err_is(e, ERR_DAMAGED.code))
		return;
	lock_take(&r->lock);
	if (err_ok(r->failed)) {
		r->failed = e;
		snprintf(r->why, sizeof(r->why), "%s", err_context());
	}
	lock_drop(&r->lock);
}

static bool
copy_page(struct restore *r)
{
	crew_run(r->crew, r->n, copy_one, r);
	r->n = 0;
	return err_ok(r->failed);
}

static bool
visit(void *arg, const struct blob_ref *ref, enum blob_need need)
{
	struct restore *r = arg;

	r->page[r->n++] = *ref;
	return r->n < PAGE || copy_page(r);
}

static err
copy_space(struct restore *r, uint32_t space)
{
	TRY(catalog_blobs(r->catalog, space, visit, r));
	(void)copy_page(r);
	return err_ok(r->failed) ? ERR_OK : err_errno(-r->failed.code, "%s", r->why);
}

/* ---- is it whole? ---- */

static bool
go_on(void *arg, enum verify_unit unit, uint64_t n)
{
	return true;
}

static void
found(void *arg, const struct finding *f)
{
	struct restore *r = arg;
	AUTO(buf_done) struct buf line = { 0 };

	if (f->kind != FINDING_DAMAGE)
		return;
	buf_init(&line, LINE_BYTES);
	finding_text(f, &line);
	buf_add_char(&line, '\0');
	if (!buf_overflow(&line))
		r->said(line.p);
}

static err
verify(struct restore *r)
{
	struct blob_options only_read = { .read_only = true };
	struct verify_options o = { .catalog = r->catalog, .crew = r->crew, .alone = true, .pace = go_on, .found = found, .arg = r };
	struct verify_sum sum;
	err_v e;

	TRY(blobs_open(arena_fmt(r->arena, "file:%.*s/blobs", STR_FMT(r->building)), &only_read, &o.blobs));
	e = verify_store(&o, &sum);
	blobs_close(&o.blobs);
	TRY(e);
	r->report.rows = sum.rows;
	r->report.blobs = sum.blobs;
	r->report.bytes = sum.bytes;
	r->report.damaged = sum.damaged;
	return ERR_OK;
}

/* ---- all of it ---- */

static err
build(struct restore *r, str dir)
{
	struct kv_options o = { .cache_bytes = INDEX_CACHE, .background_threads = 1, .read_only = true };
	struct blob_options pool = { .read_only = true };
	uint32_t *space;
	unsigned n;

	TRY(copy_index(r));
	TRY(kv_open(arena_fmt(r->arena, "rocksdb:%.*s/index", STR_FMT(r->building)), &o, &r->kv));
	TRY(catalog_open(r->kv, &r->catalog));
	TRY(blobs_open(arena_fmt(r->arena, "file:%.*s/blobs", STR_FMT(dir)), &pool, &r->blobs));
	TRY(blob_copy_begin(r->blobs, path(r, r->building, "blobs").p, &r->copy));
	TRY(catalog_spaces(r->catalog, r->arena, &space, &n));
	for (unsigned i = 0; i < n; i++)
		TRY(copy_space(r, space[i]));
	TRY(blob_copy_end(&r->copy));
	TRY(verify(r));
	TRY(backup_files_copy(r->set_dir, r->building, r->arena));
	TRY(backup_key_copy(r->set_dir, r->building, r->arena));
	return file_flush_parent(path(r, r->building, "format").p);
}

static err
choose_set(struct restore *r, str dir, str name)
{
	struct backup_set s;
	str *sets;
	unsigned n;

	TRY(backup_dir_share(dir, r->arena, &r->dir_lock));
	TRY(backup_dir_sets(dir, r->arena, &sets, &n));
	if (str_empty(name) && n > 0)
		name = sets[n - 1];
	r->set_dir = STR_NONE;
	for (unsigned i = 0; i < n; i++)
		if (str_eq(sets[i], name))
			r->set_dir = arena_fmt(r->arena, "%.*s/%.*s", STR_FMT(dir), STR_FMT(name));
	if (str_empty(r->set_dir))
		return err_errno(ENOENT, "%.*s holds no set %.*s", STR_FMT(dir), STR_FMT(name));
	TRY(backup_manifest_read(r->set_dir, &s, r->arena));
	r->report.name = s.name;
	return ERR_OK;
}

static err
restore(struct restore *r, str dir, str name, str data_dir)
{
	const char *to = arena_str(r->arena, data_dir).p;

	TRY(choose_set(r, dir, name));
	if (rmdir(to) != 0 && errno != ENOENT)
		return err_errno(errno, "%s must be empty, or not be there", to);
	r->building = arena_fmt(r->arena, "%s.restoring", to);
	TRY(file_remove_tree(r->building.p));
	if (mkdir(r->building.p, 0700) != 0)
		return err_errno(errno, "make %s", r->building.p);
	TRY(build(r, dir));
	return file_rename(r->building.p, to);
}

err_v
backup_restore(str dir, str name, str data_dir, void (*said)(const char *line), struct arena *a, struct restore_report *ret)
{
	AUTO(mem_free_p) struct restore *r = MEM_NEW(struct restore);
	err_v e;

	r->arena = a;
	r->said = said;
	r->dir_lock = -1;
	r->crew = crew_new(THREADS);
	lock_init(&r->lock, LOCK_JOBS);
	while (data_dir.len > 1 && str_ends(data_dir, STR("/")))
		data_dir.len--;
	e = restore(r, dir, name, data_dir);
	if (err_ok(e))
		*ret = r->report;
	restore_done(r);
	return e;
}
