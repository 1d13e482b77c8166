/*
 * signing_cache.h - what sigv4.c asks of the cache of derived signing keys (made and freed by s3/sigv4.h).
 */
#pragma once

#include "base/str.h"

struct signing_cache;

/* What a signing key is derived from. Names that are longer than any real one are not kept. */
struct signing_name {
	str access_key, secret;
	str date;		/* 8 digits */
	str region;
};

bool signing_cache_get(struct signing_cache *, const struct signing_name *, uint8_t ret[32]);
/* Only after a signature by this key has matched. */
void signing_cache_put(struct signing_cache *, const struct signing_name *, const uint8_t key[32]);
