/* private.c - pages that core files leave out, and wiping. */
#include "base/private.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/panic.h"

void *
private_alloc(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert(n > 0);
	if (p == MAP_FAILED || madvise(p, n, MADV_DONTDUMP) != 0)
		PANIC("out of memory: %zu bytes", n);
	return p;
}

void
private_free(void *p, size_t n)
{
	if (p != NULL && munmap(p, n) != 0)
		PANIC("munmap of %zu bytes", n);
}

static void
wipe_and_free(void *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void
private_json(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

void
private_text_free(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}
