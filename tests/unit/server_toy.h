/*
 * server_toy.h - a server with a toy handler, and a client that sends raw bytes. For test_server.c.
 *
 * What the toy does follows from the path: /quick answers on the loop, /big/N sends N bytes, /echo gives the body
 * back, /count its length, /ignore answers without reading it, /sleep/MS waits, /file sends a file, /refuse answers 403,
 * /chunked an answer in chunks, /short breaks off, /status/N answers with that status, /quickbig/N N bytes from the loop. /send/MS gives
 * the body back from the loop, held for so long; /again/MS drops that then, and a worker gives it; /unheld changes its mind.
 */
#pragma once

#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "http/body.h"
#include "http/resp.h"
#include "http/server.h"

struct toy {
	struct http_server *server;
	struct pool *pool;
	struct tls *tls;
	int port;
	atomic_uint done, refused;
};

static str
toy_path(struct http_req *rq)
{
	return rq->head->path_raw;
}

__attribute__((unused)) static uint64_t
toy_number(str path, const char *prefix)
{
	uint64_t n = 0;

	(void)str_u64(str_skip(path, strlen(prefix)), &n);
	return n;
}

/* n bytes that depend on their position. */
__attribute__((unused)) static void
toy_bytes(char *p, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + (at + i) % 23);
}

__attribute__((unused)) static void
toy_error(struct http_req *rq, int status, const char *why)
{
	resp_status(rq->resp, status);
	(void)!resp_send(rq->resp, str_c(why)).code;
}

struct toy_release {
	struct http_req *rq;
	enum http_release how;
	unsigned ms;
};

static void *
toy_release(void *arg)
{
	AUTO(mem_free_p) struct toy_release *r = arg;

	usleep(r->ms * 1000);
	http_release(r->rq, r->how);
	return NULL;
}

static enum http_next
toy_hold(struct http_req *rq, enum http_release how, uint64_t ms)
{
	struct toy_release *r = MEM_NEW(struct toy_release);
	pthread_t thread;
	str body;

	EXPECT_OK(body_read_all(rq->body, rq->arena, 1 << 16, &body));
	resp_hold(rq->resp);
	resp_header(rq->resp, STR("X-Held"), STR("yes"));
	EXPECT_OK(resp_send(rq->resp, body));
	*r = (struct toy_release){ rq, how, (unsigned)ms };
	if (ms == 0) {
		toy_release(r);
		return HTTP_HELD;
	}
	thread_start(&thread, "release", 256 << 10, toy_release, r);
	pthread_detach(thread);
	return HTTP_HELD;
}

static enum http_next
toy_quick(void *ctx, struct http_req *rq)
{
	str path = toy_path(rq), body;
	AUTO(mem_free_p) char *big = NULL;
	uint64_t n;

	if (str_eq(path, STR("/quick"))) {
		resp_header(rq->resp, STR("X-Loop"), rq->on_loop ? STR("yes") : STR("no"));
		(void)!resp_send(rq->resp, STR("quick")).code;
		return HTTP_ANSWERED;
	}
	if (str_starts(path, STR("/quickbig/"))) {
		n = toy_number(path, "/quickbig/");
		big = mem_alloc(n);
		toy_bytes(big, 0, n);
		(void)!resp_send(rq->resp, str_n(big, n)).code;
		return HTTP_ANSWERED;
	}
	if (str_eq(path, STR("/quickecho")) && body_buffered(rq->body)) {
		err_v e = body_read_all(rq->body, rq->arena, 1 << 20, &body);

		if (err_ok(e))
			(void)!resp_send(rq->resp, body).code;
		else
			toy_error(rq, 400, err_context());
		return HTTP_ANSWERED;
	}
	if (str_starts(path, STR("/send/")) && rq->may_hold)
		return toy_hold(rq, HTTP_SEND, toy_number(path, "/send/"));
	if (str_starts(path, STR("/again/")) && rq->may_hold)
		return toy_hold(rq, HTTP_AGAIN, toy_number(path, "/again/"));
	if (str_eq(path, STR("/unheld"))) {
		resp_hold(rq->resp);
		(void)!resp_send(rq->resp, STR("unheld")).code;
		return HTTP_ANSWERED;
	}
	if (str_eq(path, STR("/quickrefuse"))) {
		toy_error(rq, 403, "no");
		return HTTP_ANSWERED;
	}
	return str_starts(path, STR("/small")) ? HTTP_NEEDS_SMALL : HTTP_NEEDS_WORKER;
}

__attribute__((unused)) static void
toy_send_big(struct http_req *rq, uint64_t n)
{
	char piece[65536];

	if (!err_ok(resp_begin(rq->resp, n)))
		return;
	for (uint64_t at = 0; at < n;) {
		size_t len = n - at < sizeof(piece) ? (size_t)(n - at) : sizeof(piece);

		toy_bytes(piece, at, len);
		if (!err_ok(resp_write(rq->resp, str_n(piece, len))))
			return;
		at += len;
	}
	(void)!resp_end(rq->resp).code;
}

__attribute__((unused)) static void
toy_send_file(struct http_req *rq, uint64_t n)
{
	FILE *f = tmpfile();
	char piece[4096];

	for (uint64_t at = 0; at < n; at += sizeof(piece)) {
		toy_bytes(piece, at, sizeof(piece));
		fwrite(piece, 1, sizeof(piece), f);
	}
	fflush(f);
	if (err_ok(resp_begin(rq->resp, n)) && err_ok(resp_sendfile(rq->resp, fileno(f), 0, n)))
		(void)!resp_end(rq->resp).code;
	fclose(f);
}

__attribute__((unused)) static void
toy_count(struct http_req *rq)
{
	char piece[65536];
	uint64_t all = 0;
	size_t n = 0;

	do {
		err_v e = body_read(rq->body, piece, sizeof(piece), &n);

		if (!err_ok(e)) {
			resp_headerf(rq->resp, "X-Error", "%s", s3_error_info(e.code)->code);
			toy_error(rq, 400, err_context());
			return;
		}
		all += n;
	} while (n > 0);
	(void)!resp_send(rq->resp, arena_fmt(rq->arena, "%llu", (unsigned long long)all)).code;
}

__attribute__((unused)) static void
toy_full(void *ctx, struct http_req *rq)
{
	str path = toy_path(rq), body;

	if (str_starts(path, STR("/big/"))) {
		toy_send_big(rq, toy_number(path, "/big/"));
	} else if (str_starts(path, STR("/file/"))) {
		toy_send_file(rq, toy_number(path, "/file/"));
	} else if (str_eq(path, STR("/echo")) || str_starts(path, STR("/send/")) || str_starts(path, STR("/again/"))) {
		if (err_ok(body_read_all(rq->body, rq->arena, 1 << 20, &body)))
			(void)!resp_send(rq->resp, body).code;
		else
			toy_error(rq, 400, err_context());
	} else if (str_eq(path, STR("/count"))) {
		toy_count(rq);
	} else if (str_starts(path, STR("/sleep/"))) {
		usleep((useconds_t)toy_number(path, "/sleep/") * 1000);
		(void)!resp_send(rq->resp, STR("slept")).code;
	} else if (str_starts(path, STR("/status/"))) {
		resp_status(rq->resp, (int)toy_number(path, "/status/"));
		(void)!resp_send(rq->resp, STR("status")).code;
	} else if (str_eq(path, STR("/chunked"))) {
		if (err_ok(resp_begin_chunked(rq->resp)) && err_ok(resp_write(rq->resp, STR(" "))) &&
		    err_ok(resp_write(rq->resp, STR("<done/>"))))
			(void)!resp_end(rq->resp).code;
	} else if (str_eq(path, STR("/short"))) {
		if (err_ok(resp_begin(rq->resp, 100)) && err_ok(resp_write(rq->resp, STR("half"))))
			(void)!resp_end(rq->resp).code;
	} else if (str_eq(path, STR("/fat"))) {		/* a head that is too large: another answer instead */
		for (int i = 0; i < 100; i++)
			resp_headerf(rq->resp, "X-Fat", "%01000d", i);
		EXPECT_ERR("fat", resp_begin(rq->resp, 3), -EMSGSIZE);
		resp_reset(rq->resp);
		toy_error(rq, 500, "fat");
	} else if (str_eq(path, STR("/bad-header"))) {
		resp_header(rq->resp, STR("X-Bad"), STR("a\r\nSet-Cookie: b"));
		(void)!resp_send(rq->resp, STR("ok")).code;
	} else {
		(void)!resp_send(rq->resp, STR("full")).code;
	}
}

__attribute__((unused)) static void
toy_refuse(void *ctx, struct http_req *rq, int status, const char *why)
{
	struct toy *t = ctx;

	atomic_fetch_add(&t->refused, 1);
	toy_error(rq, status, why);
}

__attribute__((unused)) static void
toy_done(void *ctx, struct http_req *rq)
{
	struct toy *t = ctx;

	atomic_fetch_add(&t->done, 1);
}

static const struct http_limits toy_limits = {
	.loops = 2, .connections = 1000, .head_timeout_ms = 5000, .idle_timeout_ms = 10000, .body_rate_min = 1000,
	.rate_interval_ms = 5000,
};

__attribute__((unused)) static void
toy_start_at(struct toy *t, const char *where, const struct http_limits *limits, unsigned threads, unsigned queue, unsigned reserve,
    struct tls *tls)
{
	struct http_handler h = { .ctx = t, .quick = toy_quick, .full = toy_full, .refuse = toy_refuse, .done = toy_done };
	struct listener l;
	str address, port;
	uint64_t n = 0;

	*t = (struct toy){ .tls = tls };
	t->pool = pool_new("toy", threads, queue, reserve);
	EXPECT_OK(listen_open(where, &l));
	EXPECT_OK(http_server_start("toy", &l, tls, limits, t->pool, &h, &t->server));
	address = str_c(http_server_address(t->server));
	port = str_skip(address, (size_t)str_find(address, ':') + 1);
	EXPECT(str_u64(port, &n) && n > 0);
	t->port = (int)n;
}

__attribute__((unused)) static void
toy_start(struct toy *t, const struct http_limits *limits, unsigned threads, unsigned queue, unsigned reserve, struct tls *tls)
{
	toy_start_at(t, "127.0.0.1:0", limits, threads, queue, reserve, tls);
}

__attribute__((unused)) static void
toy_stop(struct toy *t, uint64_t within_ms)
{
	http_server_stop(&t->server, clock_mono_ms() + within_ms);
	EXPECT(t->server == NULL);
	pool_free(&t->pool);
	tls_close(&t->tls);
}

__attribute__((unused)) static int
dial(const struct toy *t)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)t->port) };
	struct timeval patience = { 20, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

__attribute__((unused)) static bool
say(int fd, const char *text)
{
	size_t len = strlen(text);

	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* One answer, read byte-exactly: head up to the empty line, then Content-Length bytes. */
struct answer {
	char head[8192];
	char body[8192];	/* as much as fits */
	int status;
	uint64_t length;
	bool closed;		/* no whole answer came */
};

__attribute__((unused)) static uint64_t
answer_header(const struct answer *a, const char *name)
{
	const char *at = strcasestr(a->head, name);
	uint64_t n = UINT64_MAX;
	str line;

	if (at == NULL)
		return UINT64_MAX;
	line = str_c(at + strlen(name));
	line = str_trim(str_sub(line, 0, (size_t)str_find(line, '\r')));
	return str_u64(line, &n) ? n : UINT64_MAX;
}

enum with_body { WITH_BODY, WITHOUT_BODY };

__attribute__((unused)) static struct answer
hear(int fd, enum with_body with)
{
	struct answer a = { 0 };
	size_t n = 0;
	char piece[65536];
	uint64_t got = 0;

	while (n < sizeof(a.head) - 1 && (n < 4 || memcmp(a.head + n - 4, "\r\n\r\n", 4) != 0)) {
		if (recv(fd, a.head + n, 1, 0) != 1) {
			a.closed = true;
			return a;
		}
		n++;
	}
	sscanf(a.head, "HTTP/1.1 %d", &a.status);
	a.length = answer_header(&a, "\r\nContent-Length:");
	if (with == WITHOUT_BODY || a.length == UINT64_MAX)
		return a;
	while (got < a.length) {
		size_t want = a.length - got < sizeof(piece) ? (size_t)(a.length - got) : sizeof(piece);
		ssize_t r = recv(fd, piece, want, 0);

		if (r <= 0) {
			a.closed = true;
			return a;
		}
		for (ssize_t i = 0; i < r; i++)
			if (got + (uint64_t)i < sizeof(a.body) - 1)
				a.body[got + (uint64_t)i] = piece[i];
		got += (uint64_t)r;
	}
	return a;
}

/* Has the server closed (or reset)? Waits up to ms. */
__attribute__((unused)) static bool
is_closed(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, ms) == 1 && recv(fd, &c, 1, 0) <= 0;
}

__attribute__((unused)) static struct answer
ask(int fd, const char *text)
{
	struct answer none = { .closed = true };

	return say(fd, text) ? hear(fd, strncmp(text, "HEAD", 4) == 0 ? WITHOUT_BODY : WITH_BODY) : none;
}

/* Resident memory of this process, KiB. */
__attribute__((unused)) static uint64_t
resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long all = 0, resident = 0;

	if (f == NULL || fscanf(f, "%llu %llu", &all, &resident) != 2)
		resident = 0;
	if (f != NULL)
		fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}
