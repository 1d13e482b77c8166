/*
 * backup.h - copies of a running store in a directory, and stores made of them again.
 *
 *     DIR/format        "caisson backup 1"
 *     DIR/lock          held by whoever writes here
 *     DIR/blobs/        a blob store with the blobs of all sets; each is there once
 *     DIR/NAME/         a set: the store as it was at one instant. NAME is when that was, "20261125T090819Z"
 *         index/        the index of that instant
 *         master.key, master.key.new, admin-token, credentials, format    as far as the data directory has them
 *         manifest      what the set holds; JSON
 *     DIR/NAME.partial  a set that is being made, or removed; whoever comes next takes it away
 *
 * A set is made under the name NAME.partial and renamed when all of it, blobs included, is on stable storage: so what is called a set is
 * whole, and a backup that was cut off leaves the earlier ones as they were.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define BACKUP_FORMAT 1u
#define BACKUP_NAME_LEN 16u

/* What stands in a manifest. */
struct backup_set {
	str name;
	uint64_t made_ms;	/* of which instant the set is */
	uint64_t blobs;		/* that it holds */
	uint64_t missing;	/* that its index names and the store did not have: damage */
};

/* ---- the directory (backup_dir.c) ---- */

/* Make it if it is not there, and lock it against other writers. -ENOTEMPTY: something else is in it. *ret_lock: close it. */
err backup_dir_take(str dir, struct arena *, int *ret_lock);
/* For reading: while the lock is held nobody writes. -ENOENT, -ENOTSUP: not one, or of a newer program. */
err backup_dir_share(str dir, struct arena *, int *ret_lock);
/* The names of the sets, oldest first. */
err backup_dir_sets(str dir, struct arena *, str **ret, unsigned *ret_n);
/* What was cut off goes. *ret_n: how many there were. */
err backup_dir_clean(str dir, struct arena *, unsigned *ret_n);
/* The name of a set that is made now: newer than all there are. */
str backup_dir_name(const str *sets, unsigned n, uint64_t now_ms, struct arena *);
err backup_manifest_write(str set_dir, const struct backup_set *, struct arena *);
err backup_manifest_read(str set_dir, struct backup_set *, struct arena *);
/* Files of the data directory that go with the index, as far as they are there. To be called before the checkpoint. */
err backup_files_copy(str from_dir, str to_dir, struct arena *);
/*
 * After it: the master key as it is now, as the one of a rotation under way. If it was rotated in between, a start finds out which of the
 * two the checkpoint is under.
 */
err backup_key_copy(str from_dir, str to_dir, struct arena *);

/* ---- the other way (restore.c) ---- */

struct restore_report {
	str name;		/* of the set */
	uint64_t rows, blobs, bytes;	/* read and verified */
	uint64_t damaged;	/* findings of damage */
};
/* A set ("": the newest) becomes a data directory, which must be empty or not there. "said" gets a line for each finding of damage. */
err backup_restore(str dir, str name, str data_dir, void (*said)(const char *line), struct arena *, struct restore_report *ret);
