/*
 * log.c - lines to standard error, and the access log.
 *
 * Each line is one write(2), so lines of several threads do not mix. The access
 * log's descriptor is replaced under its lock on reopen.
 */
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"

static enum log_level level_min = LOG_INFO;
static const char *const level_name[] = { "debug", "info", "warn", "error" };

static struct lock access_lock = { .m = PTHREAD_MUTEX_INITIALIZER, .rank = LOCK_LOG };
static char *access_path GUARDED_BY(access_lock);
static int access_fd = -1;

void
log_set_level(enum log_level level)
{
	level_min = level;
}

void
log_event(enum log_level level, const char *fmt, ...)
{
	char line[2048];
	uint64_t now = clock_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	va_list ap;
	size_t at;
	int n;

	if (level < level_min)
		return;
	gmtime_r(&seconds, &tm);
	at = strftime(line, sizeof(line), "time=%Y-%m-%dT%H:%M:%S", &tm);
	at += (size_t)snprintf(line + at, sizeof(line) - at, ".%03uZ level=%s ",
	    (unsigned)(now % 1000), level_name[level]);
	va_start(ap, fmt);
	n = vsnprintf(line + at, sizeof(line) - at - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	for (size_t end = at + ((size_t)n < sizeof(line) - at - 1 ? (size_t)n : sizeof(line) - at - 2); at < end; at++)
		if ((unsigned char)line[at] < ' ')	/* what was put into the sentence shall not begin a line of its own */
			line[at] = ' ';
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0)
		return;		/* nobody is left to tell */
}

static int
access_open(const char *path)
{
	if (strcmp(path, "-") == 0)
		return dup(STDOUT_FILENO);
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

err_v
log_access_open(const char *path)
{
	int fd = -1, old;

	if (path[0] != '\0') {
		fd = access_open(path);
		if (fd < 0)
			return err_errno(errno, "open access log %s", path);
	}
	lock_take(&access_lock);
	free(access_path);
	access_path = mem_strdup(path);
	old = access_fd;
	__atomic_store_n(&access_fd, fd, __ATOMIC_RELEASE);
	lock_drop(&access_lock);
	if (old >= 0)
		close(old);
	return ERR_OK;
}

err_v
log_reopen(void)
{
	err_v e = ERR_OK;
	int fd;

	lock_take(&access_lock);
	if (access_fd >= 0) {
		fd = access_open(access_path);
		/* dup3 keeps the number, so that writers need no lock. */
		if (fd < 0 || dup3(fd, access_fd, O_CLOEXEC) < 0)
			e = err_errno(errno, "open access log %s", access_path);
		if (fd >= 0)
			close(fd);
	}
	lock_drop(&access_lock);
	return e;
}

void
log_access(str line)
{
	int fd = __atomic_load_n(&access_fd, __ATOMIC_ACQUIRE);
	struct iovec part[2] = { { (void *)(uintptr_t)line.p, line.len }, { (void *)(uintptr_t)"\n", 1 } };

	if (fd >= 0 && writev(fd, part, 2) < 0)
		return;		/* a full disk must not stop requests */
}

bool
log_access_on(void)
{
	return __atomic_load_n(&access_fd, __ATOMIC_RELAXED) >= 0;
}
