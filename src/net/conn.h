/*
 * conn.h - one connection: a socket, perhaps with TLS on it.
 *
 * The socket never blocks. On a loop conn_read and conn_write are tried once; on a worker what cannot go on is
 * waited for with poll(), which holds the other side to a minimum rate: only the time spent waiting
 * for it counts, so a slow disk of ours is never its fault. A connection belongs to its loop or to one worker.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/str.h"
#include "net/tls.h"

struct loop;

struct conn {
	unsigned magic;
#define CONN_MAGIC 0x3c5fa812u
	int fd;
	struct ssl_st *ssl;		/* NULL: plain */
	bool tls_dead;			/* after a fatal TLS error nothing more may be sent */
	short wait_for;			/* POLLIN or POLLOUT: what the newest -EAGAIN needs */
	struct in6_addr address;	/* of the client; IPv4 is mapped */
	char peer[INET6_ADDRSTRLEN];	/* the same as text */

	/* net/loop.c */
	struct loop *loop;
	struct conn *prev, *next;	/* all of the loop, with workers or not; GUARDED_BY(loop->lock) */
	struct conn *chain;		/* GUARDED_BY(loop->lock) */
	struct conn *chain_posted;	/* GUARDED_BY(loop->lock) */
	bool on_loop;			/* GUARDED_BY(loop->lock) */
	bool idle;			/* nothing is under way: it may be closed for another, or when draining; loop_idle() */
	struct conn *idle_prev, *idle_next;	/* if it is on the loop, in the order they became idle; GUARDED_BY(loop->lock) */
	uint32_t watched;		/* events in the epoll set; 0: not in it */
	uint64_t deadline_ms;		/* while on the loop; monotonic */
	uint64_t idle_ms;		/* since when it is idle */
};

/* Takes the socket over: TCP_NODELAY, who is there, TLS if given. false: it is gone already; the socket is closed. */
bool conn_init(struct conn *, int fd, struct tls *);
/* Says goodbye (TLS), closes the socket. */
void conn_done(struct conn *);

/* 0 when the handshake is done (plain: at once), -EAGAIN, or an errno. */
int conn_handshake(struct conn *);
/* One attempt: bytes, 0 at the end of the stream, or a negative errno; -EAGAIN: see wait_for. */
ssize_t conn_read(struct conn *, void *p, size_t max);
/* Is there something decrypted that no poll will tell of? */
bool conn_pending(const struct conn *);
/* Has something come that nobody has read? */
bool conn_arrived(const struct conn *);
enum conn_more { CONN_LAST, CONN_MORE };	/* MORE: further bytes follow at once, a packet may wait for them */
/* Drop the first done bytes of n pieces, and empty pieces in front. */
void iovec_advance(struct iovec **, int *n, size_t done);
ssize_t conn_write(struct conn *, const struct iovec *, int n, enum conn_more);
/* Throw away what has come in: bytes, 0 at the end, negative errno. Beneath TLS: only before closing. */
ssize_t conn_discard(struct conn *, size_t max);
/* No more from us; the other side sees the end of the stream. */
void conn_end(struct conn *);

/* Who is too slow, and how slow is that. In any interval spent waiting at least rate * interval bytes must move. */
struct pace {
	uint64_t rate_min;		/* bytes per second */
	uint64_t interval_ms;
	uint64_t waited_ms, bytes;	/* in this interval */
};
static inline struct pace pace_of(uint64_t rate_min, uint64_t interval_ms) { return (struct pace){ rate_min, interval_ms, 0, 0 }; }

/* These three wait. -ETIMEDOUT: too slow. At least one byte, or 0 at the end: */
err conn_read_wait(struct conn *, struct pace *, void *p, size_t max, size_t *ret_len);
/* All of them. Changes the iovec. */
err conn_write_all(struct conn *, struct pace *, struct iovec *, int n, enum conn_more);
/* [pos, pos + len) of the file: by sendfile in slices, or through user space under TLS. -EIO: the file is shorter. */
err conn_send_file(struct conn *, struct pace *, int fd, uint64_t pos, size_t len);
