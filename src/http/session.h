/*
 * session.h - the life of one connection of a server. Private to src/http.
 *
 *	state		on the loop it waits for			then
 *	HANDSHAKE	TLS						HEAD
 *	HEAD		bytes of a request; none yet: it is idle	answered here, or with a worker
 *	HELD		http_release()					OUT, or with a worker
 *	OUT		the socket to take the rest of an answer	what the answer said: HEAD, DRAIN, LINGER, closed
 *	DRAIN		the small rest of a body that nobody read	HEAD
 *	LINGER		the client to close, so that it can read an answer sent before it had sent everything	closed
 *
 * Each state has a deadline (conn.deadline_ms) and bounded memory.
 */
#pragma once

#include <stdatomic.h>

#include "http/clients.h"
#include "http/exchange.h"
#include "net/loop.h"

enum session_state { SESSION_HANDSHAKE, SESSION_HEAD, SESSION_HELD, SESSION_OUT, SESSION_DRAIN, SESSION_LINGER };

/* What becomes of a connection behind an answer. */
enum session_after { AFTER_NEXT, AFTER_DRAIN, AFTER_LINGER, AFTER_CLOSE };

struct session {
	struct conn conn;		/* first */
	struct http_server *server;
	struct lane *lane;
	enum session_state state;
	char *kept;			/* the beginning of a request that is not all there */
	size_t kept_len, kept_want;	/* want: so many bytes make it whole; 0: not known */
	bool kept_fresh;		/* kept has not been looked at yet */
	struct exchange *held;		/* HELD */
	struct buf out;			/* OUT: what is left from out_at on */
	size_t out_at;
	enum session_after out_after;
	uint64_t left;			/* DRAIN: bytes to come; LINGER: bytes at most */
};

/* A loop of a server and the exchange it parses in. */
struct lane {
	struct http_server *server;
	struct loop *loop;
	struct exchange *x;		/* NULL: given away */
};

struct http_server {
	unsigned magic;
#define HTTP_SERVER_MAGIC 0x58e3a74du
	struct http_limits limits;
	struct http_handler handler;
	struct pool *pool;
	struct tls *tls;
	struct clients *clients;
	struct exchanges exchanges;
	unsigned drain_idle_ms;
	struct lane *lanes;		/* limits.loops of them; the first accepts */
	unsigned next_lane;		/* of the accepting loop */
	char address[LISTEN_TEXT_MAX];
	char host_id[17];
	uint64_t id_base;
	atomic_ulong ids;
	atomic_uint connections;
	atomic_size_t kept_bytes;
	atomic_uint held;
	atomic_ulong accepted, refused, on_loop, on_worker, bytes_in, bytes_out, headers_dropped;
};

extern const struct loop_ops session_ops;

/* For resp.c. */
bool session_must_close(const struct session *);
str session_host_id(const struct session *);
void session_count_bug(struct session *);
/* For exchange.c. */
void session_request_id(struct session *, char ret[17]);
