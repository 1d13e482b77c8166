/*
 * raw_kv.c - what the index engine does by itself: synced commits of one value from many threads.
 *
 *     raw_kv DIR THREADS VALUE_BYTES SECONDS
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv.h"

static struct kv *kv;
static char *value;
static size_t value_len;
static uint64_t deadline_ms;
static uint64_t commits;

static void *
writer(void *arg)
{
	while (clock_mono_ms() < deadline_ms) {
		struct kv_batch *b = kv_batch_new(1);
		struct id id = id_new(1);
		err_v e;

		kv_put(b, id_bytes(&id), str_n(value, value_len));
		e = kv_commit(kv, b);
		if (!err_ok(e))
			PANIC("commit: %d %s", e.code, err_context());
		kv_batch_free(&b);
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

	if (argc != 5)
		PANIC("usage: raw_kv DIR THREADS VALUE_BYTES SECONDS");
	threads = number(argv[2]);
	assert(threads <= 256);
	value_len = number(argv[3]);
	seconds = number(argv[4]);
	value = mem_alloc(value_len);
	for (size_t i = 0; i < value_len; i++)
		value[i] = (char)(i * 7919 >> 3);
	snprintf(url, sizeof(url), "rocksdb:%s", argv[1]);
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
