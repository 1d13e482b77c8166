/*
 * loop.c - epoll, and a list of the connections of one loop.
 *
 * Under the lock: the list, and who has each connection. Only the loop's thread waits, calls back, and
 * closes what is on the loop, so an event in hand always names a connection that still exists: nothing but
 * the event of a connection itself, and what comes after the batch (shedding, the sweep), can remove it.
 */
#include "net/loop.h"

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"

#define EVENTS_MAX 128
#define ACCEPTS_MAX 64			/* in a row, before connections get their turn */
#define SWEEP_MS 250
#define SWEEP_DRAINING_MS 20
#define SHED_TRIES 8			/* idle connections looked at for one whose next request is not on its way */
#define ACCEPT_PAUSE_MS 100		/* after running out of descriptors or memory */
#define STACK_BYTES (1u << 20)

struct loop {
	unsigned magic;
#define LOOP_MAGIC 0x6e07d3b5u
	const struct loop_ops *ops;
	void *ctx;
	pthread_t thread;
	int epoll_fd, wake_fd, listen_fd;
	uint64_t accept_from_ms;	/* accepting pauses until then; 0: it does not */
	uint64_t sweep_ms;		/* the newest sweep */
	bool shut;			/* the deadline of the drain has passed */

	struct lock lock;
	struct conn *all;		/* GUARDED_BY(lock), like all below */
	struct conn *ready;		/* event() is due without epoll */
	struct conn *posted;		/* posted() is due */
	struct conn *idle_first, *idle_last;	/* on the loop and idle; the first is idle for longest */
	unsigned n, on_loop, idle;
	uint64_t drain_ms;		/* deadline; UINT64_MAX: not draining */
	uint64_t drain_from_ms, drain_idle_ms;
	bool over;			/* drained, and about to end */
	atomic_bool drain;		/* set once, under the lock; read without */
	atomic_uint shed;		/* of the idle ones, how many are to be closed; changed under the lock, read without */
};

static void
epoll_change(struct loop *l, int op, int fd, uint32_t events, void *p)
{
	struct epoll_event e = { .events = events, .data.ptr = p };

	if (epoll_ctl(l->epoll_fd, op, fd, &e) != 0)
		PANIC("epoll_ctl %d: errno %d", op, errno);
}

struct loop *
loop_new(const struct loop_ops *ops, void *ctx)
{
	struct loop *l = MEM_NEW(struct loop);

	l->magic = LOOP_MAGIC;
	l->ops = ops;
	l->ctx = ctx;
	l->listen_fd = -1;
	l->drain_ms = UINT64_MAX;
	lock_init(&l->lock, LOCK_LOOP);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->wake_fd < 0)
		PANIC("no descriptor left for a loop");
	epoll_change(l, EPOLL_CTL_ADD, l->wake_fd, EPOLLIN, &l->wake_fd);
	return l;
}

static void
loop_wake(struct loop *l)
{
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		PANIC("eventfd: errno %d", errno);
}

static void
list_insert(struct loop *l, struct conn *c) REQUIRES(l->lock)
{
	c->loop = l;
	c->prev = NULL;
	c->next = l->all;
	if (l->all != NULL)
		l->all->prev = c;
	l->all = c;
	l->n++;
}

static void
list_remove(struct loop *l, struct conn *c) REQUIRES(l->lock)
{
	assert(l->n > 0 && c->loop == l);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		l->all = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->loop = NULL;
	l->n--;
}

static void
idle_append(struct loop *l, struct conn *c) REQUIRES(l->lock)
{
	c->idle_prev = l->idle_last;
	c->idle_next = NULL;
	if (l->idle_last != NULL)
		l->idle_last->idle_next = c;
	else
		l->idle_first = c;
	l->idle_last = c;
	l->idle++;
}

static void
idle_unlink(struct loop *l, struct conn *c) REQUIRES(l->lock)
{
	assert(l->idle > 0);
	if (c->idle_prev != NULL)
		c->idle_prev->idle_next = c->idle_next;
	else
		l->idle_first = c->idle_next;
	if (c->idle_next != NULL)
		c->idle_next->idle_prev = c->idle_prev;
	else
		l->idle_last = c->idle_prev;
	l->idle--;
}

/* From here on the loop's thread may have it any moment. */
static void
put_on_loop(struct loop *l, struct conn *c, enum loop_how how) REQUIRES(l->lock)
{
	assert(c->watched == 0 && !c->on_loop);
	c->on_loop = true;
	l->on_loop++;
	if (c->idle)
		idle_append(l, c);
	if (how == LOOP_READY) {
		c->chain = l->ready;
		l->ready = c;
		loop_wake(l);
		return;
	}
	c->watched = EPOLLIN;
	epoll_change(l, EPOLL_CTL_ADD, c->fd, EPOLLIN, c);
}

bool
loop_add(struct loop *l, struct conn *c, enum loop_how how)
{
	bool taken;

	CHECK_OBJ(l, LOOP_MAGIC);
	CHECK_OBJ(c, CONN_MAGIC);
	lock_take(&l->lock);
	taken = !l->over;
	if (taken) {
		list_insert(l, c);
		put_on_loop(l, c, how);
	}
	lock_drop(&l->lock);
	return taken;
}

void
loop_give(struct loop *l, struct conn *c, enum loop_how how)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	CHECK_OBJ(c, CONN_MAGIC);
	lock_take(&l->lock);
	put_on_loop(l, c, how);
	lock_drop(&l->lock);
}

void
loop_watch(struct loop *l, struct conn *c, uint32_t events)
{
	assert(events != 0);
	if (c->watched == events)
		return;
	epoll_change(l, c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, events, c);
	c->watched = events;
}

/* Out of the epoll set, so that what a worker has never wakes the loop. */
void
loop_unwatch(struct loop *l, struct conn *c)
{
	if (c->watched != 0)
		epoll_change(l, EPOLL_CTL_DEL, c->fd, 0, NULL);
	c->watched = 0;
}

static void
take_off_loop(struct loop *l, struct conn *c) REQUIRES(l->lock)
{
	if (c->idle)
		idle_unlink(l, c);
	c->on_loop = false;
	l->on_loop--;
}

void
loop_take(struct loop *l, struct conn *c)
{
	CHECK_OBJ(c, CONN_MAGIC);
	loop_unwatch(l, c);
	lock_take(&l->lock);
	assert(c->on_loop);
	take_off_loop(l, c);
	lock_drop(&l->lock);
}

void
loop_remove(struct loop *l, struct conn *c)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	CHECK_OBJ(c, CONN_MAGIC);
	loop_unwatch(l, c);
	lock_take(&l->lock);
	if (c->on_loop)
		take_off_loop(l, c);
	list_remove(l, c);
	lock_drop(&l->lock);
}

void
loop_idle(struct loop *l, struct conn *c)
{
	CHECK_OBJ(c, CONN_MAGIC);
	lock_take(&l->lock);
	c->idle_ms = clock_mono_ms();
	if (c->on_loop && c->idle)
		idle_unlink(l, c);
	if (c->on_loop)
		idle_append(l, c);
	c->idle = true;
	lock_drop(&l->lock);
}

void
loop_busy(struct loop *l, struct conn *c)
{
	CHECK_OBJ(c, CONN_MAGIC);
	if (!c->idle)
		return;
	lock_take(&l->lock);
	if (c->on_loop)
		idle_unlink(l, c);
	c->idle = false;
	lock_drop(&l->lock);
}

bool
loop_shed(struct loop *l)
{
	bool can;

	CHECK_OBJ(l, LOOP_MAGIC);
	lock_take(&l->lock);
	can = l->shed < l->idle;
	l->shed += can;
	lock_drop(&l->lock);
	if (can)
		loop_wake(l);
	return can;
}

/* Until nobody is waiting, or for long enough. Running out of descriptors is waited out, not spun on. */
static void
accept_some(struct loop *l)
{
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(l->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			l->ops->accepted(l->ctx, l, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			epoll_change(l, EPOLL_CTL_DEL, l->listen_fd, 0, NULL);
			l->accept_from_ms = clock_mono_ms() + ACCEPT_PAUSE_MS;
			return;
		}
		/* ECONNABORTED and the network's own errors: of one connection that is gone. */
	}
}

static void
accept_stop(struct loop *l)
{
	if (l->listen_fd < 0)
		return;
	if (l->accept_from_ms == 0)
		epoll_change(l, EPOLL_CTL_DEL, l->listen_fd, 0, NULL);
	close(l->listen_fd);
	l->listen_fd = -1;
	l->accept_from_ms = 0;
}

/* Those that come together wake the loop once. */
void
loop_post(struct loop *l, struct conn *c)
{
	bool first;

	CHECK_OBJ(l, LOOP_MAGIC);
	lock_take(&l->lock);
	assert(c->loop == l && c->on_loop);
	first = l->posted == NULL;
	c->chain_posted = l->posted;
	l->posted = c;
	if (first)
		loop_wake(l);		/* under the lock: without it the connection may end, and the loop with it */
	lock_drop(&l->lock);
}

static void
run_ready(struct loop *l)
{
	struct conn *c, *posted, *next;

	lock_take(&l->lock);
	c = l->ready;
	posted = l->posted;
	l->ready = l->posted = NULL;
	lock_drop(&l->lock);
	for (; posted != NULL; posted = next) {
		next = posted->chain_posted;
		l->ops->posted(l->ctx, l, posted);
	}
	for (; c != NULL; c = next) {
		next = c->chain;
		l->ops->event(l->ctx, l, c);
	}
}

/*
 * Close what loop_shed() was promised. A connection whose next request is on its way is spared, if one of the next is not: the
 * client would see it die with a request on it.
 */
static void
shed_some(struct loop *l)
{
	struct conn *c;

	while (atomic_load_explicit(&l->shed, memory_order_relaxed) > 0) {
		lock_take(&l->lock);
		c = l->idle_first;
		for (unsigned i = 0; c != NULL && c->idle_next != NULL && i < SHED_TRIES && conn_arrived(c); i++)
			c = c->idle_next;
		l->shed = c == NULL ? 0 : l->shed - 1;
		lock_drop(&l->lock);
		if (c != NULL)
			l->ops->expired(l->ctx, l, c);
	}
}

/* Past its deadline, or idle long enough while we drain? */
static bool
is_due(const struct loop *l, const struct conn *c, uint64_t now) REQUIRES(l->lock)
{
	uint64_t since = c->idle_ms > l->drain_from_ms ? c->idle_ms : l->drain_from_ms;

	/* Not watched: its event() is due anyhow. */
	if (!c->on_loop || c->watched == 0)
		return false;
	return c->deadline_ms <= now || (l->drain && c->idle && now >= since + l->drain_idle_ms && !conn_arrived(c));
}

/* Call expired() for all that are due, and at the deadline of a drain shut all down. */
static void
sweep(struct loop *l, uint64_t now)
{
	struct conn *due = NULL, *next;

	lock_take(&l->lock);
	for (struct conn *c = l->all; c != NULL; c = c->next) {
		if (l->drain && now >= l->drain_ms && !l->shut)
			(void)shutdown(c->fd, SHUT_RDWR);
		if (is_due(l, c, now)) {
			c->chain = due;
			due = c;
		}
	}
	l->shut = l->drain && now >= l->drain_ms;
	lock_drop(&l->lock);
	for (struct conn *c = due; c != NULL; c = next) {
		next = c->chain;
		l->ops->expired(l->ctx, l, c);
	}
	l->sweep_ms = now;
}

static void
dispatch(struct loop *l, const struct epoll_event *e, int n)
{
	bool woken = false, accepts = false;
	uint64_t count;

	for (int i = 0; i < n; i++) {
		if (e[i].data.ptr == &l->wake_fd)
			woken = true;
		else if (e[i].data.ptr == &l->listen_fd)
			accepts = true;
		else
			l->ops->event(l->ctx, l, e[i].data.ptr);
	}
	if (woken) {
		(void)!read(l->wake_fd, &count, sizeof(count));
		run_ready(l);
	}
	/* What waits there belongs to whoever has the socket after us. */
	if (accepts && l->listen_fd >= 0 && !loop_draining(l))
		accept_some(l);
}

/* Draining and nothing left? */
static bool
ended(struct loop *l)
{
	bool end;

	lock_take(&l->lock);
	end = l->over = l->drain && l->n == 0;
	lock_drop(&l->lock);
	return end;
}

static void *
loop_main(void *arg)
{
	struct loop *l = arg;
	struct epoll_event e[EVENTS_MAX];

	while (!ended(l)) {
		bool draining = loop_draining(l);
		uint64_t interval = draining ? SWEEP_DRAINING_MS : SWEEP_MS, now;
		int n = epoll_wait(l->epoll_fd, e, EVENTS_MAX, (int)interval);

		if (n < 0 && errno != EINTR)
			PANIC("epoll_wait: errno %d", errno);
		dispatch(l, e, n);
		shed_some(l);
		if (draining)
			accept_stop(l);
		now = clock_mono_ms();
		if (l->accept_from_ms != 0 && now >= l->accept_from_ms) {
			l->accept_from_ms = 0;
			epoll_change(l, EPOLL_CTL_ADD, l->listen_fd, EPOLLIN, &l->listen_fd);
		}
		if (now >= l->sweep_ms + interval)
			sweep(l, now);
	}
	accept_stop(l);
	return NULL;
}

void
loop_start(struct loop *l, const char *name, int listen_fd)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	l->listen_fd = listen_fd;
	if (listen_fd >= 0)
		epoll_change(l, EPOLL_CTL_ADD, listen_fd, EPOLLIN, &l->listen_fd);
	thread_start(&l->thread, name, STACK_BYTES, loop_main, l);
}

void
loop_drain(struct loop *l, uint64_t idle_ms, uint64_t deadline_ms)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	lock_take(&l->lock);
	l->drain = true;
	l->drain_from_ms = clock_mono_ms();
	l->drain_idle_ms = idle_ms;
	l->drain_ms = deadline_ms;
	lock_drop(&l->lock);
	loop_wake(l);
}

bool
loop_draining(struct loop *l)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	return atomic_load_explicit(&l->drain, memory_order_relaxed);
}

void
loop_join(struct loop *l)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	pthread_join(l->thread, NULL);
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	CHECK_OBJ(l, LOOP_MAGIC);
	assert(l->n == 0 && l->all == NULL && l->listen_fd < 0);
	close(l->epoll_fd);
	close(l->wake_fd);
	lock_done(&l->lock);
	l->magic = 0;
	free(l);
	*lp = NULL;
}

void
loop_stats(struct loop *l, struct loop_stats *ret)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	*ret = (struct loop_stats){ 0 };
	lock_take(&l->lock);
	ret->connections = l->n;
	ret->idle = l->on_loop;
	lock_drop(&l->lock);
}
