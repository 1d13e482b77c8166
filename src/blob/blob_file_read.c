/*
 * blob_file_read.c - reading blobs, each block against its checksum.
 *
 * In either layout the data of a blob is one run of bytes in a file. Verifying reads it through the page cache by pread, not through a
 * mapping: a disk that fails then gives EIO, where a mapping would give SIGBUS.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "blob/blob_file_impl.h"

#define SCRATCH (4 * BLOB_BLOCK)	/* fits the second-level cache */
#define NO_PAGE UINT64_MAX

struct file_reader {
	struct blob_reader base;
	struct file_store *store;
	struct blob_ref ref;
	int fd;
	uint64_t data;			/* where in the file the data begins */
	struct volume_file *volume;	/* in a volume: it, and our hold on the record; else NULL */
	struct record *record;
	uint64_t page_number;		/* which page of checksums is in page */
	struct crc_page page;
	uint8_t *scratch;		/* once needed: SCRATCH bytes, or as many as there are */
};

static struct file_reader *
reader_of(struct blob_reader *r)
{
	return (struct file_reader *)r;
}

static err
open_in_volume(struct file_reader *r)
{
	struct record_head h;

	TRY(volume_file_get(r->store, place_volume(r->ref.place), &r->volume));
	r->fd = r->volume->fd;
	TRY(record_hold(r->store, r->ref.place, &r->record));
	TRY(record_load(r->fd, r->ref.place, r->ref.id, &h, r->page.crc));
	r->page_number = 0;
	r->data = place_pos(r->ref.place) + record_data(h.size);
	r->base.size = h.size;
	return ERR_OK;
}

static err
open_own(struct file_reader *r)
{
	char name[OWN_NAME];
	struct own_tail t;
	struct stat st;

	if (r->ref.place > NUMBER_MAX)
		return ERR_NOT_FOUND;
	own_name(r->ref.place, r->ref.id, name);
	r->fd = openat(r->store->own, name, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : err_sys("open blob");
	if (fstat(r->fd, &st) != 0)
		return err_sys("stat blob");
	if (st.st_size < (off_t)PAGE)
		return ERR_DAMAGED;
	TRY(io_read(r->fd, &t, sizeof(t), (uint64_t)st.st_size - sizeof(t)));
	if (t.magic != OWN_TAIL_MAGIC || t.version != FORM_VERSION || own_tail_crc(&t) != t.crc ||
	    memcmp(t.id, r->ref.id.byte, ID_LEN) != 0)
		return ERR_DAMAGED;
	r->base.size = t.size;
	return ERR_OK;
}

static void
reader_free(struct file_reader *r)
{
	struct file_store *s = r->store;

	if (r->record != NULL && record_release(s, r->record)) {
		uint64_t size;
		err_v e = record_erase(s, &r->ref, &size);

		record_gone(s, r->record);
		if (err_ok(e) && size > 0)
			file_counted(s, 0, -(int64_t)size);
	}
	if (r->volume != NULL)
		volume_file_put(s, &r->volume);
	else if (r->fd >= 0)
		close(r->fd);
	free(r->scratch);
	free(r);
}

err_v
file_reader_open(struct blobs *bs, const struct blob_ref *ref, struct blob_reader **ret)
{
	struct file_reader *r = MEM_NEW(struct file_reader);
	err_v e;

	r->store = file_store_of(bs);
	r->ref = *ref;
	r->fd = -1;
	r->page_number = NO_PAGE;
	e = ref->place & PLACE_IN_VOLUME ? open_in_volume(r) : open_own(r);
	if (!err_ok(e)) {
		reader_free(r);
		return e;
	}
	*ret = &r->base;
	return ERR_OK;
}

void
file_reader_close(struct blob_reader *br)
{
	reader_free(reader_of(br));
}

static err
load_page(struct file_reader *r, uint64_t number)
{
	if (r->page_number == number)
		return ERR_OK;
	assert(r->volume == NULL);
	r->page_number = NO_PAGE;
	TRY(io_read(r->fd, &r->page, sizeof(r->page), round_up(r->base.size, PAGE) + number * PAGE));
	if (crc_page_self(&r->page, r->ref.id, number) != r->page.self)
		return ERR_DAMAGED;
	r->page_number = number;
	return ERR_OK;
}

static size_t
block_len(const struct file_reader *r, uint64_t block)
{
	uint64_t left = r->base.size - block * BLOB_BLOCK;

	return left < BLOB_BLOCK ? (size_t)left : BLOB_BLOCK;
}

/* bytes: whole blocks from this one on. *block: on failure, the bad one. */
static err
verify(struct file_reader *r, str bytes, uint64_t *block)
{
	for (; bytes.len > 0; (*block)++) {
		size_t n = block_len(r, *block);

		TRY(load_page(r, *block / GROUP));
		if (crc32c(0, str_sub(bytes, 0, n)) != r->page.crc[*block % GROUP])
			return ERR_DAMAGED;
		bytes = str_skip(bytes, n);
	}
	return ERR_OK;
}

/* As many whole blocks as fit, from block on, into the scratch; verified. */
static err
fetch(struct file_reader *r, uint64_t *block, uint64_t end, str *ret)
{
	uint64_t off = *block * BLOB_BLOCK;
	size_t n = SCRATCH;

	if (r->scratch == NULL)
		r->scratch = mem_alloc_aligned(64, r->base.size < SCRATCH ? (size_t)r->base.size : SCRATCH);
	end = round_up(end, BLOB_BLOCK) < r->base.size ? round_up(end, BLOB_BLOCK) : r->base.size;
	if (end - off < n)
		n = (size_t)(end - off);
	TRY(io_read(r->fd, r->scratch, n, r->data + off));
	*ret = str_n(r->scratch, n);
	return verify(r, *ret, block);
}

/* The blocks of [off, off + len); whole ones go straight to the caller, of those at the ends only the part that was asked for. */
err_v
file_read(struct blob_reader *br, uint64_t off, void *p, size_t len)
{
	struct file_reader *r = reader_of(br);
	char *to = p;

	if (!br->verify)
		return io_read(r->fd, p, len, r->data + off);
	while (len > 0) {
		uint64_t block = off / BLOB_BLOCK, skip = off % BLOB_BLOCK;
		size_t n;

		if (skip == 0 && len >= block_len(r, block)) {
			n = len == br->size - off ? len : len / BLOB_BLOCK * BLOB_BLOCK;
			TRY(io_read(r->fd, to, n, r->data + off));
			TRY(verify(r, str_n(to, n), &block));
		} else {
			str got;

			TRY(fetch(r, &block, off + 1, &got));
			got = str_sub(got, skip, len);
			memcpy(to, got.p, got.len);
			n = got.len;
		}
		to += n;
		off += n;
		len -= n;
	}
	return ERR_OK;
}

/* A long piece ends with a block, so that the next piece does not verify that block again. */
err_v
file_extent(struct blob_reader *br, uint64_t off, size_t max, int *ret_fd, uint64_t *ret_pos, size_t *ret_len)
{
	struct file_reader *r = reader_of(br);
	uint64_t end = off + max, block = off / BLOB_BLOCK;

	if (end < br->size && max > 2 * BLOB_BLOCK)
		end -= end % BLOB_BLOCK;
	while (br->verify && block * BLOB_BLOCK < end) {
		str got;

		TRY(fetch(r, &block, end, &got));
	}
	*ret_fd = r->fd;
	*ret_pos = r->data + off;
	*ret_len = (size_t)(end - off);
	return ERR_OK;
}

static void
forget_pages(const struct file_reader *r)
{
	if (r->volume != NULL)
		posix_fadvise(r->fd, (off_t)r->data, (off_t)r->base.size, POSIX_FADV_DONTNEED);
	else
		posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* From the disk, not from the page cache: that is where rot is. Nor do the pages stay there, in place of those that are asked for. */
err_v
file_scrub(struct blobs *bs, const struct blob_ref *ref, uint64_t *ret_off)
{
	struct blob_reader *br;
	struct file_reader *r;
	uint64_t block = 0;
	err_v e = blob_open(bs, ref, &br);

	if (e.code == ERR_DAMAGED.code)
		*ret_off = 0;
	TRY(e);
	r = reader_of(br);
	forget_pages(r);
	while (err_ok(e) && block * BLOB_BLOCK < br->size) {
		str got;

		e = fetch(r, &block, br->size, &got);
	}
	if (e.code == ERR_DAMAGED.code)
		*ret_off = block * BLOB_BLOCK;
	forget_pages(r);
	blob_reader_close(&br);
	return e;
}
