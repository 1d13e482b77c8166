/* file.c - small files written whole, and names that survive a power cut. */
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static void
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
	if (rename(from, to) != 0)
		return err_errno(errno, "rename %s to %s", from, to);
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
