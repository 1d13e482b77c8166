/*
 * stripes.c - a table of reader/writer locks, each on a cache line of its own.
 */
#include "base/stripes.h"

#include "base/mem.h"
#include "base/panic.h"

#define STRIPES_MAGIC 0x53545250u
#define LINE 64

struct slot {
	pthread_rwlock_t l __attribute__((aligned(LINE)));
};

struct stripes {
	unsigned magic;
	enum lock_rank rank;
	uint32_t count;
	struct slot *slot;
};

static void
must(int rc, const char *what)
{
	if (rc != 0)
		PANIC("%s gives %d", what, rc);
}

struct stripes *
stripes_new(uint32_t count, enum lock_rank rank)
{
	struct stripes *s = MEM_NEW(struct stripes);
	pthread_rwlockattr_t attr;

	assert(count > 0);
	*s = (struct stripes){ STRIPES_MAGIC, rank, count, mem_alloc_aligned(LINE, count * sizeof(struct slot)) };
	must(pthread_rwlockattr_init(&attr), "pthread_rwlockattr_init");
	must(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP), "pthread_rwlockattr_setkind_np");
	for (uint32_t i = 0; i < count; i++)
		must(pthread_rwlock_init(&s->slot[i].l, &attr), "pthread_rwlock_init");
	must(pthread_rwlockattr_destroy(&attr), "pthread_rwlockattr_destroy");
	return s;
}

void
stripes_free(struct stripes **sp)
{
	struct stripes *s = *sp;

	if (s == NULL)
		return;
	CHECK_OBJ(s, STRIPES_MAGIC);
	for (uint32_t i = 0; i < s->count; i++)
		must(pthread_rwlock_destroy(&s->slot[i].l), "pthread_rwlock_destroy");
	s->magic = 0;
	free(s->slot);
	free(s);
	*sp = NULL;
}

static int
by_number(const void *a, const void *b)
{
	const struct stripe *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (int)y->use - (int)x->use;	/* the stronger use first */
}

size_t
stripes_sort(struct stripe *t, size_t n)
{
	size_t left = 0;

	qsort(t, n, sizeof(*t), by_number);
	for (size_t i = 0; i < n; i++)
		if (left == 0 || t[left - 1].number != t[i].number)
			t[left++] = t[i];
	return left;
}

NO_LOCK_ANALYSIS void
stripes_take(struct stripes *s, const struct stripe *t, size_t n)
{
	CHECK_OBJ(s, STRIPES_MAGIC);
	assert(n > 0);
	lock_rank_take(s->rank);
	for (size_t i = 0; i < n; i++) {
		assert(t[i].number < s->count);
		assert(i == 0 || t[i - 1].number < t[i].number);
		if (t[i].use == STRIPE_EXCLUSIVE)
			must(pthread_rwlock_wrlock(&s->slot[t[i].number].l), "pthread_rwlock_wrlock");
		else
			must(pthread_rwlock_rdlock(&s->slot[t[i].number].l), "pthread_rwlock_rdlock");
	}
}

NO_LOCK_ANALYSIS void
stripes_drop(struct stripes *s, const struct stripe *t, size_t n)
{
	CHECK_OBJ(s, STRIPES_MAGIC);
	for (size_t i = n; i-- > 0;)
		must(pthread_rwlock_unlock(&s->slot[t[i].number].l), "pthread_rwlock_unlock");
	lock_rank_drop(s->rank);
}
