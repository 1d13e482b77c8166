/*
 * kv_rocksdb.c - the index on RocksDB.
 *
 * RocksDB's batches know no expectations: one thread, the committer, checks them and writes (kv_rocksdb_write.c), so nothing can change
 * between the check and the write, and there are no locks of keys. Each key has a stripe, each space a gate, and each of these a version
 * that the committer turns when it changes what they stand for: so what a caller has read itself need not be read again.
 *
 * A commit that fails for another reason than lack of room poisons the engine: an fsync that failed once may have lost what
 * it covered, and is never tried again; only opening anew helps, which reads what is on disk and writes it to new files. Lack of
 * room may pass: RocksDB itself begins a new log and goes on once there is room again (it looks every few seconds), and so do we.
 */
#include "meta/kv_rocksdb.h"

#include <stdio.h>

#include "base/be.h"
#include "base/mem.h"
#include "base/panic.h"

/* ---- errors ---- */

static const struct { const char *begins; int code; } kinds[] = {
	{ "Corruption", EBADMSG },
	{ "Result incomplete", EINPROGRESS },
	{ "Result incomplete: Too many internal keys skipped", EAGAIN },
	{ "IO error: While lock file", EBUSY },
	{ "IO error: lock hold by current process", EBUSY },
};

/* Words of strerror() in an I/O error. A file that is missing is damage: ENOENT means "no such key" here. */
static const struct { const char *has; int code; } causes[] = {
	{ "No space left on device", ENOSPC }, { "Disk quota exceeded", EDQUOT },
	{ "Read-only file system", EROFS }, { "Permission denied", EACCES },
	{ "Too many open files", EMFILE }, { "No such file or directory", EBADMSG },
};

err_v
rocks_err(char *message)
{
	AUTO(mem_free_p) char *m = message;
	str s = str_c(m);
	int code = EIO;

	if (m == NULL)
		return ERR_OK;
	for (size_t i = 0; i < COUNT(causes); i++)
		if (str_find_str(s, str_c(causes[i].has)) >= 0)
			code = causes[i].code;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_starts(s, str_c(kinds[i].begins)))
			code = kinds[i].code;
	return err_errno(code, "index: %s", m);
}

err_v
rocks_refuse(struct rocks *r)
{
	if (!atomic_load(&r->poisoned))
		return ERR_OK;
	return err_errno(EROFS, "refused since: %s", r->trouble);
}

/* ---- reading ---- */

static err
get_value(struct rocks *r, const rocksdb_readoptions_t *options, str full, rocksdb_pinnableslice_t **ret)
{
	char *message = NULL;
	rocksdb_pinnableslice_t *v;

	rocksdb_set_perf_level(rocksdb_disable);	/* of this thread: else it counts every comparison */
	v = rocksdb_get_pinned(r->db, options, full.p, full.len, &message);
	TRY(rocks_err(message));
	if (v == NULL)
		return ERR_NOT_FOUND;
	*ret = v;
	return ERR_OK;
}

static str
slice_str(const rocksdb_pinnableslice_t *v)
{
	size_t len;
	const char *p = rocksdb_pinnableslice_value(v, &len);

	return str_n(p, len);
}

static err
rocks_get(struct kv *kv, str full, enum kv_wait wait, struct arena *a, str *ret)
{
	struct rocks *r = rocks_of(kv);
	rocksdb_pinnableslice_t *v;

	TRY(get_value(r, wait == KV_NO_WAIT ? r->read_cached : r->read, full, &v));
	*ret = arena_str(a, slice_str(v));
	rocksdb_pinnableslice_destroy(v);
	return ERR_OK;
}

struct rocks_iter {
	struct kv_iter base;
	enum kv_scan_how how;
	rocksdb_readoptions_t *options;
	rocksdb_iterator_t *it;
};

static struct rocks_iter *
iter_of(struct kv_iter *it)
{
	return (struct rocks_iter *)it;
}

/*
 * Tables full of tombstones are compacted soon (kv_rocksdb_open.c), but where nothing lies below, they are moved to the lowest level as
 * they are; and whether one there could lose its tombstones RocksDB asks only when a snapshot is given back. So jobs do that, which come
 * by regularly, and who has met too many.
 */
static void
tidy(struct rocks *r)
{
	rocksdb_release_snapshot(r->db, rocksdb_create_snapshot(r->db));
}

/* The bounds are told to RocksDB: it skips tables without a key between them, and does not read past the end. */
static err
rocks_scan(struct kv *kv, const struct kv_full *from, const struct kv_full *to, enum kv_scan_how how, struct kv_iter **ret)
{
	struct rocks *r = rocks_of(kv);
	struct rocks_iter *it = MEM_NEW(struct rocks_iter);

	kv_iter_init(&it->base, kv, from, to);
	it->how = how;
	it->options = rocksdb_readoptions_create();
	rocksdb_readoptions_set_iterate_lower_bound(it->options, it->base.from.p, it->base.from.len);
	rocksdb_readoptions_set_iterate_upper_bound(it->options, it->base.to.p, it->base.to.len);
	rocksdb_readoptions_set_fill_cache(it->options, how != KV_SCAN_ONCE);
	if (how == KV_SCAN_BRIEF)
		rocksdb_readoptions_set_max_skippable_internal_keys(it->options, r->pass_max);
	it->it = rocksdb_create_iterator(r->db, it->options);
	atomic_fetch_add(&r->iterators, 1);
	rocksdb_iter_seek(it->it, from->p, from->len);
	*ret = &it->base;
	return ERR_OK;
}

static bool
rocks_iter_valid(struct kv_iter *it)
{
	return rocksdb_iter_valid(iter_of(it)->it);
}

static str
rocks_iter_key(struct kv_iter *it)
{
	size_t len;
	const char *p;

	assert(rocks_iter_valid(it));
	p = rocksdb_iter_key(iter_of(it)->it, &len);
	assert(len >= KV_SPACE_LEN);
	return str_n(p, len);
}

static str
rocks_iter_value(struct kv_iter *it)
{
	size_t len;
	const char *p;

	assert(rocks_iter_valid(it));
	p = rocksdb_iter_value(iter_of(it)->it, &len);
	return str_n(p, len);
}

static void
rocks_iter_next(struct kv_iter *it)
{
	assert(rocks_iter_valid(it));
	rocksdb_iter_next(iter_of(it)->it);
}

static void
rocks_iter_seek(struct kv_iter *it, str full)
{
	rocksdb_iter_seek(iter_of(it)->it, full.p, full.len);
}

static err
rocks_iter_error(struct kv_iter *it)
{
	char *message = NULL;
	err_v e;

	rocksdb_iter_get_error(iter_of(it)->it, &message);
	e = rocks_err(message);
	if (err_is(e, -EAGAIN))
		tidy(rocks_of(it->kv));
	return e;
}

static void
rocks_iter_close(struct kv_iter *ki)
{
	struct rocks_iter *it = iter_of(ki);

	rocksdb_iter_destroy(it->it);
	rocksdb_readoptions_destroy(it->options);
	if (it->how == KV_SCAN_ONCE)
		tidy(rocks_of(ki->kv));
	atomic_fetch_sub(&rocks_of(ki->kv)->iterators, 1);
	free(it);
}

/* ---- has it changed? ---- */

static uint64_t
hash(uint64_t h, str s)
{
	uint64_t word;

	for (; s.len > 0; s = str_skip(s, sizeof(word))) {
		word = s.len;
		memcpy(&word, s.p, s.len < sizeof(word) ? s.len : sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return h;
}

uint32_t
rocks_stripe(const struct rocks *r, str full)
{
	return ROCKS_GATES + (uint32_t)(hash(r->seed, full) % ROCKS_STRIPES);
}

uint32_t
rocks_gate(const struct rocks *r, uint32_t space)
{
	return (uint32_t)((r->seed + space) % ROCKS_GATES);
}

/* Versions only grow, so the sum is the same if both are. Stamps of an earlier opening do not fit. */
uint64_t
rocks_stamp(struct kv *kv, str full)
{
	struct rocks *r = rocks_of(kv);
	uint32_t gate = rocks_gate(r, (uint32_t)be_get(full.p, KV_SPACE_LEN));

	return r->seed + atomic_load(&r->version[gate]) + atomic_load(&r->version[rocks_stripe(r, full)]);
}

err_v
rocks_check(struct rocks *r, const struct kv_op *op)
{
	rocksdb_pinnableslice_t *v = NULL;
	bool holds;
	err_v e = get_value(r, r->read, op->key, &v);

	if (!err_ok(e) && !err_is(e, ERR_NOT_FOUND.code))
		return e;
	holds = op->kind == KV_EXPECT_ABSENT ? v == NULL : v != NULL && str_eq(slice_str(v), op->value);
	if (v != NULL)
		rocksdb_pinnableslice_destroy(v);
	if (holds)
		return ERR_OK;
	atomic_fetch_add(&r->conflicts, 1);
	return ERR_CONFLICT;
}

/* ---- the rest ---- */

/* RocksDB writes its memtables out and links the table files. */
static err
rocks_checkpoint(struct kv *kv, const char *dir)
{
	struct rocks *r = rocks_of(kv);
	char *message = NULL;
	rocksdb_checkpoint_t *c = rocksdb_checkpoint_object_create(r->db, &message);

	TRY(rocks_err(message));
	rocksdb_checkpoint_create(c, dir, 0, &message);
	rocksdb_checkpoint_object_destroy(c);
	return rocks_err(message);
}

static uint64_t
property(const struct rocks *r, const char *name)
{
	uint64_t n;

	return rocksdb_property_int(r->db, name, &n) == 0 ? n : 0;
}

static void
rocks_stats(struct kv *kv, struct kv_stats *ret)
{
	struct rocks *r = rocks_of(kv);

	ret->keys_estimate = property(r, "rocksdb.estimate-num-keys");
	ret->disk_bytes = property(r, "rocksdb.total-sst-files-size");
	ret->memory_bytes = rocksdb_cache_get_usage(r->cache) + property(r, "rocksdb.size-all-mem-tables") +
	    property(r, "rocksdb.estimate-table-readers-mem");
	ret->commits = atomic_load(&r->commits);
	ret->conflicts = atomic_load(&r->conflicts);
	ret->flushes = atomic_load(&r->flushes);
	ret->cache_bytes = rocksdb_cache_get_usage(r->cache);
	ret->compaction_pending_bytes = property(r, "rocksdb.estimate-pending-compaction-bytes");
	ret->compactions = property(r, "rocksdb.num-running-compactions");
	ret->writes_stopped = property(r, "rocksdb.is-write-stopped");
}

void
rocks_probe(struct rocks *r)
{
	rocksdb_writebatch_t *w = rocksdb_writebatch_create();

	(void)!err_ok(rocks_write(r, w));
	rocksdb_writebatch_destroy(w);
}

const struct kv_ops kv_rocksdb_ops = {
	.scheme = "rocksdb",
	.open = rocks_open,
	.close = rocks_close,
	.get = rocks_get,
	.get_hot = rocks_get_hot,
	.scan = rocks_scan,
	.iter_valid = rocks_iter_valid,
	.iter_key = rocks_iter_key,
	.iter_value = rocks_iter_value,
	.iter_next = rocks_iter_next,
	.iter_seek = rocks_iter_seek,
	.iter_error = rocks_iter_error,
	.iter_close = rocks_iter_close,
	.stamp = rocks_stamp,
	.commit = rocks_commit,
	.submit = rocks_submit,
	.checkpoint = rocks_checkpoint,
	.stats = rocks_stats,
	.room = rocks_room,
	.trouble = rocks_trouble,
	.can_reopen = rocks_can_reopen,
};
