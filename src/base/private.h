/*
 * private.h - memory for what must not be found later: secrets, and requests that bring them.
 *
 * Core files leave out private pages; a backtrace, with stacks and the rest of the heap, they still have. Memory of jansson, which texts of
 * tokens and keys pass through, and of OpenSSL, which the private key of TLS passes through, is wiped when it is given back.
 * tests/control/test_secrets.py looks.
 */
#pragma once

#include <stddef.h>

/* Whole pages, zeroed, left out of core files; a failure is a panic. */
void *private_alloc(size_t n);
void private_free(void *, size_t n);
/*
 * Make jansson and OpenSSL wipe what they free. Once, before any thread starts and either is used. What json_dumps() returned is the
 * caller's: private_text_free().
 */
void private_libraries(void);
/* Wipe a NUL-ended text and free() it; NULL is fine. */
void private_text_free(char *);
