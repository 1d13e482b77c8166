/*
 * raw_blob.c - what the file engine does by itself: durable blobs of one size from many threads.
 *
 *     raw_blob DIR volume|file|direct THREADS BYTES SECONDS
 *
 * Leaves what it wrote in DIR. Where the ways cross are the borders volume_max and direct_min.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "blob/blob.h"

#define PIECE (256u << 10)	/* as a body arrives */

static struct blobs *store;
static char *bytes;
static uint64_t size, deadline_ms, done, slowest_ns;

static err
put(void)
{
	AUTO(blob_abort) struct blob_writer *w = NULL;
	struct blob_ref ref;

	TRY(blob_begin(store, id_new(1), size, &w));
	for (uint64_t off = 0; off < size; off += PIECE)
		TRY(blob_append(w, str_n(bytes, size - off < PIECE ? size - off : PIECE)));
	return blob_commit(&w, &ref);
}

static void *
writer(void *arg)
{
	while (clock_mono_ms() < deadline_ms) {
		uint64_t began = clock_mono_ns(), took, worst;
		err_v e = put();

		if (!err_ok(e))
			PANIC("put: %d %s", e.code, err_context());
		took = clock_mono_ns() - began;
		worst = __atomic_load_n(&slowest_ns, __ATOMIC_RELAXED);
		while (took > worst && !__atomic_compare_exchange_n(&slowest_ns, &worst, took, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
		__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
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
	struct blob_options options = { .volume_bytes = 1u << 30, .direct_min = UINT64_MAX };
	struct blob_stats stats;
	char url[4096];
	pthread_t thread[256];
	uint64_t threads, began;
	double seconds;
	err_v e;

	if (argc != 6)
		PANIC("usage: raw_blob DIR volume|file|direct THREADS BYTES SECONDS");
	if (str_eq(str_c(argv[2]), STR("volume")))
		options.volume_max = UINT64_MAX;
	else if (str_eq(str_c(argv[2]), STR("direct")))
		options.direct_min = 1;
	threads = number(argv[3]);
	assert(threads <= 256);
	size = number(argv[4]);
	bytes = mem_alloc(PIECE);
	for (size_t i = 0; i < PIECE; i++)
		bytes[i] = (char)(i * 7919 >> 3);
	snprintf(url, sizeof(url), "file:%s", argv[1]);
	e = blobs_open(str_c(url), &options, &store);
	if (!err_ok(e))
		PANIC("open: %d %s", e.code, err_context());
	began = clock_mono_ms();
	deadline_ms = began + number(argv[5]) * 1000;
	for (uint64_t i = 0; i < threads; i++)
		thread_start(&thread[i], "writer", 256 << 10, writer, NULL);
	for (uint64_t i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	seconds = (double)(clock_mono_ms() - began) / 1000;
	blob_stats(store, &stats);
	printf("%-6s %3d threads %9llu bytes: %8.1f blobs/s %7.1f MiB/s, slowest %.1f ms, %.1f commits a flush\n", argv[2],
	    (int)threads, (unsigned long long)size, (double)done / seconds, (double)done * (double)size / seconds / (1 << 20),
	    (double)slowest_ns / 1e6, (double)stats.commits / (double)(stats.flushes ? stats.flushes : 1));
	blobs_close(&store);
	free(bytes);
	return 0;
}
