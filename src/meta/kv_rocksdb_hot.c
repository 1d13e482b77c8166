/*
 * kv_rocksdb_hot.c - rows that every request reads, kept beside the thread that reads them.
 *
 * Each stripe has a version: odd while a commit that may change one of its keys is under way, and another one afterwards. A row is
 * kept with the versions that its stripe and the gate of its space had before it was read, and holds as long as both are still
 * the same: so once a commit can be seen by anyone, nothing older is answered on any thread. While a version is odd, reads
 * go to RocksDB and leave nothing behind.
 *
 * Adding to counters turns no version: their rows must not come here (kv.h says so).
 */
#include "base/be.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_rocksdb.h"

#define ROWS 64u			/* a thread; each key has one place */
#define KEY_MAX 128u			/* what is larger is not kept */
#define VALUE_MAX 640u

struct row {
	uint64_t store;			/* its serial; 0: empty */
	uint64_t seen[2];		/* versions of gate and stripe */
	uint32_t key_len, len;
	char key[KEY_MAX], value[VALUE_MAX];
};

static pthread_key_t rows_key;
static pthread_once_t rows_once = PTHREAD_ONCE_INIT;

static void
rows_init(void)
{
	if (pthread_key_create(&rows_key, free) != 0)
		PANIC("pthread_key_create");
}

static struct row *
rows_of_thread(void)
{
	static _Thread_local struct row *rows;

	if (rows == NULL) {
		pthread_once(&rows_once, rows_init);
		rows = mem_alloc(ROWS * sizeof(*rows));
		if (pthread_setspecific(rows_key, rows) != 0)
			PANIC("pthread_setspecific");
	}
	return rows;
}

static bool
holds(const struct row *row, const struct rocks *r, const uint64_t seen[2], str full)
{
	return row->store == r->serial && row->seen[0] == seen[0] && row->seen[1] == seen[1] &&
	    str_eq(str_n(row->key, row->key_len), full);
}

static void
keep(struct row *row, const struct rocks *r, const uint64_t seen[2], str full, str value)
{
	if (full.len > KEY_MAX || value.len > VALUE_MAX)
		return;
	row->store = r->serial;
	row->seen[0] = seen[0];
	row->seen[1] = seen[1];
	row->key_len = (uint32_t)full.len;
	row->len = (uint32_t)value.len;
	memcpy(row->key, full.p, full.len);
	if (value.len > 0)
		memcpy(row->value, value.p, value.len);
}

err_v
rocks_get_hot(struct kv *kv, str full, enum kv_wait wait, struct arena *a, str *ret)
{
	struct rocks *r = rocks_of(kv);
	uint32_t stripe = rocks_stripe(r, full), gate = rocks_gate(r, (uint32_t)be_get(full.p, KV_SPACE_LEN));
	uint64_t seen[2] = { atomic_load(&r->version[gate]), atomic_load(&r->version[stripe]) };
	bool still = ((seen[0] | seen[1]) & 1) == 0;
	struct row *row = &rows_of_thread()[stripe % ROWS];

	if (still && holds(row, r, seen, full)) {
		*ret = arena_str(a, str_n(row->value, row->len));
		return ERR_OK;
	}
	TRY(kv_rocksdb_ops.get(kv, full, wait, a, ret));
	if (still)
		keep(row, r, seen, full, *ret);
	return ERR_OK;
}
