/*
 * kv_rocksdb_open.c - opening and closing the RocksDB engine, and how it is tuned.
 *
 * Memory: the block cache (indexes and filters in it), up to three memtables of 16 MiB, and little else. Table files are
 * opened when first read, so that a start does not depend on how much is stored.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_rocksdb.h"

#define MEMTABLE_BYTES (16u << 20)
#define CACHE_BYTES_MIN (1u << 20)
#define LOG_HEADER 5			/* RocksDB: what is said at the start, and nothing after it */

enum { RECOVER_TOLERATE_TAIL = 0, RECOVER_POINT_IN_TIME = 2 };	/* numbers of RocksDB's enum */

/* ---- counters: RocksDB adds up what kv_add has left ---- */

static char *
sum_operands(str sum, const char *const *operands, const size_t *lens, int n, unsigned char *ok, size_t *ret_len)
{
	char *total = mem_alloc(KV_COUNTERS_MAX * sizeof(int64_t));
	size_t len = 0;

	*ok = kv_counters_add(sum, STR_NONE, total, KV_COUNTERS_MAX * sizeof(int64_t), &len);
	for (int i = 0; i < n && *ok; i++)
		*ok = kv_counters_add(str_n(total, len), str_n(operands[i], lens[i]), total, KV_COUNTERS_MAX * sizeof(int64_t), &len);
	*ret_len = len;
	return total;
}

static char *
merge_full(void *state, const char *key, size_t key_len, const char *old, size_t old_len, const char *const *operands,
    const size_t *lens, int n, unsigned char *ok, size_t *ret_len)
{
	return sum_operands(str_n(old, old != NULL ? old_len : 0), operands, lens, n, ok, ret_len);
}

static char *
merge_partial(void *state, const char *key, size_t key_len, const char *const *operands, const size_t *lens, int n,
    unsigned char *ok, size_t *ret_len)
{
	return sum_operands(STR_NONE, operands, lens, n, ok, ret_len);
}

static void
merge_free(void *state, const char *value, size_t len)
{
	mem_free_p(&value);
}

static void
merge_destroy(void *state)
{
}

static const char *
merge_name(void *state)
{
	return "caisson.counters";	/* RocksDB keeps it in the store: never changes */
}

/* ---- options ---- */

/* filters NULL: those that tables have are not looked at. */
static void
set_tables(rocksdb_options_t *o, rocksdb_cache_t *cache, rocksdb_filterpolicy_t *filters)
{
	rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();

	rocksdb_block_based_options_set_block_cache(t, cache);
	/*
	 * Small: a listing of common prefixes reads a block for each, and what it comes back to shall still be in the cache. Not smaller:
	 * each block in the cache costs the allocator about 900 bytes besides.
	 */
	rocksdb_block_based_options_set_block_size(t, 6 << 10);
	rocksdb_block_based_options_set_block_restart_interval(t, 8);
	rocksdb_block_based_options_set_format_version(t, 5);
	/* In parts: all of it may be larger than a shard of a small cache, and would be read and unpacked for each look-up. */
	rocksdb_block_based_options_set_index_type(t, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(t, filters != NULL);
	rocksdb_block_based_options_set_metadata_block_size(t, 16 << 10);	/* iterators keep a part: the longer, the fewer look-ups */
	if (filters != NULL)
		rocksdb_block_based_options_set_filter_policy(t, filters);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(t, 1);
	rocksdb_options_set_block_based_table_factory(o, t);
	rocksdb_block_based_options_destroy(t);
}

static rocksdb_options_t *
options_new(const struct kv_options *want, rocksdb_cache_t *cache, int recovery)
{
	rocksdb_options_t *o = rocksdb_options_create();

	set_tables(o, cache, rocksdb_filterpolicy_create_bloom_full(10));
	rocksdb_options_set_create_if_missing(o, !want->read_only);
	rocksdb_options_set_merge_operator(o, rocksdb_mergeoperator_create(NULL, merge_destroy, merge_full, merge_partial,
	    merge_free, merge_name));
	rocksdb_options_set_compression(o, rocksdb_lz4_compression);
	rocksdb_options_set_write_buffer_size(o, MEMTABLE_BYTES);
	rocksdb_options_set_max_write_buffer_number(o, 3);
	rocksdb_options_set_target_file_size_base(o, 32u << 20);
	rocksdb_options_set_max_bytes_for_level_base(o, 64u << 20);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	rocksdb_options_set_max_background_jobs(o, want->background_threads > 2 ? want->background_threads : 2);
	rocksdb_options_set_bytes_per_sync(o, 1u << 20);
	rocksdb_options_set_max_open_files(o, 512);
	rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
	rocksdb_options_set_max_manifest_file_size(o, 16u << 20);
	rocksdb_options_set_wal_recovery_mode(o, recovery);
	/* Queues (dead entries) leave runs of tombstones: files that hold many are compacted soon. */
	rocksdb_options_add_compact_on_deletion_collector_factory(o, 4096, 1024);
	/*
	 * Nothing goes into RocksDB's diary but its head: after a write to it that fails (the disk is full) the next one fails
	 * an assertion. What we must know comes with the errors of our calls.
	 */
	rocksdb_options_set_info_log_level(o, LOG_HEADER);
	rocksdb_options_set_max_log_file_size(o, 1u << 20);
	rocksdb_options_set_keep_log_file_num(o, 1);
	return o;
}

/* ---- open and close ---- */

/* The directory, made if missing, and locked: nobody else looks at the logs while we do. */
static err
take_directory(struct rocks *r)
{
	if (!r->read_only && mkdir(r->dir, 0700) == 0)
		TRY(file_flush_parent(r->dir));
	else if (!r->read_only && errno != EEXIST)
		return err_errno(errno, "make the index's directory %s", r->dir);
	r->dir_fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir_fd < 0)
		return err_errno(errno, "open the index's directory %s", r->dir);
	if (flock(r->dir_fd, LOCK_EX | LOCK_NB) != 0)
		return err_errno(errno == EWOULDBLOCK ? EBUSY : errno, "the index %s is in use by another process", r->dir);
	return ERR_OK;
}

static void
rocks_free(struct rocks *r)
{
	if (r->db != NULL)
		rocksdb_close(r->db);
	if (r->options != NULL)
		rocksdb_options_destroy(r->options);
	if (r->cache != NULL)
		rocksdb_cache_destroy(r->cache);
	rocksdb_readoptions_destroy(r->read);
	rocksdb_readoptions_destroy(r->read_cached);
	rocksdb_writeoptions_destroy(r->write);
	if (r->dir_fd >= 0)
		close(r->dir_fd);
	free(r->version);
	lock_done(&r->lock);
	cond_done(&r->joins);
	lock_done(&r->round);
	r->base.magic = 0;
	free(r);
}

static atomic_uint_fast64_t serials;

static struct rocks *
rocks_new(str dir)
{
	struct rocks *r = MEM_NEW(struct rocks);

	r->base = (struct kv){ KV_MAGIC, &kv_rocksdb_ops };
	memcpy(r->dir, dir.p, dir.len);
	r->dir_fd = -1;
	r->version = mem_alloc((ROCKS_GATES + ROCKS_STRIPES) * sizeof(*r->version));
	r->serial = 1 + atomic_fetch_add(&serials, 1);
	lock_init(&r->lock, LOCK_ENGINE);
	lock_init(&r->round, LOCK_ROUND);
	cond_init(&r->joins);
	r->joined.last = &r->joined.first;
	if (getrandom(&r->seed, sizeof(r->seed), 0) != sizeof(r->seed))
		PANIC("getrandom");
	r->read = rocksdb_readoptions_create();
	r->read_cached = rocksdb_readoptions_create();
	rocksdb_readoptions_set_read_tier(r->read_cached, 1);	/* the block cache and memtables only */
	r->write = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(r->write, 1);
	return r;
}

/*
 * A table that cannot be opened shall not take the others with it. Whoever asks for its rows is told that they are damaged, all
 * else is answered; nothing is written any more, since compactions would build upon what is lost. Filters only save work: without
 * them nothing is lost where one of them has rotted.
 */
static err
open_damaged(struct rocks *r, err_v why)
{
	char *message = NULL;

	snprintf(r->trouble, sizeof(r->trouble), "the index is damaged, what can be read of it is: %s", err_context());
	rocksdb_options_set_paranoid_checks(r->options, 0);
	rocksdb_options_set_create_if_missing(r->options, 0);
	set_tables(r->options, r->cache, NULL);
	r->db = rocksdb_open_for_read_only(r->options, r->dir, 0, &message);
	rocksdb_free(message);
	if (r->db == NULL)
		return why;
	r->damaged = true;
	atomic_store(&r->poisoned, true);
	return ERR_OK;
}

static err
open_db(struct rocks *r, const struct kv_options *want)
{
	uint64_t cache_bytes = want->cache_bytes > CACHE_BYTES_MIN ? want->cache_bytes : CACHE_BYTES_MIN;
	char *message = NULL;
	bool torn = false;
	err_v e;

	r->read_only = want->read_only;
	r->pass_max = want->pass_max > 0 ? want->pass_max : KV_PASS_MAX;
	TRY(take_directory(r));
	TRY(rocks_log_check(r->dir, &torn));
	if (!r->read_only) {
		rocks_room_open(r, want->reserve);
		rocks_room_spend(r);		/* opening writes, too */
	}
	r->cache = rocksdb_cache_create_lru(cache_bytes);
	r->options = options_new(want, r->cache, torn ? RECOVER_POINT_IN_TIME : RECOVER_TOLERATE_TAIL);
	r->db = r->read_only ? rocksdb_open_for_read_only(r->options, r->dir, 0, &message) :
	    rocksdb_open(r->options, r->dir, &message);
	e = rocks_err(message);
	return err_is(e, ERR_DAMAGED.code) ? open_damaged(r, e) : e;
}

err_v
rocks_open(str place, const struct kv_options *want, struct kv **ret)
{
	struct rocks *r;
	err_v e;

	if (str_empty(place) || place.len >= ROCKS_DIR_MAX || str_find(place, 0) >= 0)
		return err_errno(EINVAL, "index rocksdb:%.*s: want a directory", STR_FMT(place));
	r = rocks_new(place);
	e = open_db(r, want);
	if (!err_ok(e)) {
		rocks_free(r);
		return e;
	}
	if (!r->read_only)
		rocks_committer_start(r);
	*ret = &r->base;
	return ERR_OK;
}

/* What is in memtables goes to tables first, so that a clean stop leaves no log to replay, nor to rot. */
void
rocks_close(struct kv *kv)
{
	struct rocks *r = rocks_of(kv);
	rocksdb_flushoptions_t *flush;
	char *message = NULL;

	assert(atomic_load(&r->iterators) == 0);
	if (!r->read_only)
		rocks_committer_stop(r);
	if (!r->read_only && !atomic_load(&r->poisoned)) {
		flush = rocksdb_flushoptions_create();
		rocksdb_flush(r->db, flush, &message);
		rocksdb_flushoptions_destroy(flush);
		rocksdb_free(message);	/* the log has it all */
	}
	rocks_free(r);
}
