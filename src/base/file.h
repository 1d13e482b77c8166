/*
 * file.h - small files written whole, and names that survive a power cut.
 *
 * For secrets and settings; what blobs and the index keep on disk is theirs. Errors are errnos with the path in their context.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* Close an open file, or nothing at -1, for AUTO(). For what was written and flushed: what close() says is not asked. */
void fd_close(int *fd);
/* Made anew or emptied, mode 0600, written and flushed; a symbolic link in its place is refused. Its name is not flushed yet. */
err file_write(const char *path, str text);
/* The beginning of an open file: until max bytes are read or it ends, however little one read gives. Its length; -1: errno. */
ssize_t file_read_head(int fd, void *p, size_t max);
/* Rename, and flush the directory of "to": OK means that "to" is durably what "from" was. */
err file_rename(const char *from, const char *to);
/* Flush the directory that holds path: what was made or removed there is durable. */
err file_flush_parent(const char *path);
/* All bytes of one open file, from where it stands, into another. "what" is being copied, for errors. */
err file_copy_bytes(int from, int to, const char *what);
/* Copy a file, mode 0600, and flush the copy; its name is not flushed yet. What stood there before is replaced. */
err file_copy(const char *from, const char *to);
/* Remove a directory with all that is in it, following no symbolic link. Fine if it is not there. */
err file_remove_tree(const char *dir);
