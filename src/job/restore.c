/*
 * restore.c - a data directory out of a set.
 *
 * It is built under the name DATA_DIR.restoring and renamed when it is whole and on stable storage. Every row of the index is read (each
 * block of it carries a checksum), and every blob that the index needs is read against its checksums before it is linked or copied.
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
#include "meta/catalog.h"

#define THREADS 4
#define PAGE 256u
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
	struct { struct blob_ref ref; enum blob_need need; } page[PAGE];
	unsigned n;
	int dir_lock;
	struct lock lock;		/* rank: LOCK_JOBS */
	err_v failed GUARDED_BY(lock);	/* the first, and what it was */
	char why[512] GUARDED_BY(lock);
	struct restore_report report GUARDED_BY(lock);
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

static err_v
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

static err_v
read_space(struct restore *r, uint32_t space)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;

	TRY(kv_scan(r->kv, space, STR_NONE, STR_NONE, &it));
	for (; kv_iter_valid(it); kv_iter_next(it))
		r->report.rows++;
	return kv_iter_error(it);
}

/* ---- blobs ---- */

static err_v
copy_blob(struct restore *r, const struct blob_ref *ref, uint64_t *ret_bytes)
{
	uint64_t off;

	TRY(blob_scrub(r->blobs, ref, &off));
	return blob_copy_add(r->copy, ref, ret_bytes);
}

static void
say_damage(struct restore *r, const struct blob_ref *ref, err_v e)
{
	char line[160], id[ID_TEXT_LEN];

	id_text(ref->id, id);
	snprintf(line, sizeof(line), "blob %.*s is %s", (int)ID_TEXT_LEN, id, err_is(e, ERR_NOT_FOUND.code) ? "missing" : "damaged");
	r->said(line);
}

static void
copy_one(void *arg, size_t i, struct arena *a)
{
	struct restore *r = arg;
	const struct blob_ref *ref = &r->page[i].ref;
	uint64_t bytes = 0;
	err_v e = copy_blob(r, ref, &bytes);
	bool damage = err_is(e, ERR_NOT_FOUND.code) || err_is(e, ERR_DAMAGED.code);

	if (damage && r->page[i].need == NEED_UPLOAD)
		return;
	lock_take(&r->lock);
	r->report.blobs += err_ok(e);
	r->report.bytes += bytes;
	if (damage) {
		r->report.damaged++;
		say_damage(r, ref, e);
	} else if (!err_ok(e) && err_ok(r->failed)) {
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

	r->page[r->n].ref = *ref;
	r->page[r->n++].need = need;
	return r->n < PAGE || copy_page(r);
}

static err_v
copy_space(struct restore *r, uint32_t space)
{
	TRY(read_space(r, space));
	TRY(catalog_blobs(r->catalog, space, visit, r));
	(void)copy_page(r);
	return err_ok(r->failed) ? ERR_OK : err_errno(-r->failed.code, "%s", r->why);
}

/* ---- all of it ---- */

static err_v
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
	TRY(read_space(r, KV_SYSTEM_SPACE));
	TRY(catalog_spaces(r->catalog, r->arena, &space, &n));
	for (unsigned i = 0; i < n; i++)
		TRY(copy_space(r, space[i]));
	TRY(blob_copy_end(&r->copy));
	TRY(backup_files_copy(r->set_dir, r->building, r->arena));
	return file_flush_parent(path(r, r->building, "format").p);
}

static err_v
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

static err_v
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
