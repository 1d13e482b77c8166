/* format.c - which form a directory has. */
#include "base/format.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"

#define LINE_MAX_LEN 63

err_v
format_check(int dir, const char *path, const char *what, unsigned newest)
{
	AUTO(fd_close) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char text[LINE_MAX_LEN + 1];
	uint64_t version = 0;
	ssize_t n;
	str line;

	if (fd < 0)
		return err_errno(errno, "open %s", path);
	n = file_read_head(fd, text, LINE_MAX_LEN);
	if (n < 0)
		return err_errno(errno, "read %s", path);
	line = str_n(text, (size_t)n);
	if (!str_eq(str_take_until(&line, ' '), STR("caisson")) || !str_eq(str_take_until(&line, ' '), str_c(what)) ||
	    !str_u64(str_take_until(&line, '\n'), &version) || version == 0)
		return err_errno(-ERR_DAMAGED.code, "%s does not say \"caisson %s %u\"", path, what, newest);
	if (version > newest)
		return err_errno(ENOTSUP, "%s: this %s is of format %llu, written by a newer caisson; this one, %s, knows up to %u: "
		    "run the newer one", path, what, (unsigned long long)version, CAISSON_VERSION, newest);
	return ERR_OK;
}

err_v
format_write(const char *path, const char *what, unsigned version)
{
	char text[LINE_MAX_LEN + 1];

	snprintf(text, sizeof(text), "caisson %s %u\n", what, version);
	return file_write(path, str_c(text));
}
