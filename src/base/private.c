/* private.c - pages that core files leave out, and wiping. */
#include "base/private.h"

#include <jansson.h>
#include <malloc.h>
#include <openssl/crypto.h>
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

static void *
ssl_malloc(size_t n, const char *file, int line)
{
	return malloc(n);
}

static void
ssl_free(void *p, const char *file, int line)
{
	wipe_and_free(p);
}

/* realloc() would leave what it moved behind. */
static void *
ssl_realloc(void *p, size_t n, const char *file, int line)
{
	size_t had = p != NULL ? malloc_usable_size(p) : 0;
	void *to;

	if (n == 0) {
		wipe_and_free(p);
		return NULL;
	}
	if (n <= had)
		return p;
	to = malloc(n);
	if (to == NULL)
		return NULL;
	if (had > 0)
		memcpy(to, p, had);
	wipe_and_free(p);
	return to;
}

void
private_libraries(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
	if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
		PANIC("OpenSSL was used before the program began");
}

void
private_text_free(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}
