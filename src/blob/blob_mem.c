/*
 * blob_mem.c - blobs in memory: for tests, and as the plainest reading of the contract.
 *
 * Blobs hang in a hash table by id and are counted: the table holds one
 * reference, each reader another, so that a deleted blob lives as long as it is read.
 */
#include <string.h>

#include "base/digest.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "blob/blob_impl.h"

#define BUCKETS 4096u
#define MEM_BLOB_MAGIC 0x424d454du

struct mem_blob {
	unsigned magic;
	unsigned refs;			/* GUARDED_BY(store->lock) */
	struct mem_blob *next;		/* GUARDED_BY(store->lock) */
	struct id id;
	uint64_t size;
	uint8_t *data;
	uint32_t *crc;			/* one a block */
};

struct mem_store {
	struct blobs base;
	struct lock lock;
	struct mem_blob *bucket[BUCKETS];
	struct blob_stats stats;
};

struct mem_writer {
	struct blob_writer base;
	uint8_t *data;
	size_t room;
};

struct mem_reader {
	struct blob_reader base;
	struct mem_blob *blob;
};

static struct mem_store *
store_of(struct blobs *s)
{
	assert(s->ops == &blob_mem_ops);
	return (struct mem_store *)s;
}

static struct mem_blob **
slot(struct mem_store *m, struct id id) REQUIRES(m->lock)
{
	struct mem_blob **p;
	unsigned h;

	lock_assert_held(&m->lock);
	memcpy(&h, id.byte + 12, sizeof(h));
	for (p = &m->bucket[(h ^ id.byte[11]) % BUCKETS]; *p != NULL; p = &(*p)->next)
		if (id_eq((*p)->id, id))
			break;
	return p;
}

static void
blob_unref(struct mem_blob *b)
{
	CHECK_OBJ(b, MEM_BLOB_MAGIC);
	assert(b->refs > 0);
	if (--b->refs > 0)
		return;
	free(b->data);
	free(b->crc);
	b->magic = 0;
	free(b);
}

static err
mem_open(str place, const struct blob_options *options, struct blobs **ret)
{
	struct mem_store *m;

	if (!str_empty(place))
		return err_errno(EINVAL, "blob store memory: takes no place");
	m = MEM_NEW(struct mem_store);
	m->base = (struct blobs){ BLOBS_MAGIC, &blob_mem_ops, *options };
	lock_init(&m->lock, LOCK_MEMORY);
	*ret = &m->base;
	return ERR_OK;
}

static void
mem_close(struct blobs *s)
{
	struct mem_store *m = store_of(s);

	for (unsigned i = 0; i < BUCKETS; i++) {
		while (m->bucket[i] != NULL) {
			struct mem_blob *b = m->bucket[i];

			m->bucket[i] = b->next;
			blob_unref(b);
		}
	}
	lock_done(&m->lock);
	free(m);
}

static err
mem_begin(struct blobs *s, struct id id, uint64_t size_hint, struct blob_writer **ret)
{
	*ret = &MEM_NEW(struct mem_writer)->base;
	return ERR_OK;
}

static err
mem_append(struct blob_writer *bw, str bytes)
{
	struct mem_writer *w = (struct mem_writer *)bw;
	size_t need;

	if (__builtin_add_overflow(bw->size, bytes.len, &need) || need > SIZE_MAX / 2)
		return err_errno(ENOSPC, "blob in memory");
	if (need > w->room) {
		w->room = need + need / 2;
		w->data = mem_grow(w->data, w->room);
	}
	memcpy(w->data + bw->size, bytes.p, bytes.len);
	return ERR_OK;
}

static size_t
block_count(uint64_t size)
{
	return (size_t)((size + BLOB_BLOCK - 1) / BLOB_BLOCK);
}

static str
block(const struct mem_blob *b, size_t i)
{
	return str_sub(str_n(b->data, b->size), i * (size_t)BLOB_BLOCK, BLOB_BLOCK);
}

static err
mem_commit(struct blob_writer *bw, struct blob_ref *ret)
{
	struct mem_writer *w = (struct mem_writer *)bw;
	struct mem_store *m = store_of(bw->store);
	struct mem_blob *b = MEM_NEW(struct mem_blob), **p;

	b->magic = MEM_BLOB_MAGIC;
	b->refs = 1;
	b->id = bw->id;
	b->size = bw->size;
	b->data = w->data;
	b->crc = mem_alloc((block_count(b->size) + 1) * sizeof(*b->crc));
	for (size_t i = 0; i < block_count(b->size); i++)
		b->crc[i] = crc32c(0, block(b, i));
	w->data = NULL;

	lock_take(&m->lock);
	p = slot(m, b->id);
	assert(*p == NULL);		/* ids are never used twice */
	*p = b;
	m->stats.files++;
	m->stats.bytes_live += b->size;
	m->stats.commits++;
	lock_drop(&m->lock);
	ret->place = 0;
	return ERR_OK;
}

static void
mem_forget(struct blob_writer *bw)
{
	struct mem_writer *w = (struct mem_writer *)bw;

	free(w->data);
	free(w);
}

static err
mem_reader_open(struct blobs *s, const struct blob_ref *ref, struct blob_reader **ret)
{
	struct mem_store *m = store_of(s);
	struct mem_reader *r;
	struct mem_blob *b;

	lock_take(&m->lock);
	b = *slot(m, ref->id);
	if (b != NULL)
		b->refs++;
	lock_drop(&m->lock);
	if (b == NULL)
		return ERR_NOT_FOUND;
	r = MEM_NEW(struct mem_reader);
	r->base.size = b->size;
	r->blob = b;
	*ret = &r->base;
	return ERR_OK;
}

static void
mem_reader_close(struct blob_reader *br)
{
	struct mem_reader *r = (struct mem_reader *)br;
	struct mem_store *m = store_of(br->store);

	lock_take(&m->lock);
	blob_unref(r->blob);
	lock_drop(&m->lock);
	free(r);
}

static err
mem_read(struct blob_reader *br, uint64_t off, void *p, size_t len)
{
	struct mem_blob *b = ((struct mem_reader *)br)->blob;

	for (uint64_t i = off / BLOB_BLOCK; br->verify && i * BLOB_BLOCK < off + len; i++)
		if (crc32c(0, block(b, i)) != b->crc[i])
			return ERR_DAMAGED;
	memcpy(p, b->data + off, len);
	return ERR_OK;
}

static err
mem_extent(struct blob_reader *br, uint64_t off, size_t max, int *ret_fd, uint64_t *ret_pos, size_t *ret_len)
{
	return (err_v){ -ENOTSUP };
}

static err
mem_delete(struct blobs *s, const struct blob_ref *ref)
{
	struct mem_store *m = store_of(s);
	struct mem_blob **p, *b;

	lock_take(&m->lock);
	p = slot(m, ref->id);
	b = *p;
	if (b != NULL) {
		*p = b->next;
		m->stats.files--;
		m->stats.bytes_live -= b->size;
		blob_unref(b);
	}
	lock_drop(&m->lock);
	return ERR_OK;
}

static err
mem_flush(struct blobs *s)
{
	return ERR_OK;
}

/* The visit may delete: so the refs are copied first, and visited without the lock. */
static err
mem_list(struct blobs *s, blob_visit_f *visit, void *arg)
{
	struct mem_store *m = store_of(s);
	struct blob_ref *refs;
	size_t n = 0;

	lock_take(&m->lock);
	refs = mem_alloc((m->stats.files + 1) * sizeof(*refs));
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct mem_blob *b = m->bucket[i]; b != NULL; b = b->next)
			refs[n++] = (struct blob_ref){ .id = b->id, .size = b->size };
	lock_drop(&m->lock);
	for (size_t i = 0; i < n; i++)
		if (!visit(arg, &refs[i]))
			break;
	free(refs);
	return ERR_OK;
}

/* Nothing outlives a start. */
static err
mem_list_suspects(struct blobs *s, blob_visit_f *visit, void *arg)
{
	return ERR_OK;
}

static err
mem_scrub(struct blobs *s, const struct blob_ref *ref, uint64_t *ret_off)
{
	struct blob_reader *br;
	err_v e = ERR_OK;

	TRY(blob_open(s, ref, &br));
	for (size_t i = 0; i < block_count(br->size); i++) {
		struct mem_blob *b = ((struct mem_reader *)br)->blob;

		if (crc32c(0, block(b, i)) == b->crc[i])
			continue;
		*ret_off = (uint64_t)i * BLOB_BLOCK;
		e = ERR_DAMAGED;
		break;
	}
	blob_reader_close(&br);
	return e;
}

static err
mem_copy_begin(struct blobs *s, const char *dir, struct blob_copy **ret)
{
	return err_errno(ENOTSUP, "a copy of a store in memory");
}

static void
mem_stats(struct blobs *s, struct blob_stats *ret)
{
	struct mem_store *m = store_of(s);

	lock_take(&m->lock);
	*ret = m->stats;
	lock_drop(&m->lock);
}

bool
blob_mem_rot(struct blobs *s, const struct blob_ref *ref, uint64_t bit)
{
	struct mem_store *m = store_of(s);
	struct mem_blob *b;
	uint64_t byte = bit / 8;
	uint8_t *p = NULL;

	lock_take(&m->lock);
	b = *slot(m, ref->id);
	assert(b != NULL);
	if (byte < b->size)
		p = b->data + byte;
	else if (byte - b->size < block_count(b->size) * sizeof(*b->crc))
		p = (uint8_t *)b->crc + (byte - b->size);
	if (p != NULL)
		*p ^= (uint8_t)(1u << bit % 8);
	lock_drop(&m->lock);
	return p != NULL;
}

const struct blob_ops blob_mem_ops = {
	.scheme = "memory",
	.open = mem_open,
	.close = mem_close,
	.begin = mem_begin,
	.append = mem_append,
	.commit = mem_commit,
	.forget = mem_forget,
	.reader_open = mem_reader_open,
	.reader_close = mem_reader_close,
	.read = mem_read,
	.extent = mem_extent,
	.delete = mem_delete,
	.flush = mem_flush,
	.list = mem_list,
	.list_suspects = mem_list_suspects,
	.scrub = mem_scrub,
	.copy_begin = mem_copy_begin,
	.stats = mem_stats,
};
