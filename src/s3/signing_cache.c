/*
 * signing_cache.c - derived signing keys, so that a request costs one HMAC instead of five.
 *
 * A table of sets with a few ways each, replaced in turn. An entry holds for one access key, secret, day and region: the
 * secret is compared too, so a key that was replaced never matches. Only signatures that matched put entries in, so
 * strangers can neither fill nor flush it. The memory is kept out of core files.
 */
#include "base/digest.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/private.h"
#include "s3/signing_cache.h"

#define SETS 512u
#define WAYS 4u
#define STRIPES 16u
#define REGION_MAX 32u
#define ACCESS_KEY_MAX 64u
#define DATE_LEN 8u

struct entry {
	uint64_t hash;			/* 0: free */
	uint8_t access_key_len, region_len, secret_len;
	char access_key[ACCESS_KEY_MAX];
	char date[DATE_LEN];
	char region[REGION_MAX];
	char secret[128];
	uint8_t key[32];
};

struct set {
	struct entry way[WAYS];
	unsigned next;			/* the way to be replaced */
};

struct signing_cache {
	struct lock stripe[STRIPES];
	struct set *set;		/* SETS of them; set i is guarded by stripe[i % STRIPES] */
};

struct signing_cache *
signing_cache_new(void)
{
	struct signing_cache *c = MEM_NEW(struct signing_cache);

	for (unsigned i = 0; i < STRIPES; i++)
		lock_init(&c->stripe[i], LOCK_SIGNING);
	c->set = private_alloc(SETS * sizeof(struct set));
	return c;
}

void
signing_cache_free(struct signing_cache **cp)
{
	struct signing_cache *c = *cp;

	if (c == NULL)
		return;
	explicit_bzero(c->set, SETS * sizeof(struct set));
	private_free(c->set, SETS * sizeof(struct set));
	for (unsigned i = 0; i < STRIPES; i++)
		lock_done(&c->stripe[i]);
	free(c);
	*cp = NULL;
}

/* FNV-1a; the whole of an entry is compared anyway. */
static uint64_t
hash_add(uint64_t hash, str s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t
hash_of(const struct signing_name *n)
{
	uint64_t hash = hash_add(hash_add(hash_add(0xcbf29ce484222325u, n->access_key), n->date), n->region);

	return hash == 0 ? 1 : hash;
}

static bool
fits(const struct signing_name *n)
{
	return n->access_key.len <= ACCESS_KEY_MAX && n->date.len == DATE_LEN && n->region.len <= REGION_MAX &&
	    n->secret.len <= sizeof(((struct entry *)0)->secret);
}

static bool
entry_is(const struct entry *e, uint64_t hash, const struct signing_name *n)
{
	return e->hash == hash && str_eq(str_n(e->access_key, e->access_key_len), n->access_key) &&
	    str_eq(str_n(e->date, DATE_LEN), n->date) && str_eq(str_n(e->region, e->region_len), n->region) &&
	    str_eq_secret(str_n(e->secret, e->secret_len), n->secret);
}

bool
signing_cache_get(struct signing_cache *c, const struct signing_name *n, uint8_t ret[32])
{
	uint64_t hash = hash_of(n);
	struct set *set = &c->set[hash % SETS];
	struct lock *lock = &c->stripe[hash % SETS % STRIPES];
	bool found = false;

	if (!fits(n))
		return false;
	lock_take(lock);
	for (unsigned i = 0; i < WAYS && !found; i++) {
		if (!entry_is(&set->way[i], hash, n))
			continue;
		memcpy(ret, set->way[i].key, 32);
		found = true;
	}
	lock_drop(lock);
	return found;
}

static void
entry_set(struct entry *e, uint64_t hash, const struct signing_name *n, const uint8_t key[32])
{
	e->hash = hash;
	e->access_key_len = (uint8_t)n->access_key.len;
	e->region_len = (uint8_t)n->region.len;
	e->secret_len = (uint8_t)n->secret.len;
	memcpy(e->access_key, n->access_key.p, n->access_key.len);
	memcpy(e->date, n->date.p, DATE_LEN);
	memcpy(e->region, n->region.p, n->region.len);
	memcpy(e->secret, n->secret.p, n->secret.len);
	memcpy(e->key, key, 32);
}

void
signing_cache_put(struct signing_cache *c, const struct signing_name *n, const uint8_t key[32])
{
	uint64_t hash = hash_of(n);
	struct set *set = &c->set[hash % SETS];
	struct lock *lock = &c->stripe[hash % SETS % STRIPES];

	if (!fits(n))
		return;
	lock_take(lock);
	entry_set(&set->way[set->next], hash, n, key);
	set->next = (set->next + 1) % WAYS;
	lock_drop(lock);
}
