/*
 * format.h - which form a directory has: one line in a file of its own, "caisson data 1".
 *
 * A program reads every form up to the one that it writes, and refuses newer ones before it touches anything.
 */
#pragma once

#include "base/err.h"

#define DATA_FORMAT 1u		/* of the data directory, as this program writes it */

/*
 * dir: AT_FDCWD, or what path is relative to. -ENOENT: there is no such file. -ENOTSUP: of a newer program. ERR_DAMAGED: something else
 * is in it. All with a context.
 */
err format_check(int dir, const char *path, const char *what, unsigned newest);
/* Write it, durable but for its name. */
err format_write(const char *path, const char *what, unsigned version);
