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
#define MD5_LANES_WORTH 3u	/* fewer are as fast one after the other */

void md5_init(MD5_CTX *);
void md5_add(MD5_CTX *, str bytes);
void md5_end(MD5_CTX *, uint8_t ret[16]);

bool md5_has_lanes(void);
/* Each stream its bytes; n <= MD5_LANES. Pays if lengths are about equal. */
void md5_add_many(MD5_CTX *const m[], const str bytes[], unsigned n);
