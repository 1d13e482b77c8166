/*
 * signing_cache.h - derived signing keys: bounded, shared by all threads.
 */
#pragma once

#include "base/str.h"

struct signing_cache;

struct signing_cache *signing_cache_new(void);
void signing_cache_free(struct signing_cache **);

/* What a signing key is derived from. Names that are longer than any real one are not kept. */
struct signing_name {
	str access_key, secret;
	str date;		/* 8 digits */
	str region;
};

bool signing_cache_get(struct signing_cache *, const struct signing_name *, uint8_t ret[32]);
/* Only after a signature by this key has matched. */
void signing_cache_put(struct signing_cache *, const struct signing_name *, const uint8_t key[32]);
