/*
 * kv_rocksdb_room.c - going on while the disk is full, and coming back from a disk that has failed.
 *
 * A deletion is a commit like others and needs room: for the log, and for tables when memtables are written out. The spare file
 * holds some. When others have filled the disk it is let go of, before RocksDB runs into the end; it is made again once
 * there is plenty.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/room.h"
#include "meta/kv_rocksdb.h"

#define SPARE "spare"		/* RocksDB leaves alone what is named like none of its files */
#define PROBE "probe"
#define PROBE_MS 1000

static uint64_t
spare_bytes(const struct rocks *r)
{
	return r->reserve / 4;
}

/* Best effort: without it the reserve still stands. */
static void
spare_make(struct rocks *r)
{
	int fd;

	if (!err_ok(room_check(r->dir_fd, r->reserve, spare_bytes(r))))
		return;
	fd = openat(r->dir_fd, SPARE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (fallocate(fd, 0, 0, (off_t)spare_bytes(r)) == 0)
		atomic_store(&r->spare, true);
	else
		unlinkat(r->dir_fd, SPARE, 0);
	close(fd);
}

void
rocks_room_open(struct rocks *r, uint64_t wanted)
{
	struct stat st;

	r->reserve = room_reserve(r->dir_fd, wanted);
	if (r->reserve == 0) {
		unlinkat(r->dir_fd, SPARE, 0);
		return;
	}
	if (fstatat(r->dir_fd, SPARE, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size >= spare_bytes(r))
		atomic_store(&r->spare, true);
	else
		spare_make(r);
}

void
rocks_room_spend(struct rocks *r)
{
	if (atomic_load_explicit(&r->spare, memory_order_relaxed) && room_free(r->dir_fd) < spare_bytes(r) &&
	    atomic_exchange(&r->spare, false))
		unlinkat(r->dir_fd, SPARE, 0);
}

err_v
rocks_room(struct kv *kv)
{
	struct rocks *r = rocks_of(kv);

	return room_check(r->dir_fd, r->reserve, 0);
}

/* One caller a second looks; the others go by what is known. */
static bool
probe_due(struct rocks *r)
{
	uint64_t now = clock_mono_ms();
	bool due;

	lock_take(&r->lock);
	due = now - r->probed_ms >= PROBE_MS;
	if (due)
		r->probed_ms = now;
	lock_drop(&r->lock);
	return due;
}

const char *
rocks_trouble(struct kv *kv)
{
	struct rocks *r = rocks_of(kv);

	if (atomic_load(&r->poisoned))
		return r->trouble;
	if (probe_due(r)) {
		/* While there is no room nobody may be sending writes any more: so look whether an empty one goes through. */
		if (atomic_load(&r->full))
			rocks_probe(r);
		else if (!atomic_load(&r->spare) && r->reserve > 0)
			spare_make(r);
	}
	if (atomic_load(&r->poisoned))
		return r->trouble;
	return atomic_load(&r->full) ? "ENOSPC: no room on the index's file system" : NULL;
}

/* Does the disk take a file, its bytes, and a flush of both? */
bool
rocks_can_reopen(struct kv *kv)
{
	struct rocks *r = rocks_of(kv);
	int fd;
	bool ok;

	if (!atomic_load(&r->poisoned) || r->damaged || !probe_due(r))
		return false;
	fd = openat(r->dir_fd, PROBE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	ok = write(fd, PROBE, sizeof(PROBE)) == (ssize_t)sizeof(PROBE) && fsync(fd) == 0;
	close(fd);
	return unlinkat(r->dir_fd, PROBE, 0) == 0 && fsync(r->dir_fd) == 0 && ok;
}
