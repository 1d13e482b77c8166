/*
 * list_impl.h - lists of records, for calls that show many.
 */
#pragma once

#include "access/access_impl.h"

#define LIST_BYTES_MAX ((size_t)8 << 20)

struct list {
	struct arena *arena;		/* of the caller: holds the result */
	size_t item;			/* bytes of one */
	char *at;
	unsigned n, room;
	size_t bytes;			/* of rows seen */
};

/* A zeroed item for a row of that many bytes. -E2BIG beyond LIST_BYTES_MAX: more than any answer should carry. */
err list_add(struct list *, size_t row_bytes, void **ret);
/* The items, in the arena; NULL if there are none. Frees the list. */
void *list_take(struct list *, unsigned *ret_n);
void list_done(struct list *);
