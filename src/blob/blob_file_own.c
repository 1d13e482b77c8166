/*
 * blob_file_own.c - blobs in files of their own.
 *
 * Bytes are gathered in aligned pieces. From direct_min on they bypass the page cache, and a helper thread writes one piece while the
 * caller receives and hashes the next; below, and where the file system cannot do that, they go through the page cache. The file
 * gets its name only when its bytes are on disk, and the folder is flushed before anyone is told.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/room.h"
#include "blob/blob_file_impl.h"

#define PIECE (1u << 20)		/* bytes of one write */
#define FOLDER_FILES 4096u		/* a new folder is begun after so many */
#define HELPER_STACK (128u << 10)

struct piece {
	uint8_t *p;
	size_t len;
	uint64_t pos;
};

struct own_writer {
	struct file_store *store;
	struct id id;
	char tmp[ID_TEXT_LEN + 1];
	int fd;
	bool committed;
	uint64_t size;			/* bytes of data */
	uint64_t allocated;

	struct piece piece;		/* being filled */
	uint32_t *crc;			/* one for each block begun */
	size_t ncrc, room;

	bool direct;

	/* From here on only with a helper. */
	bool helped;
	uint8_t *other;			/* the second buffer, when the helper does not have it */
	pthread_t helper;
	struct lock lock;
	struct cond wake;
	struct piece given;		/* GUARDED_BY(lock), as all below; len 0: none */
	bool quit;
	int failed;
};

void
own_name(uint64_t folder, struct id id, char ret[OWN_NAME])
{
	io_number_text(folder, ret);
	ret[NUMBER_TEXT - 1] = '/';
	id_text(id, ret + NUMBER_TEXT);
	ret[OWN_NAME - 1] = '\0';
}

uint32_t
own_tail_crc(const struct own_tail *t)
{
	struct own_tail copy = *t;

	copy.crc = 0;
	return crc32c(0, str_n(&copy, sizeof(copy)));
}

uint32_t
crc_page_self(const struct crc_page *p, struct id id, uint64_t number)
{
	return crc32c(crc32c(crc32c(0, id_bytes(&id)), str_n(&number, sizeof(number))), str_n(p->crc, sizeof(p->crc)));
}

static uint64_t
file_len(uint64_t size)
{
	return round_up(size, PAGE) + (blocks_of(size) + GROUP - 1) / GROUP * PAGE + PAGE;
}

/* A file system that says so only now wants no direct writes of this shape: go on through the page cache. */
static err
write_piece(int fd, const struct piece *p)
{
	err_v e = io_write(fd, p->p, p->len, p->pos);
	int flags;

	if (e.code != -EINVAL)
		return e;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || !(flags & O_DIRECT) || fcntl(fd, F_SETFL, flags & ~O_DIRECT) != 0)
		return e;
	return io_write(fd, p->p, p->len, p->pos);
}

static void *
helper_main(void *arg)
{
	struct own_writer *w = arg;

	lock_take(&w->lock);
	for (;;) {
		err_v e;

		while (w->given.len == 0 && !w->quit)
			cond_wait(&w->wake, &w->lock);
		if (w->given.len == 0)
			break;
		lock_drop(&w->lock);
		e = write_piece(w->fd, &w->given);
		lock_take(&w->lock);
		if (!err_ok(e))
			w->failed = -e.code;
		w->given.len = 0;
		cond_signal(&w->wake);
	}
	lock_drop(&w->lock);
	return NULL;
}

static void
go_direct(struct own_writer *w)
{
	int flags = fcntl(w->fd, F_GETFL);

	w->direct = flags >= 0 && fcntl(w->fd, F_SETFL, flags | O_DIRECT) == 0;
}

/* One for each large upload under way: those are bounded by the workers. */
static void
helper_begin(struct own_writer *w)
{
	w->helped = true;
	w->other = mem_alloc_aligned(PAGE, PIECE);
	lock_init(&w->lock, LOCK_WRITER);
	cond_init(&w->wake);
	thread_start(&w->helper, "blob-write", HELPER_STACK, helper_main, w);
}

/* Until the helper has nothing in its hands. */
static err
helper_wait(struct own_writer *w) REQUIRES(w->lock)
{
	while (w->given.len > 0)
		cond_wait(&w->wake, &w->lock);
	return w->failed == 0 ? ERR_OK : err_errno(w->failed, "write blob");
}

static void
helper_end(struct own_writer *w)
{
	if (!w->helped)
		return;
	lock_take(&w->lock);
	w->quit = true;
	cond_signal(&w->wake);
	lock_drop(&w->lock);
	pthread_join(w->helper, NULL);
	lock_done(&w->lock);
	cond_done(&w->wake);
	free(w->other);
	w->helped = false;
}

static err
give(struct own_writer *w)
{
	uint8_t *filled = w->piece.p;
	err_v e;

	lock_take(&w->lock);
	e = helper_wait(w);
	if (err_ok(e)) {
		w->given = w->piece;
		cond_signal(&w->wake);
	}
	lock_drop(&w->lock);
	TRY(e);
	w->piece.p = w->other;
	w->other = filled;
	return ERR_OK;
}

/* Let go of the piece that has been filled. Through the page cache, writing it out begins at once: dirty pages never pile up. */
static err
push(struct own_writer *w)
{
	if (w->piece.pos + w->piece.len > w->allocated)
		TRY(room_check(w->store->dir, w->store->base.options.reserve, w->piece.len));
	if (!w->direct && w->size >= w->store->base.options.direct_min && w->piece.len % PAGE == 0)
		go_direct(w);
	if (w->direct && !w->helped && w->piece.len == PIECE)
		helper_begin(w);		/* more is to come, so there is something to overlap with */
	if (w->helped) {
		TRY(give(w));
	} else {
		TRY(write_piece(w->fd, &w->piece));
		if (w->piece.len == PIECE)
			sync_file_range(w->fd, (off_t)w->piece.pos, PIECE, SYNC_FILE_RANGE_WRITE);
	}
	w->piece.pos += w->piece.len;
	w->piece.len = 0;
	return ERR_OK;
}

static err
add_raw(struct own_writer *w, str bytes)
{
	while (bytes.len > 0) {
		size_t n = bytes.len < PIECE - w->piece.len ? bytes.len : PIECE - w->piece.len;

		memcpy(w->piece.p + w->piece.len, bytes.p, n);
		w->piece.len += n;
		bytes = str_skip(bytes, n);
		if (w->piece.len == PIECE)
			TRY(push(w));
	}
	return ERR_OK;
}

err_v
own_begin(struct file_store *s, struct id id, uint64_t size_hint, struct own_writer **ret)
{
	struct own_writer *w;
	char tmp[ID_TEXT_LEN + 1];
	int fd;

	id_text(id, tmp);
	tmp[ID_TEXT_LEN] = '\0';
	fd = openat(s->tmp, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys("create blob");
	w = MEM_NEW(struct own_writer);
	w->store = s;
	w->id = id;
	memcpy(w->tmp, tmp, sizeof(tmp));
	w->fd = fd;
	if (size_hint > 0) {
		/* No room is better said now than after the upload; other failures only mean that it is not known how. */
		err_v e = io_allocate(fd, 0, 0, file_len(size_hint));

		if (e.code == -ENOSPC || e.code == -EDQUOT || e.code == -EFBIG || e.code == -EIO) {
			own_free(&w);
			return e;
		}
		w->allocated = err_ok(e) ? file_len(size_hint) : 0;
	}
	w->piece.p = mem_alloc_aligned(PAGE, PIECE);
	if (size_hint >= s->base.options.direct_min)
		go_direct(w);
	*ret = w;
	return ERR_OK;
}

/* Block by block, so that what has been summed up is in the processor's cache when it is copied. */
err_v
own_add(struct own_writer *w, str bytes)
{
	while (bytes.len > 0) {
		str block = str_sub(bytes, 0, BLOB_BLOCK - w->size % BLOB_BLOCK);

		if (w->size % BLOB_BLOCK == 0) {
			if (w->ncrc == w->room) {
				w->room = w->room == 0 ? 64 : 2 * w->room;
				w->crc = mem_grow(w->crc, w->room * sizeof(*w->crc));
			}
			w->crc[w->ncrc++] = 0;
		}
		w->crc[w->ncrc - 1] = crc32c(w->crc[w->ncrc - 1], block);
		w->size += block.len;
		TRY(add_raw(w, block));
		bytes = str_skip(bytes, block.len);
	}
	return ERR_OK;
}

/* Behind the data: zeros to the page, checksums, the tail. */
static err
add_tail(struct own_writer *w)
{
	static const uint8_t zero[PAGE];
	struct own_tail t = { .magic = OWN_TAIL_MAGIC, .size = w->size, .version = FORM_VERSION };

	TRY(add_raw(w, str_n(zero, round_up(w->size, PAGE) - w->size)));
	for (size_t i = 0; i * GROUP < w->ncrc; i++) {
		struct crc_page page = { 0 };
		size_t n = w->ncrc - i * GROUP < GROUP ? w->ncrc - i * GROUP : GROUP;

		memcpy(page.crc, w->crc + i * GROUP, n * sizeof(*page.crc));
		page.self = crc_page_self(&page, w->id, i);
		TRY(add_raw(w, str_n(&page, sizeof(page))));
	}
	memcpy(t.id, w->id.byte, ID_LEN);
	t.crc = own_tail_crc(&t);
	TRY(add_raw(w, str_n(zero, PAGE - sizeof(t))));
	return add_raw(w, str_n(&t, sizeof(t)));
}

static err
finish_bytes(struct own_writer *w)
{
	err_v e = ERR_OK;

	TRY(add_tail(w));
	if (w->piece.len > 0)
		TRY(push(w));
	if (w->helped) {
		lock_take(&w->lock);
		e = helper_wait(w);
		lock_drop(&w->lock);
	}
	TRY(e);
	assert(w->piece.pos == file_len(w->size));
	if (w->allocated > w->piece.pos && ftruncate(w->fd, (off_t)w->piece.pos) != 0)
		return err_sys("truncate blob");
	CRASH_POINT(blob_written);
	if (fdatasync(w->fd) != 0)
		return err_sys("fdatasync blob");
	CRASH_POINT(blob_synced);
	return ERR_OK;
}

static err
folder_new(struct file_store *s, struct folder **ret) REQUIRES(s->lock)
{
	char name[NUMBER_TEXT];
	struct folder *d;
	int fd;

	lock_assert_held(&s->lock);
	if (s->next_folder > NUMBER_MAX)
		return err_errno(ENOSPC, "folder numbers are used up");
	io_number_text(s->next_folder, name);
	if (mkdirat(s->own, name, 0700) != 0 && errno != EEXIST)	/* there: an earlier try could not flush */
		return err_sys("create folder of blobs");
	if (fsync(s->own) != 0) {
		s->next_folder++;
		return err_sys("fsync directory of folders");
	}
	fd = openat(s->own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open folder of blobs");
	d = MEM_NEW(struct folder);
	*d = (struct folder){ .refs = 1, .number = s->next_folder++ };
	flush_init(&d->flush, fd, fsync);
	*ret = d;
	return ERR_OK;
}

static void
folder_unref(struct file_store *s, struct folder *d) REQUIRES(s->lock)
{
	lock_assert_held(&s->lock);
	assert(d->refs > 0);
	if (--d->refs > 0)
		return;
	close(d->flush.fd);
	flush_done(&d->flush);
	free(d);
}

void
folder_close(struct file_store *s)
{
	lock_take(&s->lock);
	if (s->folder != NULL)
		folder_unref(s, s->folder);
	s->folder = NULL;
	lock_drop(&s->lock);
}

static err
folder_enter(struct file_store *s, struct folder **ret, uint64_t *ret_round) REQUIRES(s->lock)
{
	struct folder *d = s->folder, *fresh = NULL;

	lock_assert_held(&s->lock);
	if (d == NULL || d->flush.failed != 0 || d->files >= FOLDER_FILES) {
		TRY(folder_new(s, &fresh));
		if (d != NULL)
			folder_unref(s, d);
		d = s->folder = fresh;
	}
	d->files++;
	d->refs++;
	*ret_round = flush_enter(s, &d->flush);
	*ret = d;
	return ERR_OK;
}

/*
 * Durable, then named, then the name durable. A crash before the last step leaves a temporary file that start-up sweeps, or a whole
 * blob without an owner, which is a suspect then.
 */
err_v
own_commit(struct own_writer *w, uint64_t *ret_place)
{
	struct file_store *s = w->store;
	struct folder *d;
	uint64_t round;
	err_v e;

	TRY(finish_bytes(w));
	lock_take(&s->lock);
	e = folder_enter(s, &d, &round);
	lock_drop(&s->lock);
	TRY(e);
	if (renameat(s->tmp, w->tmp, d->flush.fd, w->tmp) != 0)
		e = err_sys("rename blob");
	CRASH_POINT(blob_named);
	lock_take(&s->lock);
	flush_leave(s, &d->flush, round);
	if (err_ok(e)) {
		e = flush_wait(s, &d->flush, round, "fsync folder of blobs");
		if (!err_ok(e))
			unlinkat(d->flush.fd, w->tmp, 0);
	}
	*ret_place = d->number;
	folder_unref(s, d);
	lock_drop(&s->lock);
	TRY(e);
	CRASH_POINT(blob_committed);
	w->committed = true;
	return ERR_OK;
}

void
own_free(struct own_writer **wp)
{
	struct own_writer *w = *wp;

	if (w == NULL)
		return;
	helper_end(w);
	close(w->fd);
	if (!w->committed)
		unlinkat(w->store->tmp, w->tmp, 0);
	free(w->piece.p);
	free(w->crc);
	free(w);
	*wp = NULL;
}

err_v
own_delete(struct file_store *s, const struct blob_ref *ref)
{
	char name[OWN_NAME];
	bool current;

	if (ref->place > NUMBER_MAX)
		return ERR_OK;
	own_name(ref->place, ref->id, name);
	if (unlinkat(s->own, name, 0) != 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_OK : err_sys("unlink blob");
	CRASH_POINT(blob_deleted);
	file_counted(s, -1, -(int64_t)ref->size);
	lock_take(&s->lock);
	current = ref->place >= (s->folder != NULL ? s->folder->number : s->start_folder);
	lock_drop(&s->lock);
	if (!current) {
		name[NUMBER_TEXT - 1] = '\0';
		unlinkat(s->own, name, AT_REMOVEDIR);		/* goes with its last blob; else it is not empty */
	}
	return ERR_OK;
}
