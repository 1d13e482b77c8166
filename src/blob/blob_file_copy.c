/*
 * blob_file_copy.c - a second store that holds only what is named.
 *
 * The copy has the layout of a store, and each blob the same place in it. A file of its own is linked, or copied, flushed and then named:
 * so what has its name is whole. Blobs in volumes are copied into a volume full of holes, since a volume changes when its
 * blobs die. What a cut leaves in such a volume cannot be told from what is good; so "copying" stands in the
 * directory from the first byte until all is flushed, and a copy that finds it there writes every such blob anew.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "blob/blob_file_impl.h"

enum { TO_DIR, TO_TMP, TO_OWN, TO_VOLUMES, TO_COUNT };

struct file_copy {
	struct blob_copy base;
	struct file_store *store;
	int to[TO_COUNT];
	int lock_fd;
	bool anew;		/* the one before did not come to its end */
};

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

static err
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

/* ---- a blob in a volume ---- */

static bool
is_there(const struct file_copy *c, int fd, const struct blob_ref *ref)
{
	struct record_head h;
	uint32_t crc[GROUP];

	return !c->anew && err_ok(record_load(fd, ref->place, ref->id, &h, crc));
}

/* The head of the volume and the record itself. Whoever does the same writes the same bytes to the same place. */
static err
write_record(int from, int to, const struct blob_ref *ref)
{
	uint64_t pos = place_pos(ref->place), len = record_len(ref->size);
	AUTO(mem_free_p) uint8_t *p = mem_alloc(len);
	uint8_t head[PAGE];

	TRY(io_read(from, head, PAGE, 0));
	TRY(io_read(from, p, record_data(ref->size) + ref->size, pos));
	TRY(io_write(to, head, PAGE, 0));
	return io_write(to, p, len, pos);
}

static err
copy_record(struct file_copy *c, const struct blob_ref *ref, uint64_t *ret_bytes)
{
	struct volume_file *f;
	char name[NUMBER_TEXT];
	err_v e = ERR_OK;
	int out;

	io_number_text(place_volume(ref->place), name);
	out = openat(c->to[TO_VOLUMES], name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys("create volume of copy");
	*ret_bytes = 0;
	if (!is_there(c, out, ref)) {
		e = volume_file_get(c->store, place_volume(ref->place), &f);
		if (err_ok(e)) {
			e = write_record(f->fd, out, ref);
			volume_file_put(c->store, &f);
			*ret_bytes = ref->size;
		}
	}
	close(out);
	return e;
}

/* The reader keeps a small blob from being freed while it is copied, and says its true size. */
static err
add_record(struct file_copy *c, const struct blob_ref *ref, uint64_t *ret_bytes)
{
	struct blob_ref whole = *ref;
	struct blob_reader *r;
	err_v e;

	TRY(blob_open(&c->store->base, ref, &r));
	whole.size = r->size;
	e = copy_record(c, &whole, ret_bytes);
	blob_reader_close(&r);
	return e;
}

/* ---- a blob in a file of its own ---- */

static err
link_or_copy(struct file_copy *c, const char *name, const char *id, bool *ret_done)
{
	int own = c->to[TO_OWN], tmp = c->to[TO_TMP];

	*ret_done = linkat(c->store->own, name, own, name, 0) == 0;
	if (*ret_done || errno == EEXIST)
		return ERR_OK;
	if (errno == ENOENT)
		return ERR_NOT_FOUND;
	if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP)
		return err_sys("link blob");
	if (faccessat(own, name, F_OK, 0) == 0)
		return ERR_OK;
	TRY(io_copy(c->store->own, name, tmp, id));
	if (renameat(tmp, id, own, name) != 0)
		return err_sys("name copy of blob");
	*ret_done = true;
	return ERR_OK;
}

static err
add_own(struct file_copy *c, const struct blob_ref *ref, uint64_t *ret_bytes)
{
	char name[OWN_NAME];
	struct stat st;
	bool done;

	if (ref->place > NUMBER_MAX)
		return ERR_NOT_FOUND;
	own_name(ref->place, ref->id, name);
	name[NUMBER_TEXT - 1] = '\0';
	if (mkdirat(c->to[TO_OWN], name, 0700) != 0 && errno != EEXIST)
		return err_sys("make folder of copy");
	name[NUMBER_TEXT - 1] = '/';
	TRY(link_or_copy(c, name, name + NUMBER_TEXT, &done));
	*ret_bytes = 0;
	if (!done)
		return ERR_OK;
	if (fstatat(c->to[TO_OWN], name, &st, 0) != 0)
		return err_sys("stat copy of blob");
	*ret_bytes = (uint64_t)st.st_size;
	return ERR_OK;
}

/* ---- the copy ---- */

static err
begin(struct file_copy *c, const char *dir)
{
	TRY(file_layout(dir, c->to));
	TRY(file_lock(c->to[TO_DIR], O_RDWR | O_CREAT, &c->lock_fd));
	TRY(file_format_ensure(c->to[TO_DIR]));
	c->anew = faccessat(c->to[TO_DIR], "copying", F_OK, 0) == 0;
	return io_replace(c->to[TO_DIR], "copying", STR("not at its end\n"));
}

err_v
file_copy_begin(struct blobs *bs, const char *dir, struct blob_copy **ret)
{
	struct file_copy *c = MEM_NEW(struct file_copy);
	err_v e;

	c->store = file_store_of(bs);
	c->lock_fd = -1;
	e = begin(c, dir);
	if (!err_ok(e)) {
		file_copy_drop(&c->base);
		return e;
	}
	*ret = &c->base;
	return ERR_OK;
}

err_v
file_copy_add(struct blob_copy *bc, const struct blob_ref *ref, uint64_t *ret_bytes)
{
	struct file_copy *c = (struct file_copy *)bc;

	return ref->place & PLACE_IN_VOLUME ? add_record(c, ref, ret_bytes) : add_own(c, ref, ret_bytes);
}

/* All that was linked and copied, in one flush of the file system; and nothing in the copy is suspect: the index names it all. */
err_v
file_copy_end(struct blob_copy *bc)
{
	struct file_copy *c = (struct file_copy *)bc;
	uint64_t folder, volume;

	lock_take(&c->store->lock);
	folder = c->store->next_folder;
	volume = c->store->next_volume;
	lock_drop(&c->store->lock);
	TRY(vouched_write(c->to[TO_DIR], folder, volume));
	if (syncfs(c->to[TO_DIR]) != 0)
		return err_sys("sync copy of blobs");
	if (unlinkat(c->to[TO_DIR], "copying", 0) != 0 || fsync(c->to[TO_DIR]) != 0)
		return err_sys("end copy of blobs");
	return ERR_OK;
}

void
file_copy_drop(struct blob_copy *bc)
{
	struct file_copy *c = (struct file_copy *)bc;

	for (unsigned i = 0; i < TO_COUNT; i++)
		if (c->to[i] >= 0)
			close(c->to[i]);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	free(c);
}
