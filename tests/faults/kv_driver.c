/*
 * kv_driver.c - works an index engine under the shim, and judges what a power cut or faults have left.
 *
 *     kv_driver work DIR THREADS STEPS SEED
 *         Each thread commits batches, each of which gives three rows of its own the batch's number and adds one to a counter. Before
 *         a commit the line "try THREAD NUMBER" goes to standard output and, as a mark, to the shim's log; after it "done THREAD
 *         NUMBER". When commits are refused and opening anew would help, it opens anew.
 *     kv_driver judge DIR < LINES
 *         Of each thread the rows agree, and say a batch that was tried, and none before the last that was done; the counter too.
 *         Then it takes commits, and has them after it was opened again.
 */
#define TEST_NO_MAIN
#include "test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "meta/kv.h"

#define THREADS_MAX 8u
#define SPACE 5u
#define ROWS 3u
#define OPENED_MAX 2u

static const struct kv_options small = { .cache_bytes = 1u << 20, .background_threads = 1 };
static struct kv *store;
static void (*mark)(const char *text);

static void
say(const char *what, unsigned thread, uint64_t number)
{
	char line[64];

	snprintf(line, sizeof(line), "%s %u %" PRIu64 "\n", what, thread, number);
	if (mark != NULL)
		mark(line);
	fputs(line, stdout);
}

static bool
open_store(const char *dir)
{
	char url[512];
	err_v e;

	snprintf(url, sizeof(url), "rocksdb:%s/index", dir);
	puts("opening");
	e = kv_open(str_c(url), &small, &store);
	if (!err_ok(e))
		printf("failed-open %d %s\n", e.code, err_context());
	else
		puts("opened");
	return err_ok(e);
}

struct worker {
	pthread_t thread;
	unsigned number;
	uint64_t seed, next, steps;
	bool failed;
};

/* Mostly small; now and then such that one record of the log spans sectors and blocks. */
static size_t
some_size(uint64_t *seed)
{
	static const size_t size[] = { 10, 10, 60, 200, 700, 5000, 40000 };

	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return size[*seed % COUNT(size)];
}

static str
row_name(char p[32], unsigned thread, unsigned row)
{
	return str_n(p, (size_t)snprintf(p, 32, "t%u r%u", thread, row));
}

/* The number, and bytes that follow from it. */
static str
row_value(char *p, uint64_t number, size_t size)
{
	memcpy(p, &number, sizeof(number));
	memset(p + sizeof(number), (int)(number % 251), size);
	return str_n(p, sizeof(number) + size);
}

static err
commit(unsigned thread, uint64_t number, uint64_t *seed)
{
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(SPACE);
	static _Thread_local char value[65536];
	char name[32];

	for (unsigned row = 0; row < ROWS; row++)
		kv_put(b, row_name(name, thread, row), row_value(value, number, some_size(seed)));
	kv_add(b, row_name(name, thread, ROWS), &(int64_t){ 1 }, 1);
	return kv_commit(store, b);
}

/* Until something fails. */
static void *
work(void *arg)
{
	struct worker *w = arg;

	w->failed = false;
	while (w->next <= w->steps && !w->failed) {
		uint64_t number = w->next++;
		err_v e;

		say("try", w->number, number);
		e = commit(w->number, number, &w->seed);
		if (err_ok(e))
			say("done", w->number, number);
		else
			printf("failed-commit %d %s\n", e.code, err_context());
		w->failed = !err_ok(e);
	}
	return NULL;
}

static bool
round_of(struct worker *w, unsigned threads)
{
	bool failed = false;

	for (unsigned i = 0; i < threads; i++)
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		failed |= w[i].failed;
	}
	return failed;
}

/* As the server does it. On a disk that stays bad it stays closed. */
static bool
open_again(const char *dir)
{
	bool can = false;

	if (kv_trouble(store) == NULL)
		return true;
	for (unsigned i = 0; i < 25 && !can; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
		can = kv_can_reopen(store);
	}
	kv_close(&store);
	return can && open_store(dir);
}

static int
run(const char *dir, unsigned threads, uint64_t steps, uint64_t seed)
{
	struct worker w[THREADS_MAX];

	assert(threads <= COUNT(w));
	if (!open_store(dir))
		return 3;
	for (unsigned i = 0; i < threads; i++)
		w[i] = (struct worker){ .number = i, .seed = seed * 1000003 + i * 7919 + 1, .next = 1, .steps = steps };
	for (unsigned i = 0; i < OPENED_MAX && round_of(w, threads); i++)
		if (!open_again(dir))
			return 3;
	kv_close(&store);
	return 0;
}

/* What the lines say of each thread. */
struct told {
	uint64_t tried, done, all_done;
} told[THREADS_MAX];

static void
read_lines(void)
{
	char line[256], what[32];
	unsigned thread;
	uint64_t number;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "%31s %u %" SCNu64, what, &thread, &number) != 3 || thread >= THREADS_MAX)
			continue;
		if (strcmp(what, "try") == 0) {
			told[thread].tried = number;
		} else if (strcmp(what, "done") == 0) {
			told[thread].done = number;
			told[thread].all_done++;
		}
	}
}

/* The number that a row holds; 0: there is none. */
static uint64_t
row_number(unsigned thread, unsigned row, struct arena *a)
{
	char name[32], want[65536];
	uint64_t number = 0;
	str value;
	err_v e = kv_get(store, SPACE, row_name(name, thread, row), KV_MAY_BLOCK, a, &value);

	if (err_is(e, ERR_NOT_FOUND.code))
		return 0;
	EXPECT_OK(e);
	if (!err_ok(e) || value.len < sizeof(number)) {
		TEST_FAIL("row %u of thread %u cannot be read: %d, %zu bytes", row, thread, e.code, value.len);
		return 0;
	}
	memcpy(&number, value.p, sizeof(number));
	EXPECT(str_eq(value, row_value(want, number, value.len - sizeof(number))));
	return number;
}

static void
check_thread(const char *when, unsigned thread, struct arena *a)
{
	const struct told *t = &told[thread];
	uint64_t first = row_number(thread, 0, a);
	int64_t count = 0;
	char name[32];
	str value;

	for (unsigned row = 1; row < ROWS; row++) {
		uint64_t other = row_number(thread, row, a);

		if (other != first)
			TEST_FAIL("%s: half a batch: row 0 of thread %u has %" PRIu64 ", row %u has %" PRIu64, when, thread, first, row,
			    other);
	}
	if (first < t->done || first > t->tried)
		TEST_FAIL("%s: thread %u has %" PRIu64 ", acknowledged were %" PRIu64 ", tried %" PRIu64, when, thread, first, t->done,
		    t->tried);
	if (err_ok(kv_get(store, SPACE, row_name(name, thread, ROWS), KV_MAY_BLOCK, a, &value)))
		EXPECT(kv_counters(value, &count, 1));
	if (count < (int64_t)t->all_done || count > (int64_t)first)
		TEST_FAIL("%s: thread %u counts %" PRId64 ", acknowledged were %" PRIu64 ", the last is %" PRIu64, when, thread, count,
		    t->all_done, first);
}

static void
check_all(const char *when)
{
	AUTO(arena_free) struct arena *a = arena_new(1 << 18, 16 << 20);

	for (unsigned i = 0; i < THREADS_MAX; i++)
		check_thread(when, i, a);
}

static int
judge(const char *dir)
{
	uint64_t seed = 7;

	read_lines();
	if (!open_store(dir))
		return 1;
	check_all("after the cut");
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		struct told *t = &told[i];

		say("try", i, ++t->tried);
		EXPECT_OK(commit(i, t->tried, &seed));
		say("done", i, t->tried);
		t->done = t->tried;
		t->all_done++;
	}
	check_all("with further commits");
	kv_close(&store);
	if (!open_store(dir))
		return 1;
	check_all("opened again");
	kv_close(&store);
	printf("judged%s\n", test_failed ? ": FAULTY" : "");
	return test_failed;
}

int
main(int argc, char **argv)
{
	uint64_t threads, steps, seed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	crash_init();
	mark = (void (*)(const char *))(uintptr_t)dlsym(RTLD_DEFAULT, "faults_mark");
	if (argc == 3 && strcmp(argv[1], "judge") == 0)
		return judge(argv[2]);
	if (argc != 6 || !str_u64(str_c(argv[3]), &threads) || !str_u64(str_c(argv[4]), &steps) || !str_u64(str_c(argv[5]), &seed))
		PANIC("usage: kv_driver work DIR THREADS STEPS SEED | judge DIR");
	return run(argv[2], (unsigned)threads, steps, seed);
}
