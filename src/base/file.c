/* file.c - small files written whole, and names that survive a power cut. */
#include "base/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/mem.h"

#define COPY_BYTES (1u << 20)

void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

err_v
file_write(const char *path, str text)
{
	AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t n;

	if (fd < 0)
		return err_errno(errno, "create %s", path);
	n = write(fd, text.p, text.len);
	if (n != (ssize_t)text.len)
		return err_errno(n < 0 ? errno : ENOSPC, "write %s", path);
	if (fchmod(fd, 0600) != 0 || fsync(fd) != 0)
		return err_errno(errno, "flush %s", path);
	return ERR_OK;
}

err_v
file_rename(const char *from, const char *to)
{
	CRASH_POINT(file_written);
	if (rename(from, to) != 0)
		return err_errno(errno, "rename %s to %s", from, to);
	CRASH_POINT(file_named);
	return file_flush_parent(to);
}

err_v
file_flush_parent(const char *path)
{
	AUTO(mem_free_p) char *dir = mem_strdup(path);
	AUTO(fd_close) int fd = -1;
	char *slash;

	for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
		dir[n - 1] = '\0';
	slash = strrchr(dir, '/');
	if (slash != NULL)
		slash[slash == dir ? 1 : 0] = '\0';
	fd = open(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return err_errno(errno, "flush the directory of %s", path);
	return ERR_OK;
}

ssize_t
file_read_head(int fd, void *p, size_t max)
{
	size_t done = 0;

	while (done < max) {
		ssize_t n = read(fd, (char *)p + done, max - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static err
copy_by_hand(int from, int to, const char *what)
{
	AUTO(mem_free_p) char *p = mem_alloc(COPY_BYTES);

	for (;;) {
		ssize_t n = read(from, p, COPY_BYTES), done = 0, put;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(errno, "copy %s", what);
		if (n == 0)
			return ERR_OK;
		for (; done < n; done += put > 0 ? put : 0) {
			put = write(to, p + done, (size_t)(n - done));
			if (put == 0 || (put < 0 && errno != EINTR))
				return err_errno(put < 0 ? errno : EIO, "copy %s", what);
		}
	}
}

/* The kernel does it, sharing extents where the file system can; not between any two file systems. */
err_v
file_copy_bytes(int from, int to, const char *what)
{
	ssize_t n = 1;

	while (n > 0) {
		n = copy_file_range(from, NULL, to, NULL, 1u << 30, 0);
		if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n == 0)
		return ERR_OK;
	if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return err_errno(errno, "copy %s", what);
	return copy_by_hand(from, to, what);
}

err_v
file_copy(const char *from, const char *to)
{
	AUTO(fd_close) int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;

	if (in < 0)
		return err_errno(errno, "open %s", from);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return err_errno(errno, "create %s", to);
	TRY(file_copy_bytes(in, out, from));
	if (fsync(out) != 0)
		return err_errno(errno, "flush %s", to);
	return ERR_OK;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	return remove(path);
}

err_v
file_remove_tree(const char *dir)
{
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		return err_errno(errno, "remove %s", dir);
	return ERR_OK;
}
