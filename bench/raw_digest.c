/*
 * raw_digest.c - what CPU time each digest costs by itself, over bytes that are in the processor's cache.
 *
 *     raw_digest
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"
#include "base/mem.h"

#define BYTES (256u << 10)
#define TIME (CLOCKS_PER_SEC / 5)

int
main(void)
{
	static const struct { const char *name; enum digest_alg alg; } digests[] = {
		{ "md5", DIGEST_MD5 }, { "sha1", DIGEST_SHA1 }, { "sha256", DIGEST_SHA256 }, { "crc32", DIGEST_CRC32 },
		{ "crc32c", DIGEST_CRC32C }, { "crc64nvme", DIGEST_CRC64NVME },
	};
	char *p = mem_alloc(BYTES);
	uint8_t value[DIGEST_MAX];

	for (size_t i = 0; i < BYTES; i++)
		p[i] = (char)(i * 7919 >> 3);
	for (size_t i = 0; i < COUNT(digests); i++) {
		clock_t began = clock(), spent = 0;
		uint64_t rounds = 0;

		for (; spent < TIME; spent = clock() - began, rounds++)
			digest_once(digests[i].alg, str_n(p, BYTES), value);
		printf("%s %.1f ns/KiB\n", digests[i].name, 1e9 / CLOCKS_PER_SEC * (double)spent / (double)(rounds * (BYTES >> 10)));
	}
	free(p);
	return 0;
}
