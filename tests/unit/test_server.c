/* The server over real sockets, with the toy handler of server_toy.h. */
#include <pthread.h>

#include "server_toy.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

TEST(server_keep_alive)
{
	struct http_server_stats s;
	struct answer a;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	for (int i = 0; i < 20; i++) {
		a = ask(fd, i % 2 ? GET("/quick") : GET("/full"));
		EXPECT_EQ("status", a.status, 200);
		EXPECT_STR("body", str_c(a.body), i % 2 ? STR("quick") : STR("full"));
		EXPECT(strstr(a.head, "\r\nServer: Caisson\r\n") && strstr(a.head, "\r\nDate: ") && strstr(a.head, " GMT\r\n"));
		EXPECT(strstr(a.head, "\r\nx-amz-request-id: ") && strstr(a.head, "\r\nx-amz-id-2: "));
		EXPECT(strstr(a.head, "\r\nConnection: keep-alive\r\n"));
	}
	EXPECT(strstr(a.head, "X-Loop: yes"));
	a = ask(fd, "GET /full HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	EXPECT(strstr(a.head, "\r\nConnection: close\r\n"));
	EXPECT(is_closed(fd, 2000));
	close(fd);
	fd = dial(&t);
	a = ask(fd, "GET /quick HTTP/1.0\r\n\r\n");
	EXPECT_EQ("1.0", a.status, 200);
	EXPECT(is_closed(fd, 2000));
	close(fd);
	http_server_stats(t.server, &s);
	EXPECT_EQ("on loop", s.requests_on_loop, 11);
	EXPECT_EQ("on worker", s.requests_on_worker, 11);
	EXPECT_EQ("accepted", s.accepted, 2);
	EXPECT_EQ("done", t.done, 22);
	toy_stop(&t, 1000);
}

TEST(server_pipelining)
{
	static const struct { const char *path, *body; } order[] = {
		{ "/quick", "quick" }, { "/full", "full" }, { "/full", "full" }, { "/quick", "quick" }, { "/sleep/50", "slept" },
		{ "/quick", "quick" }, { "/chunks", "full" }, { "/quick", "quick" },
	};
	char text[4096] = "";
	size_t n = 0;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	for (size_t i = 0; i < COUNT(order); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n"
		    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na%02zu"
		    "POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", order[i].path, i);
	EXPECT(say(fd, text));
	for (size_t i = 0; i < COUNT(order); i++) {
		struct answer a = hear(fd, WITH_BODY);
		char want[8];

		EXPECT_STR(order[i].path, str_c(a.body), str_c(order[i].body));
		a = hear(fd, WITH_BODY);
		snprintf(want, sizeof(want), "a%02zu", i);
		EXPECT_STR("echo", str_c(a.body), str_c(want));
		a = hear(fd, WITH_BODY);
		EXPECT_STR("ignore", str_c(a.body), STR("full"));
	}
	close(fd);
	/* Thousands of them in one write, more than any buffer holds. */
	fd = dial(&t);
	for (int round = 0; round < 40; round++) {
		char many[100 * sizeof(GET("/quick"))] = "";

		for (int i = 0; i < 100; i++)
			memcpy(many + (size_t)i * (sizeof(GET("/quick")) - 1), GET("/quick"), sizeof(GET("/quick")));
		EXPECT(say(fd, many));
	}
	for (int i = 0; i < 4000; i++)
		if (hear(fd, WITH_BODY).status != 200) {
			TEST_FAIL("answer %d is missing", i);
			break;
		}
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_bodies)
{
	static const struct { const char *what, *request; int status; const char *body; } cases[] = {
		{ "length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200, "hello" },
		{ "empty", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, "" },
		{ "none", "POST /echo HTTP/1.1\r\nHost: h\r\n\r\n", 200, "" },
		{ "on the loop", "POST /quickecho HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200, "hello" },
		{ "chunks on the loop", "POST /quickecho HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, "hello" },
		{ "chunks", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5;name=value\r\nhello\r\n00A\r\n, world...\r\n0\r\nX-Trailer: yes\r\n\r\n", 200, "hello, world..." },
		{ "no chunk", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "" },
	};
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a = ask(fd, cases[i].request);

		EXPECT_EQ(cases[i].what, a.status, cases[i].status);
		EXPECT_STR(cases[i].what, str_c(a.body), str_c(cases[i].body));
	}
	/* Byte by byte: the same answers. */
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer a;

		for (const char *p = cases[i].request; *p != '\0'; p++) {
			EXPECT(send(fd, p, 1, MSG_NOSIGNAL) == 1);
			if (i > 4)
				usleep(300);
		}
		a = hear(fd, WITH_BODY);
		EXPECT_EQ(cases[i].what, a.status, cases[i].status);
		EXPECT_STR(cases[i].what, str_c(a.body), str_c(cases[i].body));
	}
	close(fd);
	toy_stop(&t, 1000);
}

#define HOLD(path) "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"

/* Answers that wait in memory: sent when they are let go of, or thrown away and given by a worker; in order, and none is lost. */
TEST(server_held)
{
	static const struct { const char *path; bool held; } cases[] = {
		{ HOLD("/send/0"), true }, { HOLD("/again/0"), false }, { HOLD("/send/20"), true }, { HOLD("/again/20"), false },
		{ "POST /again/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", false },
	};
	struct http_server_stats s;
	char text[4096] = "";
	struct answer a;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	for (size_t i = 0; i < COUNT(cases); i++) {
		a = ask(fd, cases[i].path);
		EXPECT_EQ(cases[i].path, a.status, 200);
		EXPECT_STR(cases[i].path, str_c(a.body), STR("body"));
		EXPECT((strstr(a.head, "X-Held") != NULL) == cases[i].held);
	}
	a = ask(fd, GET("/unheld"));
	EXPECT_STR("unheld", str_c(a.body), STR("unheld"));
	/* In one write, so that the next request arrives while an answer is held. */
	for (size_t i = 0; i < COUNT(cases); i++)
		strcat(strcat(text, cases[i].path), GET("/quick"));
	EXPECT(say(fd, text));
	for (size_t i = 0; i < COUNT(cases); i++) {
		a = hear(fd, WITH_BODY);
		EXPECT_STR(cases[i].path, str_c(a.body), STR("body"));
		EXPECT((strstr(a.head, "X-Held") != NULL) == cases[i].held);
		a = hear(fd, WITH_BODY);
		EXPECT_STR(cases[i].path, str_c(a.body), STR("quick"));
	}
	http_server_stats(t.server, &s);
	EXPECT_EQ("on worker", s.requests_on_worker, 6);
	for (int ms = 0; ms < 5000 && t.done < 16; ms++)
		usleep(1000);		/* the last is over a moment after its answer */
	EXPECT_EQ("done", t.done, 16);
	EXPECT(say(fd, HOLD("/send/50")));
	close(fd);			/* gone while it is held */
	fd = dial(&t);
	EXPECT(say(fd, HOLD("/send/200")));
	usleep(50000);
	toy_stop(&t, 5000);		/* a drain waits for it */
	a = hear(fd, WITH_BODY);
	EXPECT_STR("while draining", str_c(a.body), STR("body"));
	EXPECT_EQ("done", t.done, 18);
	close(fd);
}

/* Memory for held answers is bounded: the others go to workers, whose queue is. */
TEST(server_held_at_most)
{
	int fd[300], held = 0;
	struct toy t;

	toy_start(&t, &toy_limits, 2, 300, 0, NULL);
	for (size_t i = 0; i < COUNT(fd); i++)
		fd[i] = dial(&t);
	for (size_t i = 0; i < COUNT(fd); i++)
		EXPECT(say(fd[i], HOLD("/send/2000")));		/* all of them before the first is let go of */
	for (size_t i = 0; i < COUNT(fd); i++) {
		struct answer a = hear(fd[i], WITH_BODY);

		EXPECT_STR("body", str_c(a.body), STR("body"));
		held += strstr(a.head, "X-Held") != NULL;
		close(fd[i]);
	}
	EXPECT(held >= 256 && held <= 256 + (int)toy_limits.loops);	/* each loop looks before it adds */
	toy_stop(&t, 1000);
}

TEST(server_broken_chunks)
{
	static const struct { const char *what, *body; } cases[] = {
		{ "no number", "x\r\nab\r\n0\r\n\r\n" },
		{ "empty size", "\r\nab\r\n0\r\n\r\n" },
		{ "sign", "+2\r\nab\r\n0\r\n\r\n" },
		{ "0x", "0x2\r\nab\r\n0\r\n\r\n" },
		{ "blank", "2 \r\nab\r\n0\r\n\r\n" },
		{ "blank before", " 2\r\nab\r\n0\r\n\r\n" },
		{ "bare line feed", "2\nab\r\n0\r\n\r\n" },
		{ "bare line feed behind the chunk", "2\r\nab\n0\r\n\r\n" },
		{ "carriage return in the extension", "2;a\rb\r\nab\r\n0\r\n\r\n" },
		{ "too long", "2\r\nabc\r\n0\r\n\r\n" },
		{ "too large", "ffffffffffffffff\r\nab\r\n0\r\n\r\n" },
		{ "far too large", "10000000000000000\r\nab\r\n0\r\n\r\n" },
		{ "seventeen digits", "00000000000000002\r\nab\r\n0\r\n\r\n" },
		{ "trailer is no header", "0\r\nnonsense\r\n\r\n" },
		{ "trailer folded", "0\r\na: b\r\n c\r\n\r\n" },
		{ "trailer without a name", "0\r\n: b\r\n\r\n" },
		{ "trailer with bare line feed", "0\r\na: b\n\r\n" },
	};
	struct toy t;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = dial(&t);
		struct answer a;
		char text[512];

		snprintf(text, sizeof(text), "POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%s" GET("/quick"),
		    cases[i].body);
		a = ask(fd, text);
		EXPECT_EQ(cases[i].what, a.status, 400);
		EXPECT(strstr(a.head, "X-Error: InvalidRequest"));
		/* What follows is not taken for a request. */
		EXPECT_EQ(cases[i].what, hear(fd, WITH_BODY).closed, true);
		close(fd);
	}
	toy_stop(&t, 1000);
}

TEST(server_long_chunk_lines)
{
	static char text[200000];
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	for (int trailers = 0; trailers < 2; trailers++) {
		size_t n = (size_t)snprintf(text, sizeof(text), "POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%s",
		    trailers ? "0\r\n" : "2;");

		while (n < sizeof(text) - 100)
			n += (size_t)snprintf(text + n, sizeof(text) - n, trailers ? "x-a: bbbbbbbbbbbbbbbbbbbb\r\n" : "aaaaaaaa");
		fd = dial(&t);
		EXPECT_EQ("status", ask(fd, text).status, 400);
		close(fd);
	}
	toy_stop(&t, 1000);
}

TEST(server_cut_bodies)
{
	struct answer a;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	EXPECT(say(fd, "POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nshort"));
	shutdown(fd, SHUT_WR);
	a = hear(fd, WITH_BODY);
	EXPECT_EQ("length", a.status, 400);
	EXPECT(strstr(a.head, "X-Error: IncompleteBody"));
	close(fd);
	fd = dial(&t);
	EXPECT(say(fd, "POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"));
	shutdown(fd, SHUT_WR);
	a = hear(fd, WITH_BODY);
	EXPECT(strstr(a.head, "X-Error: IncompleteBody"));
	close(fd);
	/* A small one is awaited on the loop; the handler never hears of it. */
	fd = dial(&t);
	EXPECT(say(fd, "POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nshort"));
	shutdown(fd, SHUT_WR);
	EXPECT(is_closed(fd, 2000));
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_expect)
{
	static const char head[] = "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
	struct answer a;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	for (int i = 0; i < 3; i++) {
		a = ask(fd, head);
		EXPECT_STR("invited", str_c(a.head), STR("HTTP/1.1 100 Continue\r\n\r\n"));
		a = ask(fd, "body");
		EXPECT_STR("echo", str_c(a.body), STR("body"));
	}
	close(fd);
	/* Refused: never invited, and the connection ends, as nobody knows whether the body comes. */
	fd = dial(&t);
	a = ask(fd, "PUT /status/403 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	EXPECT_EQ("refused", a.status, 403);
	EXPECT(strstr(a.head, "\r\nConnection: close\r\n"));
	EXPECT(is_closed(fd, 2000));
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_unread_bodies)
{
	static char many[1 << 20];
	char head[128];
	struct answer a;
	struct toy t;
	int fd;

	memset(many, 'x', sizeof(many) - 1);
	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	/* A small rest is read away, on a worker's answer and on a loop's. */
	for (int quick = 0; quick < 2; quick++) {
		fd = dial(&t);
		snprintf(head, sizeof(head), "PUT /%s HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n",
		    quick ? "quickrefuse" : "ignore");
		EXPECT(say(fd, head));
		a = hear(fd, WITH_BODY);
		EXPECT_EQ("answered early", a.status, quick ? 403 : 200);
		EXPECT(strstr(a.head, "\r\nConnection: keep-alive\r\n"));
		EXPECT(send(fd, many, 200000, MSG_NOSIGNAL) == 200000);
		EXPECT_EQ("next", ask(fd, GET("/quick")).status, 200);
		close(fd);
	}
	/* A large one is not, but the client can send on and read the answer. */
	fd = dial(&t);
	EXPECT(say(fd, "PUT /quickrefuse HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"));
	for (int i = 0; i < 20; i++)
		EXPECT(send(fd, many, sizeof(many), MSG_NOSIGNAL) == sizeof(many));
	a = hear(fd, WITH_BODY);
	EXPECT_EQ("answer arrives", a.status, 403);
	EXPECT(strstr(a.head, "\r\nConnection: close\r\n"));
	EXPECT(is_closed(fd, 2000));
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_head_and_304)
{
	struct answer a;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	a = ask(fd, "HEAD /quick HTTP/1.1\r\nHost: h\r\n\r\n");
	EXPECT_EQ("length of HEAD", a.length, 5);
	a = ask(fd, "HEAD /big/5000000 HTTP/1.1\r\nHost: h\r\n\r\n");
	EXPECT_EQ("length of HEAD", a.length, 5000000);
	a = ask(fd, GET("/status/304"));
	EXPECT_EQ("304", a.status, 304);
	EXPECT(strstr(a.head, "Content-Length") == NULL);
	a = ask(fd, GET("/status/204"));
	EXPECT_EQ("204", a.status, 204);
	EXPECT(strstr(a.head, "Content-Length") == NULL);
	a = ask(fd, GET("/bad-header"));
	EXPECT_EQ("status", a.status, 200);
	EXPECT(strstr(a.head, "Cookie") == NULL);
	a = ask(fd, GET("/fat"));
	EXPECT_EQ("instead", a.status, 500);
	EXPECT(strstr(a.head, "X-Fat") == NULL);
	EXPECT_EQ("still in step", ask(fd, GET("/quick")).status, 200);
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_answers_in_pieces)
{
	static char text[512];
	struct answer a;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	a = ask(fd, GET("/big/5000000"));
	EXPECT_EQ("length", a.length, 5000000);
	EXPECT(!a.closed && memcmp(a.body, "abcdefghijklmnopqrstuvwabc", 26) == 0);
	a = ask(fd, GET("/file/5000000"));
	EXPECT(!a.closed && a.length == 5000000 && memcmp(a.body, "abcdefghijklmnopqrstuvwabc", 26) == 0);
	a = ask(fd, GET("/quickbig/9000000"));		/* more than the socket takes at once */
	EXPECT(!a.closed && a.length == 9000000);
	EXPECT_EQ("behind it", ask(fd, GET("/quick")).status, 200);
	/* The same with further requests behind it. */
	EXPECT(say(fd, GET("/quickbig/9000000") GET("/quick") GET("/full")));
	EXPECT_EQ("first", hear(fd, WITH_BODY).length, 9000000);
	EXPECT_EQ("second", hear(fd, WITH_BODY).length, 5);
	EXPECT_EQ("third", hear(fd, WITH_BODY).length, 4);
	EXPECT(say(fd, GET("/chunked")));
	EXPECT(recv(fd, text, 5, MSG_PEEK) > 0);
	a = hear(fd, WITHOUT_BODY);
	EXPECT(strstr(a.head, "Transfer-Encoding: chunked"));
	EXPECT(recv(fd, text, 23, MSG_WAITALL) == 23);
	EXPECT_STR("chunks", str_n(text, 23), STR("1\r\n \r\n7\r\n<done/>\r\n0\r\n\r\n"));
	a = ask(fd, GET("/short"));
	EXPECT(a.status == 200 && a.closed);		/* never a whole answer */
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_bad_heads)
{
	static const char *const cases[] = {
		"nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
	};
	static char big[40000];
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		fd = dial(&t);
		EXPECT_EQ(cases[i], ask(fd, cases[i]).status, 400);
		EXPECT(is_closed(fd, 2000));
		close(fd);
	}
	snprintf(big, sizeof(big), "GET / HTTP/1.1\r\nHost: h\r\nX: %039000d", 1);
	fd = dial(&t);
	EXPECT_EQ("too large", ask(fd, big).status, 400);
	EXPECT(is_closed(fd, 2000));
	close(fd);
	EXPECT_EQ("refused", t.refused, COUNT(cases) + 1);
	toy_stop(&t, 1000);
}

TEST(server_slow_clients)
{
	struct http_limits lim = toy_limits;
	struct answer a;
	struct toy t;
	int fd, fd2, small = 4096;

	lim.head_timeout_ms = 300;
	lim.idle_timeout_ms = 900;
	lim.rate_interval_ms = 300;
	toy_start(&t, &lim, 4, 16, 0, NULL);
	fd = dial(&t);
	EXPECT(say(fd, "GET /quick HT"));
	a = hear(fd, WITH_BODY);
	EXPECT_EQ("slow head", a.status, 408);
	close(fd);
	fd = dial(&t);
	EXPECT(say(fd, "PUT /count HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"));
	a = hear(fd, WITH_BODY);
	EXPECT_EQ("slow small body", a.status, 408);
	close(fd);
	fd = dial(&t);
	EXPECT(say(fd, "PUT /count HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\nab"));
	a = hear(fd, WITH_BODY);
	EXPECT_EQ("slow body", a.status, 400);
	EXPECT(strstr(a.head, "X-Error: RequestTimeout"));
	close(fd);
	/* Who does not read does not hold a worker for ever. */
	fd = dial(&t);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	EXPECT(say(fd, GET("/big/100000000")));
	fd2 = dial(&t);
	setsockopt(fd2, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	EXPECT(say(fd2, GET("/file/30000000")));
	for (int i = 0; i < 100 && atomic_load(&t.done) < 5; i++)
		usleep(50000);
	EXPECT_EQ("done", t.done, 5);
	close(fd);
	close(fd2);
	fd = dial(&t);
	EXPECT_EQ("others go on", ask(fd, GET("/quick")).status, 200);
	EXPECT(!is_closed(fd, 300));
	EXPECT(is_closed(fd, 3000));		/* idle for long enough */
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_big_body_in_constant_memory)
{
	static char piece[1 << 20];
	uint64_t before, after;
	struct answer a;
	struct toy t;
	int fd;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd = dial(&t);
	EXPECT_EQ("warm", ask(fd, "PUT /count HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").status, 200);
	memset(piece, 'x', sizeof(piece));
	before = resident_kib();
	EXPECT(say(fd, "PUT /count HTTP/1.1\r\nHost: h\r\nContent-Length: 268435456\r\n\r\n"));
	for (int i = 0; i < 256; i++)
		EXPECT(send(fd, piece, sizeof(piece), MSG_NOSIGNAL) == sizeof(piece));
	a = hear(fd, WITH_BODY);
	EXPECT_STR("length", str_c(a.body), STR("268435456"));
	after = resident_kib();
	EXPECT(after < before + 4096);
	close(fd);
	toy_stop(&t, 1000);
}

TEST(server_queue_full)
{
	struct answer a;
	struct toy t;
	int fd[8], answered = 0, refused = 0;

	toy_start(&t, &toy_limits, 1, 4, 0, NULL);
	for (size_t i = 0; i < COUNT(fd); i++) {
		fd[i] = dial(&t);
		EXPECT(say(fd[i], "POST /sleep/300 HTTP/1.1\r\nHost: h\r\n\r\n"));
		usleep(10000);
	}
	for (size_t i = 0; i < COUNT(fd); i++) {
		a = hear(fd[i], WITH_BODY);
		answered += a.status == 200;
		refused += a.status == 503;
		close(fd[i]);
	}
	EXPECT_EQ("answered", answered, 5);
	EXPECT_EQ("refused", refused, 3);
	toy_stop(&t, 1000);
}

TEST(server_workers_of_one_client)
{
	struct http_limits lim = toy_limits;
	uint64_t began = clock_mono_ms();
	struct toy t;
	int fd[6], other;

	lim.client_workers = 2;
	toy_start(&t, &lim, 4, 16, 0, NULL);
	for (size_t i = 0; i < COUNT(fd); i++) {
		fd[i] = dial(&t);
		EXPECT(say(fd[i], GET("/sleep/100")));
	}
	/* Nobody is refused, but two at a time. */
	for (size_t i = 0; i < COUNT(fd); i++) {
		EXPECT_EQ("slept", hear(fd[i], WITH_BODY).status, 200);
		close(fd[i]);
	}
	EXPECT(clock_mono_ms() - began >= 290);
	other = dial(&t);
	EXPECT_EQ("then", ask(other, GET("/full")).status, 200);
	close(other);
	toy_stop(&t, 1000);
}

/* For one too many the longest-idle connection goes; only when all have something under way the new one is turned away. */
TEST(server_too_many_connections)
{
	struct http_limits lim = toy_limits;
	struct http_server_stats s;
	struct toy t;
	int fd[5];

	lim.connections = 3;
	lim.loops = 1;
	toy_start(&t, &lim, 2, 16, 0, NULL);
	for (int i = 0; i < 3; i++) {
		fd[i] = dial(&t);
		EXPECT_EQ("first", ask(fd[i], GET("/quick")).status, 200);
	}
	EXPECT_EQ("used again, on the loop", ask(fd[0], GET("/quick")).status, 200);
	EXPECT_EQ("used again, by a worker", ask(fd[1], GET("/full")).status, 200);
	fd[3] = dial(&t);
	EXPECT_EQ("one more", ask(fd[3], GET("/quick")).status, 200);
	EXPECT(is_closed(fd[2], 5000));
	EXPECT(!is_closed(fd[0], 50));
	EXPECT(say(fd[0], "GET /qu"));
	EXPECT(say(fd[1], GET("/sleep/1500")));
	EXPECT(say(fd[3], "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"));
	usleep(200000);
	fd[4] = dial(&t);
	EXPECT_EQ("none is idle", hear(fd[4], WITH_BODY).status, 503);
	close(fd[4]);
	http_server_stats(t.server, &s);
	EXPECT_EQ("connections", s.connections, 3);
	EXPECT_EQ("none was hurt", ask(fd[0], "ick HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
	EXPECT_EQ("none was hurt", hear(fd[1], WITH_BODY).status, 200);
	EXPECT_EQ("none was hurt", ask(fd[3], "123456789").status, 200);
	fd[4] = dial(&t);
	EXPECT_EQ("room again", ask(fd[4], GET("/quick")).status, 200);
	EXPECT(is_closed(fd[0], 5000));
	for (int i = 0; i < 5; i++)
		close(fd[i]);
	toy_stop(&t, 1000);
}

/* Many more at once than there may be, over several loops: as many as may be are served, and no more stay open. */
TEST(server_too_many_at_once)
{
	struct http_limits lim = toy_limits;
	struct http_server_stats s;
	struct toy t;
	int fd[300], served = 0;

	lim.connections = 20;
	toy_start(&t, &lim, 2, 16, 0, NULL);
	for (size_t i = 0; i < COUNT(fd); i++) {
		fd[i] = dial(&t);
		EXPECT(fd[i] >= 0 && say(fd[i], GET("/quick")));
	}
	for (size_t i = 0; i < COUNT(fd); i++)
		served += hear(fd[i], WITH_BODY).status == 200;
	EXPECT(served >= 20);
	http_server_stats(t.server, &s);
	EXPECT(s.connections <= 20);
	for (size_t i = 0; i < COUNT(fd); i++)
		close(fd[i]);
	toy_stop(&t, 1000);
}

TEST(server_out_of_descriptors)
{
	struct rlimit was, tight;
	struct http_server_stats s;
	struct toy t;
	int fd[4], spare[64], n = 0;

	toy_start(&t, &toy_limits, 1, 16, 0, NULL);
	for (size_t i = 0; i < COUNT(fd); i++)
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
	getrlimit(RLIMIT_NOFILE, &was);
	tight = was;
	tight.rlim_cur = (rlim_t)fd[3] + 2;
	setrlimit(RLIMIT_NOFILE, &tight);
	while (n < 64 && (spare[n] = dup(0)) >= 0)
		n++;
	for (size_t i = 0; i < COUNT(fd); i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)t.port) };

		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		EXPECT(connect(fd[i], (struct sockaddr *)&a, sizeof(a)) == 0);
	}
	usleep(300000);
	http_server_stats(t.server, &s);
	EXPECT_EQ("accepted", s.accepted, 0);
	setrlimit(RLIMIT_NOFILE, &was);
	while (n-- > 0)
		close(spare[n]);
	for (size_t i = 0; i < COUNT(fd); i++) {
		EXPECT_EQ("served after all", ask(fd[i], GET("/quick")).status, 200);
		close(fd[i]);
	}
	toy_stop(&t, 1000);
}

TEST(server_drain)
{
	uint64_t began;
	struct answer a;
	struct toy t;
	int busy, idle, stuck;

	toy_start(&t, &toy_limits, 4, 16, 0, NULL);
	busy = dial(&t);
	idle = dial(&t);
	EXPECT_EQ("idle", ask(idle, GET("/quick")).status, 200);
	EXPECT(say(busy, GET("/sleep/400")));
	usleep(100000);
	began = clock_mono_ms();
	toy_stop(&t, 5000);
	EXPECT(clock_mono_ms() - began < 2000);
	a = hear(busy, WITH_BODY);
	EXPECT_STR("what ran has ended", str_c(a.body), STR("slept"));
	EXPECT(strstr(a.head, "\r\nConnection: close\r\n"));
	EXPECT(is_closed(idle, 1000));
	EXPECT(dial(&t) < 0);
	close(busy);
	close(idle);
	/* Past the deadline sockets are shut down under whoever uses them. */
	toy_start(&t, &toy_limits, 4, 16, 0, NULL);
	stuck = dial(&t);
	EXPECT(say(stuck, "PUT /count HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\nab"));
	usleep(100000);
	began = clock_mono_ms();
	toy_stop(&t, 300);
	EXPECT(clock_mono_ms() - began >= 300 && clock_mono_ms() - began < 3000);
	close(stuck);
}

static void *
stop_in_thread(void *t)
{
	toy_stop(t, 5000);
	return NULL;
}

/* A socket that somebody holds: who is connected may ask once more, who connects is answered by the next server. */
TEST(server_handover)
{
	struct http_limits limits = toy_limits;
	int held = socket(AF_INET, SOCK_STREAM, 0), idle, later, silent;
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char where[2][16];
	struct toy old, new;
	struct answer a;
	pthread_t thread;
	uint64_t began;

	limits.handover_idle_ms = 400;
	EXPECT(bind(held, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(held, 50) == 0);
	for (unsigned i = 0; i < 2; i++)
		snprintf(where[i], sizeof(where[i]), "fd:%d", dup(held));
	toy_start_at(&old, where[0], &limits, 4, 16, 0, NULL);
	idle = dial(&old);
	silent = dial(&old);
	EXPECT_EQ("idle", ask(idle, GET("/quick")).status, 200);
	EXPECT_EQ("silent", ask(silent, GET("/quick")).status, 200);
	began = clock_mono_ms();
	pthread_create(&thread, NULL, stop_in_thread, &old);
	usleep(150000);
	later = dial(&old);
	EXPECT(say(later, GET("/quick")));
	a = ask(idle, GET("/quick"));
	EXPECT_EQ("one more", a.status, 200);
	EXPECT(strstr(a.head, "\r\nConnection: close\r\n"));
	EXPECT(is_closed(silent, 2000));
	EXPECT(clock_mono_ms() - began >= 400);
	pthread_join(thread, NULL);
	toy_start_at(&new, where[1], &limits, 4, 16, 0, NULL);
	EXPECT_EQ("who waited", hear(later, WITH_BODY).status, 200);
	toy_stop(&new, 1000);
	close(idle);
	close(silent);
	close(later);
	close(held);
}

TEST(server_idle_memory)
{
	enum { N = 400 };
	uint64_t before, after;
	int fd[N];
	struct toy t;

	toy_start(&t, &toy_limits, 2, 16, 0, NULL);
	fd[0] = dial(&t);
	EXPECT_EQ("warm", ask(fd[0], GET("/quick")).status, 200);
	before = resident_kib();
	for (int i = 1; i < N; i++) {
		fd[i] = dial(&t);
		EXPECT_EQ("status", ask(fd[i], GET("/quick")).status, 200);
	}
	after = resident_kib();
#ifndef __SANITIZE_ADDRESS__
	if ((after - before) / N > 8)
		TEST_FAIL("an idle connection takes %llu KiB", (unsigned long long)(after - before) / N);
#endif
	for (int i = 0; i < N; i++)
		close(fd[i]);
	toy_stop(&t, 1000);
}

TEST(server_addresses)
{
	static const struct { const char *address; bool ok; } cases[] = {
		{ "127.0.0.1:0", true }, { "[::1]:0", true }, { "127.0.0.1", false }, { "localhost:0", false },
		{ "127.0.0.1:65536", false }, { "127.0.0.1:x", false }, { "", false }, { ":", false }, { "fd:1", false },
		{ "fd:999", false },
		{ "fd:", false }, { "[::1]", false },
	};
	struct http_handler h = { .full = toy_full, .refuse = toy_refuse };
	struct pool *pool = pool_new("toy", 1, 4, 0);
	struct http_server *v;
	struct listener l;
	char text[16];
	int fd;

	for (size_t i = 0; i < COUNT(cases); i++) {
		bool ok = err_ok(listen_open(cases[i].address, &l));

		EXPECT_EQ(cases[i].address, ok, cases[i].ok);
		if (ok && strstr(l.text, ":0") != NULL)
			TEST_FAIL("%s: the port is not filled in: %s", cases[i].address, l.text);
		if (ok)
			listen_close(&l);
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(listen(fd, 5) == 0);
	snprintf(text, sizeof(text), "fd:%d", fd);
	EXPECT_OK(listen_open(text, &l));
	EXPECT(l.passed);
	EXPECT_OK(http_server_start("toy", &l, NULL, &toy_limits, pool, &h, &v));
	EXPECT_EQ("taken over", l.fd, -1);
	EXPECT(strncmp(http_server_address(v), "0.0.0.0:", 8) == 0);
	http_server_stop(&v, 0);
	pool_free(&pool);
}
