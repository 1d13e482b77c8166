/*
 * vault.c - slots for secrets, in pages that core files leave out and that are wiped when given back.
 *
 * Locked into memory as far as the limits of the process allow; a page that could be swapped is a smaller evil than no store.
 */
#include <openssl/crypto.h>
#include <sys/mman.h>

#include "access/access_impl.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/private.h"

#define CHUNK_BYTES 65536u
#define CHUNK_SLOTS (CHUNK_BYTES / VAULT_SLOT)

struct chunk { struct chunk *next; char *pages; };
struct vault {
	struct chunk *chunks;
	char **idle;
	size_t idles, room;
};

struct vault *
vault_new(void)
{
	return MEM_NEW(struct vault);
}

void
vault_free(struct vault **vp)
{
	struct vault *v = *vp;
	struct chunk *next;

	if (v == NULL)
		return;
	for (struct chunk *c = v->chunks; c != NULL; c = next) {
		next = c->next;
		OPENSSL_cleanse(c->pages, CHUNK_BYTES);
		private_free(c->pages, CHUNK_BYTES);
		free(c);
	}
	free(v->idle);
	free(v);
	*vp = NULL;
}

static void
grow(struct vault *v)
{
	struct chunk *c = MEM_NEW(struct chunk);

	c->pages = private_alloc(CHUNK_BYTES);
	(void)mlock(c->pages, CHUNK_BYTES);
	c->next = v->chunks;
	v->chunks = c;
	v->room += CHUNK_SLOTS;
	v->idle = mem_grow(v->idle, v->room * sizeof(v->idle[0]));
	for (unsigned i = CHUNK_SLOTS; i > 0; i--)
		v->idle[v->idles++] = c->pages + (size_t)(i - 1) * VAULT_SLOT;
}

char *
vault_take(struct vault *v)
{
	if (v->idles == 0)
		grow(v);
	return v->idle[--v->idles];
}

void
vault_drop(struct vault *v, char *slot)
{
	assert(v->idles < v->room);
	OPENSSL_cleanse(slot, VAULT_SLOT);
	v->idle[v->idles++] = slot;
}
