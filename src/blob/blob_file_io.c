/*
 * blob_file_io.c - system calls of the file engine that want a loop or a second step.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/be.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "blob/blob_file_impl.h"

err_v
io_read(int fd, void *p, size_t n, uint64_t pos)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (char *)p + done, n - done, (off_t)(pos + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys("read blob");
		if (got == 0)
			return ERR_DAMAGED;
		done += (size_t)got;
	}
	return ERR_OK;
}

err_v
io_write(int fd, const void *p, size_t n, uint64_t pos)
{
	for (size_t done = 0; done < n;) {
		ssize_t put = pwrite(fd, (const char *)p + done, n - done, (off_t)(pos + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys("write blob");
		if (put == 0)
			return err_errno(EIO, "write blob: nothing was taken");
		done += (size_t)put;
	}
	return ERR_OK;
}

err_v
io_allocate(int fd, int mode, uint64_t pos, uint64_t len)
{
	while (fallocate(fd, mode, (off_t)pos, (off_t)len) != 0)
		if (errno != EINTR)
			return err_sys("fallocate blob");
	return ERR_OK;
}

void
io_number_text(uint64_t number, char ret[NUMBER_TEXT])
{
	assert(number <= NUMBER_MAX);
	snprintf(ret, NUMBER_TEXT, "%08x", (unsigned)number);
}

static bool
number_parse(str s, uint64_t *ret)
{
	uint8_t b[4];
	uint64_t n;
	char text[NUMBER_TEXT];

	if (s.len != 8 || !hex_decode(s, b))
		return false;
	n = be_get(b, sizeof(b));
	if (n > NUMBER_MAX)
		return false;
	io_number_text(n, text);
	if (!str_eq(s, str_c(text)))		/* the one way to write it: lower case */
		return false;
	*ret = n;
	return true;
}

err_v
io_numbers(int dir, io_number_f *visit, void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err_v e = ERR_OK;
	struct dirent *d;
	DIR *list;

	if (fd < 0)
		return err_sys("open blob directory");
	list = fdopendir(fd);
	if (list == NULL) {
		e = err_sys("open blob directory");
		close(fd);
		return e;
	}
	while (err_ok(e)) {
		uint64_t number;

		errno = 0;
		d = readdir(list);
		if (d == NULL) {
			if (errno != 0)
				e = err_sys("read blob directory");
			break;
		}
		if (number_parse(str_c(d->d_name), &number))
			e = visit(arg, number);
	}
	closedir(list);
	return e;
}

err_v
io_replace(int dir, const char *name, str text)
{
	char tmp[64];
	err_v e;
	int fd;

	snprintf(tmp, sizeof(tmp), "%s.new", name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys("create file in blob store");
	e = io_write(fd, text.p, text.len, 0);
	if (err_ok(e) && fsync(fd) != 0)
		e = err_sys("fsync file in blob store");
	close(fd);
	TRY(e);
	CRASH_POINT(file_written);
	if (renameat(dir, tmp, dir, name) != 0)
		return err_sys("rename file in blob store");
	CRASH_POINT(file_named);
	if (fsync(dir) != 0)
		return err_sys("fsync blob store");
	return ERR_OK;
}

err_v
io_copy(int from_dir, const char *from, int to_dir, const char *to)
{
	err_v e;
	int in, out;

	in = openat(from_dir, from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_sys("open blob");
	out = openat(to_dir, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0) {
		e = err_sys("create copy of blob");
	} else {
		e = file_copy_bytes(in, out, "blob");
		if (err_ok(e) && fsync(out) != 0)
			e = err_sys("fsync copy of blob");
		close(out);
	}
	close(in);
	return e;
}
