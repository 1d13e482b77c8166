/* The small types: str, buf, arena, text, id, err; and the access log. */
#include "test.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/text.h"

TEST(str_numbers)
{
	static const struct { const char *text; bool ok; uint64_t value; } cases[] = {
		{ "0", true, 0 }, { "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 }, { "", false, 0 }, { "-1", false, 0 },
		{ "+1", false, 0 }, { "1 ", false, 0 }, { "0x1", false, 0 }, { "007", true, 7 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t n = 0;

		EXPECT_EQ(cases[i].text, str_u64(str_c(cases[i].text), &n), cases[i].ok);
		EXPECT_EQ(cases[i].text, n, cases[i].value);
	}
}

TEST(str_utf8)
{
	static const struct { const char *text; bool ok; } cases[] = {
		{ "", true }, { "abc", true }, { "\xC3\xA9", true }, { "\xE2\x82\xAC", true },
		{ "\xF0\x9F\x98\x80", true }, { "\xC3", false }, { "\x80", false },
		{ "\xC0\xAF", false }, { "\xE0\x80\xAF", false }, { "\xED\xA0\x80", false },
		{ "\xF4\x90\x80\x80", false }, { "\xF5\x80\x80\x80", false }, { "a\xFF", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EXPECT_EQ(cases[i].text, str_is_utf8(str_c(cases[i].text)), cases[i].ok);
}

TEST(str_cutting)
{
	str rest = STR("a,b,"), s;

	s = str_take_until(&rest, ',');
	EXPECT_STR("first", s, STR("a"));
	s = str_take_until(&rest, ',');
	EXPECT_STR("second", s, STR("b"));
	EXPECT(rest.p != NULL);
	s = str_take_until(&rest, ',');
	EXPECT_STR("empty last", s, STR(""));
	EXPECT(rest.p == NULL);
	EXPECT_STR("trim", str_trim(STR(" \t x \t")), STR("x"));
	EXPECT_EQ("find_str", str_find_str(STR("hello"), STR("llo")), 2);
	EXPECT_EQ("find_str", str_find_str(STR("hello"), STR("lo!")), -1);
	EXPECT(str_cmp(STR("a"), STR("ab")) < 0);
	EXPECT(str_cmp(STR("b"), STR("ab")) > 0);
	EXPECT_STR("sub beyond", str_sub(STR("abc"), 2, 9), STR("c"));
	EXPECT_STR("skip beyond", str_skip(STR("abc"), 9), STR(""));
}

TEST(buf_limit_is_sticky)
{
	struct buf b;

	buf_init(&b, 8);
	buf_add(&b, STR("12345"));
	buf_add(&b, STR("6789"));
	EXPECT(buf_overflow(&b));
	buf_add(&b, STR("x"));
	EXPECT_STR("nothing changed", buf_str(&b), STR("12345"));
	buf_clear(&b);
	buf_addf(&b, "%d-%s", 42, "xyz");
	buf_add_u64(&b, 10);
	EXPECT_STR("after clear", buf_str(&b), STR("42-xyz10"));
	EXPECT(!buf_overflow(&b));
	buf_done(&b);
}

/* The limit is the limit, however the text got so long: vsnprintf()'s NUL takes no part of it. */
TEST(buf_takes_a_format_up_to_its_limit)
{
	for (size_t len = 510; len < 515; len++) {
		AUTO(buf_done) struct buf fits, over;

		buf_init(&fits, len);
		buf_init(&over, len - 1);
		buf_addf(&fits, "%0*d", (int)len, 1);
		buf_addf(&over, "%0*d", (int)len, 1);
		EXPECT_EQ("all of it", fits.len, len);
		EXPECT(!buf_overflow(&fits));
		EXPECT(buf_overflow(&over) && over.len == 0);
	}
}

TEST(arena_limits)
{
	struct arena *a = arena_new(64, 1024);
	char *p = arena_alloc(a, 10);

	EXPECT_EQ("aligned", (uintptr_t)arena_alloc(a, 1) % 16, 0);
	EXPECT_EQ("zeroed", p[9], 0);
	EXPECT(arena_try(a, 4096) == NULL);
	EXPECT(arena_try(a, 500) != NULL);
	EXPECT(arena_try(a, 900) == NULL);
	arena_reset(a);
	EXPECT(arena_try(a, 900) != NULL);
	arena_reset(a);
	EXPECT_STR("fmt", arena_fmt(a, "%s/%d", "x", 7), STR("x/7"));
	arena_free(&a);
	EXPECT(a == NULL);
}

TEST(text_round_trips)
{
	struct arena *a = arena_new(4096, 1 << 20);
	struct buf b;
	unsigned char bytes[64], back[64];
	size_t n;
	str s;

	for (size_t len = 0; len < sizeof(bytes); len++) {
		str in = str_n(bytes, len);

		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)(i * 37 + len);
		s = base64_encode(a, in);
		EXPECT(base64_decode(s, back, sizeof(back), &n));
		EXPECT_STR("base64", str_n(back, n), in);
		s = hex_str(a, in);
		EXPECT(hex_decode(s, back));
		EXPECT_STR("hex", str_n(back, len), in);
		buf_init(&b, 1024);
		url_encode(&b, in, len % 2 ? URL_KEEP_SLASH : URL_ENCODE_SLASH);
		EXPECT(url_decode(a, buf_str(&b), URL_PLUS_IS_PLUS, &s));
		EXPECT_STR("url", s, in);
		buf_done(&b);
	}
	EXPECT(!base64_decode(STR("AB=="), back, 64, &n));	/* bits behind the end */
	EXPECT(!base64_decode(STR("A==="), back, 64, &n));
	EXPECT(!base64_decode(STR("AAA"), back, 64, &n));
	EXPECT(!base64_decode(STR("AA=A"), back, 64, &n));
	EXPECT(!base64_decode(STR("AAAA"), back, 2, &n));
	EXPECT(!url_decode(a, STR("%4"), URL_PLUS_IS_PLUS, &s));
	EXPECT(!url_decode(a, STR("%zz"), URL_PLUS_IS_PLUS, &s));
	EXPECT(url_decode(a, STR("a+b%2B"), URL_PLUS_IS_SPACE, &s));
	EXPECT_STR("plus", s, STR("a b+"));
	arena_free(&a);
}

TEST(id_order_and_text)
{
	struct id a = id_new(7), b = id_new(7), c;
	char text[ID_TEXT_LEN];

	EXPECT(str_cmp(id_bytes(&a), id_bytes(&b)) < 0);
	EXPECT_EQ("space", id_space(a), 7);
	EXPECT(id_time(a) <= clock_wall_ns() && id_time(b) > id_time(a));
	id_text(a, text);
	EXPECT(id_parse(str_n(text, sizeof(text)), &c));
	EXPECT(id_eq(a, c));
	text[0] = 'A';
	EXPECT(!id_parse(str_n(text, sizeof(text)), &c));
	EXPECT(!id_parse(str_n(text, 31), &c));
}

struct seen { char name[16]; int policy, nice; };

static void *
look(void *arg)
{
	struct seen *seen = arg;

	thread_gives_way();
	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	seen->policy = sched_getscheduler(0);
	seen->nice = getpriority(PRIO_PROCESS, 0);
	return NULL;
}

/* What a thread is called does not hang on the caller's memory; one that gives way leaves the others as they are. */
TEST(threads)
{
	struct seen seen;
	char name[16] = "named";
	int before = getpriority(PRIO_PROCESS, 0);
	pthread_t t;

	thread_start(&t, name, 256 << 10, look, &seen);
	memset(name, 'x', sizeof(name) - 1);
	pthread_join(t, NULL);
	EXPECT_EQ("name", strcmp(seen.name, "named"), 0);
	EXPECT_EQ("policy", seen.policy, SCHED_BATCH);
	EXPECT_EQ("nice", seen.nice, before + 10 < 19 ? before + 10 : 19);
	EXPECT_EQ("policy of others", sched_getscheduler(0), SCHED_OTHER);
	EXPECT_EQ("nice of others", getpriority(PRIO_PROCESS, 0), before);
}

TEST(err_messages)
{
	err_v e = err_s3f(S3_InvalidArgument, "max-keys is %d", 7);

	EXPECT_ERR("code", e, S3_InvalidArgument);
	EXPECT_STR("message", str_c(err_context()), STR("max-keys is 7"));
	EXPECT_EQ("status", s3_error_info(e.code)->status, 400);
	e = err_s3f(S3_NoSuchKey, "again: %s", err_context());
	EXPECT_STR("nested", str_c(err_context()), STR("again: max-keys is 7"));
	e = err_errno(ENOSPC, "write %s", "blob");
	EXPECT_ERR("errno", e, -ENOSPC);
	EXPECT(str_starts(str_c(err_context()), STR("write blob: ")));
}

static size_t
bytes_in(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

/* A log that cannot be opened anew goes on where it was, and says so. */
TEST(access_log_is_opened_anew)
{
	char dir[] = "/tmp/test_log_XXXXXX", path[64], old[64];

	REQUIRE(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/access", dir);
	snprintf(old, sizeof(old), "%s/old", dir);
	REQUIRE(err_ok(log_access_open(path)));
	log_access(STR("one"));
	REQUIRE(rename(path, old) == 0);
	log_access(STR("two"));
	EXPECT_EQ("until told", bytes_in(old), 8);
	REQUIRE(mkdir(path, 0700) == 0);
	EXPECT_ERR("a directory", log_reopen(), -EISDIR);
	log_access(STR("three"));
	EXPECT_EQ("still there", bytes_in(old), 14);
	REQUIRE(rmdir(path) == 0);
	EXPECT_OK(log_reopen());
	log_access(STR("four"));
	EXPECT_EQ("anew", bytes_in(path), 5);
	EXPECT_EQ("no more", bytes_in(old), 14);
	EXPECT_OK(log_access_open(""));
	EXPECT_OK(file_remove_tree(dir));
}

/* An event is one line, whatever is put into it and however long. */
TEST(an_event_is_one_line)
{
	char path[] = "/tmp/test_event_XXXXXX", text[3000], got[4096];
	int fd = mkstemp(path), before = dup(STDERR_FILENO);
	ssize_t n;

	REQUIRE(fd >= 0 && before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_warn("it said: %s", "gone\ntime=2026 level=info all is well\r");
	log_warn("%s", text);
	REQUIRE(dup2(before, STDERR_FILENO) >= 0);
	n = pread(fd, got, sizeof(got), 0);
	REQUIRE(n > 0);
	EXPECT(str_find_str(str_n(got, (size_t)n), STR("it said: gone time=2026 level=info all is well \n")) > 0);
	EXPECT_EQ("a long one is cut", n < (ssize_t)sizeof(got) && got[n - 1] == '\n' && got[n - 2] == 'x', true);
	close(fd);
	close(before);
	EXPECT(unlink(path) == 0);
}
