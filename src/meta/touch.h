/*
 * touch.h - which objects were read today: noted in memory by those who read, written to the index by a job.
 *
 * A note costs a reader a hash and one look at a table, and nothing at all for an object that was written today; only the first
 * read of a day puts the key into a queue. So nothing is written for a read but the day, once a day, in batches, and
 * never while a client waits. What may be lost: notes of the last touch_interval before a crash; notes while the queue is full
 * (counted); one of two objects whose hashes agree, for that day. An object that lost a note looks as if it had
 * last been read on the day before that on which it was.
 *
 * Reads of older versions by their id are not noted. Thread-safe; never blocks for long.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct touch;

/* A day, in which all that lies between two midnights is one, is so many seconds long: 86,400 but in tests. */
struct touch *touch_new(uint32_t day_seconds);
void touch_free(struct touch **);

/* The day of a moment, and which day it is: as of the last touch_take(). */
uint32_t touch_day(const struct touch *, uint64_t ms);
/* The current version of a key was read, written at modified_ms. t NULL: nobody wants to know. */
void touch_note(struct touch *t, uint32_t space, str key, uint64_t modified_ms);

/* One note. next: false at the end. */
struct touched { uint32_t space; str key; };
bool touched_next(str *rest, struct touched *ret);
/* All notes since the last take, in place of what is in ret: read them by touched_next(). */
void touch_take(struct touch *, struct buf *ret);
/* A buf as touch_take() wants it. */
void touch_buf_init(struct buf *);

struct touch_stats { uint64_t noted, dropped; };
void touch_stats(struct touch *, struct touch_stats *ret);
