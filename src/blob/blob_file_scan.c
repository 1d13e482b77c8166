/*
 * blob_file_scan.c - walk the records of a volume without knowing where they are.
 *
 * A record is believed if it carries the volume's random marker and its checksum holds; anything else is walked over in steps of
 * UNIT, holes in one leap. Clients cannot know the marker, so no object can hold bytes that are taken for a record.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "blob/blob_file_impl.h"

static err
read_head(int fd, uint64_t number, struct volume_head *ret)
{
	err_v e = ERR_DAMAGED;

	for (uint64_t pos = 0; pos <= VOLUME_HEAD_COPY; pos += VOLUME_HEAD_COPY) {
		struct volume_head h, copy;

		e = io_read(fd, &h, sizeof(h), pos);
		if (!err_ok(e))
			continue;
		copy = h;
		copy.crc = 0;
		if (h.magic == VOLUME_HEAD_MAGIC && h.number == number && h.version == FORM_VERSION &&
		    crc32c(0, str_n(&copy, sizeof(copy))) == h.crc) {
			*ret = h;
			return ERR_OK;
		}
		e = ERR_DAMAGED;
	}
	return e;
}

static bool
being_written(struct file_store *s, uint64_t number)
{
	bool found = false;

	lock_take(&s->lock);
	for (struct volume *v = s->writing; v != NULL; v = v->next)
		found |= v->number == number;
	lock_drop(&s->lock);
	return found;
}

static void
volume_remove(struct file_store *s, uint64_t number)
{
	char name[NUMBER_TEXT];

	io_number_text(number, name);
	if (unlinkat(s->volumes, name, 0) != 0)
		return;
	lock_take(&s->lock);
	if (s->stats.volumes > 0)
		s->stats.volumes--;
	lock_drop(&s->lock);
}

void
volume_sweep(struct file_store *s, uint64_t number, int fd)
{
	if (being_written(s, number))
		return;
	if (lseek(fd, PAGE, SEEK_DATA) < 0 && errno == ENXIO)
		volume_remove(s, number);
}

/* The next record at or behind *pos, before end. ERR_NOT_FOUND: no more. */
static err
next_record(int fd, const struct volume_head *vh, uint64_t end, uint64_t *pos, struct record_head *ret)
{
	uint8_t window[PAGE];
	uint32_t crc[GROUP];

	while (*pos + UNIT <= end) {
		off_t data = lseek(fd, (off_t)*pos, SEEK_DATA);
		size_t n;

		if (data < 0)
			return errno == ENXIO ? ERR_NOT_FOUND : err_sys("seek in volume");
		*pos = (uint64_t)data > *pos ? (uint64_t)data / UNIT * UNIT : *pos;
		if (*pos + UNIT > end)
			break;
		n = (size_t)((end - *pos < PAGE ? end - *pos : PAGE) / UNIT * UNIT);
		TRY(io_read(fd, window, n, *pos));
		for (size_t i = 0; i < n; i += UNIT, *pos += UNIT) {
			struct record_head h;
			struct id id;
			err_v e;

			memcpy(&h, window + i, sizeof(h));
			if (h.marker != vh->marker)
				continue;
			memcpy(id.byte, h.id, ID_LEN);
			e = record_load(fd, place_of(vh->number, *pos), id, ret, crc);
			if (err_ok(e) || (e.code != ERR_NOT_FOUND.code && e.code != ERR_DAMAGED.code))
				return e;
		}
	}
	return ERR_NOT_FOUND;
}

/* A volume that a crash left without any whole record: nothing in it was ever acknowledged. */
static void
remove_if_unused(struct file_store *s, uint64_t number, enum scan why, uint64_t seen)
{
	if (why == SCAN_SUSPECTS && seen == 0 && !being_written(s, number))
		volume_remove(s, number);
}

err_v
volume_scan(struct file_store *s, uint64_t number, enum scan why, blob_visit_f *visit, void *arg, bool *stop)
{
	uint64_t pos = PAGE, seen = 0;
	struct volume_file *f;
	struct record_head h;
	struct volume_head vh;
	struct stat st;
	err_v e = volume_file_get(s, number, &f);

	if (e.code == ERR_NOT_FOUND.code)	/* removed meanwhile */
		return ERR_OK;
	TRY(e);
	if (fstat(f->fd, &st) != 0)
		e = err_sys("stat volume");
	else if (!err_ok(e = read_head(f->fd, number, &vh)) && e.code == ERR_DAMAGED.code)
		e = st.st_size <= PAGE ? ERR_NOT_FOUND : err_errno(EBADMSG, "head of volume %08x", (unsigned)number);
	while (err_ok(e) && !*stop) {
		struct blob_ref ref;

		e = next_record(f->fd, &vh, (uint64_t)st.st_size, &pos, &h);
		if (!err_ok(e))
			break;
		ref = (struct blob_ref){ .place = h.place, .size = h.size };
		memcpy(ref.id.byte, h.id, ID_LEN);
		pos += record_len(h.size);
		seen++;
		*stop = !visit(arg, &ref);
	}
	volume_file_put(s, &f);
	if (e.code != ERR_NOT_FOUND.code)
		return e;
	remove_if_unused(s, number, why, seen);
	return ERR_OK;
}
