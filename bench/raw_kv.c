/*
 * raw_kv.c - what the index does by itself: synced commits of one value from many threads.
 *
 *     raw_kv rocksdb|kv DIR THREADS VALUE_BYTES SECONDS
 *
 * rocksdb: RocksDB alone through its own C API, opened as src/meta opens it, a rocksdb_put() with sync for each value. kv: our
 * kv_commit(), which puts what comes together into one write (src/meta/kv_rocksdb_write.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_rocksdb.h"

typedef void commit_f(str key, str value);

static struct kv *kv;
static commit_f *commit;
static char *value;
static size_t value_len;
static uint64_t deadline_ms;
static uint64_t commits;

static void
commit_rocksdb(str key, str v)
{
	struct rocks *r = rocks_of(kv);
	char *message = NULL;

	rocksdb_put(r->db, r->write, key.p, key.len, v.p, v.len, &message);
	if (message != NULL)
		PANIC("put: %s", message);
}

static void
commit_kv(str key, str v)
{
	struct kv_batch *b = kv_batch_new(1);
	err_v e;

	kv_put(b, key, v);
	e = kv_commit(kv, b);
	if (!err_ok(e))
		PANIC("commit: %d %s", e.code, err_context());
	kv_batch_free(&b);
}

static const struct { const char *name; commit_f *commit; } modes[] = { { "rocksdb", commit_rocksdb }, { "kv", commit_kv } };

static void *
writer(void *arg)
{
	while (clock_mono_ms() < deadline_ms) {
		struct id id = id_new(1);

		commit(id_bytes(&id), str_n(value, value_len));
		__atomic_add_fetch(&commits, 1, __ATOMIC_RELAXED);
	}
	return arg;
}

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (!str_u64(str_c(text), &n) || n == 0)
		PANIC("not a number: %s", text);
	return n;
}

int
main(int argc, char **argv)
{
	struct kv_options options = { .cache_bytes = 64u << 20, .background_threads = 2 };
	char url[4096];
	pthread_t thread[256];
	uint64_t threads, seconds;
	err_v e;

	for (size_t i = 0; argc == 6 && i < COUNT(modes); i++)
		if (str_eq(str_c(argv[1]), str_c(modes[i].name)))
			commit = modes[i].commit;
	if (commit == NULL)
		PANIC("usage: raw_kv rocksdb|kv DIR THREADS VALUE_BYTES SECONDS");
	threads = number(argv[3]);
	assert(threads <= 256);
	value_len = number(argv[4]);
	seconds = number(argv[5]);
	value = mem_alloc(value_len);
	for (size_t i = 0; i < value_len; i++)
		value[i] = (char)(i * 7919 >> 3);
	snprintf(url, sizeof(url), "rocksdb:%s", argv[2]);
	e = kv_open(str_c(url), &options, &kv);
	if (!err_ok(e))
		PANIC("open: %d %s", e.code, err_context());
	deadline_ms = clock_mono_ms() + seconds * 1000;
	for (uint64_t i = 0; i < threads; i++)
		thread_start(&thread[i], "writer", 256 << 10, writer, NULL);
	for (uint64_t i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("%.1f commits/s\n", (double)commits / (double)seconds);
	kv_close(&kv);
	free(value);
	return 0;
}
