/*
 * server.c - a listener, its loops, and what they share.
 */
#include "http/server.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/session.h"
#include "net/listen.h"

#define WAITING_MAX 512u	/* requests that wait for an earlier one of their own client */

static void
server_free(struct http_server *v)
{
	for (unsigned i = 0; i < v->limits.loops; i++) {
		loop_free(&v->lanes[i].loop);
		if (v->lanes[i].x != NULL)
			exchange_release(&v->exchanges, v->lanes[i].x);
	}
	assert(atomic_load(&v->connections) == 0 && atomic_load(&v->kept_bytes) == 0);
	clients_free(&v->clients);
	exchanges_done(&v->exchanges);
	free(v->lanes);
	v->magic = 0;
	free(v);
}

err_v
http_server_start(const char *name, struct listener *listener, struct tls *tls, const struct http_limits *limits,
    struct pool *pool, const struct http_handler *handler, struct http_server **ret)
{
	struct http_server *v;
	char thread[16];
	uint64_t chance[2];

	assert(listener->fd >= 0);
	assert(limits->connections > 0 && limits->head_timeout_ms > 0 && limits->idle_timeout_ms > 0);
	assert(limits->rate_interval_ms > 0 && handler->full != NULL && handler->refuse != NULL);
	if (getrandom(chance, sizeof(chance), 0) != sizeof(chance))
		return err_sys("getrandom");
	v = MEM_NEW(struct http_server);
	v->magic = HTTP_SERVER_MAGIC;
	v->limits = *limits;
	if (v->limits.loops == 0)
		v->limits.loops = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	v->handler = *handler;
	v->pool = pool;
	v->tls = tls;
	v->id_base = chance[0];
	hex_encode(str_n(&chance[1], 8), v->host_id);
	snprintf(v->address, sizeof(v->address), "%s", listener->text);
	v->drain_idle_ms = listener->passed ? limits->handover_idle_ms : 0;
	v->clients = clients_new(pool, limits->client_workers, WAITING_MAX);
	exchanges_init(&v->exchanges);
	v->lanes = mem_alloc(v->limits.loops * sizeof(*v->lanes));
	for (unsigned i = 0; i < v->limits.loops; i++)
		v->lanes[i] = (struct lane){ .server = v, .loop = loop_new(&session_ops, &v->lanes[i]) };
	/* The one that accepts comes last: it gives connections to the others. */
	for (unsigned i = v->limits.loops; i-- > 0;) {
		snprintf(thread, sizeof(thread), "%.8s-l%u", name, i % 1000);
		loop_start(v->lanes[i].loop, thread, i == 0 ? listener->fd : -1);
	}
	*listener = LISTENER_NONE;
	*ret = v;
	return ERR_OK;
}

const char *
http_server_address(const struct http_server *v)
{
	CHECK_OBJ(v, HTTP_SERVER_MAGIC);
	return v->address;
}

void
http_server_stop(struct http_server **vp, uint64_t deadline_ms)
{
	struct http_server *v = *vp;

	if (v == NULL)
		return;
	CHECK_OBJ(v, HTTP_SERVER_MAGIC);
	for (unsigned i = 0; i < v->limits.loops; i++)
		loop_drain(v->lanes[i].loop, v->drain_idle_ms, deadline_ms);
	for (unsigned i = 0; i < v->limits.loops; i++)
		loop_join(v->lanes[i].loop);
	server_free(v);
	*vp = NULL;
}

void
http_server_stats(struct http_server *v, struct http_server_stats *ret)
{
	struct loop_stats one;

	CHECK_OBJ(v, HTTP_SERVER_MAGIC);
	*ret = (struct http_server_stats){
		.accepted = atomic_load(&v->accepted),
		.refused = atomic_load(&v->refused),
		.requests_on_loop = atomic_load(&v->on_loop),
		.requests_on_worker = atomic_load(&v->on_worker),
		.bytes_in = atomic_load(&v->bytes_in),
		.bytes_out = atomic_load(&v->bytes_out),
		.headers_dropped = atomic_load(&v->headers_dropped),
	};
	for (unsigned i = 0; i < v->limits.loops; i++) {
		loop_stats(v->lanes[i].loop, &one);
		ret->connections += one.connections;
		ret->idle += one.idle;
	}
}
