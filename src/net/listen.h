/*
 * listen.h - sockets that listen.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

#define LISTEN_TEXT_MAX 80

struct listener {
	int fd;				/* -1: none */
	bool passed;			/* somebody else has it too, and goes on when we end */
	char text[LISTEN_TEXT_MAX];	/* where it listens, port filled in */
};
#define LISTENER_NONE ((struct listener){ .fd = -1 })

/*
 * "127.0.0.1:9000", "[::1]:0" (port 0: any free one), or "fd:3" (a listening socket that we were started with; it
 * is taken over). Names are not looked up. Connections wait in the socket's queue until somebody accepts.
 */
err listen_open(const char *address, struct listener *ret);
/* The same socket once more: it listens until both are closed. */
err listen_copy(const struct listener *, struct listener *ret);
void listen_close(struct listener *);
