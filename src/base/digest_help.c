/*
 * digest_help.c - threads that hash beside those that receive and write.
 *
 * At most one helper a core, started when first needed, living as long as the
 * process. A piece is handed over only if a helper is idle, so the queue never
 * grows beyond the helpers; if all are busy the caller hashes by itself, which
 * is what it would have done without them. A stream has one piece out at most,
 * so its bytes are hashed in order.
 *
 *   state of a piece   who may touch the stream's registers    what ends it
 *   NONE               the owner of the stream                 digest_help_give
 *   QUEUED             nobody                                  a helper, or the owner taking it back
 *   RUNNING            one helper                              the helper, who signals "done"
 */
#include <pthread.h>
#include <unistd.h>

#include "base/digest_impl.h"
#include "base/panic.h"

#define HELPERS_MAX 64
#define STACK_BYTES (128u << 10)

static struct {
	struct lock lock;
	struct cond work;
	struct digests *first, **last;	/* pieces that wait */
	unsigned queued, threads, busy, threads_max;
} helpers;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
helpers_start(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	lock_init(&helpers.lock, LOCK_DIGEST);
	cond_init(&helpers.work);
	helpers.last = &helpers.first;
	helpers.threads_max = cores < 1 ? 1 : cores > HELPERS_MAX ? HELPERS_MAX : (unsigned)cores;
}

static struct digests *
queue_take(void) REQUIRES(helpers.lock)
{
	struct digests *d = helpers.first;

	lock_assert_held(&helpers.lock);
	helpers.first = d->next;
	if (helpers.first == NULL)
		helpers.last = &helpers.first;
	helpers.queued--;
	d->next = NULL;
	return d;
}

static void *
helper_main(void *arg)
{
	lock_take(&helpers.lock);
	for (;;) {
		struct digests *d;

		while (helpers.first == NULL)
			cond_wait(&helpers.work, &helpers.lock);
		d = queue_take();
		CHECK_OBJ(d, DIGESTS_MAGIC);
		assert(d->state == PIECE_QUEUED);
		d->state = PIECE_RUNNING;
		helpers.busy++;
		lock_drop(&helpers.lock);
		digests_step(d, d->piece);
		lock_take(&helpers.lock);
		helpers.busy--;
		d->state = PIECE_NONE;
		/* Under the lock: once it is dropped the owner may free the stream. */
		cond_signal(&d->done);
	}
	return NULL;
}

bool
digest_help_give(struct digests *d, str bytes)
{
	pthread_t thread;
	bool given = false;

	pthread_once(&once, helpers_start);
	lock_take(&helpers.lock);
	assert(d->state == PIECE_NONE);
	if (helpers.busy + helpers.queued == helpers.threads && helpers.threads < helpers.threads_max) {
		thread_start(&thread, "digest", STACK_BYTES, helper_main, NULL);
		pthread_detach(thread);
		helpers.threads++;
	}
	if (helpers.busy + helpers.queued < helpers.threads) {
		d->piece = bytes;
		d->state = PIECE_QUEUED;
		d->next = NULL;
		*helpers.last = d;
		helpers.last = &d->next;
		helpers.queued++;
		cond_signal(&helpers.work);
		given = true;
	}
	lock_drop(&helpers.lock);
	return given;
}

/* Unlink a piece that no helper has begun. */
static void
queue_remove(struct digests *d) REQUIRES(helpers.lock)
{
	struct digests **p = &helpers.first;

	lock_assert_held(&helpers.lock);
	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	if (helpers.last == &d->next)
		helpers.last = p;
	helpers.queued--;
	d->next = NULL;
}

void
digest_help_wait(struct digests *d)
{
	str mine = STR_NONE;

	pthread_once(&once, helpers_start);
	lock_take(&helpers.lock);
	if (d->state == PIECE_QUEUED) {
		queue_remove(d);
		d->state = PIECE_NONE;
		mine = d->piece;
	}
	while (d->state == PIECE_RUNNING)
		cond_wait(&d->done, &helpers.lock);
	d->piece = STR_NONE;
	lock_drop(&helpers.lock);
	if (mine.len > 0)
		digests_step(d, mine);
}
