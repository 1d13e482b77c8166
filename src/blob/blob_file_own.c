/*
 * blob_file_own.c - blobs in files of their own.
 *
 * Bytes that are aligned are written from the caller's memory, others are gathered in pieces first. From direct_min on they bypass the
 * page cache, and a helper thread writes while the caller receives and hashes what comes next; below, and where the file system
 * cannot do that, they go through the page cache. The file gets its name only when its bytes are on disk, and the folder is flushed
 * before anyone is told.
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

#define PIECE (512u << 10)		/* bytes of one write, where we gather them */
#define HELP_MIN (256u << 10)		/* a write of this many bytes is worth a helper */
#define FOLDER_FILES 4096u		/* a new folder is begun after so many */
#define HELPER_STACK (128u << 10)

static_assert(BLOB_LEND == PAGE, "what is lent can be written with O_DIRECT");

struct piece {
	const uint8_t *p;
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
	uint64_t pos;			/* where in the file the next piece goes */
	uint64_t allocated;

	uint8_t *gather, *other;	/* PIECE bytes each, if needed: being filled, and perhaps being written */
	size_t gathered;
	uint32_t *crc;			/* one for each block begun */
	size_t ncrc, room;

	bool direct;

	/* From here on only with a helper. */
	bool helped;
	bool lent;			/* it may have memory of the caller in its hands */
	pthread_t helper;
	struct lock lock;
	struct cond wake;
	struct piece given[BLOB_BEHIND];	/* GUARDED_BY(lock), as all below; in their order */
	unsigned ngiven;
	bool quit;			/* what is left is not wanted any more */
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

/* After a failure nothing more is written: only abort may follow. */
static void *
helper_main(void *arg)
{
	struct own_writer *w = arg;
	err_v e = ERR_OK;

	lock_take(&w->lock);
	for (;;) {
		struct piece p;

		while (w->ngiven == 0 && !w->quit)
			cond_wait(&w->wake, &w->lock);
		if (w->quit)
			break;
		p = w->given[0];
		lock_drop(&w->lock);
		if (err_ok(e))
			e = write_piece(w->fd, &p);
		lock_take(&w->lock);
		if (!err_ok(e))
			w->failed = -e.code;
		memmove(w->given, w->given + 1, --w->ngiven * sizeof(w->given[0]));
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
	lock_init(&w->lock, LOCK_WRITER);
	cond_init(&w->wake);
	thread_start(&w->helper, "blob-write", HELPER_STACK, helper_main, w);
}

/* Until the helper has at most so many pieces in its hands. */
static err
helper_wait(struct own_writer *w, unsigned most)
{
	int failed;

	if (!w->helped)
		return ERR_OK;
	lock_take(&w->lock);
	while (w->ngiven > most)
		cond_wait(&w->wake, &w->lock);
	failed = w->failed;
	lock_drop(&w->lock);
	return failed == 0 ? ERR_OK : err_errno(failed, "write blob");
}

err_v
own_settle(struct own_writer *w)
{
	w->lent = false;
	return helper_wait(w, 0);
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
	w->helped = false;
}

/* Into the hands of the helper, which has room. */
static void
give(struct own_writer *w, const struct piece *p)
{
	lock_take(&w->lock);
	assert(w->ngiven < BLOB_BEHIND);
	w->given[w->ngiven++] = *p;
	lock_drop(&w->lock);
	cond_signal(&w->wake);
}

/* Through the page cache, writing it out begins at once: dirty pages never pile up. */
static err
push(struct own_writer *w, const uint8_t *bytes, size_t len)
{
	struct piece p = { .p = bytes, .len = len, .pos = w->pos };

	if (p.pos + p.len > w->allocated)
		TRY(room_check(w->store->dir, w->store->base.options.reserve, p.len));
	if (!w->direct && w->size >= w->store->base.options.direct_min && p.len % PAGE == 0)
		go_direct(w);
	if (w->direct && !w->helped && p.len >= HELP_MIN)
		helper_begin(w);		/* more is to come, so there is something to overlap with */
	if (w->helped) {
		give(w, &p);
	} else {
		TRY(write_piece(w->fd, &p));
		if (p.len >= HELP_MIN)
			sync_file_range(w->fd, (off_t)p.pos, (off_t)p.len, SYNC_FILE_RANGE_WRITE);
	}
	w->pos += p.len;
	return ERR_OK;
}

/* Let go of what has been gathered; the other buffer is filled meanwhile. */
static err
push_gathered(struct own_writer *w)
{
	uint8_t *filled = w->gather;

	TRY(helper_wait(w, 0));
	TRY(push(w, filled, w->gathered));
	w->gathered = 0;
	w->gather = w->other;
	w->other = filled;
	return ERR_OK;
}

static err
gather(struct own_writer *w, str bytes)
{
	while (bytes.len > 0) {
		size_t n = bytes.len < PIECE - w->gathered ? bytes.len : PIECE - w->gathered;

		if (w->gather == NULL)
			w->gather = mem_alloc_aligned(PAGE, PIECE);
		memcpy(w->gather + w->gathered, bytes.p, n);
		w->gathered += n;
		bytes = str_skip(bytes, n);
		if (w->gathered == PIECE)
			TRY(push_gathered(w));
	}
	return ERR_OK;
}

static bool
can_lend(const struct own_writer *w, str bytes)
{
	return w->gathered == 0 && bytes.len % PAGE == 0 && (uintptr_t)bytes.p % PAGE == 0 && w->pos % PAGE == 0;
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
	if (size_hint >= s->base.options.direct_min)
		go_direct(w);
	*ret = w;
	return ERR_OK;
}

static void
sum_up(struct own_writer *w, str bytes)
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
		bytes = str_skip(bytes, block.len);
	}
}

err_v
own_add(struct own_writer *w, str bytes)
{
	sum_up(w, bytes);
	if (bytes.len > 0 && can_lend(w, bytes)) {
		TRY(helper_wait(w, BLOB_BEHIND - 1));
		w->lent = true;
		return push(w, (const uint8_t *)bytes.p, bytes.len);
	}
	if (w->lent)
		TRY(own_settle(w));
	return gather(w, bytes);
}

/* Behind the data: zeros to the page, checksums, the tail. Gathered, never lent: they stand on the stack, and it may be aligned. */
static err
add_tail(struct own_writer *w)
{
	static const uint8_t zero[PAGE];
	struct own_tail t = { .magic = OWN_TAIL_MAGIC, .size = w->size, .version = FORM_VERSION };

	TRY(gather(w, str_n(zero, round_up(w->size, PAGE) - w->size)));
	for (size_t i = 0; i * GROUP < w->ncrc; i++) {
		struct crc_page page = { 0 };
		size_t n = w->ncrc - i * GROUP < GROUP ? w->ncrc - i * GROUP : GROUP;

		memcpy(page.crc, w->crc + i * GROUP, n * sizeof(*page.crc));
		page.self = crc_page_self(&page, w->id, i);
		TRY(gather(w, str_n(&page, sizeof(page))));
	}
	memcpy(t.id, w->id.byte, ID_LEN);
	t.crc = own_tail_crc(&t);
	TRY(gather(w, str_n(zero, PAGE - sizeof(t))));
	return gather(w, str_n(&t, sizeof(t)));
}

static err
finish_bytes(struct own_writer *w)
{
	TRY(add_tail(w));
	if (w->gathered > 0)
		TRY(push_gathered(w));
	TRY(own_settle(w));
	assert(w->pos == file_len(w->size));
	if (w->allocated > w->pos && ftruncate(w->fd, (off_t)w->pos) != 0)
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
	free(w->gather);
	free(w->other);
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
