/*
 * kv_mem.c - the index in memory, for tests.
 *
 * All spaces are one tree of full keys: a treap whose priorities follow from the keys. Nodes never change: a commit
 * copies the paths that it alters and then swaps the root, so a scan sees the map as it was by holding an old root, and
 * a batch that is refused half way leaves nothing behind. Nodes are counted by their parents and by roots in use; the
 * counts, and the current root, are guarded by the one lock.
 */
#include "base/digest.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_impl.h"

/* A key and its value, shared by all copies of its node. */
struct entry {
	unsigned refs;
	uint32_t priority;
	str key, value;
	char bytes[];
};

struct node {
	unsigned refs;
	struct node *left, *right;
	struct entry *e;
};

struct mem_kv {
	struct kv base;
	struct lock lock;		/* rank: LOCK_MEMORY */
	struct node *root GUARDED_BY(lock);
	struct kv_stats stats GUARDED_BY(lock);
};

struct mem_iter {
	struct kv_iter base;
	struct node *root;		/* held */
	struct node *at;		/* in the tree of root; NULL: at the end */
};

static struct mem_kv *
mem_of(struct kv *kv)
{
	assert(kv->ops == &kv_mem_ops);
	return (struct mem_kv *)kv;
}

/* ---- the tree: each function takes over the references given to it and returns one ---- */

static struct entry *
entry_new(str key, str value)
{
	struct entry *e = mem_alloc(sizeof(*e) + key.len + value.len);

	e->refs = 1;
	e->priority = crc32c(0x7265, key) * 2654435761u;
	memcpy(e->bytes, key.p, key.len);
	if (value.len > 0)
		memcpy(e->bytes + key.len, value.p, value.len);
	e->key = str_n(e->bytes, key.len);
	e->value = str_n(e->bytes + key.len, value.len);
	return e;
}

static void
entry_unref(struct entry *e)
{
	assert(e->refs > 0);
	if (--e->refs == 0)
		free(e);
}

static struct node *
node_new(struct entry *e, struct node *left, struct node *right)
{
	struct node *n = MEM_NEW(struct node);

	*n = (struct node){ 1, left, right, e };
	return n;
}

static struct node *
node_ref(struct node *n)
{
	if (n != NULL)
		n->refs++;
	return n;
}

static void
node_unref(struct node *n)
{
	if (n == NULL)
		return;
	assert(n->refs > 0);
	if (--n->refs > 0)
		return;
	node_unref(n->left);
	node_unref(n->right);
	entry_unref(n->e);
	free(n);
}

/* The same node with other children. */
static struct node *
node_copy(struct node *n, struct node *left, struct node *right)
{
	n->e->refs++;
	return node_new(n->e, left, right);
}

/* Keys below "key" to the left, the others to the right. */
static void
split(struct node *n, str key, struct node **ret_left, struct node **ret_right)
{
	struct node *l, *r;

	if (n == NULL) {
		*ret_left = *ret_right = NULL;
		return;
	}
	if (str_cmp(n->e->key, key) < 0) {
		split(node_ref(n->right), key, &l, &r);
		*ret_left = node_copy(n, node_ref(n->left), l);
		*ret_right = r;
	} else {
		split(node_ref(n->left), key, &l, &r);
		*ret_left = l;
		*ret_right = node_copy(n, r, node_ref(n->right));
	}
	node_unref(n);
}

/* All keys of a are below those of b. */
static struct node *
merge(struct node *a, struct node *b)
{
	struct node *n;

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (a->e->priority > b->e->priority) {
		n = node_copy(a, node_ref(a->left), merge(node_ref(a->right), b));
		node_unref(a);
	} else {
		n = node_copy(b, merge(a, node_ref(b->left)), node_ref(b->right));
		node_unref(b);
	}
	return n;
}

static struct node *
remove_range(struct node *n, str from, str to)
{
	struct node *left, *middle, *right;

	split(n, from, &left, &right);
	split(right, to, &middle, &right);
	node_unref(middle);
	return merge(left, right);
}

static struct node *
remove_key(struct node *n, str key)
{
	struct node *r;
	int c;

	if (n == NULL)
		return NULL;
	c = str_cmp(key, n->e->key);
	if (c == 0)
		r = merge(node_ref(n->left), node_ref(n->right));
	else if (c < 0)
		r = node_copy(n, remove_key(node_ref(n->left), key), node_ref(n->right));
	else
		r = node_copy(n, node_ref(n->left), remove_key(node_ref(n->right), key));
	node_unref(n);
	return r;
}

/* Takes over e. A key keeps its priority, so one that is above n is not yet below it. */
static struct node *
insert(struct node *n, struct entry *e)
{
	struct node *r, *left, *right;
	int c;

	if (n == NULL)
		return node_new(e, NULL, NULL);
	c = str_cmp(e->key, n->e->key);
	if (c != 0 && e->priority > n->e->priority) {
		split(n, e->key, &left, &right);
		return node_new(e, left, right);
	}
	if (c == 0)
		r = node_new(e, node_ref(n->left), node_ref(n->right));
	else if (c < 0)
		r = node_copy(n, insert(node_ref(n->left), e), node_ref(n->right));
	else
		r = node_copy(n, node_ref(n->left), insert(node_ref(n->right), e));
	node_unref(n);
	return r;
}

/* ---- looking; borrows ---- */

/* The first node at or above key, or above it. */
enum find_from { FIND_FROM, FIND_AFTER };

static struct node *
find_first(struct node *n, str key, enum find_from from)
{
	struct node *best = NULL;

	while (n != NULL) {
		int c = str_cmp(n->e->key, key);

		if (c > 0 || (c == 0 && from == FIND_FROM)) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

static struct entry *
find(struct node *n, str key)
{
	n = find_first(n, key, FIND_FROM);
	return n != NULL && str_eq(n->e->key, key) ? n->e : NULL;
}

/* ---- the engine ---- */

static err
mem_open(str place, const struct kv_options *options, struct kv **ret)
{
	struct mem_kv *m;

	if (!str_empty(place))
		return err_errno(EINVAL, "index memory: takes no place");
	m = MEM_NEW(struct mem_kv);
	m->base = (struct kv){ KV_MAGIC, &kv_mem_ops };
	lock_init(&m->lock, LOCK_MEMORY);
	*ret = &m->base;
	return ERR_OK;
}

static void
mem_close(struct kv *kv)
{
	struct mem_kv *m = mem_of(kv);

	node_unref(m->root);
	lock_done(&m->lock);
	m->base.magic = 0;
	free(m);
}

static err
mem_get(struct kv *kv, str full, enum kv_wait wait, struct arena *a, str *ret)
{
	struct mem_kv *m = mem_of(kv);
	struct entry *e;

	lock_take(&m->lock);
	e = find(m->root, full);
	if (e != NULL)
		*ret = arena_str(a, e->value);
	lock_drop(&m->lock);
	return e != NULL ? ERR_OK : ERR_NOT_FOUND;
}

static err
mem_scan(struct kv *kv, const struct kv_full *from, const struct kv_full *to, enum kv_scan_how how, struct kv_iter **ret)
{
	struct mem_kv *m = mem_of(kv);
	struct mem_iter *it = MEM_NEW(struct mem_iter);

	kv_iter_init(&it->base, kv, from, to);
	lock_take(&m->lock);
	it->root = node_ref(m->root);
	lock_drop(&m->lock);
	it->at = find_first(it->root, kv_full_str(from), FIND_FROM);
	*ret = &it->base;
	return ERR_OK;
}

static bool
mem_iter_valid(struct kv_iter *ki)
{
	struct mem_iter *it = (struct mem_iter *)ki;

	return it->at != NULL && str_cmp(it->at->e->key, kv_full_str(&ki->to)) < 0;
}

static str
mem_iter_key(struct kv_iter *ki)
{
	assert(mem_iter_valid(ki));
	return ((struct mem_iter *)ki)->at->e->key;
}

static str
mem_iter_value(struct kv_iter *ki)
{
	assert(mem_iter_valid(ki));
	return ((struct mem_iter *)ki)->at->e->value;
}

static void
mem_iter_next(struct kv_iter *ki)
{
	struct mem_iter *it = (struct mem_iter *)ki;

	assert(mem_iter_valid(ki));
	it->at = find_first(it->root, it->at->e->key, FIND_AFTER);
}

static void
mem_iter_seek(struct kv_iter *ki, str full)
{
	struct mem_iter *it = (struct mem_iter *)ki;

	it->at = find_first(it->root, full, FIND_FROM);
}

static err
mem_iter_error(struct kv_iter *ki)
{
	return ERR_OK;
}

static void
mem_iter_close(struct kv_iter *ki)
{
	struct mem_iter *it = (struct mem_iter *)ki;
	struct mem_kv *m = mem_of(ki->kv);

	lock_take(&m->lock);
	node_unref(it->root);
	lock_drop(&m->lock);
	free(it);
}

static bool
holds(struct node *root, const struct kv_op *op)
{
	struct entry *e = find(root, op->key);

	if (op->kind == KV_EXPECT_ABSENT)
		return e == NULL;
	return e != NULL && str_eq(e->value, op->value);
}

/* One change, made to a root of our own. */
static err
apply(struct node **root, const struct kv_op *op)
{
	char sum[KV_COUNTERS_MAX * sizeof(int64_t)];
	struct entry *e;
	size_t len;

	switch (op->kind) {
	case KV_EXPECT_ABSENT:
	case KV_EXPECT_VALUE:
		break;
	case KV_PUT:
		*root = insert(*root, entry_new(op->key, op->value));
		break;
	case KV_DELETE:
		*root = remove_key(*root, op->key);
		break;
	case KV_DELETE_RANGE:
		*root = remove_range(*root, op->key, op->value);
		break;
	case KV_ADD:
		e = find(*root, op->key);
		if (!kv_counters_add(e != NULL ? e->value : STR_NONE, op->value, sum, sizeof(sum), &len))
			return ERR_DAMAGED;
		*root = insert(*root, entry_new(op->key, str_n(sum, len)));
		break;
	}
	return ERR_OK;
}

static err
commit_locked(struct mem_kv *m, const struct kv_batch *b) REQUIRES(m->lock)
{
	struct node *root;
	err_v e = ERR_OK;

	lock_assert_held(&m->lock);
	for (size_t i = 0; i < b->n; i++) {
		if (kv_op_is_expectation(b->op[i].kind) && !holds(m->root, &b->op[i])) {
			m->stats.conflicts++;
			return ERR_CONFLICT;
		}
	}
	root = node_ref(m->root);
	for (size_t i = 0; i < b->n && err_ok(e); i++)
		e = apply(&root, &b->op[i]);
	if (err_ok(e)) {
		struct node *old = m->root;

		m->root = root;
		root = old;
		m->stats.commits++;
	}
	node_unref(root);
	return e;
}

static err
mem_commit(struct kv *kv, struct kv_batch *b)
{
	struct mem_kv *m = mem_of(kv);
	err_v e;

	lock_take(&m->lock);
	e = commit_locked(m, b);
	lock_drop(&m->lock);
	return e;
}

static err
mem_checkpoint(struct kv *kv, const char *dir)
{
	return err_errno(ENOTSUP, "checkpoint of an index in memory");
}

static void
mem_stats(struct kv *kv, struct kv_stats *ret)
{
	struct mem_kv *m = mem_of(kv);

	lock_take(&m->lock);
	*ret = m->stats;
	lock_drop(&m->lock);
}

static err
mem_room(struct kv *kv)
{
	return ERR_OK;
}

static const char *
mem_trouble(struct kv *kv)
{
	return NULL;
}

static bool
mem_can_reopen(struct kv *kv)
{
	return false;
}

const struct kv_ops kv_mem_ops = {
	.scheme = "memory",
	.open = mem_open,
	.close = mem_close,
	.get = mem_get,
	.scan = mem_scan,
	.iter_valid = mem_iter_valid,
	.iter_key = mem_iter_key,
	.iter_value = mem_iter_value,
	.iter_next = mem_iter_next,
	.iter_seek = mem_iter_seek,
	.iter_error = mem_iter_error,
	.iter_close = mem_iter_close,
	.commit = mem_commit,
	.checkpoint = mem_checkpoint,
	.stats = mem_stats,
	.room = mem_room,
	.trouble = mem_trouble,
	.can_reopen = mem_can_reopen,
};
