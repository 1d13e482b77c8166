/*
 * blob_file_table.c - open volumes, and who reads which small blob.
 *
 * Descriptors of volumes are kept, the least recently used go first. A small blob that is being read keeps its space: a deletion
 * dooms it, and the last reader frees it. The table of records holds only those that are in somebody's hands.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "blob/blob_file_impl.h"

static void
unref(struct volume_file *f)
{
	assert(f->refs > 0);
	if (--f->refs > 0)
		return;
	close(f->fd);
	free(f);
}

static struct volume_file *
find(struct file_store *s, uint64_t number) REQUIRES(s->files)
{
	lock_assert_held(&s->files);
	for (unsigned i = 0; i < VOLUMES_OPEN; i++) {
		if (s->open[i].file == NULL || s->open[i].file->number != number)
			continue;
		s->open[i].used = ++s->clock;
		s->open[i].file->refs++;
		return s->open[i].file;
	}
	return NULL;
}

/* In place of the one that was asked for longest ago. */
static void
keep(struct file_store *s, struct volume_file *f) REQUIRES(s->files)
{
	unsigned oldest = 0;

	lock_assert_held(&s->files);
	for (unsigned i = 0; i < VOLUMES_OPEN; i++)
		if (s->open[i].used < s->open[oldest].used)
			oldest = i;
	if (s->open[oldest].file != NULL)
		unref(s->open[oldest].file);
	s->open[oldest].file = f;
	s->open[oldest].used = ++s->clock;
	f->refs++;
}

err_v
volume_file_get(struct file_store *s, uint64_t number, struct volume_file **ret)
{
	struct volume_file *f, *other;
	char name[NUMBER_TEXT];
	bool as_wanted;
	int fd;

	lock_take(&s->files);
	f = find(s, number);
	lock_drop(&s->files);
	if (f != NULL) {
		*ret = f;
		return ERR_OK;
	}
	io_number_text(number, name);
	fd = openat(s->volumes, name, (s->base.options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	as_wanted = fd >= 0;
	if (fd < 0 && errno == EROFS)
		fd = openat(s->volumes, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_sys("open volume");
	f = MEM_NEW(struct volume_file);
	*f = (struct volume_file){ number, fd, 1 };
	*ret = f;
	if (!as_wanted)
		return ERR_OK;		/* and not kept: the disk may take changes again */
	lock_take(&s->files);
	other = find(s, number);
	if (other == NULL)
		keep(s, f);
	else
		unref(f);
	lock_drop(&s->files);
	*ret = other != NULL ? other : f;
	return ERR_OK;
}

void
volume_file_put(struct file_store *s, struct volume_file **fp)
{
	if (*fp == NULL)
		return;
	lock_take(&s->files);
	unref(*fp);
	lock_drop(&s->files);
	*fp = NULL;
}

void
volume_files_close(struct file_store *s)
{
	lock_take(&s->files);
	for (unsigned i = 0; i < VOLUMES_OPEN; i++)
		if (s->open[i].file != NULL)
			unref(s->open[i].file);
	lock_drop(&s->files);
}

static struct record **
slot(struct file_store *s, uint64_t place) REQUIRES(s->files)
{
	struct record **p = &s->record[place * UINT64_C(0x9e3779b97f4a7c15) >> 54];

	lock_assert_held(&s->files);
	while (*p != NULL && (*p)->place != place)
		p = &(*p)->next;
	return p;
}
static_assert(RECORD_SLOTS == 1 << (64 - 54), "bits of the hash");

static struct record *
find_or_add(struct file_store *s, uint64_t place) REQUIRES(s->files)
{
	struct record **p = slot(s, place);

	if (*p == NULL) {
		*p = MEM_NEW(struct record);
		(*p)->place = place;
	}
	return *p;
}

static void
drop(struct file_store *s, struct record *r) REQUIRES(s->files)
{
	struct record **p = slot(s, r->place);

	assert(*p == r && r->readers == 0);
	*p = r->next;
	free(r);
}

err_v
record_hold(struct file_store *s, uint64_t place, struct record **ret)
{
	struct record *r;
	bool doomed;

	lock_take(&s->files);
	r = find_or_add(s, place);
	doomed = r->doomed;
	if (!doomed)
		r->readers++;
	lock_drop(&s->files);
	if (doomed)
		return ERR_NOT_FOUND;
	*ret = r;
	return ERR_OK;
}

bool
record_release(struct file_store *s, struct record *r)
{
	bool last;

	lock_take(&s->files);
	assert(r->readers > 0);
	last = --r->readers == 0;
	if (last && !r->doomed) {
		drop(s, r);
		last = false;
	}
	lock_drop(&s->files);
	return last;
}

bool
record_doom(struct file_store *s, uint64_t place, struct record **ret)
{
	struct record *r;
	bool now = false;

	lock_take(&s->files);
	r = find_or_add(s, place);
	if (r->doomed) {
		r = NULL;
	} else {
		r->doomed = true;
		now = r->readers == 0;
	}
	lock_drop(&s->files);
	*ret = r;
	return now;
}

void
record_gone(struct file_store *s, struct record *r)
{
	lock_take(&s->files);
	drop(s, r);
	lock_drop(&s->files);
}
