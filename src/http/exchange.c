/*
 * exchange.c - exchanges: made, kept for the next request, begun and ended.
 */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/private.h"
#include "http/session.h"

#define SPARES_MAX 256u		/* kept for the next request, of a server: new ones are mapped */

void
exchanges_init(struct exchanges *e)
{
	*e = (struct exchanges){ 0 };
	lock_init(&e->lock, LOCK_LOOP);
}

static struct exchange *
exchange_new(void)
{
	struct exchange *x = private_alloc(sizeof(*x));		/* requests bring tokens and keys of customers */

	x->magic = EXCHANGE_MAGIC;
	x->arena = arena_new_private(ARENA_FIRST, ARENA_MAX);
	x->in = (struct input){ .p = x->bytes, .size = sizeof(x->bytes) };
	return x;
}

static void
exchange_free(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	arena_free(&x->arena);
	buf_done(&x->resp.headers);
	buf_done(&x->resp.rest);
	x->magic = 0;
	private_free(x, sizeof(*x));
}

void
exchanges_done(struct exchanges *e)
{
	struct exchange *x;

	while ((x = e->spare) != NULL) {
		e->spare = x->next;
		exchange_free(x);
	}
	lock_done(&e->lock);
}

struct exchange *
exchange_take(struct exchanges *e)
{
	struct exchange *x;

	lock_take(&e->lock);
	x = e->spare;
	if (x != NULL) {
		e->spare = x->next;
		e->spares--;
	}
	lock_drop(&e->lock);
	return x != NULL ? x : exchange_new();
}

void
exchange_release(struct exchanges *e, struct exchange *x)
{
	bool keep;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	x->session = NULL;
	x->in.at = x->in.end = x->in.keep = 0;
	lock_take(&e->lock);
	keep = e->spares < SPARES_MAX;
	if (keep) {
		x->next = e->spare;
		e->spare = x;
		e->spares++;
	}
	lock_drop(&e->lock);
	if (!keep)
		exchange_free(x);
}

void
exchange_begin(struct exchange *x, struct session *s, enum exchange_head has)
{
	const struct http_limits *lim = &s->server->limits;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (has == EXCHANGE_NO_HEAD)
		http_head_clear(&x->head);
	x->session = s;
	x->head_bytes = 0;
	body_init(&x->body, &s->conn, &x->in, &x->head, lim);
	resp_init(&x->resp, x, lim);
	x->req = (struct http_req){
		.magic = HTTP_REQ_MAGIC,
		.head = has == EXCHANGE_HAS_HEAD ? &x->head : NULL,
		.arena = x->arena,
		.conn = &s->conn,
		.body = &x->body,
		.resp = &x->resp,
		.peer = str_c(s->conn.peer),
		.tls = s->conn.ssl != NULL,
		.on_loop = true,
		.started_ns = clock_mono_ns(),
	};
	session_request_id(s, x->req.id);
	panic_note(x->req.id);
}

void
exchange_rewind(struct exchange *x)
{
	struct session *s = x->session;
	const struct http_limits *lim = &s->server->limits;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	x->in.at = x->in.keep;
	body_init(&x->body, &s->conn, &x->in, &x->head, lim);
	resp_init(&x->resp, x, lim);
}

void
exchange_end(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	panic_note(NULL);
	x->req.magic = 0;
	arena_reset(x->arena);
	x->in.keep = 0;
}
