/*
 * load_keys.c - fills a bucket of a stopped store with many small objects: minutes where requests would take hours.
 *
 *     load_keys DIR BUCKET COUNT [AGE_DAYS]
 *
 * Keys are all/DIRECTORY/OBJECT, a thousand objects a directory; directories come in an order that is not that of their names, as
 * in a store that has grown. Each object is inlined, with ETag, checksum and a header, as a PUT would have left it. AGE_DAYS: how long ago they
 * were made. What is in the bucket already is not looked at: keys of all/ must be new.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "meta/catalog_impl.h"

#define DIRECTORY 1000u			/* objects; one batch */
#define DAY_MS 86400000u

static struct kv *kv;
static struct catalog *catalog;
static struct arena *arena;
static struct bucket bucket;

static void
must(err_v e, const char *what)
{
	if (!err_ok(e))
		PANIC("%s: %d %s", what, e.code, err_context());
}

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (!str_u64(str_c(text), &n))
		PANIC("not a number: %s", text);
	return n;
}

static void
add_object(struct kv_batch *b, struct buf *buf, str key, str bytes, uint64_t modified_ms)
{
	struct pair type = { STR("Content-Type"), STR("binary/octet-stream") };
	struct older none = { .any = false };
	struct object o = {
		.key = key, .version.null = true, .oid = id_new(bucket.space), .modified_ms = modified_ms, .size = bytes.len,
		.owner_org = bucket.org, .headers = { &type, 1 }, .data = DATA_INLINE, .inlined = bytes,
		.checksum = { .set = true, .alg = DIGEST_CRC64NVME, .type = CHECKSUM_FULL_OBJECT },
	};
	struct row_key row = row_object(key);
	uint8_t md5[16];
	char etag[32];

	o.version.id = o.oid;
	digest_once(DIGEST_MD5, bytes, md5);
	digest_once(DIGEST_CRC64NVME, bytes, o.checksum.value);
	hex_encode(str_n(md5, sizeof(md5)), etag);
	o.etag = str_n(etag, sizeof(etag));
	record_object(buf, &none, &o);
	kv_put(b, row_str(&row), buf_str(buf));
}

static void
add_directory(uint64_t directory, uint64_t n, uint64_t modified_ms)
{
	struct kv_batch *b = kv_batch_new(bucket.space);
	struct row_key head = row_head(), counters = row_counters();
	int64_t tally[COUNTER_COUNT] = { 0 };
	char key[64], bytes[17];
	struct buf buf;

	buf_init(&buf, KV_VALUE_MAX);
	kv_expect_value(b, row_str(&head), bucket.header);
	for (uint64_t i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "all/%08llu/%03llu", (unsigned long long)directory, (unsigned long long)i);
		snprintf(bytes, sizeof(bytes), "%016llx", (unsigned long long)(directory * DIRECTORY + i));
		add_object(b, &buf, str_c(key), str_n(bytes, 16), modified_ms);
	}
	tally[COUNTER_OBJECTS + CLASS_STANDARD] = (int64_t)n;
	tally[COUNTER_BYTES + CLASS_STANDARD] = (int64_t)(16 * n);
	kv_add(b, row_str(&counters), tally, COUNTER_COUNT);
	must(kv_commit(kv, b), "commit");
	kv_batch_free(&b);
	buf_done(&buf);
}

int
main(int argc, char **argv)
{
	struct kv_options options = { .cache_bytes = 32u << 20, .background_threads = 2 };
	uint64_t count, rounds, modified_ms, began = clock_mono_ms();
	char url[4096];

	if (argc != 4 && argc != 5)
		PANIC("usage: load_keys DIR BUCKET COUNT [AGE_DAYS]");
	count = number(argv[3]);
	modified_ms = clock_wall_ms() - (argc == 5 ? number(argv[4]) : 0) * DAY_MS;
	snprintf(url, sizeof(url), "rocksdb:%s/index", argv[1]);
	must(kv_open(str_c(url), &options, &kv), "open");
	must(catalog_open(kv, &catalog), "catalog");
	arena = arena_new(65536, 1u << 20);
	must(catalog_bucket(catalog, str_c(argv[2]), KV_MAY_BLOCK, arena, &bucket), "bucket");
	rounds = count / (7 * DIRECTORY) + 1;
	for (uint64_t i = 0; i < 7 * rounds; i++) {
		uint64_t d = i % rounds * 7 + i / rounds;	/* seven apart, around and around: each comes once */

		if (d * DIRECTORY < count)
			add_directory(d, count - d * DIRECTORY < DIRECTORY ? count - d * DIRECTORY : DIRECTORY, modified_ms);
	}
	kv_close(&kv);
	catalog_close(&catalog);
	arena_free(&arena);
	printf("%llu keys in %.1f s\n", (unsigned long long)count, (double)(clock_mono_ms() - began) / 1000);
	return 0;
}
