/*
 * exchange.h - the memory of one request and its answer. Private to src/http.
 *
 * A loop has one and parses heads in it; what goes to a worker takes the exchange along, so that nothing is copied, and the
 * loop takes another from the spares. An idle connection has none. Bytes that came in but have not been used lie in
 * struct input; what the head borrows is never moved while the request lasts.
 */
#pragma once

#include "base/buf.h"
#include "base/lock.h"
#include "http/body.h"
#include "http/resp.h"
#include "http/server.h"
#include "net/conn.h"

#define BODY_AWAIT_MAX 32768u		/* a body up to this size is awaited on the loop, and costs no worker until it is there */
#define INPUT_ROOM_MIN 4096u		/* behind a head, for reading the body's framing */
#define INPUT_BYTES (HTTP_HEAD_MAX + BODY_AWAIT_MAX + INPUT_ROOM_MIN)
#define BODY_DRAIN_MAX (256u << 10)	/* an unread rest up to this is read away to keep the connection */
#define RESP_HEADERS_MAX (64u << 10)
#define RESP_REST_MAX (16u << 20)	/* of an answer from a loop that the socket did not take at once */
#define ARENA_FIRST (16u << 10)
#define ARENA_MAX (64u << 20)

struct input {
	char *p;
	size_t at, end;			/* [at, end): arrived, not used */
	size_t keep;			/* bytes before this are borrowed by the head */
	size_t size;
};

enum body_state {
	BODY_BYTES,			/* Content-Length: left bytes to come */
	BODY_CHUNK_SIZE,		/* a size line comes next */
	BODY_CHUNK,			/* left bytes of a chunk to come */
	BODY_CHUNK_END,			/* the line end behind a chunk */
	BODY_TRAILER,			/* trailer lines, up to an empty one */
	BODY_END,
	BODY_FAILED,
};

struct body {
	unsigned magic;
#define BODY_MAGIC 0x4e8b17d2u
	enum body_state state;
	err_v failure;			/* why, if BODY_FAILED */
	struct conn *conn;
	struct input *in;
	bool may_wait;			/* on a worker */
	bool expect;			/* the client waits for 100 Continue */
	bool chunked;
	uint64_t announced, left, received;
	size_t trailer_bytes;
	struct pace pace;
};

void body_init(struct body *, struct conn *, struct input *, const struct http_head *, const struct http_limits *);
/* If the answer goes out now: can the connection go on behind it? */
bool body_may_follow(const struct body *);
/* After the answer: throw away what has arrived of it. true: *ret_left more bytes are to be read away. false: close. */
bool body_finish(struct body *, uint64_t *ret_left);

enum resp_form { RESP_NOTHING, RESP_LENGTH, RESP_CHUNKED, RESP_UNTIL_CLOSE, RESP_DONE };

struct resp {
	unsigned magic;
#define RESP_MAGIC 0x1a64f9c3u
	struct exchange *x;
	enum resp_form form;
	int status;
	bool close;			/* no further request on this connection */
	bool head_sent;
	bool no_body;			/* HEAD, 204, 304 */
	bool failed;
	bool held;			/* nothing goes out for now: all of it is in rest */
	struct buf headers;		/* lines as they will be sent; the memory is kept */
	char top[512];			/* status line and our own headers */
	size_t top_len;
	uint64_t length, sent, head_bytes, head_sent_ns;
	struct pace pace;
	struct buf rest;		/* on a loop: what the socket did not take */
};

void resp_init(struct resp *, struct exchange *, const struct http_limits *);
/* What was held goes out, as far as the socket takes it; the remainder stays in rest. */
void resp_let_go(struct resp *);
/* Is all of it out (or in rest)? */
bool resp_complete(const struct resp *);

struct session;

struct exchange {
	struct pool_task task;		/* first */
	unsigned magic;
#define EXCHANGE_MAGIC 0x7741be05u
	struct exchange *next;		/* spares; waiting of one client */
	struct session *session;
	enum pool_class class;
	enum http_release release;	/* of a held answer */
	struct arena *arena;
	struct http_req req;
	struct body body;
	struct resp resp;
	struct input in;
	size_t head_bytes;		/* 0: there is no whole head */
	struct http_head head;
	char bytes[INPUT_BYTES];
};

/* Spare exchanges of a server. */
struct exchanges {
	struct lock lock;
	struct exchange *spare;		/* GUARDED_BY(lock) */
	unsigned spares;
};

void exchanges_init(struct exchanges *);
void exchanges_done(struct exchanges *);
struct exchange *exchange_take(struct exchanges *);
void exchange_release(struct exchanges *, struct exchange *);
/* Ready for a request of this session. EXCHANGE_HAS_HEAD: x->head is filled. */
enum exchange_head { EXCHANGE_HAS_HEAD, EXCHANGE_NO_HEAD };
void exchange_begin(struct exchange *, struct session *, enum exchange_head);
/* As it was before the handler saw it. */
void exchange_rewind(struct exchange *);
/* Forget the request. Unused input stays. */
void exchange_end(struct exchange *);
