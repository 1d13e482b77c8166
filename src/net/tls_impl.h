/*
 * tls_impl.h - what net/conn.c needs of TLS.
 */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"

/* The server side of a new connection over fd, or NULL (out of memory). Keeps its own hold on the certificate. */
SSL *tls_session(struct tls *, int fd);
