/*
 * md5.h - MD5, of one stream or of several at once. Behind base/digest.h; nobody else needs it.
 */
#pragma once

/* The registers of a stream are looked into, which OpenSSL 3 calls deprecated, and its newer interface cannot do. */
#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED
#endif
#include <openssl/md5.h>

#include "base/str.h"

#define MD5_LANES 8u

void md5_init(MD5_CTX *);
void md5_add(MD5_CTX *, str bytes);
void md5_end(MD5_CTX *, uint8_t ret[16]);

/* How it is done: the best that the processor can, from the start on. Only tests ask for another; false: it cannot. */
enum md5_way { MD5_PLAIN, MD5_AVX2, MD5_AVX512 };
bool md5_way(enum md5_way);

bool md5_has_lanes(void);
/* Each stream its bytes; n <= MD5_LANES. Pays if lengths are about equal: two cost less together, eight hardly more than two. */
void md5_add_many(MD5_CTX *const m[], const str bytes[], unsigned n);
