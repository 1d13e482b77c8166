/*
 * blob_driver.c - works a blob store under the shim, and judges what a power cut or faults have left.
 *
 *     blob_driver work DIR THREADS STEPS SEED
 *         Random puts and deletes. Each acknowledgement is a line on standard output and a mark in the shim's log: "put ID PLACE SIZE",
 *         "gone ID PLACE SIZE": about to be deleted, or "erased ID PLACE SIZE": deleted, and that is flushed.
 *     blob_driver judge DIR < LINES
 *         Every blob put and not gone is there and whole, none that was erased is back; after the suspects without an owner are
 *         deleted nothing else is left.
 */
#define TEST_NO_MAIN
#include "test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/panic.h"
#include "base/text.h"
#include "blob/blob.h"
#include "blob_data.h"

static const struct blob_options small = {
	.volume_max = 20000, .volume_bytes = 200000, .direct_min = 60000,
};

static struct blobs *store;
static void (*mark)(const char *text);

static void
say(const char *what, const struct blob_ref *ref)
{
	char id[ID_TEXT_LEN + 1] = { 0 }, line[128];

	id_text(ref->id, id);
	snprintf(line, sizeof(line), "%s %s %" PRIx64 " %" PRIu64 "\n", what, id, ref->place, ref->size);
	if (mark != NULL)
		mark(line);
	fputs(line, stdout);
}

struct worker {
	pthread_t thread;
	uint64_t seed;
	int steps;
};

static size_t
some_size(uint64_t *seed)
{
	static const size_t most[] = { 300, 5000, 20000, 20000, 50000, 150000 };

	return data_random(seed) % (most[data_random(seed) % COUNT(most)] + 1);
}

/* What a thread has deleted since its last flush. */
struct deleted { struct blob_ref ref[64]; size_t n; };

static void
erase(struct deleted *d)
{
	if (err_ok(blobs_flush(store)))
		for (size_t i = 0; i < d->n; i++)
			say("erased", &d->ref[i]);
	d->n = 0;
}

/* Errors are reported, and go on: with faults they are what is to be seen. */
static void *
work(void *arg)
{
	struct worker *w = arg;
	struct blob_ref have[64];
	struct deleted deleted = { .n = 0 };
	size_t n = 0;

	for (int i = 0; i < w->steps; i++) {
		if (deleted.n == COUNT(deleted.ref) || data_random(&w->seed) % 10 == 0)
			erase(&deleted);
		if (n == COUNT(have) || (n > 0 && data_random(&w->seed) % 4 == 0)) {
			size_t k = data_random(&w->seed) % n;
			struct blob_ref ref = have[k];

			have[k] = have[--n];
			say("gone", &ref);
			if (err_ok(blob_delete(store, &ref)))
				deleted.ref[deleted.n++] = ref;
			else
				say("failed-delete", &ref);
		} else {
			size_t size = some_size(&w->seed);
			struct blob_ref ref = { 0 };
			err_v e = data_put(store, size, data_random(&w->seed) % 2 ? size : 0, 30000, &ref);

			if (err_ok(e)) {
				say("put", &ref);
				have[n++] = ref;
			} else {
				printf("failed-put %d %s\n", e.code, err_context());
			}
		}
	}
	return NULL;
}

static int
run(const char *dir, int threads, int steps, uint64_t seed)
{
	struct worker w[16];
	char url[512];
	err_v e;

	setvbuf(stdout, NULL, _IOLBF, 0);
	crash_init();
	mark = (void (*)(const char *))(uintptr_t)dlsym(RTLD_DEFAULT, "faults_mark");
	snprintf(url, sizeof(url), "file:%s", dir);
	e = blobs_open(str_c(url), &small, &store);
	if (!err_ok(e)) {
		printf("failed-open %d %s\n", e.code, err_context());
		return 3;
	}
	assert(threads <= (int)COUNT(w));
	for (int i = 0; i < threads; i++) {
		w[i] = (struct worker){ .seed = seed * 1000003 + (uint64_t)i * 7919 + 1, .steps = steps };
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	blobs_close(&store);
	return 0;
}

struct owned {
	struct blob_ref ref[8192];
	bool gone[8192];		/* perhaps deleted */
	bool erased[8192];		/* surely */
	size_t n;
	bool deleting;
	unsigned unowned;
};

static struct owned owned;

static struct blob_ref *
find(struct id id)
{
	for (size_t i = 0; i < owned.n; i++)
		if (id_eq(owned.ref[i].id, id))
			return &owned.ref[i];
	return NULL;
}

static void
read_lines(void)
{
	char line[256], what[32], text[64];
	uint64_t place, size;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct blob_ref ref, *old;

		if (sscanf(line, "%31s %63s %" SCNx64 " %" SCNu64, what, text, &place, &size) != 4 || !id_parse(str_c(text), &ref.id))
			continue;
		ref.place = place;
		ref.size = size;
		old = find(ref.id);
		if (strcmp(what, "put") == 0 && old == NULL && owned.n < COUNT(owned.ref))
			owned.ref[owned.n++] = ref;
		else if (strcmp(what, "gone") == 0 && old != NULL)
			owned.gone[old - owned.ref] = true;
		else if (strcmp(what, "erased") == 0 && old != NULL)
			owned.erased[old - owned.ref] = true;
	}
}

/* A suspect nobody owns goes. What was being deleted counts as unowned. */
static bool
sweep(void *arg, const struct blob_ref *ref)
{
	struct blob_ref *o = find(ref->id);

	if (o != NULL && !owned.gone[o - owned.ref])
		return true;
	EXPECT_OK(blob_delete(store, ref));
	owned.unowned++;
	return true;
}

static bool
none_erased(void *arg, const struct blob_ref *ref)
{
	struct blob_ref *o = find(ref->id);

	if (o != NULL && owned.erased[o - owned.ref])
		TEST_FAIL("back again: place %" PRIx64 " size %" PRIu64, ref->place, ref->size);
	return true;
}

static bool
only_owned(void *arg, const struct blob_ref *ref)
{
	struct blob_ref *o = find(ref->id);

	if (o == NULL || owned.gone[o - owned.ref])
		TEST_FAIL("left over: place %" PRIx64 " size %" PRIu64 " %s", ref->place, ref->size, o ? "(deleted)" : "");
	return true;
}

static void
check_owned(const char *when)
{
	for (size_t i = 0; i < owned.n; i++) {
		uint64_t off = 0;
		err_v e;

		if (owned.gone[i])
			continue;
		e = blob_scrub(store, &owned.ref[i], &off);
		if (err_ok(e))
			data_check_read(store, &owned.ref[i]);
		else
			TEST_FAIL("%s: an acknowledged blob is lost: error %d, place %" PRIx64 " size %" PRIu64, when, e.code,
			    owned.ref[i].place, owned.ref[i].size);
	}
}

static int
judge(const char *dir)
{
	char url[512];

	read_lines();
	snprintf(url, sizeof(url), "file:%s", dir);
	EXPECT_OK(blobs_open(str_c(url), &small, &store));
	if (store == NULL)
		return 1;
	check_owned("after the cut");
	EXPECT_OK(blob_list(store, none_erased, NULL));
	EXPECT_OK(blob_list_suspects(store, sweep, NULL));
	EXPECT_OK(blob_list(store, only_owned, NULL));
	check_owned("after the sweep");
	for (int i = 0; i < 5; i++) {
		struct blob_ref ref;

		EXPECT_OK(data_put(store, (size_t)i * 15000, 0, 10000, &ref));
		data_check_read(store, &ref);
	}
	blobs_close(&store);
	printf("%zu owned, %u swept%s\n", owned.n, owned.unowned, test_failed ? ": FAULTY" : "");
	return test_failed;
}

int
main(int argc, char **argv)
{
	uint64_t threads, steps, seed;

	if (argc == 3 && strcmp(argv[1], "judge") == 0)
		return judge(argv[2]);
	if (argc != 6 || !str_u64(str_c(argv[3]), &threads) || !str_u64(str_c(argv[4]), &steps) || !str_u64(str_c(argv[5]), &seed))
		PANIC("usage: blob_driver work DIR THREADS STEPS SEED | judge DIR");
	return run(argv[2], (int)threads, (int)steps, seed);
}
