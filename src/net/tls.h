/*
 * tls.h - TLS 1.2 and 1.3 by OpenSSL, certificates reloadable while serving.
 */
#pragma once

#include "base/err.h"

struct tls;

/* PEM files. connections: at most, of each listener. The error's context says which file and why. */
err tls_open(const char *cert_file, const char *key_file, uint64_t connections, struct tls **ret);
/* Read the files again; new connections use them. On failure the old ones stay. Any thread. */
err tls_reload(struct tls *);
void tls_close(struct tls **);
