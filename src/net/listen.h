/*
 * listen.h - sockets that listen.
 */
#pragma once

#include "base/err.h"

#define LISTEN_TEXT_MAX 80

/*
 * "127.0.0.1:9000", "[::1]:0" (port 0: any free one), or "fd:3" (a listening socket that we were started with; it
 * is taken over). Names are not looked up. ret_text: where it listens, port filled in.
 */
err listen_open(const char *address, int *ret_fd, char ret_text[LISTEN_TEXT_MAX]);
