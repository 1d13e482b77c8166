/*
 * blob_file_volume.c - small blobs, appended to shared files.
 *
 * Writers reserve a place, write there side by side, and share flushes. A round of writers begins on a page of its own, so what is
 * durable is never written again. A volume whose flush failed is retired: nothing more is appended.
 *
 * Freeing punches holes. Pages that a blob shares with others go when the last of them goes: by then they hold zeros only. So a volume
 * is entirely dead when it has no data behind its head, and no count of live blobs need be kept anywhere.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/digest.h"
#include "base/mem.h"
#include "blob/blob_file_impl.h"

uint32_t
record_crc(const struct record_head *h, const uint32_t *crc)
{
	struct record_head copy = *h;

	copy.crc = 0;
	return crc32c(crc32c(0, str_n(&copy, sizeof(copy))), str_n(crc, 4 * blocks_of(h->size)));
}

static err
write_head(int fd, uint64_t number, uint64_t marker)
{
	struct volume_head h = { .magic = VOLUME_HEAD_MAGIC, .number = number, .marker = marker, .version = FORM_VERSION };
	uint8_t page[PAGE] = { 0 };

	h.crc = crc32c(0, str_n(&h, sizeof(h)));
	memcpy(page, &h, sizeof(h));
	memcpy(page + VOLUME_HEAD_COPY, &h, sizeof(h));
	TRY(io_write(fd, page, sizeof(page), 0));
	return fsync(fd) == 0 ? ERR_OK : err_sys("fsync volume");
}

/* Durable, name and head, before anything is written into it: so a volume with records but no head is damage, not a crash. */
static err
volume_new(struct file_store *s, struct volume **ret) REQUIRES(s->lock)
{
	struct volume *v;
	char name[NUMBER_TEXT];
	uint64_t marker;
	err_v e;
	int fd;

	lock_assert_held(&s->lock);
	if (s->next_volume > NUMBER_MAX)
		return err_errno(ENOSPC, "volume numbers are used up");
	if (getrandom(&marker, sizeof(marker), 0) != sizeof(marker))
		PANIC("getrandom");
	marker |= 1;		/* never zero: that is how a deleted record looks */
	io_number_text(s->next_volume, name);
	fd = openat(s->volumes, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys("create volume");
	e = write_head(fd, s->next_volume, marker);
	if (err_ok(e) && fsync(s->volumes) != 0)
		e = err_sys("fsync directory of volumes");
	if (!err_ok(e)) {
		unlinkat(s->volumes, name, 0);
		close(fd);
		s->next_volume++;	/* its name may be on disk */
		return e;
	}
	CRASH_POINT(volume_begun);
	v = MEM_NEW(struct volume);
	*v = (struct volume){ .refs = 1, .number = s->next_volume++, .marker = marker, .tail = PAGE };
	flush_init(&v->flush, fd, fdatasync);
	v->next = s->writing;
	s->writing = v;
	s->stats.volumes++;
	*ret = v;
	return ERR_OK;
}

static void
volume_unref(struct file_store *s, struct volume *v) REQUIRES(s->lock)
{
	uint64_t number = v->number;
	struct volume **p = &s->writing;
	int fd = v->flush.fd;

	lock_assert_held(&s->lock);
	assert(v->refs > 0);
	if (--v->refs > 0)
		return;
	while (*p != v)
		p = &(*p)->next;
	*p = v->next;
	flush_done(&v->flush);
	free(v);
	lock_drop(&s->lock);
	volume_sweep(s, number, fd);
	close(fd);
	lock_take(&s->lock);
}

void
volume_close(struct file_store *s)
{
	lock_take(&s->lock);
	if (s->volume != NULL) {
		struct volume *v = s->volume;

		s->volume = NULL;
		volume_unref(s, v);
	}
	lock_drop(&s->lock);
}

/* Where len bytes may be written now: in the current volume, or in a new one if that is full or has failed. */
static err
reserve(struct file_store *s, uint64_t len, struct volume **ret, uint64_t *ret_pos, uint64_t *ret_round) REQUIRES(s->lock)
{
	struct volume *v = s->volume, *old = NULL;

	lock_assert_held(&s->lock);
	if (v == NULL || v->flush.failed != 0 || v->tail + len > s->base.options.volume_bytes) {
		struct volume *fresh = NULL;

		TRY(volume_new(s, &fresh));
		old = v;
		v = s->volume = fresh;
	}
	if (v->tail_round != v->flush.round) {
		v->tail = round_up(v->tail, PAGE);
		v->tail_round = v->flush.round;
	}
	*ret_pos = v->tail;
	*ret_round = flush_enter(s, &v->flush);
	*ret = v;
	v->tail += len;
	v->refs++;
	if (old != NULL)
		volume_unref(s, old);
	return ERR_OK;
}

/* Up to a page of zeros. */
static err
write_zeros(int fd, uint64_t from, uint64_t to)
{
	static const uint8_t zero[PAGE];

	assert(from >= to || to - from <= PAGE);
	return from < to ? io_write(fd, zero, to - from, from) : ERR_OK;
}

/*
 * Zeros over a record, its head last. Whole pages are punched, but in a page that it shares zeros are written: where a hole begins or ends
 * within a page the kernel may zero all of that page in memory before it reads it again, and a neighbour's bytes may be on their way to a
 * client from there (sendfile does not copy). Seen: wrong bytes under a right ETag, once in some hundred restarts.
 */
static err
wipe(int fd, uint64_t pos, uint64_t size)
{
	uint64_t end = pos + record_data(size) + size, first = round_up(pos, PAGE);
	uint64_t last = (pos + record_len(size)) / PAGE * PAGE;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys("stat volume");
	if (end > (uint64_t)st.st_size)
		end = (uint64_t)st.st_size;		/* torn, or being written: it shall not grow */
	if (first < last)
		TRY(io_allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first, last - first));
	if (first <= last)
		TRY(write_zeros(fd, last, end));
	return write_zeros(fd, pos, first < end ? first : end);
}

static void
fill_head(struct record_head *h, uint8_t *p, uint32_t *crc)
{
	uint8_t *head = p - record_data(h->size);

	h->crc = record_crc(h, crc);
	memset(head, 0, record_data(h->size));
	memcpy(head, h, sizeof(*h));
	memcpy(head + sizeof(*h), crc, 4 * blocks_of(h->size));
}

/*
 * Durable when it returns OK: the head is with the data in one run, and covers the checksums, so after a crash a record is
 * either whole or seen to be torn.
 */
err_v
volume_append(struct file_store *s, struct id id, uint8_t *p, uint64_t size, uint64_t *ret_place)
{
	struct record_head h = { .size = size, .version = FORM_VERSION };
	uint64_t pos, round;
	uint32_t crc[GROUP];
	struct volume *v;
	err_v e;

	assert(size <= RECORD_MAX);
	memcpy(h.id, id.byte, ID_LEN);
	for (uint64_t i = 0; i < blocks_of(size); i++)
		crc[i] = crc32c(0, str_sub(str_n(p, size), i * BLOB_BLOCK, BLOB_BLOCK));

	lock_take(&s->lock);
	e = reserve(s, record_len(size), &v, &pos, &round);
	lock_drop(&s->lock);
	TRY(e);
	h.marker = v->marker;
	h.place = place_of(v->number, pos);
	fill_head(&h, p, crc);
	e = io_write(v->flush.fd, p - record_data(size), record_data(size) + size, pos);
	if (!err_ok(e))
		(void)!err_ok(wipe(v->flush.fd, pos, size));
	CRASH_POINT(volume_written);

	lock_take(&s->lock);
	flush_leave(s, &v->flush, round);
	if (err_ok(e))
		e = flush_wait(s, &v->flush, round, "fdatasync volume");
	else if (e.code != -ENOSPC && e.code != -EDQUOT)
		v->flush.failed = -e.code;
	volume_unref(s, v);
	lock_drop(&s->lock);
	TRY(e);
	CRASH_POINT(volume_synced);
	*ret_place = h.place;
	return ERR_OK;
}

err_v
record_load(int fd, uint64_t place, struct id id, struct record_head *ret, uint32_t *ret_crc)
{
	static const struct record_head none;
	uint64_t pos = place_pos(place);
	struct record_head h;
	bool ours;
	err_v e;

	if (pos < PAGE)
		return ERR_NOT_FOUND;
	e = io_read(fd, &h, sizeof(h), pos);
	if (e.code == ERR_DAMAGED.code || (err_ok(e) && memcmp(&h, &none, sizeof(h)) == 0))
		return ERR_NOT_FOUND;
	TRY(e);
	ours = memcmp(h.id, id.byte, ID_LEN) == 0;
	if (h.place != place || h.version != FORM_VERSION || h.size > RECORD_MAX)
		return ours ? ERR_DAMAGED : ERR_NOT_FOUND;
	TRY(io_read(fd, ret_crc, 4 * blocks_of(h.size), pos + sizeof(h)));
	if (record_crc(&h, ret_crc) != h.crc)
		return ERR_DAMAGED;
	if (!ours)
		return ERR_NOT_FOUND;
	*ret = h;
	return ERR_OK;
}

/* A page with nothing but zeros in it belongs to nobody: whoever wrote there has been freed. */
static err
punch_if_zero(int fd, uint64_t page)
{
	static const uint8_t zero[PAGE];
	uint8_t p[PAGE] = { 0 };
	err_v e = io_read(fd, p, PAGE, page);

	if (!err_ok(e) && e.code != ERR_DAMAGED.code)		/* the file may end within the page */
		return e;
	if (memcmp(p, zero, PAGE) != 0)
		return ERR_OK;
	return io_allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page, PAGE);
}

static err
punch(int fd, uint64_t pos, uint64_t size)
{
	uint64_t end = pos + record_len(size), first = pos / PAGE, last = end / PAGE;

	TRY(wipe(fd, pos, size));
	if (end % PAGE != 0)
		TRY(punch_if_zero(fd, last * PAGE));
	if (pos % PAGE != 0 && (first != last || end % PAGE == 0))
		TRY(punch_if_zero(fd, first * PAGE));
	return ERR_OK;
}

err_v
record_erase(struct file_store *s, const struct blob_ref *ref, uint64_t *ret_size)
{
	uint64_t number = place_volume(ref->place);
	struct volume_file *f;
	struct record_head h;
	uint32_t crc[GROUP];
	err_v e;

	*ret_size = 0;
	e = volume_file_get(s, number, &f);
	if (e.code == ERR_NOT_FOUND.code)
		return ERR_OK;
	TRY(e);
	e = record_load(f->fd, ref->place, ref->id, &h, crc);
	if (err_ok(e)) {
		e = punch(f->fd, place_pos(ref->place), h.size);
		if (err_ok(e)) {
			*ret_size = h.size;
			CRASH_POINT(blob_deleted);
			volume_sweep(s, number, f->fd);
		}
	} else if (e.code == ERR_NOT_FOUND.code || e.code == ERR_DAMAGED.code) {
		e = ERR_OK;		/* what is not recognised is not touched */
	}
	volume_file_put(s, &f);
	return e;
}
