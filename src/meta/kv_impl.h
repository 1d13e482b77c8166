/*
 * kv_impl.h - what every index engine provides. Included by src/meta/kv*.c only.
 *
 * An engine embeds struct kv and struct kv_iter as the first member of its own, and fills in ops. kv.c checks
 * arguments that are the same for all, so that engines need not.
 *
 * Engines see full keys: be32 space, then the key. All spaces are so one ordered map, and a space is a range of it.
 */
#pragma once

#include "meta/kv.h"

#define KV_MAGIC 0x4b56414cu
#define KV_ITER_MAGIC 0x4b564954u
#define KV_BATCH_MAGIC 0x4b564241u

#define KV_SPACE_LEN 4
#define KV_FULL_MAX (KV_SPACE_LEN + KV_KEY_MAX)

/* A full key, in place. */
struct kv_full {
	char p[KV_FULL_MAX];
	size_t len;
};

/* false: too long, no such key can exist. key may be empty: the beginning of the space. */
bool kv_full(uint32_t space, str key, struct kv_full *ret);
/* The bound "to" of a scan or a range delete as a full key: STR_NONE is the beginning of the next space. */
bool kv_full_bound(uint32_t space, str to, struct kv_full *ret);
static inline str kv_full_str(const struct kv_full *f) { return (str){ f->p, f->len }; }

enum kv_op_kind {
	KV_EXPECT_ABSENT,
	KV_EXPECT_VALUE,
	KV_PUT,
	KV_DELETE,
	KV_DELETE_RANGE,	/* value: full key of the end, above key */
	KV_ADD,			/* value: counters, each 8 bytes little-endian */
};

static inline bool kv_op_is_expectation(enum kv_op_kind k) { return k <= KV_EXPECT_VALUE; }

struct kv_op {
	enum kv_op_kind kind;
	str key;		/* full */
	str value;
	uint64_t stamp;		/* of an expectation; 0: none */
};

struct kv_batch {
	unsigned magic;
	uint32_t space;
	struct arena *arena;	/* bytes of keys and values */
	struct kv_op *op;	/* in the order given, expectations among them */
	size_t n, room;
	size_t bytes;
	size_t changes;		/* ops that are not expectations */
	bool has_range;
	err_v failed;		/* a call asked for too much: told by kv_commit */
};

/* Sum of two counter values, either may be shorter; sum_max: room in ret_sum. false: not counters. */
bool kv_counters_add(str a, str b, char *ret_sum, size_t sum_max, size_t *ret_len);

enum kv_scan_how { KV_SCAN, KV_SCAN_ONCE, KV_SCAN_BRIEF };

struct kv_ops {
	const char *scheme;		/* "rocksdb": url is "rocksdb:PLACE" */
	err_v (*open)(str place, const struct kv_options *, struct kv **ret);
	void (*close)(struct kv *);

	err_v (*get)(struct kv *, str full, enum kv_wait, struct arena *, str *ret);
	/* NULL: get() is as good. */
	err_v (*get_hot)(struct kv *, str full, enum kv_wait, struct arena *, str *ret);

	/* from <= to. Begins with kv_iter_init(). */
	err_v (*scan)(struct kv *, const struct kv_full *from, const struct kv_full *to, enum kv_scan_how, struct kv_iter **ret);
	bool (*iter_valid)(struct kv_iter *);
	str (*iter_key)(struct kv_iter *);	/* full; valid only */
	str (*iter_value)(struct kv_iter *);	/* valid only */
	void (*iter_next)(struct kv_iter *);	/* valid only */
	void (*iter_seek)(struct kv_iter *, str full);	/* within the bounds */
	err_v (*iter_error)(struct kv_iter *);
	void (*iter_close)(struct kv_iter *);

	uint64_t (*stamp)(struct kv *, str full);	/* NULL: none */
	err_v (*commit)(struct kv *, struct kv_batch *);
	bool (*submit)(struct kv *, struct kv_done *);	/* done->batch. NULL: it cannot */
	err_v (*checkpoint)(struct kv *, const char *dir);
	void (*stats)(struct kv *, struct kv_stats *ret);
	err_v (*room)(struct kv *);
	const char *(*trouble)(struct kv *);
	bool (*can_reopen)(struct kv *);
};

extern const struct kv_ops kv_mem_ops, kv_rocksdb_ops;

struct kv {
	unsigned magic;
	const struct kv_ops *ops;
};

struct kv_iter {
	unsigned magic;
	struct kv *kv;
	struct kv_full from, to;	/* bounds, good as long as the iterator */
};

void kv_iter_init(struct kv_iter *, struct kv *, const struct kv_full *from, const struct kv_full *to);
