/*
 * cache.c - bucket policies, compiled, by bucket and generation.
 *
 * Every change of a bucket's configuration raises its generation, and a request comes with the bucket as it read it: an old entry is
 * never asked again. Four ways a set; readers look without locks, inside an RCU section.
 */
#include "access/access_impl.h"

#include "base/mem.h"
#include "base/panic.h"

static size_t
set_of(uint32_t space)
{
	return (space * 2654435761u) >> 8 & (CACHE_SETS - 1);
}

const struct bucket_policy *
cache_find(struct access *a, const struct bucket *b)
{
	for (unsigned way = 0; way < CACHE_WAYS; way++) {
		const struct bucket_policy *p = atomic_load(&a->cache[set_of(b->space)][way]);

		if (p != NULL && p->space == b->space && p->generation == b->generation)
			return p;
	}
	return NULL;
}

static void
entry_free(struct bucket_policy *p)
{
	if (p == NULL)
		return;
	policy_free(&p->policy);
	free(p);
}

/* In place of an entry of the same bucket, else of an empty one, else of any of the set. */
static void
cache_put(struct access *a, struct bucket_policy *p)
{
	struct bucket_policy *_Atomic *set = a->cache[set_of(p->space)];
	struct bucket_policy *old;
	unsigned way, empty = CACHE_WAYS;

	lock_take(&a->cache_lock);
	for (way = 0; way < CACHE_WAYS; way++) {
		old = atomic_load(&set[way]);
		if (old == NULL)
			empty = way;
		else if (old->space == p->space)
			break;
	}
	if (way == CACHE_WAYS)
		way = empty < CACHE_WAYS ? empty : a->cache_next++ % CACHE_WAYS;
	old = atomic_exchange(&set[way], p);
	lock_drop(&a->cache_lock);
	if (old != NULL)
		rcu_wait(&a->rcu);
	entry_free(old);
}

err_v
cache_fill(struct access *a, const struct bucket *b, enum kv_wait wait)
{
	AUTO(arena_free) struct arena *mem = NULL;
	struct bucket_policy *p;
	err_v e;
	str json;

	if (wait == KV_NO_WAIT)
		return ERR_WOULD_BLOCK;
	mem = arena_new(4096, 4 << 20);
	e = catalog_config_get(a->catalog, b, CONFIG_POLICY, mem, &json);
	if (err_is(e, ERR_NOT_FOUND.code))
		json = STR_NONE;	/* removed since the bucket was read: as in the newer state */
	else
		TRY(e);
	p = MEM_NEW(struct bucket_policy);
	p->space = b->space;
	p->generation = b->generation;
	p->state = json.p == NULL ? BUCKET_POLICY_NONE : BUCKET_POLICY_READY;
	if (json.p != NULL && !err_ok(policy_compile_bucket(b->name, json, &p->policy)))
		p->state = BUCKET_POLICY_UNREADABLE;
	cache_put(a, p);
	return ERR_OK;
}

void
cache_free(struct access *a)
{
	for (unsigned set = 0; set < CACHE_SETS; set++)
		for (unsigned way = 0; way < CACHE_WAYS; way++)
			entry_free(a->cache[set][way]);
}
