/*
 * catalog_age.c - when objects were last read, and how much of a bucket is how old.
 *
 *   A K   the day on which the current version of a key was last read, 4 bytes, little-endian
 *   G     what the last look at all of the bucket found: five counters
 *
 * Both are hints: they may be late, or missing, and nothing else depends on them. An A row may outlive its object; whoever
 * walks them beside the objects says which do.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

#define DAY_LEN 4u

enum { AT_MS, WARM_OBJECTS, WARM_BYTES, COLD_OBJECTS, COLD_BYTES, AGES_COUNT };
static_assert(AGES_COUNT <= KV_COUNTERS_MAX, "one row of counters");

static str
day_text(uint32_t day, char room[DAY_LEN])
{
	for (unsigned i = 0; i < DAY_LEN; i++)
		room[i] = (char)(day >> 8 * i);
	return str_n(room, DAY_LEN);
}

static bool
day_parse(str value, uint32_t *ret)
{
	uint32_t day = 0;

	if (value.len != DAY_LEN)
		return false;
	for (unsigned i = 0; i < DAY_LEN; i++)
		day |= (uint32_t)(uint8_t)value.p[i] << 8 * i;
	*ret = day;
	return true;
}

/* A batch that counts only while the bucket lives. ERR_NOT_FOUND: it does not. */
static err
batch_of(struct catalog *c, uint32_t space, struct arena *a, struct kv_batch **ret)
{
	struct row_key head = row_head();
	struct bucket b;
	str raw;

	TRY(kv_get(c->kv, space, row_str(&head), KV_MAY_BLOCK, a, &raw));
	TRY(record_bucket_read(raw, &b));
	if (b.state != BUCKET_LIVE)
		return ERR_NOT_FOUND;
	*ret = kv_batch_new(space);
	kv_expect_value(*ret, row_str(&head), raw);
	return ERR_OK;
}

static err
gone_is_fine(err_v e)
{
	return err_is(e, ERR_NOT_FOUND.code) ? ERR_OK : e;
}

/* value.p NULL: the days go. */
static err
touch_rows(struct catalog *c, uint32_t space, const str *keys, unsigned n, str value, struct arena *a)
{
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	e = batch_of(c, space, a, &b);
	if (!err_ok(e))
		return gone_is_fine(e);
	for (unsigned i = 0; i < n; i++) {
		struct row_key row = row_of_key(ROW_TOUCH, keys[i]);

		if (value.p != NULL)
			kv_put(b, row_str(&row), value);
		else
			kv_delete(b, row_str(&row));
	}
	return kv_commit(c->kv, b);
}

err_v
catalog_touch(struct catalog *c, uint32_t space, const str *keys, unsigned n, uint32_t day, struct arena *a)
{
	char room[DAY_LEN];

	return touch_rows(c, space, keys, n, day_text(day, room), a);
}

err_v
catalog_untouch(struct catalog *c, uint32_t space, const str *keys, unsigned n, struct arena *a)
{
	return touch_rows(c, space, keys, n, STR_NONE, a);
}

err_v
touch_moved(struct write *w, str from, str to)
{
	struct row_key was = row_of_key(ROW_TOUCH, from), is = row_of_key(ROW_TOUCH, to);
	str value;
	err_v e = kv_get(w->c->kv, w->bucket.space, row_str(&was), KV_MAY_BLOCK, w->arena, &value);

	if (err_is(e, ERR_NOT_FOUND.code)) {
		write_delete(w, is);
		return ERR_OK;
	}
	TRY(e);
	kv_put(w->batch, row_str(&is), value);
	write_delete(w, was);
	return ERR_OK;
}

/* ---- beside a walk through the objects ---- */

struct touches { struct kv_iter *it; };

err_v
touches_open(struct catalog *c, uint32_t space, struct touches **ret)
{
	struct row_key from = row_kind_from(ROW_TOUCH), to = row_behind(from);
	struct kv_iter *it;

	TRY(kv_scan_once(c->kv, space, row_str(&from), row_str(&to), &it));
	*ret = MEM_NEW(struct touches);
	(*ret)->it = it;
	return ERR_OK;
}

void
touches_close(struct touches **tp)
{
	if (*tp == NULL)
		return;
	kv_iter_close(&(*tp)->it);
	free(*tp);
	*tp = NULL;
}

static void
tell_lone(struct touches *t, touches_lone_f *lone, void *arg)
{
	char key[OBJECT_KEY_MAX];
	size_t len;
	str rest;

	if (row_object_key(kv_iter_key(t->it), ROW_TOUCH, key, &len, &rest))
		lone(arg, str_n(key, len));
}

err_v
touches_find(struct touches *t, str key, touches_lone_f *lone, void *arg, uint32_t *ret_day)
{
	struct row_key row = row_of_key(ROW_TOUCH, key);
	int order = -1;

	*ret_day = 0;
	for (; kv_iter_valid(t->it); kv_iter_next(t->it)) {
		order = str_cmp(kv_iter_key(t->it), row_str(&row));
		if (order >= 0)
			break;
		tell_lone(t, lone, arg);
	}
	TRY(kv_iter_error(t->it));
	if (order == 0 && !day_parse(kv_iter_value(t->it), ret_day))
		return err_errno(EBADMSG, "the day of a read");
	if (order == 0)
		kv_iter_next(t->it);
	return ERR_OK;
}

err_v
touches_end(struct touches *t, touches_lone_f *lone, void *arg)
{
	for (; kv_iter_valid(t->it); kv_iter_next(t->it))
		tell_lone(t, lone, arg);
	return kv_iter_error(t->it);
}

/* ---- what was found ---- */

err_v
catalog_ages_set(struct catalog *c, uint32_t space, const struct bucket_ages *ages, struct arena *a)
{
	int64_t n[AGES_COUNT] = { (int64_t)ages->at_ms, ages->warm_objects, ages->warm_bytes, ages->cold_objects, ages->cold_bytes };
	struct row_key row = row_kind_from(ROW_AGES);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	e = batch_of(c, space, a, &b);
	if (!err_ok(e))
		return gone_is_fine(e);
	static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "as kv_add writes them");
	kv_put(b, row_str(&row), str_n(n, sizeof(n)));
	return kv_commit(c->kv, b);
}

err_v
catalog_ages(struct catalog *c, uint32_t space, struct arena *a, struct bucket_ages *ret)
{
	struct row_key row = row_kind_from(ROW_AGES);
	int64_t n[AGES_COUNT];
	str raw;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	e = kv_get(c->kv, space, row_str(&row), KV_MAY_BLOCK, a, &raw);
	*ret = (struct bucket_ages){ 0 };
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;
	TRY(e);
	if (!kv_counters(raw, n, AGES_COUNT))
		return err_errno(EBADMSG, "ages of a bucket");
	*ret = (struct bucket_ages){ (uint64_t)n[AT_MS], n[WARM_OBJECTS], n[WARM_BYTES], n[COLD_OBJECTS], n[COLD_BYTES] };
	return ERR_OK;
}

static void
split(int64_t total, int64_t warm, int64_t cold, int64_t ret[AGE_COUNT])
{
	ret[AGE_COLD] = cold < total ? cold : total;
	total -= ret[AGE_COLD];
	ret[AGE_WARM] = warm < total ? warm : total;
	ret[AGE_HOT] = total - ret[AGE_WARM];
}

struct bucket_split
bucket_split(const struct bucket_usage *u, const struct bucket_ages *ages)
{
	struct bucket_split s;

	split(u->objects[CLASS_STANDARD], ages->warm_objects, ages->cold_objects, s.objects);
	split(u->bytes[CLASS_STANDARD], ages->warm_bytes, ages->cold_bytes, s.bytes);
	return s;
}
