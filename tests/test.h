/*
 * test.h - the whole test framework.
 *
 * TEST(name) { ... } registers itself; EXPECT_* say what they saw and where and
 * go on; REQUIRE stops this test. main() runs all (or those whose names contain argv[1]) and
 * ends with "N passed, N failed". TEST_NO_MAIN: for a program that has a main of its own.
 */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

struct test_case { const char *name; void (*run)(void); struct test_case *next; };
static struct test_case *test_first, **test_last __attribute__((unused)) = &test_first;
static int test_failed;

#define TEST(name)                                                            \
	static void test_##name(void);                                        \
	__attribute__((constructor)) static void test_add_##name(void)        \
	{                                                                     \
		static struct test_case c = { #name, test_##name, NULL };     \
		*test_last = &c;                                              \
		test_last = &c.next;                                          \
	}                                                                     \
	static void test_##name(void)

#define TEST_FAIL(...)                                            \
	do {                                                      \
		test_failed = 1;                                  \
		printf("%s:%d: ", __FILE__, __LINE__);            \
		printf(__VA_ARGS__);                              \
		printf("\n");                                     \
	} while (0)
#define EXPECT(cond)                                              \
	do {                                                      \
		if (!(cond))                                      \
			TEST_FAIL("not so: %s", #cond);           \
	} while (0)
#define REQUIRE(cond)                                             \
	do {                                                      \
		if (!(cond)) {                                    \
			TEST_FAIL("not so: %s", #cond);           \
			return;                                   \
		}                                                 \
	} while (0)
/* Integers. what: says which case of a table this is. */
#define EXPECT_EQ(what, got, want)                                                        \
	do {                                                                              \
		long long g_ = (long long)(got), w_ = (long long)(want);                  \
		if (g_ != w_)                                                             \
			TEST_FAIL("%s: %s is %lld, want %lld", (what), #got, g_, w_);     \
	} while (0)
#define EXPECT_STR(what, got, want)                                                       \
	do {                                                                              \
		str g_ = (got), w_ = (want);                                              \
		if (!str_eq(g_, w_))                                                      \
			TEST_FAIL("%s: %s is \"%.*s\", want \"%.*s\"", (what), #got,      \
			    STR_FMT(g_), STR_FMT(w_));                                    \
	} while (0)
/* An err and a code: 0, S3_..., or a negative errno. */
#define EXPECT_ERR(what, e, want)                                                         \
	do {                                                                              \
		err_v e_ = (e);                                                           \
		if (e_.code != (want))                                                    \
			TEST_FAIL("%s: %s gives %d (%s), want %d", (what), #e, e_.code,   \
			    err_context(), (want));                                       \
	} while (0)
#define EXPECT_OK(e) EXPECT_ERR(#e, e, 0)

#ifndef TEST_NO_MAIN
int
main(int argc, char **argv)
{
	int passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test_case *c = test_first; c != NULL; c = c->next) {
		if (argc > 1 && strstr(c->name, argv[1]) == NULL)
			continue;
		test_failed = 0;
		c->run();
		printf("%s %s\n", test_failed ? "FAIL" : "ok  ", c->name);
		test_failed ? failed++ : passed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}
#endif
