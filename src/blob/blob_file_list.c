/*
 * blob_file_list.c - every blob, and those that a crash may have left without an owner.
 *
 * The numbers of folders and volumes say when they were made. "vouched" holds the first numbers that the index has not been asked about;
 * suspects are what lies from there up to the numbers of this start.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "blob/blob_file_impl.h"

#define VOUCHED_TEXT 18u		/* "FFFFFFFF VVVVVVVV\n" */

struct walk {
	struct file_store *s;
	enum scan why;
	uint64_t from, to;		/* numbers */
	blob_visit_f *visit;
	void *arg;
	bool stop;
	err_v fault;			/* the first; one part that cannot be read does not hide the rest */
};

static err
walk_entries(struct walk *w, uint64_t number, DIR *list)
{
	while (!w->stop) {
		struct blob_ref ref = { .place = number };
		struct dirent *d;

		errno = 0;
		d = readdir(list);
		if (d == NULL)
			return errno == 0 ? ERR_OK : err_sys("read folder of blobs");
		if (!id_parse(str_c(d->d_name), &ref.id))
			continue;
		w->stop = !w->visit(w->arg, &ref);
	}
	return ERR_OK;
}

static err
folder_scan(struct walk *w, uint64_t number)
{
	char name[NUMBER_TEXT];
	DIR *list;
	err_v e;
	int fd;

	io_number_text(number, name);
	fd = openat(w->s->own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys("open folder of blobs");
	list = fdopendir(fd);
	if (list == NULL) {
		e = err_sys("open folder of blobs");
		close(fd);
		return e;
	}
	e = walk_entries(w, number, list);
	closedir(list);
	if (w->why == SCAN_SUSPECTS)
		unlinkat(w->s->own, name, AT_REMOVEDIR);	/* goes if a crash left it empty */
	return e;
}

static err
walk_folder(void *arg, uint64_t number)
{
	struct walk *w = arg;
	err_v e = ERR_OK;

	if (!w->stop && number >= w->from && number < w->to)
		e = folder_scan(w, number);
	if (err_ok(w->fault))
		w->fault = e;
	return ERR_OK;
}

static err
walk_volume(void *arg, uint64_t number)
{
	struct walk *w = arg;
	err_v e = ERR_OK;

	if (!w->stop && number >= w->from && number < w->to)
		e = volume_scan(w->s, number, w->why, w->visit, w->arg, &w->stop);
	if (err_ok(w->fault))
		w->fault = e;
	return ERR_OK;
}

static err
walk_all(struct walk *w, uint64_t folders_from, uint64_t folders_to, uint64_t volumes_from, uint64_t volumes_to)
{
	w->from = folders_from;
	w->to = folders_to;
	TRY(io_numbers(w->s->own, walk_folder, w));
	w->from = volumes_from;
	w->to = volumes_to;
	TRY(io_numbers(w->s->volumes, walk_volume, w));
	return w->fault;
}

err_v
file_list(struct blobs *bs, blob_visit_f *visit, void *arg)
{
	struct walk w = { .s = file_store_of(bs), .why = SCAN_LIST, .visit = visit, .arg = arg };

	return walk_all(&w, 0, UINT64_MAX, 0, UINT64_MAX);
}

/* Holes, zeros and names that are gone, wherever they are. */
err_v
file_flush(struct blobs *bs)
{
	return syncfs(file_store_of(bs)->dir) == 0 ? ERR_OK : err_sys("sync blob store");
}

err_v
file_list_suspects(struct blobs *bs, blob_visit_f *visit, void *arg)
{
	struct file_store *s = file_store_of(bs);
	struct walk w = { .s = s, .why = SCAN_SUSPECTS, .visit = visit, .arg = arg };
	uint64_t folder, volume;

	TRY(vouched_read(s->dir, &folder, &volume));
	if (folder >= s->start_folder && volume >= s->start_volume)
		return ERR_OK;
	TRY(walk_all(&w, folder, s->start_folder, volume, s->start_volume));
	if (w.stop)
		return ERR_OK;
	/* What the visits deleted stays deleted: a power cut must not bring back what will never be suspected again. */
	TRY(file_flush(bs));
	return vouched_write(s->dir, s->start_folder, s->start_volume);
}

err_v
vouched_read(int dir, uint64_t *ret_folder, uint64_t *ret_volume)
{
	char text[VOUCHED_TEXT + 1] = { 0 };
	unsigned folder, volume;
	int fd = openat(dir, "vouched", O_RDONLY | O_CLOEXEC), end = 0;
	err_v e;

	*ret_folder = *ret_volume = 0;
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys("open vouched");
	e = io_read(fd, text, VOUCHED_TEXT, 0);
	close(fd);
	if (e.code == ERR_DAMAGED.code)
		return ERR_OK;
	TRY(e);
	if (sscanf(text, "%8x %8x\n%n", &folder, &volume, &end) != 2 || (unsigned)end != VOUCHED_TEXT)
		return ERR_OK;		/* cannot be read: everything is suspected once more */
	*ret_folder = folder;
	*ret_volume = volume;
	return ERR_OK;
}

err_v
vouched_write(int dir, uint64_t folder, uint64_t volume)
{
	char text[VOUCHED_TEXT + 1];

	snprintf(text, sizeof(text), "%08x %08x\n", (unsigned)folder, (unsigned)volume);
	return io_replace(dir, "vouched", str_n(text, VOUCHED_TEXT));
}
