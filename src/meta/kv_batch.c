/*
 * kv_batch.c - batches, and the arithmetic of counters: the same for all engines.
 *
 * What a batch cannot hold (an empty or too long key, a too long value, too many bytes) is remembered and told by
 * kv_commit, so that callers need not check each call.
 */
#include <endian.h>

#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_impl.h"

#define BATCH_FIRST 2048
#define BATCH_MAX (64u << 20)

struct kv_batch *
kv_batch_new(uint32_t space)
{
	struct kv_batch *b = MEM_NEW(struct kv_batch);

	b->magic = KV_BATCH_MAGIC;
	b->space = space;
	b->arena = arena_new(BATCH_FIRST, BATCH_MAX);
	return b;
}

void
kv_batch_free(struct kv_batch **bp)
{
	struct kv_batch *b = *bp;

	if (b == NULL)
		return;
	CHECK_OBJ(b, KV_BATCH_MAGIC);
	b->magic = 0;
	arena_free(&b->arena);
	free(b->op);
	free(b);
	*bp = NULL;
}

/* n bytes that live as long as the batch; NULL: it holds too much already. */
static char *
room_for(struct kv_batch *b, size_t n)
{
	char *p = arena_room(b->arena, n > 0 ? n : 1);

	if (p == NULL)
		b->failed = (err_v){ -E2BIG };
	else
		b->bytes += n;
	return p;
}

/* A new op with a copy of its full key; NULL: refused. */
static struct kv_op *
op_add(struct kv_batch *b, enum kv_op_kind kind, const struct kv_full *key)
{
	struct kv_op *op;
	char *p;

	if ((p = room_for(b, key->len)) == NULL)
		return NULL;
	memcpy(p, key->p, key->len);
	b->op = mem_more(b->op, b->n, &b->room, sizeof(*b->op));
	op = &b->op[b->n++];
	*op = (struct kv_op){ .kind = kind, .key = str_n(p, key->len) };
	b->changes += !kv_op_is_expectation(kind);
	return op;
}

static void
add(struct kv_batch *b, enum kv_op_kind kind, str key, str value)
{
	struct kv_full full;
	struct kv_op *op;
	char *p;

	CHECK_OBJ(b, KV_BATCH_MAGIC);
	if (str_empty(key) || value.len > KV_VALUE_MAX || !kv_full(b->space, key, &full)) {
		b->failed = (err_v){ -EINVAL };
		return;
	}
	if ((op = op_add(b, kind, &full)) == NULL || (p = room_for(b, value.len)) == NULL)
		return;
	if (value.len > 0)
		memcpy(p, value.p, value.len);
	op->value = str_n(p, value.len);
}

void
kv_expect_absent(struct kv_batch *b, str key)
{
	add(b, KV_EXPECT_ABSENT, key, STR_NONE);
}

void
kv_expect_value(struct kv_batch *b, str key, str value)
{
	add(b, KV_EXPECT_VALUE, key, value);
}

void
kv_expect_since(struct kv_batch *b, uint64_t stamp)
{
	CHECK_OBJ(b, KV_BATCH_MAGIC);
	if (err_ok(b->failed)) {
		assert(b->n > 0 && kv_op_is_expectation(b->op[b->n - 1].kind));
		b->op[b->n - 1].stamp = stamp;
	}
}

void
kv_put(struct kv_batch *b, str key, str value)
{
	add(b, KV_PUT, key, value);
}

void
kv_delete(struct kv_batch *b, str key)
{
	add(b, KV_DELETE, key, STR_NONE);
}

void
kv_delete_range(struct kv_batch *b, str from, str to)
{
	struct kv_full f, t;
	struct kv_op *op;
	char *p;

	CHECK_OBJ(b, KV_BATCH_MAGIC);
	if (!kv_full(b->space, from, &f) || !kv_full_bound(b->space, to, &t)) {
		b->failed = (err_v){ -EINVAL };
		return;
	}
	if (str_cmp(kv_full_str(&f), kv_full_str(&t)) >= 0)
		return;
	if ((op = op_add(b, KV_DELETE_RANGE, &f)) == NULL || (p = room_for(b, t.len)) == NULL)
		return;
	memcpy(p, t.p, t.len);
	op->value = str_n(p, t.len);
	b->has_range = true;
}

void
kv_add(struct kv_batch *b, str key, const int64_t *delta, size_t n)
{
	uint64_t le[KV_COUNTERS_MAX];

	assert(n > 0 && n <= KV_COUNTERS_MAX);
	for (size_t i = 0; i < n; i++)
		le[i] = htole64((uint64_t)delta[i]);
	add(b, KV_ADD, key, str_n(le, n * sizeof(le[0])));
}

size_t
kv_batch_bytes(const struct kv_batch *b)
{
	CHECK_OBJ(b, KV_BATCH_MAGIC);
	return b->bytes;
}

bool
kv_counters(str value, int64_t *ret, size_t n)
{
	uint64_t le;

	if (value.len % sizeof(le) != 0 || value.len > KV_COUNTERS_MAX * sizeof(le))
		return false;
	for (size_t i = 0; i < n; i++) {
		le = 0;
		if (i < value.len / sizeof(le))
			memcpy(&le, value.p + i * sizeof(le), sizeof(le));
		ret[i] = (int64_t)le64toh(le);
	}
	return true;
}

bool
kv_counters_add(str a, str b, char *ret_sum, size_t sum_max, size_t *ret_len)
{
	int64_t x[KV_COUNTERS_MAX], y[KV_COUNTERS_MAX];
	size_t len = a.len > b.len ? a.len : b.len;
	uint64_t le;

	if (len > sum_max || !kv_counters(a, x, KV_COUNTERS_MAX) || !kv_counters(b, y, KV_COUNTERS_MAX))
		return false;
	/* Unsigned, so that a counter that rot has made huge wraps instead of being undefined. */
	for (size_t i = 0; i < len / sizeof(le); i++) {
		le = htole64((uint64_t)x[i] + (uint64_t)y[i]);
		memcpy(ret_sum + i * sizeof(le), &le, sizeof(le));
	}
	*ret_len = len;
	return true;
}
