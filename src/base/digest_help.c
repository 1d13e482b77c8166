/*
 * digest_help.c - threads that hash beside those that receive and write, and streams that are hashed together.
 *
 * At most one helper a core, started when first needed, living as long as the process. A stream leaves a piece here and goes on to
 * receive the next; a helper takes it, or the owner itself once it has left all that it may. Whoever takes one takes others that wait
 * with it, up to MD5_LANES: together they cost little more than one. Of each stream only the first piece is taken, so its bytes are
 * hashed in order; the one behind it keeps the helper busy until the owner has been told and has come back with another.
 *
 *   state of a stream   who may touch its registers   what ends it
 *   NONE                its owner                     digest_help_give
 *   QUEUED              nobody                        a helper, or an owner
 *   RUNNING             whoever took it               the same, who signals "done": NONE, or QUEUED for the next piece
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/digest_impl.h"
#include "base/panic.h"

#define HELPERS_MAX 64
#define STACK_BYTES (128u << 10)

static struct {
	struct lock lock;
	struct cond work;
	struct digests *first, **last;	/* streams of which a piece waits */
	unsigned queued, threads, busy, threads_max;
	unsigned streams;		/* that may leave pieces */
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

static void
queue_add(struct digests *d) REQUIRES(helpers.lock)
{
	lock_assert_held(&helpers.lock);
	d->state = PIECE_QUEUED;
	d->next = NULL;
	*helpers.last = d;
	helpers.last = &d->next;
	helpers.queued++;
}

/* The streams of which one thread hashes a piece each, together. */
struct batch {
	struct digests *at[MD5_LANES];
	unsigned n;
};

static void
batch_add(struct batch *b, struct digests *d) REQUIRES(helpers.lock)
{
	CHECK_OBJ(d, DIGESTS_MAGIC);
	assert(d->state == PIECE_QUEUED);
	d->state = PIECE_RUNNING;
	b->at[b->n++] = d;
}

/* The oldest of those that wait, until the batch is full. */
static void
batch_fill(struct batch *b) REQUIRES(helpers.lock)
{
	unsigned most = md5_has_lanes() ? MD5_LANES : 1;

	lock_assert_held(&helpers.lock);
	while (b->n < most && helpers.first != NULL) {
		struct digests *d = helpers.first;

		helpers.first = d->next;
		if (helpers.first == NULL)
			helpers.last = &helpers.first;
		helpers.queued--;
		d->next = NULL;
		batch_add(b, d);
	}
}

/* Drops the lock meanwhile. */
static void
batch_run(struct batch *b) REQUIRES(helpers.lock)
{
	lock_drop(&helpers.lock);
	digests_step_many(b->at, b->n);
	lock_take(&helpers.lock);
	/* Under the lock: once it is dropped an owner may free its stream. */
	for (unsigned i = 0; i < b->n; i++) {
		struct digests *d = b->at[i];

		memmove(d->piece, d->piece + 1, --d->pieces * sizeof(d->piece[0]));
		d->state = PIECE_NONE;
		if (d->pieces > 0)
			queue_add(d);
		cond_signal(&d->done);
	}
	b->n = 0;
}

/*
 * With more streams than helpers a helper waits until a batch has come together: its owners are busy receiving, and the first of them
 * that has left all it may takes what waits by then. A batch takes as long as one or two of its streams by themselves, however many it
 * holds, so with two or more for each core nothing is gained by making two of one.
 */
static unsigned
worth_waking(void) REQUIRES(helpers.lock)
{
	unsigned each = helpers.streams / helpers.threads_max;

	if (!md5_has_lanes() || each < 2)
		return 1;
	return helpers.streams < MD5_LANES ? helpers.streams : MD5_LANES;
}

static void *
helper_main(void *arg)
{
	struct batch b = { .n = 0 };

	lock_take(&helpers.lock);
	for (;;) {
		while (helpers.queued < worth_waking())
			cond_wait(&helpers.work, &helpers.lock);
		batch_fill(&b);
		helpers.busy++;
		batch_run(&b);
		helpers.busy--;
	}
	return NULL;
}

void
digest_help_join(void)
{
	pthread_once(&once, helpers_start);
	lock_take(&helpers.lock);
	helpers.streams++;
	lock_drop(&helpers.lock);
}

void
digest_help_leave(void)
{
	lock_take(&helpers.lock);
	assert(helpers.streams > 0);
	helpers.streams--;
	lock_drop(&helpers.lock);
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

/* Those that have bytes get the chance to leave theirs with ours, as long as more come. If nobody has any, this takes no time. */
static void
gather(void) REQUIRES(helpers.lock)
{
	unsigned before = 0;

	while (helpers.queued > before && helpers.queued < worth_waking()) {
		before = helpers.queued;
		lock_drop(&helpers.lock);
		sched_yield();
		lock_take(&helpers.lock);
	}
}

static void
wait_until(struct digests *d, unsigned most) REQUIRES(helpers.lock)
{
	struct batch b = { .n = 0 };

	lock_assert_held(&helpers.lock);
	while (d->pieces > most) {
		if (d->state == PIECE_QUEUED)
			gather();
		if (d->state == PIECE_RUNNING) {
			cond_wait(&d->done, &helpers.lock);
		} else if (d->state == PIECE_QUEUED) {
			queue_remove(d);
			batch_add(&b, d);
			batch_fill(&b);
			batch_run(&b);
		}
	}
}

void
digest_help_wait(struct digests *d, unsigned most)
{
	lock_take(&helpers.lock);
	wait_until(d, most);
	lock_drop(&helpers.lock);
}

static void
helper_start(void) REQUIRES(helpers.lock)
{
	pthread_t thread;

	thread_start(&thread, "digest", STACK_BYTES, helper_main, NULL);
	pthread_detach(thread);
	helpers.threads++;
}

void
digest_help_give(struct digests *d, str bytes)
{
	bool wake;

	lock_take(&helpers.lock);
	wait_until(d, DIGEST_BEHIND - 1);
	d->piece[d->pieces++] = bytes;
	if (d->state == PIECE_NONE)
		queue_add(d);
	if (helpers.busy + helpers.queued > helpers.threads && helpers.threads < helpers.threads_max)
		helper_start();
	wake = helpers.queued >= worth_waking();
	lock_drop(&helpers.lock);
	if (wake)
		cond_signal(&helpers.work);
}
