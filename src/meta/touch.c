/*
 * touch.c - notes of reads in memory.
 *
 * The table is direct-mapped: each slot holds the hash of the last key that was noted there, and its day. Readers look at it
 * without a lock; only a note that is new today takes the lock of the queue.
 */
#include "meta/touch.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"

#define SLOTS (1u << 18)		/* 2 MiB */
#define QUEUE_MAX (8u << 20)		/* bytes of notes between two takes */
#define KEY_MAX 1024u

struct note_head { uint32_t space; uint32_t len; };

struct touch {
	unsigned magic;
#define TOUCH_MAGIC 0x746f7563u
	uint32_t day_seconds;
	_Atomic uint32_t today;
	_Atomic uint64_t midnight_ms;	/* when it began */
	_Atomic uint64_t noted, dropped;
	struct lock lock;		/* rank: LOCK_TOUCH */
	struct buf queue GUARDED_BY(lock);
	_Atomic uint64_t slot[SLOTS];	/* hash << 16 | day */
};

static uint32_t
day_of(const struct touch *t, uint64_t ms)
{
	return (uint32_t)(ms / 1000 / t->day_seconds);
}

static void
see_day(struct touch *t)
{
	uint32_t day = day_of(t, clock_wall_ms());

	atomic_store(&t->today, day);
	atomic_store(&t->midnight_ms, (uint64_t)day * t->day_seconds * 1000);
}

void
touch_buf_init(struct buf *b)
{
	buf_init(b, QUEUE_MAX);
}

struct touch *
touch_new(uint32_t day_seconds)
{
	struct touch *t = MEM_NEW(struct touch);

	assert(day_seconds > 0);
	t->magic = TOUCH_MAGIC;
	t->day_seconds = day_seconds;
	see_day(t);
	lock_init(&t->lock, LOCK_TOUCH);
	touch_buf_init(&t->queue);
	return t;
}

void
touch_free(struct touch **tp)
{
	struct touch *t = *tp;

	if (t == NULL)
		return;
	CHECK_OBJ(t, TOUCH_MAGIC);
	buf_done(&t->queue);
	lock_done(&t->lock);
	t->magic = 0;
	free(t);
	*tp = NULL;
}

uint32_t
touch_day(const struct touch *t, uint64_t ms)
{
	CHECK_OBJ(t, TOUCH_MAGIC);
	return day_of(t, ms);
}

static bool
queue_add(struct touch *t, uint32_t space, str key)
{
	struct note_head h = { space, (uint32_t)key.len };
	bool room;

	lock_take(&t->lock);
	room = t->queue.len + sizeof(h) + key.len <= QUEUE_MAX;
	if (room) {
		buf_add(&t->queue, str_n(&h, sizeof(h)));
		buf_add(&t->queue, key);
	}
	lock_drop(&t->lock);
	return room;
}

void
touch_note(struct touch *t, uint32_t space, str key, uint64_t modified_ms)
{
	uint32_t today, hash;
	uint64_t mark;

	if (t == NULL)
		return;
	assert(t->magic == TOUCH_MAGIC && key.len <= KEY_MAX);
	if (modified_ms >= atomic_load_explicit(&t->midnight_ms, memory_order_relaxed))
		return;
	today = atomic_load_explicit(&t->today, memory_order_relaxed);
	hash = crc32c(space, key);
	mark = (uint64_t)hash << 16 | (today & 0xffff);
	if (atomic_load_explicit(&t->slot[hash % SLOTS], memory_order_relaxed) == mark)
		return;
	if (!queue_add(t, space, key)) {
		atomic_fetch_add_explicit(&t->dropped, 1, memory_order_relaxed);
		return;			/* the next read tries again */
	}
	atomic_store_explicit(&t->slot[hash % SLOTS], mark, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->noted, 1, memory_order_relaxed);
}

void
touch_take(struct touch *t, struct buf *ret)
{
	struct buf taken;

	CHECK_OBJ(t, TOUCH_MAGIC);
	buf_clear(ret);
	lock_take(&t->lock);
	taken = t->queue;
	t->queue = *ret;
	lock_drop(&t->lock);
	*ret = taken;
	see_day(t);
}

bool
touched_next(str *rest, struct touched *ret)
{
	struct note_head h;

	if (rest->len < sizeof(h))
		return false;
	memcpy(&h, rest->p, sizeof(h));
	assert(h.len <= rest->len - sizeof(h));
	*ret = (struct touched){ h.space, str_sub(*rest, sizeof(h), h.len) };
	*rest = str_skip(*rest, sizeof(h) + h.len);
	return true;
}

void
touch_stats(struct touch *t, struct touch_stats *ret)
{
	CHECK_OBJ(t, TOUCH_MAGIC);
	ret->noted = atomic_load(&t->noted);
	ret->dropped = atomic_load(&t->dropped);
}
