/*
 * loop.h - a thread that owns connections nothing is being done for, and wakes when one of them needs it.
 *
 * epoll, level-triggered. A connection belongs to one loop for its life. It is either on the loop, in
 * the epoll set or about to be, and only the loop's thread touches it; or it has been taken off (loop_take) and belongs to
 * a worker, which gives it back (loop_give) or removes it (loop_remove). An idle connection costs its struct and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/conn.h"

struct loop;

/* All run on the loop's thread, and must not block. */
struct loop_ops {
	/* The connection is readable, writable or broken, or was given back as LOOP_READY. */
	void (*event)(void *ctx, struct loop *, struct conn *);
	/* Its deadline has passed, or it is idle and must go (its place is needed, or we drain). The callee removes it or sets another. */
	void (*expired)(void *ctx, struct loop *, struct conn *);
	/* After loop_post(). */
	void (*posted)(void *ctx, struct loop *, struct conn *);
	/* A new socket, non-blocking. */
	void (*accepted)(void *ctx, struct loop *, int fd);
};

struct loop *loop_new(const struct loop_ops *, void *ctx);
/* Begins to run. name: of the thread. listen_fd: accept from it too; -1: none. The loop closes it when it drains. */
void loop_start(struct loop *, const char *name, int listen_fd);
/*
 * Stop accepting, at once; close what has been idle for idle_ms, from now or, if it came later, from then on; at deadline_ms shut
 * down all sockets; the loop ends when no connection is left.
 */
void loop_drain(struct loop *, uint64_t idle_ms, uint64_t deadline_ms);
bool loop_draining(struct loop *);
/* After loop_drain: waits for the end. */
void loop_join(struct loop *);
void loop_free(struct loop **);

/* WAIT: tell me when there is something to read. READY: call event() at once. */
enum loop_how { LOOP_WAIT, LOOP_READY };
/* A new connection. Any thread. It may be gone before this returns. false: the loop has ended, it was not taken. */
bool loop_add(struct loop *, struct conn *, enum loop_how);
/* From the loop to a worker. Loop thread. */
void loop_take(struct loop *, struct conn *);
/* From a worker back to the loop. deadline_ms is set by the caller before. */
void loop_give(struct loop *, struct conn *, enum loop_how);
/* Any thread: posted() is due for a connection that is on the loop and stays there until then. Once at a time. */
void loop_post(struct loop *, struct conn *);
/* Forget it; the caller closes it then. Loop thread if it is on the loop, else the worker that has it. */
void loop_remove(struct loop *, struct conn *);
/* Nothing is under way on it, from now on; or something is. By whoever has it. */
void loop_idle(struct loop *, struct conn *);
void loop_busy(struct loop *, struct conn *);
/* Have the connection closed, soon, that has been idle for longest. false: there is none, but for those that go already. Any thread. */
bool loop_shed(struct loop *);
/* What to wait for (EPOLLIN, EPOLLOUT). Loop thread, connection on the loop. */
void loop_watch(struct loop *, struct conn *, uint32_t events);
void loop_unwatch(struct loop *, struct conn *);

struct loop_stats { unsigned connections, idle; };
void loop_stats(struct loop *, struct loop_stats *ret);
