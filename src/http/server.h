/*
 * server.h - connections in, requests out.
 *
 * One listener with its loops and workers. A loop (epoll, one a core) owns idle
 * connections and reads heads without ever blocking. A whole head goes to
 * handler.quick on the loop; what that cannot answer at once goes, with its
 * connection, to a worker of the shared pool, which runs handler.full in straight-line
 * blocking code with deadlines. When the response is out the connection goes
 * back to its loop. Pipelined requests are answered in order.
 *
 * Idle connections cost no thread and no buffer. Limits: see struct http_limits.
 */
#pragma once

#include <sys/socket.h>

#include "http/head.h"
#include "net/listen.h"
#include "net/pool.h"
#include "net/tls.h"

struct http_server;
struct conn;			/* net/conn.h */

/* One request being answered. Owned by the loop or by one worker, never both. */
struct http_req {
	unsigned magic;
#define HTTP_REQ_MAGIC 0x5d1c20a7
	struct http_head *head;
	struct arena *arena;		/* reset when the request ends */
	struct conn *conn;
	struct body *body;		/* http/body.h: the request's bytes */
	struct resp *resp;		/* http/resp.h: the answer */
	char id[17];			/* request id: 16 hex digits */
	str peer;			/* client address as text, without port */
	bool tls;
	bool on_loop;			/* running where nothing may block */
	bool may_hold;			/* on a loop: the body is there, and the answer may be HTTP_HELD */
	uint64_t started_ns;		/* clock_mono_ns() when the head was whole */
	void *user;			/* the handler's own; NULL when a request begins, kept from quick to full */
};

/*
 * NEEDS_WORKER: a GET, or a request whose body is still on its way, may last as long as a slow client wants, and may not take the
 * workers that the pool keeps in reserve. NEEDS_SMALL: the handler knows that it will be over soon (the answer is small).
 */
enum http_next { HTTP_ANSWERED, HTTP_HELD, HTTP_NEEDS_WORKER, HTTP_NEEDS_SMALL };

/*
 * HTTP_HELD: what has been answered since resp_hold() waits in memory until this is called, once, on any thread, perhaps before quick has
 * returned: so a request waits for something slow, and neither a thread nor the loop waits with it. SEND: the answer goes out. AGAIN: it is
 * thrown away, and a worker begins anew.
 */
enum http_release { HTTP_SEND, HTTP_AGAIN };
void http_release(struct http_req *, enum http_release);

struct http_handler {
	void *ctx;
	/* On a loop: answer without blocking, or ask for a worker. Nothing may have been sent then. NULL: always a worker. */
	enum http_next (*quick)(void *ctx, struct http_req *);
	/* On a worker: answer. May block with deadlines. */
	void (*full)(void *ctx, struct http_req *);
	/*
	 * Answer (resp_send) a request refused before the handler (400: bad head, 408: too slow, 503: overload):
	 * why is one sentence. head is NULL if it was never whole. The connection is closed afterwards. Never blocks.
	 */
	void (*refuse)(void *ctx, struct http_req *, int status, const char *why);
	/* After the response is out or has failed, refused ones too: access log and metrics. May be NULL. */
	void (*done)(void *ctx, struct http_req *);
};

struct http_limits {
	unsigned loops;			/* 0: one a core */
	unsigned connections;		/* open at once; for one more the longest-idle is closed. None is idle: 503 and close */
	unsigned head_timeout_ms;	/* from its first byte to a whole head */
	unsigned idle_timeout_ms;	/* between requests */
	unsigned body_rate_min;		/* bytes/s, either direction, over rate_interval_ms */
	unsigned rate_interval_ms;
	unsigned handover_idle_ms;	/* see http_server_stop() */
	unsigned client_workers;	/* workers one client address may hold; further requests of it wait. 0: no limit */
};

/* Accept from the listener, which is taken over. tls: NULL for plain. name: of the threads. The pool is shared and outlives us. */
err http_server_start(const char *name, struct listener *, struct tls *, const struct http_limits *,
    struct pool *, const struct http_handler *, struct http_server **ret);
/* "127.0.0.1:9000": where it listens, port filled in. */
const char *http_server_address(const struct http_server *);
/*
 * Stop accepting, let running requests end until deadline_ms (monotonic), then
 * shut their sockets down; join the loops; free. Idle connections are closed at once; but if the listening socket was passed to us,
 * others go on with it and no client shall notice: each idle connection may send one more request within handover_idle_ms.
 */
void http_server_stop(struct http_server **, uint64_t deadline_ms);

struct http_server_stats {
	unsigned connections, idle;	/* idle: not with a worker */
	uint64_t accepted, refused, requests_on_loop, requests_on_worker, bytes_in, bytes_out;
	uint64_t headers_dropped;	/* bugs: values that would have broken an answer's head */
};
void http_server_stats(struct http_server *, struct http_server_stats *ret);
