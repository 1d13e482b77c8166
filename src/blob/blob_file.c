/*
 * blob_file.c - blobs in files of a local file system.
 *
 * This file opens the store, decides where each blob goes, and holds the figures. Small blobs are gathered in memory
 * until their size is clear, and appended to a volume (blob_file_volume.c); larger ones get a file of their own (blob_file_own.c).
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/format.h"
#include "base/mem.h"
#include "base/room.h"
#include "blob/blob_file_impl.h"

#define FORMAT "caisson blobs 1\n"
static_assert(FORM_VERSION == 1, "the number in the text");
#define VOLUME_BYTES_MAX (UINT64_C(200) << 30)		/* well below what a place can name */

struct file_writer {
	struct blob_writer base;
	struct file_store *store;
	struct id id;
	uint8_t *small;			/* head_room bytes, then the data so far; NULL: in a file */
	size_t room;			/* for data, behind the head_room */
	struct own_writer *own;
};

struct file_store *
file_store_of(struct blobs *bs)
{
	struct file_store *s = (struct file_store *)bs;

	assert(bs->ops == &blob_file_ops);
	return s;
}

void
file_counted(struct file_store *s, int64_t files, int64_t bytes)
{
	lock_take(&s->lock);
	s->stats.files += (uint64_t)files;
	s->stats.bytes_live += (uint64_t)bytes;
	lock_drop(&s->lock);
}

err_v
file_format_check(int dir)
{
	return format_check(dir, "format", "blobs", FORM_VERSION);
}

err_v
file_format_ensure(int dir)
{
	err_v e = file_format_check(dir);

	return err_is(e, -ENOENT) ? io_replace(dir, "format", STR(FORMAT)) : e;
}

err_v
file_lock(int dir, int flags, int *ret)
{
	int fd = openat(dir, "lock", flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys("open lock of blob store");
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err_v e = err_errno(errno == EWOULDBLOCK ? EBUSY : errno, "lock blob store");

		close(fd);
		return e;
	}
	*ret = fd;
	return ERR_OK;
}

/* What was being written when the process ended. */
static err
sweep_tmp(int tmp)
{
	int fd = openat(tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	struct id id;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list == NULL) {
		err_v e = err_sys("open temporary blobs");

		if (fd >= 0)
			close(fd);
		return e;
	}
	while ((d = readdir(list)) != NULL)
		if (id_parse(str_c(d->d_name), &id))
			unlinkat(tmp, d->d_name, 0);
	closedir(list);
	return ERR_OK;
}

/* Space in volumes is given back by holes. Where the file system has none, every blob gets a file. */
static bool
can_punch(int tmp)
{
	int fd = openat(tmp, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	bool can = fd >= 0 && err_ok(io_allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));

	if (fd >= 0)
		close(fd);
	return can;
}

static err
see_number(void *arg, uint64_t number)
{
	uint64_t *next = arg;

	if (number >= *next)
		*next = number + 1;
	return ERR_OK;
}

static err
count_volume(void *arg, uint64_t number)
{
	struct file_store *s = arg;

	s->stats.volumes++;
	return see_number(&s->next_volume, number);
}

static err
start(struct file_store *s, const char *dir)
{
	bool read_only = s->base.options.read_only;
	int fd[4];
	err_v e = read_only ? file_layout_open(dir, fd) : file_layout(dir, fd);

	s->dir = fd[0];
	s->tmp = fd[1];
	s->own = fd[2];
	s->volumes = fd[3];
	TRY(e);
	s->base.options.reserve = room_reserve(s->dir, s->base.options.reserve);
	TRY(file_lock(s->dir, read_only ? O_RDONLY : O_RDWR | O_CREAT, &s->lock_fd));
	TRY(read_only ? file_format_check(s->dir) : file_format_ensure(s->dir));
	TRY(vouched_read(s->dir, &s->next_folder, &s->next_volume));
	TRY(io_numbers(s->own, see_number, &s->next_folder));
	TRY(io_numbers(s->volumes, count_volume, s));
	if (read_only)
		return ERR_OK;
	if (fsync(s->dir) != 0)
		return err_sys("fsync blob store");
	TRY(sweep_tmp(s->tmp));
	s->start_folder = s->next_folder;
	s->start_volume = s->next_volume;
	s->no_volumes = !can_punch(s->tmp);
	return ERR_OK;
}

static void
file_close(struct blobs *bs)
{
	struct file_store *s = file_store_of(bs);

	volume_close(s);
	folder_close(s);
	volume_files_close(s);
	for (unsigned i = 0; i < 5; i++) {
		int fd = (int[]){ s->dir, s->tmp, s->own, s->volumes, s->lock_fd }[i];

		if (fd >= 0)
			close(fd);
	}
	lock_done(&s->lock);
	lock_done(&s->files);
	free(s);
}

static err
file_open(str place, const struct blob_options *options, struct blobs **ret)
{
	struct file_store *s;
	char dir[4096];
	err_v e;

	if (str_empty(place) || place.len >= sizeof(dir) || memchr(place.p, '\0', place.len) != NULL)
		return err_errno(EINVAL, "blob store: want file:DIR");
	snprintf(dir, sizeof(dir), "%.*s", STR_FMT(place));
	s = MEM_NEW(struct file_store);
	s->base = (struct blobs){ BLOBS_MAGIC, &blob_file_ops, *options };
	if (s->base.options.volume_max > RECORD_MAX)
		s->base.options.volume_max = RECORD_MAX;
	if (s->base.options.volume_bytes > VOLUME_BYTES_MAX)
		s->base.options.volume_bytes = VOLUME_BYTES_MAX;
	lock_init(&s->lock, LOCK_VOLUME);
	lock_init(&s->files, LOCK_FILES);
	s->lock_fd = -1;
	e = start(s, dir);
	if (!err_ok(e)) {
		file_close(&s->base);
		return e;
	}
	*ret = &s->base;
	return ERR_OK;
}

static bool
fits_volume(const struct file_store *s, uint64_t size)
{
	return !s->no_volumes && size <= s->base.options.volume_max;
}

static size_t
head_room(const struct file_store *s)
{
	return (size_t)record_data(s->base.options.volume_max);
}

static err
file_begin(struct blobs *bs, struct id id, uint64_t size_hint, struct blob_writer **ret)
{
	struct file_store *s = file_store_of(bs);
	struct file_writer *w;

	TRY(room_check(s->dir, s->base.options.reserve, size_hint));
	w = MEM_NEW(struct file_writer);
	w->store = s;
	w->id = id;
	if (fits_volume(s, size_hint)) {
		w->room = size_hint > 0 ? (size_t)size_hint : BLOB_BLOCK;
		w->small = mem_alloc(head_room(s) + w->room);
	} else {
		err_v e = own_begin(s, id, size_hint, &w->own);

		if (!err_ok(e)) {
			free(w);
			return e;
		}
	}
	*ret = &w->base;
	return ERR_OK;
}

/* It grew beyond what goes into a volume: on into a file. */
static err
spill(struct file_writer *w)
{
	TRY(own_begin(w->store, w->id, 0, &w->own));
	TRY(own_add(w->own, str_n(w->small + head_room(w->store), w->base.size)));
	TRY(own_settle(w->own));
	mem_free_p(&w->small);
	return ERR_OK;
}

static err
file_append(struct blob_writer *bw, str bytes)
{
	struct file_writer *w = (struct file_writer *)bw;
	uint64_t size;

	if (__builtin_add_overflow(bw->size, bytes.len, &size) || size > INT64_MAX / 2)
		return err_errno(EFBIG, "blob");
	if (w->own == NULL && !fits_volume(w->store, size))
		TRY(spill(w));
	if (w->own != NULL)
		return own_add(w->own, bytes);
	if (size > w->room) {
		uint64_t max = w->store->base.options.volume_max;

		w->room = (size_t)(2 * size < max ? 2 * size : max);
		w->small = mem_grow(w->small, head_room(w->store) + w->room);
	}
	memcpy(w->small + head_room(w->store) + bw->size, bytes.p, bytes.len);
	return ERR_OK;
}

static err
file_commit(struct blob_writer *bw, struct blob_ref *ret)
{
	struct file_writer *w = (struct file_writer *)bw;
	struct file_store *s = w->store;

	if (w->own != NULL)
		TRY(own_commit(w->own, &ret->place));
	else
		TRY(volume_append(s, bw->id, w->small + head_room(s), bw->size, &ret->place));
	lock_take(&s->lock);
	s->stats.commits++;
	lock_drop(&s->lock);
	file_counted(s, w->own != NULL, (int64_t)bw->size);
	return ERR_OK;
}

static void
file_forget(struct blob_writer *bw)
{
	struct file_writer *w = (struct file_writer *)bw;

	own_free(&w->own);
	free(w->small);
	free(w);
}

/* Is the blob there? The id is compared before anything is doomed: a stranger's name for this place changes nothing. */
static err
record_there(struct file_store *s, const struct blob_ref *ref)
{
	struct record_head h;
	struct volume_file *f;
	uint32_t crc[GROUP];
	err_v e;

	TRY(volume_file_get(s, place_volume(ref->place), &f));
	e = record_load(f->fd, ref->place, ref->id, &h, crc);
	volume_file_put(s, &f);
	return e;
}

static err
record_delete(struct file_store *s, const struct blob_ref *ref)
{
	err_v e = record_there(s, ref);
	struct record *r;
	uint64_t size;

	if (e.code == ERR_NOT_FOUND.code || e.code == ERR_DAMAGED.code)
		return ERR_OK;
	TRY(e);
	if (!record_doom(s, ref->place, &r))
		return ERR_OK;
	e = record_erase(s, ref, &size);
	record_gone(s, r);
	file_counted(s, 0, -(int64_t)size);
	return e;
}

static err
file_delete(struct blobs *bs, const struct blob_ref *ref)
{
	struct file_store *s = file_store_of(bs);

	return ref->place & PLACE_IN_VOLUME ? record_delete(s, ref) : own_delete(s, ref);
}

/* What was there before the start is not counted, so deletions may outweigh. */
static uint64_t
not_below_zero(uint64_t n)
{
	return n > INT64_MAX ? 0 : n;
}

static void
file_stats(struct blobs *bs, struct blob_stats *ret)
{
	struct file_store *s = file_store_of(bs);
	struct statvfs fs;

	lock_take(&s->lock);
	*ret = s->stats;
	lock_drop(&s->lock);
	ret->files = not_below_zero(ret->files);
	ret->bytes_live = not_below_zero(ret->bytes_live);
	if (fstatvfs(s->dir, &fs) == 0) {
		ret->disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
		ret->disk_size = (uint64_t)fs.f_blocks * fs.f_frsize;
	}
	ret->reserve = s->base.options.reserve;
}

const struct blob_ops blob_file_ops = {
	.scheme = "file",
	.open = file_open,
	.close = file_close,
	.begin = file_begin,
	.append = file_append,
	.commit = file_commit,
	.forget = file_forget,
	.reader_open = file_reader_open,
	.reader_close = file_reader_close,
	.read = file_read,
	.extent = file_extent,
	.delete = file_delete,
	.flush = file_flush,
	.list = file_list,
	.list_suspects = file_list_suspects,
	.scrub = file_scrub,
	.copy_begin = file_copy_begin,
	.copy_add = file_copy_add,
	.copy_end = file_copy_end,
	.copy_drop = file_copy_drop,
	.stats = file_stats,
};
