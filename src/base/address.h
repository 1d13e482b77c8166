/*
 * address.h - "127.0.0.1:9000" and "[::1]:9000" as socket addresses. Names are not looked up.
 */
#pragma once

#include <sys/socket.h>

#include "base/str.h"

/* NULL, or what is wrong with it: a sentence for whoever typed it. */
const char *address_parse(str text, struct sockaddr_storage *ret, socklen_t *ret_len);
/* The same for what a listener takes: an address, or "fd:3" (a descriptor passed to us, from 3 on). */
const char *address_check_listen(str text);
