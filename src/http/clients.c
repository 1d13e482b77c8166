/*
 * clients.c - a hash table of the addresses that hold a worker now.
 */
#include "http/clients.h"

#include "base/mem.h"
#include "base/panic.h"

#define BUCKETS 1024u

struct client {
	struct client *next;
	struct in6_addr key;
	unsigned running;
	struct exchange *first, **last;	/* waiting */
};

struct clients {
	struct pool *pool;
	unsigned workers, waiting_max;
	struct lock lock;
	unsigned waiting;			/* GUARDED_BY(lock), like all below */
	struct client *bucket[BUCKETS];
};

struct clients *
clients_new(struct pool *pool, unsigned workers, unsigned waiting_max)
{
	struct clients *c = MEM_NEW(struct clients);

	c->pool = pool;
	c->workers = workers;
	c->waiting_max = waiting_max;
	lock_init(&c->lock, LOCK_CLIENTS);
	return c;
}

void
clients_free(struct clients **cp)
{
	struct clients *c = *cp;

	if (c == NULL)
		return;
	for (unsigned i = 0; i < BUCKETS; i++)
		assert(c->bucket[i] == NULL);
	lock_done(&c->lock);
	free(c);
	*cp = NULL;
}

static struct in6_addr
key_of(const struct in6_addr *a)
{
	struct in6_addr key = *a;

	if (!IN6_IS_ADDR_V4MAPPED(a))
		memset(&key.s6_addr[8], 0, 8);
	return key;
}

/* Where the entry of the key hangs, or would. */
static struct client **
find(struct clients *c, const struct in6_addr *key) REQUIRES(c->lock)
{
	uint64_t half[2], h;
	struct client **at;

	memcpy(half, key, sizeof(half));
	h = (half[0] ^ half[1]) * 0x9e3779b97f4a7c15u;
	at = &c->bucket[h >> 32 & (BUCKETS - 1)];
	while (*at != NULL && memcmp(&(*at)->key, key, sizeof(*key)) != 0)
		at = &(*at)->next;
	return at;
}

static struct client *
client_new(const struct in6_addr *key)
{
	struct client *client = MEM_NEW(struct client);

	client->key = *key;
	client->last = &client->first;
	return client;
}

bool
clients_enter(struct clients *c, const struct in6_addr *address, struct exchange *x)
{
	struct in6_addr key = key_of(address);
	struct client **at, *client;
	bool entered = true;

	if (c->workers == 0)
		return pool_put(c->pool, &x->task, x->class);
	lock_take(&c->lock);
	at = find(c, &key);
	client = *at != NULL ? *at : client_new(&key);
	if (client->running < c->workers) {
		entered = pool_put(c->pool, &x->task, x->class);
		client->running += entered;
	} else if (c->waiting < c->waiting_max) {
		x->next = NULL;
		*client->last = x;
		client->last = &x->next;
		c->waiting++;
	} else {
		entered = false;
	}
	if (client->running > 0)
		*at = client;
	else
		free(client);
	lock_drop(&c->lock);
	return entered;
}

struct exchange *
clients_leave(struct clients *c, const struct in6_addr *address)
{
	struct in6_addr key = key_of(address);
	struct exchange *refused = NULL, *x;
	struct client **at, *client;

	if (c->workers == 0)
		return NULL;
	lock_take(&c->lock);
	at = find(c, &key);
	client = *at;
	assert(client != NULL && client->running > 0);
	client->running--;
	while (client->first != NULL && client->running < c->workers) {
		x = client->first;
		client->first = x->next;
		if (client->first == NULL)
			client->last = &client->first;
		assert(c->waiting > 0);
		c->waiting--;
		if (pool_put(c->pool, &x->task, x->class)) {
			client->running++;
			continue;
		}
		x->next = refused;
		refused = x;
	}
	if (client->running == 0) {
		*at = client->next;
		free(client);
	}
	lock_drop(&c->lock);
	return refused;
}
