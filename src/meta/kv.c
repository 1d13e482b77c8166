/*
 * kv.c - the contract in front of the engines.
 *
 * Finds the engine by url, turns keys of a space into full keys, and refuses what no engine need see. Nothing here
 * touches a disk.
 */
#include "meta/kv.h"

#include "base/be.h"
#include "base/mem.h"
#include "base/panic.h"
#include "meta/kv_impl.h"

static const struct kv_ops *const engines[] = { &kv_rocksdb_ops, &kv_mem_ops };

err_v
kv_open(str url, const struct kv_options *options, struct kv **ret)
{
	str place = url, scheme = str_take_until(&place, ':');

	for (size_t i = 0; i < COUNT(engines); i++) {
		if (!str_eq(scheme, str_c(engines[i]->scheme)) || place.p == NULL)
			continue;
		TRY(engines[i]->open(place, options, ret));
		CHECK_OBJ(*ret, KV_MAGIC);
		return ERR_OK;
	}
	return err_errno(EINVAL, "index \"%.*s\": want rocksdb:DIR or memory:", STR_FMT(url));
}

void
kv_close(struct kv **kvp)
{
	struct kv *kv = *kvp;

	if (kv == NULL)
		return;
	CHECK_OBJ(kv, KV_MAGIC);
	kv->ops->close(kv);
	*kvp = NULL;
}

bool
kv_full(uint32_t space, str key, struct kv_full *ret)
{
	if (key.len > KV_KEY_MAX)
		return false;
	be_put(ret->p, space, KV_SPACE_LEN);
	if (key.len > 0)
		memcpy(ret->p + KV_SPACE_LEN, key.p, key.len);
	ret->len = KV_SPACE_LEN + key.len;
	return true;
}

bool
kv_full_bound(uint32_t space, str to, struct kv_full *ret)
{
	assert(space < UINT32_MAX);	/* spaces are given out by us, from below */
	return to.p == NULL ? kv_full(space + 1, STR_NONE, ret) : kv_full(space, to, ret);
}

err_v
kv_get(struct kv *kv, uint32_t space, str key, enum kv_wait wait, struct arena *a, str *ret)
{
	struct kv_full full;

	CHECK_OBJ(kv, KV_MAGIC);
	if (str_empty(key) || !kv_full(space, key, &full))
		return ERR_NOT_FOUND;
	return kv->ops->get(kv, kv_full_str(&full), wait, a, ret);
}

err_v
kv_get_hot(struct kv *kv, uint32_t space, str key, enum kv_wait wait, struct arena *a, str *ret)
{
	struct kv_full full;

	CHECK_OBJ(kv, KV_MAGIC);
	if (kv->ops->get_hot == NULL || str_empty(key) || !kv_full(space, key, &full))
		return kv_get(kv, space, key, wait, a, ret);
	return kv->ops->get_hot(kv, kv_full_str(&full), wait, a, ret);
}

static err
scan(struct kv *kv, uint32_t space, str from, str to, enum kv_scan_how how, struct kv_iter **ret)
{
	struct kv_full f, t;
	struct kv_iter *it;

	CHECK_OBJ(kv, KV_MAGIC);
	if (!kv_full(space, from, &f) || !kv_full_bound(space, to, &t))
		return err_errno(EINVAL, "scan of the index: bound longer than a key");
	if (str_cmp(kv_full_str(&f), kv_full_str(&t)) > 0)
		f = t;			/* empty, and no engine need think about it */
	TRY(kv->ops->scan(kv, &f, &t, how, &it));
	CHECK_OBJ(it, KV_ITER_MAGIC);
	assert(it->kv == kv);
	*ret = it;
	return ERR_OK;
}

err_v
kv_scan(struct kv *kv, uint32_t space, str from, str to, struct kv_iter **ret)
{
	return scan(kv, space, from, to, KV_SCAN, ret);
}

err_v
kv_scan_once(struct kv *kv, uint32_t space, str from, str to, struct kv_iter **ret)
{
	return scan(kv, space, from, to, KV_SCAN_ONCE, ret);
}

err_v
kv_scan_brief(struct kv *kv, uint32_t space, str from, str to, struct kv_iter **ret)
{
	return scan(kv, space, from, to, KV_SCAN_BRIEF, ret);
}

err_v
kv_space_after(struct kv *kv, uint32_t space, uint32_t *ret)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct kv_full from, to;

	CHECK_OBJ(kv, KV_MAGIC);
	if (space >= UINT32_MAX - 1 || !kv_full(space + 1, STR_NONE, &from) || !kv_full(UINT32_MAX, STR_NONE, &to))
		return ERR_NOT_FOUND;
	TRY(kv->ops->scan(kv, &from, &to, KV_SCAN_ONCE, &it));
	if (!kv->ops->iter_valid(it)) {
		TRY(kv_iter_error(it));
		return ERR_NOT_FOUND;
	}
	*ret = (uint32_t)be_get(kv->ops->iter_key(it).p, KV_SPACE_LEN);
	return ERR_OK;
}

static void
full_copy(struct kv_full *ret, const struct kv_full *f)
{
	memcpy(ret->p, f->p, f->len);
	ret->len = f->len;
}

void
kv_iter_init(struct kv_iter *it, struct kv *kv, const struct kv_full *from, const struct kv_full *to)
{
	it->magic = KV_ITER_MAGIC;
	it->kv = kv;
	full_copy(&it->from, from);
	full_copy(&it->to, to);
}

bool
kv_iter_valid(struct kv_iter *it)
{
	CHECK_OBJ(it, KV_ITER_MAGIC);
	return it->kv->ops->iter_valid(it);
}

str
kv_iter_key(struct kv_iter *it)
{
	CHECK_OBJ(it, KV_ITER_MAGIC);
	return str_skip(it->kv->ops->iter_key(it), KV_SPACE_LEN);
}

str
kv_iter_value(struct kv_iter *it)
{
	CHECK_OBJ(it, KV_ITER_MAGIC);
	return it->kv->ops->iter_value(it);
}

void
kv_iter_next(struct kv_iter *it)
{
	CHECK_OBJ(it, KV_ITER_MAGIC);
	it->kv->ops->iter_next(it);
}

void
kv_iter_seek(struct kv_iter *it, str key)
{
	struct kv_full full;

	CHECK_OBJ(it, KV_ITER_MAGIC);
	memcpy(full.p, it->from.p, KV_SPACE_LEN);
	full.len = KV_SPACE_LEN + (key.len < KV_KEY_MAX ? key.len : KV_KEY_MAX);
	if (key.len > 0)
		memcpy(full.p + KV_SPACE_LEN, key.p, full.len - KV_SPACE_LEN);
	if (str_cmp(kv_full_str(&full), kv_full_str(&it->from)) < 0)
		full_copy(&full, &it->from);
	if (str_cmp(kv_full_str(&full), kv_full_str(&it->to)) > 0)
		full_copy(&full, &it->to);
	it->kv->ops->iter_seek(it, kv_full_str(&full));
	/* No key is longer than KV_KEY_MAX: one that is equal to the first bytes of a longer target comes before it. */
	if (key.len > KV_KEY_MAX && kv_iter_valid(it) && str_eq(it->kv->ops->iter_key(it), kv_full_str(&full)))
		kv_iter_next(it);
}

err_v
kv_iter_error(struct kv_iter *it)
{
	CHECK_OBJ(it, KV_ITER_MAGIC);
	return it->kv->ops->iter_error(it);
}

void
kv_iter_close(struct kv_iter **itp)
{
	struct kv_iter *it = *itp;

	if (it == NULL)
		return;
	CHECK_OBJ(it, KV_ITER_MAGIC);
	it->magic = 0;
	it->kv->ops->iter_close(it);
	*itp = NULL;
}

uint64_t
kv_stamp(struct kv *kv, uint32_t space, str key)
{
	struct kv_full full;

	CHECK_OBJ(kv, KV_MAGIC);
	return kv->ops->stamp != NULL && kv_full(space, key, &full) ? kv->ops->stamp(kv, kv_full_str(&full)) : 0;
}

err_v
kv_commit(struct kv *kv, struct kv_batch *b)
{
	CHECK_OBJ(kv, KV_MAGIC);
	CHECK_OBJ(b, KV_BATCH_MAGIC);
	if (!err_ok(b->failed))
		return err_errno(-b->failed.code, "batch of the index: an empty key, or more than one may hold");
	return kv->ops->commit(kv, b);
}

bool
kv_submit(struct kv *kv, struct kv_batch **bp, struct kv_done *done)
{
	struct kv_batch *b = *bp;

	CHECK_OBJ(kv, KV_MAGIC);
	CHECK_OBJ(b, KV_BATCH_MAGIC);
	assert(done->over != NULL);
	if (kv->ops->submit == NULL || !err_ok(b->failed))
		return false;
	*bp = NULL;			/* before it may be over */
	done->batch = b;
	if (kv->ops->submit(kv, done))
		return true;
	done->batch = NULL;
	*bp = b;
	return false;
}

err_v
kv_checkpoint(struct kv *kv, const char *dir)
{
	CHECK_OBJ(kv, KV_MAGIC);
	return kv->ops->checkpoint(kv, dir);
}

void
kv_stats(struct kv *kv, struct kv_stats *ret)
{
	CHECK_OBJ(kv, KV_MAGIC);
	*ret = (struct kv_stats){ 0 };
	kv->ops->stats(kv, ret);
}

err_v
kv_room(struct kv *kv)
{
	CHECK_OBJ(kv, KV_MAGIC);
	return kv->ops->room(kv);
}

bool
kv_can_reopen(struct kv *kv)
{
	CHECK_OBJ(kv, KV_MAGIC);
	return kv->ops->can_reopen(kv);
}

const char *
kv_trouble(struct kv *kv)
{
	CHECK_OBJ(kv, KV_MAGIC);
	return kv->ops->trouble(kv);
}
