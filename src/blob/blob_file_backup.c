/*
 * blob_file_backup.c - a second store that holds only what is named.
 *
 * The copy has the layout of a store, and each blob the same place in it, so records of the index fit it as they are. Files are linked
 * where possible: blobs never change. A volume does (holes are punched), so its blobs are copied, into a volume full of holes.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "blob/blob_file_impl.h"

static const char *const layout[] = { ".", "tmp", "own", "volume" };

err_v
file_layout_open(const char *dir, int ret[4])
{
	for (unsigned i = 0; i < COUNT(layout); i++)
		ret[i] = -1;
	for (unsigned i = 0; i < COUNT(layout); i++) {
		ret[i] = openat(i == 0 ? AT_FDCWD : ret[0], i == 0 ? dir : layout[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (ret[i] < 0)
			return err_errno(errno, "open directory %s/%s", dir, layout[i]);
	}
	return ERR_OK;
}

static err_v
layout_make(const char *dir)
{
	err_v e = ERR_OK;
	int fd;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_errno(errno, "make directory %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(errno, "open directory %s", dir);
	for (unsigned i = 1; i < COUNT(layout) && err_ok(e); i++)
		if (mkdirat(fd, layout[i], 0700) != 0 && errno != EEXIST)
			e = err_errno(errno, "make directory %s/%s", dir, layout[i]);
	close(fd);
	return e;
}

err_v
file_layout(const char *dir, int ret[4])
{
	err_v e = layout_make(dir);

	for (unsigned i = 0; i < COUNT(layout); i++)
		ret[i] = -1;
	return err_ok(e) ? file_layout_open(dir, ret) : e;
}

static void
layout_close(int fd[4])
{
	for (unsigned i = 0; i < COUNT(layout); i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

/* The head and the record itself. Several may do this to one volume at once: all write the same bytes to the same places. */
static err_v
copy_record(struct file_store *s, const struct blob_ref *ref, int volumes)
{
	uint64_t pos = place_pos(ref->place), len = record_len(ref->size);
	uint8_t head[PAGE], *p = NULL;
	struct volume_file *f;
	char name[NUMBER_TEXT];
	int out = -1;
	err_v e;

	TRY(volume_file_get(s, place_volume(ref->place), &f));
	io_number_text(place_volume(ref->place), name);
	e = io_read(f->fd, head, PAGE, 0);
	if (err_ok(e)) {
		p = mem_alloc(len);
		e = io_read(f->fd, p, record_data(ref->size) + ref->size, pos);
	}
	if (err_ok(e) && (out = openat(volumes, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
		e = err_sys("create volume of backup");
	if (err_ok(e))
		e = io_write(out, head, PAGE, 0);
	if (err_ok(e))
		e = io_write(out, p, len, pos);
	if (out >= 0)
		close(out);
	free(p);
	volume_file_put(s, &f);
	return e;
}

/* The reader keeps a small blob from being freed while it is copied, and says its true size. */
static err_v
backup_record(struct file_store *s, const struct blob_ref *ref, int volumes)
{
	struct blob_ref whole = *ref;
	struct blob_reader *r;
	err_v e;

	TRY(blob_open(&s->base, ref, &r));
	whole.size = r->size;
	e = copy_record(s, &whole, volumes);
	blob_reader_close(&r);
	return e;
}

static err_v
backup_own(struct file_store *s, const struct blob_ref *ref, int own)
{
	char name[OWN_NAME];
	err_v e;

	if (ref->place > NUMBER_MAX)
		return ERR_NOT_FOUND;
	own_name(ref->place, ref->id, name);
	name[NUMBER_TEXT - 1] = '\0';
	if (mkdirat(own, name, 0700) != 0 && errno != EEXIST)
		return err_sys("make folder of backup");
	name[NUMBER_TEXT - 1] = '/';
	e = io_link_or_copy(s->own, name, own, name);
	return e.code == -ENOENT ? ERR_NOT_FOUND : e;
}

err_v
file_backup(struct blobs *bs, const struct blob_ref *ref, const char *dir)
{
	struct file_store *s = file_store_of(bs);
	int to[4];
	err_v e = file_layout(dir, to);

	if (err_ok(e))
		e = ref->place & PLACE_IN_VOLUME ? backup_record(s, ref, to[3]) : backup_own(s, ref, to[2]);
	layout_close(to);
	return e;
}

/* All that was linked and copied, in one flush of the file system; and nothing in the copy is suspect: the index names it all. */
err_v
file_backup_sync(struct blobs *bs, const char *dir)
{
	struct file_store *s = file_store_of(bs);
	uint64_t folder, volume;
	int to[4];
	err_v e = file_layout(dir, to);

	lock_take(&s->lock);
	folder = s->next_folder;
	volume = s->next_volume;
	lock_drop(&s->lock);
	if (err_ok(e))
		e = vouched_write(to[0], folder, volume);
	if (err_ok(e) && syncfs(to[0]) != 0)
		e = err_errno(errno, "sync %s", dir);
	layout_close(to);
	return e;
}
