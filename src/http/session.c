/*
 * session.c - what a loop does with a connection, and what a worker does with a request.
 *
 * Everything here but exchange_run() and what it calls runs on the loop of the connection and does not block. A session is
 * freed by whoever has it when it ends; after hand_off() the loop has neither session nor exchange any more.
 */
#include "http/session.h"

#include <poll.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"

#define LINGER_MS 3000u			/* at most, for a client to notice that it was answered early */
#define LINGER_DRAINING_MS 200u
#define LINGER_BYTES (64u << 20)
#define OVER_MAX 256u			/* connections beyond the limit, while others are being closed for them */
#define HELD_MAX 256u			/* answers that wait in memory; more requests go to workers, and their queue has a limit */
#define KEPT_BYTES_MAX (64u << 20)	/* beginnings of requests, of all connections of a server */

/* Did the connection stay, waiting on its loop? GONE: closed, with a worker, or in another state that watches by itself. */
enum run { RUN_WAITS, RUN_GONE };

bool
session_must_close(const struct session *s)
{
	return loop_draining(s->lane->loop);
}

str
session_host_id(const struct session *s)
{
	return str_n(s->server->host_id, 16);
}

void
session_count_bug(struct session *s)
{
	atomic_fetch_add_explicit(&s->server->headers_dropped, 1, memory_order_relaxed);
}

/* Ids follow each other, mixed so that they look like chance: a bijection, so none comes twice. */
void
session_request_id(struct session *s, char ret[17])
{
	uint64_t n = s->server->id_base + atomic_fetch_add_explicit(&s->server->ids, 1, memory_order_relaxed);

	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
	n = (n ^ n >> 27) * 0x94d049bb133111ebu;
	n ^= n >> 31;
	for (unsigned i = 0; i < 16; i++)
		ret[i] = "0123456789ABCDEF"[n >> (60 - 4 * i) & 15];
	ret[16] = '\0';
}

static void
kept_drop(struct session *s)
{
	if (s->kept_len > 0) {
		atomic_fetch_sub_explicit(&s->server->kept_bytes, s->kept_len, memory_order_relaxed);
		explicit_bzero(s->kept, s->kept_len);		/* it may hold the token of a request */
	}
	free(s->kept);
	s->kept = NULL;
	s->kept_len = s->kept_want = 0;
	s->kept_fresh = false;
}

/* Keep the unused input with the connection. false: there is no room for more beginnings. */
static bool
kept_store(struct session *s, struct exchange *x)
{
	size_t n = x->in.end - x->in.at, old = s->kept_len;

	assert(n > 0);
	if (n > old && atomic_load_explicit(&s->server->kept_bytes, memory_order_relaxed) + (n - old) > KEPT_BYTES_MAX)
		return false;
	if (old > 0)
		explicit_bzero(s->kept, old);		/* before it may move */
	s->kept = mem_grow(s->kept, n);
	memcpy(s->kept, x->in.p + x->in.at, n);
	s->kept_len = n;
	atomic_fetch_add_explicit(&s->server->kept_bytes, n - old, memory_order_relaxed);
	x->in.at = x->in.end = 0;
	return true;
}

static void
session_strip(struct session *s)
{
	kept_drop(s);
	buf_done(&s->out);
	atomic_fetch_sub_explicit(&s->server->connections, 1, memory_order_relaxed);
}

/* Off the loop's list, closed, freed; by whoever has it. The server may be gone as soon as the loop does not know it any more. */
static void
session_close(struct session *s)
{
	session_strip(s);
	loop_remove(s->lane->loop, &s->conn);
	conn_done(&s->conn);
	free(s);
}

/* From a worker, or from none, back to its loop; or closed, if it does not stay. */
static void
session_give(struct session *s, bool stays, enum loop_how how)
{
	if (stays)
		loop_give(s->lane->loop, &s->conn, how);
	else
		session_close(s);
}

static void
session_deadline(struct session *s, uint64_t ms)
{
	s->conn.deadline_ms = clock_mono_ms() + ms;
}

static void
session_linger(struct session *s)
{
	conn_end(&s->conn);
	s->state = SESSION_LINGER;
	s->left = LINGER_BYTES;
	session_deadline(s, loop_draining(s->lane->loop) ? LINGER_DRAINING_MS : LINGER_MS);
}

static void
session_idle(struct session *s)
{
	s->state = SESSION_HEAD;
	loop_idle(s->lane->loop, &s->conn);
	session_deadline(s, s->server->limits.idle_timeout_ms);
}

/*
 * The request is over: tell the handler, count, and find out what comes next.
 */
static enum session_after
exchange_after(struct exchange *x, uint64_t *ret_left)
{
	struct session *s = x->session;
	struct http_server *v = s->server;
	enum session_after after;

	*ret_left = 0;
	if (v->handler.done != NULL)
		v->handler.done(v->handler.ctx, &x->req);
	atomic_fetch_add_explicit(&v->bytes_in, x->body.received + x->head_bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&v->bytes_out, x->resp.sent + x->resp.head_bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(x->req.on_loop ? &v->on_loop : &v->on_worker, 1, memory_order_relaxed);
	if (!resp_complete(&x->resp))
		after = AFTER_CLOSE;
	else if (x->resp.close)
		/* The client that asked for the end has sent all it will; others may be sending still. */
		after = x->req.head != NULL && !x->head.keep_alive && !body_unread(&x->body) ? AFTER_CLOSE : AFTER_LINGER;
	else if (!body_finish(&x->body, ret_left))
		after = AFTER_LINGER;
	else
		after = *ret_left > 0 ? AFTER_DRAIN : AFTER_NEXT;
	exchange_end(x);
	return after;
}

/* Bring the session into the state that follows. READY: there is input to go on with. false: it must be closed. */
static bool
session_settle(struct session *s, struct exchange *x, enum session_after after, uint64_t left, enum loop_how *ret)
{
	*ret = LOOP_WAIT;
	loop_busy(s->lane->loop, &s->conn);
	switch (after) {
	case AFTER_NEXT:
		session_idle(s);
		if (x->in.end > x->in.at) {
			loop_busy(s->lane->loop, &s->conn);
			s->kept_fresh = true;
			if (!kept_store(s, x))
				return false;
			*ret = LOOP_READY;
		}
		break;
	case AFTER_DRAIN:
		s->state = SESSION_DRAIN;
		s->left = left;
		session_deadline(s, s->server->limits.rate_interval_ms);
		break;
	case AFTER_LINGER:
		session_linger(s);
		break;
	case AFTER_CLOSE:
		return false;
	}
	if (after != AFTER_LINGER && conn_pending(&s->conn))
		*ret = LOOP_READY;
	return true;
}

/* On a worker, after the answer: the connection goes back to its loop. What the pool did not take meanwhile is returned. */
static struct exchange *
exchange_leave(struct exchange *x)
{
	struct session *s = x->session;
	struct http_server *v = s->server;
	struct exchange *refused;
	enum loop_how how;
	uint64_t left;
	enum session_after after = exchange_after(x, &left);
	bool stays = session_settle(s, x, after, left, &how);

	refused = clients_leave(v->clients, &s->conn.address);
	exchange_release(&v->exchanges, x);
	/* From here on the server may be gone, unless refused holds it: a loop ends only without connections. */
	session_give(s, stays, how);
	return refused;
}

/* On a worker: a request that waited for its client's turn, and then the pool was full. It holds no place of its client. */
static void
exchange_refuse(struct exchange *x)
{
	struct session *s = x->session;
	struct http_server *v = s->server;
	enum loop_how how;
	uint64_t left;
	bool stays;

	atomic_fetch_add_explicit(&v->refused, 1, memory_order_relaxed);
	x->req.on_loop = false;
	resp_close(&x->resp);
	v->handler.refuse(v->handler.ctx, &x->req, 503, "Too many requests are waiting.");
	stays = session_settle(s, x, exchange_after(x, &left), left, &how);
	exchange_release(&v->exchanges, x);
	session_give(s, stays, how);
}

/* On a worker. */
static void
exchange_run(struct pool_task *t)
{
	struct exchange *x = (struct exchange *)t, *refused, *next;
	struct http_server *v;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	v = x->session->server;
	panic_note(x->req.id);
	x->req.on_loop = false;
	x->body.may_wait = true;
	v->handler.full(v->handler.ctx, &x->req);
	for (refused = exchange_leave(x); refused != NULL; refused = next) {
		next = refused->next;
		exchange_refuse(refused);
	}
}

/* On the loop: into the state that follows, or closed. */
static void
settle_here(struct lane *lane, struct session *s, struct exchange *x, enum session_after after, uint64_t left)
{
	enum loop_how how;

	if (!session_settle(s, x, after, left, &how)) {
		session_close(s);
		return;
	}
	loop_watch(lane->loop, &s->conn, EPOLLIN);
	if (how == LOOP_READY)
		session_ops.event(lane, lane->loop, &s->conn);
}

/* On the loop, after an answer. NEXT and nothing left over: go on in the same input. */
static enum run
answered(struct lane *lane, struct session *s, struct exchange *x)
{
	uint64_t left;
	enum session_after after = exchange_after(x, &left);

	if (x->resp.rest.len > 0 && after != AFTER_CLOSE) {
		uint64_t rate = s->server->limits.body_rate_min;

		if (x->in.end > x->in.at && !kept_store(s, x))
			after = AFTER_LINGER;
		s->out = x->resp.rest;
		buf_init(&x->resp.rest, RESP_REST_MAX);
		s->out_at = 0;
		s->out_after = after;
		s->left = left;
		s->state = SESSION_OUT;
		loop_busy(lane->loop, &s->conn);
		session_deadline(s, s->server->limits.rate_interval_ms + (rate > 0 ? s->out.len * 1000 / rate : 0));
		loop_watch(lane->loop, &s->conn, s->conn.wait_for == POLLIN ? EPOLLIN : EPOLLOUT);
		return RUN_GONE;
	}
	if (after == AFTER_NEXT)
		return RUN_WAITS;
	settle_here(lane, s, x, after, left);
	return RUN_GONE;
}

/* Refuse what never reached the handler. */
static enum run
refuse(struct lane *lane, struct session *s, struct exchange *x, int status, const char *why)
{
	struct http_server *v = s->server;

	atomic_fetch_add_explicit(&v->refused, 1, memory_order_relaxed);
	x->resp.close = true;
	v->handler.refuse(v->handler.ctx, &x->req, status, why);
	kept_drop(s);
	return answered(lane, s, x);
}

static enum run
refuse_headless(struct lane *lane, struct session *s, struct exchange *x, int status, const char *why)
{
	x->in.keep = x->in.at = x->in.end;
	exchange_begin(x, s, EXCHANGE_NO_HEAD);
	return refuse(lane, s, x, status, why);
}

/* Keep the input until more of it comes. want: so many bytes; 0: not known. within_ms: how long that may take, from the first byte. */
static enum run
await_more(struct lane *lane, struct session *s, struct exchange *x, size_t want, uint64_t within_ms)
{
	bool first = s->kept_len == 0 || s->kept_fresh, body = want > 0 && s->kept_want == 0;

	if (!kept_store(s, x))
		return refuse_headless(lane, s, x, 503, "Too many requests are on their way.");
	s->kept_want = want;
	loop_busy(s->lane->loop, &s->conn);
	if (first || body)
		session_deadline(s, within_ms);
	return RUN_WAITS;
}

/* What an operator sees of it while a worker has it: id, method, path; no query, which may hold a signature. */
static void
note_make(struct exchange *x)
{
	str part[] = { str_c(x->req.id), x->head.method_text, x->head.path_raw };
	char *to = x->task.note, *end = to + POOL_NOTE_LEN;

	for (size_t i = 0; i < COUNT(part); i++) {
		for (size_t k = 0; k < part[i].len && to < end; k++)
			*to++ = part[i].p[k] > ' ' && part[i].p[k] < 0x7f ? part[i].p[k] : '?';
		if (i + 1 < COUNT(part) && to < end)
			*to++ = ' ';
	}
	*to = '\0';
}

/* The connection and the exchange go to a worker, now or when its client's turn comes. */
static enum run
hand_off(struct lane *lane, struct session *s, struct exchange *x, enum http_next next)
{
	struct http_server *v = s->server;

	exchange_rewind(x);
	x->class = !body_buffered(&x->body) || (next != HTTP_NEEDS_SMALL && x->head.method == HTTP_GET) ? POOL_LARGE : POOL_SMALL;
	x->task.run = exchange_run;
	note_make(x);
	panic_note(NULL);
	lane->x = NULL;
	loop_busy(lane->loop, &s->conn);
	loop_take(lane->loop, &s->conn);
	if (clients_enter(v->clients, &s->conn.address, x))
		return RUN_GONE;
	lane->x = x;
	loop_give(lane->loop, &s->conn, LOOP_WAIT);
	return refuse(lane, s, x, 503, "Too many requests are waiting.");
}

/* The answer waits. Until it is let go of nothing is read: what comes meanwhile takes the connection out of epoll's sight. */
static enum run
hold(struct lane *lane, struct session *s, struct exchange *x)
{
	panic_note(NULL);
	atomic_fetch_add_explicit(&s->server->held, 1, memory_order_relaxed);
	s->state = SESSION_HELD;
	s->held = x;
	s->conn.deadline_ms = UINT64_MAX;
	loop_busy(lane->loop, &s->conn);
	lane->x = NULL;
	return RUN_GONE;
}

void
http_release(struct http_req *rq, enum http_release how)
{
	struct exchange *x = rq->resp->x;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	x->release = how;
	loop_post(x->session->lane->loop, &x->session->conn);
}

/* After http_release(). */
static void
on_posted(void *ctx, struct loop *l, struct conn *c)
{
	struct session *s = (struct session *)c;
	struct lane *lane = ctx;
	struct exchange *x = s->held;
	enum run run;

	assert(s->lane == lane && s->state == SESSION_HELD);
	atomic_fetch_sub_explicit(&s->server->held, 1, memory_order_relaxed);
	s->held = NULL;
	s->state = SESSION_HEAD;
	if (lane->x != NULL)
		exchange_release(&s->server->exchanges, lane->x);
	lane->x = x;
	panic_note(x->req.id);
	if (x->release == HTTP_AGAIN) {
		run = hand_off(lane, s, x, HTTP_NEEDS_WORKER);
	} else {
		resp_let_go(&x->resp);
		run = answered(lane, s, x);
	}
	if (run == RUN_WAITS)
		settle_here(lane, s, x, AFTER_NEXT, 0);
}

/* A whole head lies at the front of the input. */
static enum run
request(struct lane *lane, struct session *s, struct exchange *x, size_t head_len)
{
	struct http_server *v = s->server;
	enum http_next next = HTTP_NEEDS_WORKER;
	uint64_t rate = v->limits.body_rate_min, want = head_len + x->head.length;

	/* A small body is awaited here: who sends it slowly holds no worker. */
	if (x->head.length <= BODY_AWAIT_MAX && !x->head.expect_continue && want > x->in.end - x->in.at) {
		arena_reset(x->arena);
		return await_more(lane, s, x, (size_t)want, v->limits.rate_interval_ms + (rate > 0 ? want * 1000 / rate : 0));
	}
	x->in.at += head_len;
	x->in.keep = x->in.at;
	exchange_begin(x, s, EXCHANGE_HAS_HEAD);
	x->head_bytes = head_len;
	kept_drop(s);
	x->req.may_hold = body_buffered(&x->body) && !x->head.expect_continue &&
	    atomic_load_explicit(&v->held, memory_order_relaxed) < HELD_MAX;
	if (v->handler.quick != NULL)
		next = v->handler.quick(v->handler.ctx, &x->req);
	if (next == HTTP_HELD)
		return hold(lane, s, x);
	if (next != HTTP_ANSWERED)
		return hand_off(lane, s, x, next);
	resp_let_go(&x->resp);
	return answered(lane, s, x);
}

/* Take all requests that are whole out of the input. */
static enum run
run_input(struct lane *lane, struct session *s, struct exchange *x)
{
	while (x->in.end > x->in.at) {
		size_t len = x->in.end - x->in.at, head_len = 0;
		const char *why = NULL;
		enum http_parse got;
		enum run run;

		if (s->kept_want > len)
			return await_more(lane, s, x, s->kept_want, 0);
		/* So that a whole head and some of its body always fit behind at. */
		if (x->in.at > 0 && x->in.size - x->in.at < HTTP_HEAD_MAX + INPUT_ROOM_MIN) {
			memmove(x->in.p, x->in.p + x->in.at, len);
			x->in.at = 0;
			x->in.end = len;
		}
		got = http_head_parse(str_n(x->in.p + x->in.at, len), x->arena, &x->head, &head_len, &why);
		if (got == HTTP_PARSE_BAD)
			run = refuse_headless(lane, s, x, 400, why);
		else if (got == HTTP_PARSE_MORE)
			run = await_more(lane, s, x, 0, s->server->limits.head_timeout_ms);
		else
			run = request(lane, s, x, head_len);
		if (run == RUN_GONE)
			return run;
	}
	if (s->kept_len == 0)
		session_idle(s);
	return RUN_WAITS;
}

static struct exchange *
lane_exchange(struct lane *lane)
{
	if (lane->x == NULL)
		lane->x = exchange_take(&lane->server->exchanges);
	return lane->x;
}

static void
load_kept(struct session *s, struct exchange *x)
{
	assert(s->kept_len <= x->in.size);
	if (s->kept_len > 0)
		memcpy(x->in.p, s->kept, s->kept_len);
	x->in.at = x->in.keep = 0;
	x->in.end = s->kept_len;
}

static void
session_input(struct lane *lane, struct session *s)
{
	uint32_t watch = EPOLLIN;

	do {
		struct exchange *x = lane_exchange(lane);

		load_kept(s, x);
		if (!s->kept_fresh) {
			ssize_t n = conn_read(&s->conn, x->in.p + x->in.end, x->in.size - x->in.end);

			if (n == -EAGAIN) {
				watch = s->conn.wait_for == POLLOUT ? EPOLLOUT : EPOLLIN;
				break;
			}
			if (n <= 0) {
				session_close(s);
				return;
			}
			x->in.end += (size_t)n;
		}
		if (run_input(lane, s, x) == RUN_GONE)
			return;
		s->kept_fresh = false;
	} while (conn_pending(&s->conn));
	loop_watch(lane->loop, &s->conn, watch);
}

/* Send what the answer left over when the socket was full. */
static void
session_out(struct lane *lane, struct session *s)
{
	struct exchange *x;

	while (s->out_at < s->out.len) {
		struct iovec v = { s->out.p + s->out_at, s->out.len - s->out_at };
		ssize_t n = conn_write(&s->conn, &v, 1, CONN_LAST);

		if (n == -EAGAIN) {
			loop_watch(lane->loop, &s->conn, s->conn.wait_for == POLLIN ? EPOLLIN : EPOLLOUT);
			return;
		}
		if (n < 0) {
			session_close(s);
			return;
		}
		s->out_at += (size_t)n;
	}
	buf_done(&s->out);
	s->out_at = 0;
	/* Input that came behind the request was kept when the socket filled up. */
	if (s->out_after == AFTER_NEXT && s->kept_len > 0) {
		s->kept_fresh = true;
		session_idle(s);
		loop_busy(s->lane->loop, &s->conn);
		session_input(lane, s);
		return;
	}
	x = lane_exchange(lane);
	x->in.at = x->in.end = 0;
	kept_drop(s);
	settle_here(lane, s, x, s->out_after, s->left);
}

static void
session_drain(struct lane *lane, struct session *s)
{
	struct exchange *x = lane_exchange(lane);

	while (s->left > 0) {
		ssize_t n = conn_read(&s->conn, x->in.p, s->left < x->in.size ? (size_t)s->left : x->in.size);

		if (n == -EAGAIN) {
			loop_watch(lane->loop, &s->conn, EPOLLIN);
			return;
		}
		if (n <= 0) {
			session_close(s);
			return;
		}
		s->left -= (uint64_t)n;
	}
	session_idle(s);
	session_input(lane, s);
}

static void
session_discard(struct lane *lane, struct session *s)
{
	ssize_t n;

	do
		n = conn_discard(&s->conn, 1u << 20);
	while (n > 0 && (s->left -= (uint64_t)n < s->left ? (uint64_t)n : s->left) > 0);
	if (n == -EAGAIN)
		loop_watch(lane->loop, &s->conn, EPOLLIN);
	else
		session_close(s);
}

static void
session_handshake(struct lane *lane, struct session *s)
{
	int e = conn_handshake(&s->conn);

	if (e == -EAGAIN) {
		loop_watch(lane->loop, &s->conn, s->conn.wait_for == POLLOUT ? EPOLLOUT : EPOLLIN);
	} else if (e < 0) {
		session_close(s);
	} else {
		session_idle(s);
		session_input(lane, s);
	}
}

static void
on_event(void *ctx, struct loop *l, struct conn *c)
{
	struct session *s = (struct session *)c;
	struct lane *lane = ctx;

	CHECK_OBJ(c, CONN_MAGIC);
	assert(s->lane == lane);
	switch (s->state) {
	case SESSION_HANDSHAKE:
		session_handshake(lane, s);
		break;
	case SESSION_HEAD:
		session_input(lane, s);
		break;
	case SESSION_HELD:
		loop_unwatch(l, c);
		break;
	case SESSION_OUT:
		session_out(lane, s);
		break;
	case SESSION_DRAIN:
		session_drain(lane, s);
		break;
	case SESSION_LINGER:
		session_discard(lane, s);
		break;
	}
}

static void
on_expired(void *ctx, struct loop *l, struct conn *c)
{
	struct session *s = (struct session *)c;
	struct lane *lane = ctx;
	struct exchange *x;

	if (s->state != SESSION_HEAD || s->kept_len == 0) {
		session_close(s);
		return;
	}
	x = lane_exchange(lane);
	load_kept(s, x);
	(void)refuse_headless(lane, s, x, 408, s->kept_want > 0 ? "The body did not arrive in time." : "The head did not arrive in time.");
}

/* One too many: told so if the socket takes it at once. */
static void
turn_away(struct lane *lane, struct session *s)
{
	struct http_server *v = s->server;
	struct exchange *x = lane_exchange(lane);

	atomic_fetch_add_explicit(&v->refused, 1, memory_order_relaxed);
	if (s->conn.ssl == NULL) {
		x->in.at = x->in.end = x->in.keep = 0;
		exchange_begin(x, s, EXCHANGE_NO_HEAD);
		x->resp.close = true;
		v->handler.refuse(v->handler.ctx, &x->req, 503, "Too many connections.");
		if (v->handler.done != NULL)
			v->handler.done(v->handler.ctx, &x->req);
		exchange_end(x);
		conn_end(&s->conn);
	}
	conn_done(&s->conn);
	session_strip(s);
	free(s);
}

/*
 * At the limit the connection that has been idle for longest goes, of the loop that gets the new one or else of another:
 * loops share alike. It goes a moment later, so the limit may be passed for that long.
 */
static bool
make_room(struct http_server *v)
{
	for (unsigned i = 0; i < v->limits.loops; i++)
		if (loop_shed(v->lanes[(v->next_lane - 1 + i) % v->limits.loops].loop))
			return true;
	return false;
}

static void
on_accepted(void *ctx, struct loop *l, int fd)
{
	struct lane *here = ctx, *lane;
	struct http_server *v = here->server;
	struct session *s = MEM_NEW(struct session);
	unsigned n = atomic_fetch_add_explicit(&v->connections, 1, memory_order_relaxed);

	lane = &v->lanes[v->next_lane++ % v->limits.loops];
	s->server = v;
	s->lane = lane;
	buf_init(&s->out, RESP_REST_MAX);
	atomic_fetch_add_explicit(&v->accepted, 1, memory_order_relaxed);
	if (!conn_init(&s->conn, fd, v->tls)) {
		session_strip(s);
		free(s);
		return;
	}
	if (n >= v->limits.connections && (n >= v->limits.connections + OVER_MAX || !make_room(v))) {
		turn_away(here, s);
		return;
	}
	s->state = v->tls != NULL ? SESSION_HANDSHAKE : SESSION_HEAD;
	s->conn.idle = v->tls == NULL;
	s->conn.idle_ms = clock_mono_ms();
	/* A first head is due as soon as one that has begun. */
	session_deadline(s, v->limits.head_timeout_ms);
	if (loop_add(lane->loop, &s->conn, LOOP_WAIT))
		return;
	/* We drain, and that loop has ended already; this one has not. */
	s->lane = here;
	if (!loop_add(l, &s->conn, LOOP_WAIT))
		PANIC("a loop that runs has ended");
}

const struct loop_ops session_ops = { .event = on_event, .expired = on_expired, .posted = on_posted, .accepted = on_accepted };
