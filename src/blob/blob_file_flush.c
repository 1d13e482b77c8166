/*
 * blob_file_flush.c - one flush for all who wait for one.
 *
 * There is no thread for it: of those who wait the first leads, the others follow. While a round is being flushed the next one
 * fills, so the slower the disk, the more share a flush.
 */
#include <unistd.h>

#include "blob/blob_file_impl.h"

void
flush_init(struct flush *f, int fd, int (*sync)(int))
{
	*f = (struct flush){ .sync = sync, .fd = fd, .round = 1 };
	cond_init(&f->left);
	cond_init(&f->over[0]);
	cond_init(&f->over[1]);
}

void
flush_done(struct flush *f)
{
	assert(!f->running && f->inside[0] == 0 && f->inside[1] == 0);
	cond_done(&f->left);
	cond_done(&f->over[0]);
	cond_done(&f->over[1]);
}

uint64_t
flush_enter(struct file_store *s, struct flush *f)
{
	lock_assert_held(&s->lock);
	f->inside[f->round % 2]++;
	return f->round;
}

void
flush_leave(struct file_store *s, struct flush *f, uint64_t round)
{
	lock_assert_held(&s->lock);
	assert(f->inside[round % 2] > 0);
	if (--f->inside[round % 2] == 0)
		cond_signal(&f->left);
}

/*
 * Nothing is acknowledged before the flush that covers it: that flush begins when the round is closed and all who entered it have
 * left. A failed one is never tried again, since the kernel may have dropped the pages: the round fails, and all later ones.
 */
static void
lead(struct file_store *s, struct flush *f, uint64_t round) REQUIRES(s->lock)
{
	int failed = f->failed;

	assert(round == f->round);
	f->running = true;
	f->round++;
	while (f->inside[round % 2] > 0)
		cond_wait(&f->left, &s->lock);
	if (failed == 0) {
		lock_drop(&s->lock);
		if (f->sync(f->fd) != 0)
			failed = errno;
		lock_take(&s->lock);
		s->stats.flushes++;
	}
	f->running = false;
	f->done = round;
	if (failed != 0)
		f->failed = failed;
	if (f->failed == 0)
		f->good = round;
	cond_broadcast(&f->over[round % 2]);
	cond_signal(&f->over[f->round % 2]);	/* one of the next round leads it */
}

err_v
flush_wait(struct file_store *s, struct flush *f, uint64_t round, const char *what)
{
	lock_assert_held(&s->lock);
	while (f->done < round) {
		if (f->running)
			cond_wait(&f->over[round % 2], &s->lock);
		else
			lead(s, f, round);
	}
	return round <= f->good ? ERR_OK : err_errno(f->failed, "%s", what);
}
