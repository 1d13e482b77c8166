/*
 * shim.c - a disk that fails on command, and that remembers what a power cut would forget.
 *
 * Preloaded into a program under test (LD_PRELOAD); without its environment variables it does nothing but pass calls on.
 *
 *     FAULTS_DIR      only files below this directory are touched
 *     FAULTS_CONTROL  a mapped file (struct control): which call is to fail, how, and how often such calls were seen. The test
 *                     changes it while the program runs.
 *     FAULTS_LOG      every change to those files is appended here, with the bytes, and every flush that came back; a test builds from it
 *                     any state that a disk may be in after a power cut (tests/faults/states.py).
 *     FAULTS_JITTER   microseconds: writes and flushes are held up by a random time up to this, so that races show
 *
 * A change is logged when its call has returned, before the program goes on; a flush with the length that the log had when the flush
 * began. So a flush covers exactly what had returned before it, as POSIX has it. A flush that was made to fail is logged too: what it
 * should have covered is never durable again.
 */
#undef _FILE_OFFSET_BITS	/* the names of both widths are defined here */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FDS 8192
#define PATH 4096
#define CONTROL_MAGIC 0x46415553u
#define SHORT_COUNT 1000u	/* instead of an errno: half of what was asked for */

enum call {
	CALL_OPEN = 1, CALL_READ = 2, CALL_WRITE = 4, CALL_SYNC = 8, CALL_RENAME = 16, CALL_ALLOCATE = 32, CALL_UNLINK = 64,
	CALL_MKDIR = 128, CALL_TRUNCATE = 256, CALL_CHANGE = 512,	/* an open that wants to write */
	CALL_MEMORY = 1024,	/* malloc and its kin: of any place */
};

struct control {
	uint32_t magic;
	uint32_t calls;		/* enum call, added up; 0: nothing fails */
	uint32_t error;		/* errno, or SHORT_COUNT */
	uint32_t forever;
	uint64_t nth;		/* the first that fails, from 1 */
	uint64_t seen;		/* calls of these kinds since the test set it to 0 */
	uint64_t hit;		/* made to fail */
	char match[64];		/* only paths that hold this */
	int64_t clock_ms;	/* by so much the wall clock is wrong */
};

enum kind { K_CREATE = 1, K_MKDIR, K_WRITE, K_SIZE, K_ZERO, K_EXTEND, K_RENAME, K_LINK, K_UNLINK, K_RMDIR, K_SYNC, K_SYNC_FAILED,
	K_SYNC_ALL, K_MARK };

struct entry {
	uint32_t magic;
	uint32_t kind;
	uint64_t ino;
	uint64_t a, b;		/* as the kind has it: see states.py */
	uint32_t len, len2;	/* bytes that follow */
};
#define ENTRY_MAGIC 0x4c4f4721u

static const char *dir;
static size_t dir_len;
static struct control *control;
static int log_fd = -1;
static uint64_t jitter_us;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *path_of[FDS];

static struct control *
map_control(const char *name)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED || ((struct control *)p)->magic != CONTROL_MAGIC) {
		fprintf(stderr, "FAULTS_CONTROL cannot be used: %s\n", name);
		abort();
	}
	return p;
}

__attribute__((constructor)) static void
setup(void)
{
	const char *c = getenv("FAULTS_CONTROL"), *l = getenv("FAULTS_LOG");

	dir = getenv("FAULTS_DIR");
	if (dir == NULL || dir[0] == '\0') {
		dir = NULL;
		return;
	}
	dir_len = strlen(dir);
	if (getenv("FAULTS_JITTER") != NULL)
		jitter_us = strtoul(getenv("FAULTS_JITTER"), NULL, 10);
	if (c != NULL)
		control = map_control(c);
	if (l == NULL)
		return;
	log_fd = (int)syscall(SYS_openat, AT_FDCWD, l, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0) {
		fprintf(stderr, "FAULTS_LOG cannot be used: %s\n", l);
		abort();
	}
}

/* The absolute path, if it is below our directory; else false. */
static int
full(int at, const char *path, char ret[PATH])
{
	char base[PATH / 2], link[64];
	ssize_t n;

	if (dir == NULL || path == NULL)
		return 0;
	if (path[0] == '/') {
		snprintf(ret, PATH, "%s", path);
	} else {
		if (at == AT_FDCWD)
			snprintf(link, sizeof(link), "/proc/self/cwd");
		else
			snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
		n = syscall(SYS_readlinkat, AT_FDCWD, link, base, sizeof(base) - 1);
		if (n <= 0)
			return 0;
		base[n] = '\0';
		snprintf(ret, PATH, "%s/%s", base, strcmp(path, ".") == 0 ? "" : path);
	}
	n = (ssize_t)strlen(ret);
	while (n > 1 && ret[n - 1] == '/')
		ret[--n] = '\0';
	return strncmp(ret, dir, dir_len) == 0 && (ret[dir_len] == '/' || ret[dir_len] == '\0');
}

static void
remember(int fd, const char *path)
{
	if (fd < 0 || fd >= FDS)
		return;
	pthread_mutex_lock(&lock);
	free(path_of[fd]);
	path_of[fd] = path == NULL ? NULL : strdup(path);
	pthread_mutex_unlock(&lock);
}

static int
ours(int fd, char ret[PATH])
{
	int found = 0;

	if (dir == NULL || fd < 0 || fd >= FDS)
		return 0;
	pthread_mutex_lock(&lock);
	if (path_of[fd] != NULL) {
		snprintf(ret, PATH, "%s", path_of[fd]);
		found = 1;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static void
hold_up(void)
{
	static __thread uint64_t state;
	struct timespec t = { 0 };

	if (jitter_us == 0)
		return;
	if (state == 0)
		state = (uint64_t)gettid() * 2654435761u | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	t.tv_nsec = (long)(state % jitter_us) * 1000;
	nanosleep(&t, NULL);
}

/* What is to happen to this call: 0 nothing, SHORT_COUNT, or an errno, which is set. */
static unsigned
fault(enum call call, const char *path)
{
	uint64_t n;

	if (control == NULL || !(__atomic_load_n(&control->calls, __ATOMIC_ACQUIRE) & (unsigned)call))
		return 0;
	if (control->match[0] != '\0' && strstr(path, control->match) == NULL)
		return 0;
	n = __atomic_add_fetch(&control->seen, 1, __ATOMIC_ACQ_REL);
	if (n != control->nth && !(control->forever && n > control->nth))
		return 0;
	__atomic_add_fetch(&control->hit, 1, __ATOMIC_ACQ_REL);
	if (control->error != SHORT_COUNT)
		errno = (int)control->error;
	return control->error;
}

static uint64_t
log_len(void)
{
	return log_fd < 0 ? 0 : (uint64_t)syscall(SYS_lseek, log_fd, 0, SEEK_END);
}

static void
note(struct entry e, const void *p, const void *p2)
{
	struct iovec v[3] = { { &e, sizeof(e) }, { (void *)(uintptr_t)p, e.len }, { (void *)(uintptr_t)p2, e.len2 } };
	int before = errno;

	if (log_fd < 0)
		return;
	e.magic = ENTRY_MAGIC;
	if (syscall(SYS_writev, log_fd, v, 3) != (long)(sizeof(e) + e.len + e.len2))
		abort();
	errno = before;
}

static uint64_t
ino_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static uint64_t
ino_at(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_ino : 0;
}

/* The number of the directory that path is in, and the name there. */
static uint64_t
parent(const char *path, const char **ret_name)
{
	char up[PATH];
	char *slash;

	snprintf(up, sizeof(up), "%s", path);
	slash = strrchr(up, '/');
	*ret_name = path + (slash - up) + 1;
	*slash = '\0';
	return ino_at(up);
}

static void
note_name(enum kind kind, uint64_t ino, const char *path)
{
	const char *name;
	uint64_t up = parent(path, &name);

	note((struct entry){ .kind = kind, .ino = ino, .a = up, .len = (uint32_t)strlen(name) }, name, NULL);
}

/* For tests that know better than the log's length when something was acknowledged. */
EXPORT void faults_mark(const char *text);
EXPORT void
faults_mark(const char *text)
{
	note((struct entry){ .kind = K_MARK, .len = (uint32_t)strlen(text) }, text, NULL);
}

/* ---- opening and closing ---- */

static int
do_open(int at, const char *path, int flags, unsigned mode)
{
	char whole[PATH];
	int mine = full(at, path, whole), there = 1, fd;

	if (mine) {
		if (fault(CALL_OPEN, whole) != 0)
			return -1;
		if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && fault(CALL_CHANGE, whole) != 0)
			return -1;
		there = ino_at(whole) != 0;
	}
	fd = (int)syscall(SYS_openat, at, path, flags, mode);
	if (fd < 0)
		return fd;
	mine = mine && (flags & O_TMPFILE) != O_TMPFILE;
	remember(fd, mine ? whole : NULL);
	if (mine && !there)
		note_name(K_CREATE, ino_of(fd), whole);
	else if (mine && (flags & O_TRUNC))
		note((struct entry){ .kind = K_SIZE, .ino = ino_of(fd) }, NULL, NULL);
	return fd;
}

#define OPEN(name)                                                        \
	EXPORT int name(const char *path, int flags, ...);                \
	EXPORT int name(const char *path, int flags, ...)                 \
	{                                                                 \
		va_list ap;                                               \
		unsigned mode;                                            \
		va_start(ap, flags);                                      \
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, unsigned) : 0; \
		va_end(ap);                                               \
		return do_open(AT_FDCWD, path, flags, mode);              \
	}
OPEN(open)
OPEN(open64)
#define OPENAT(name)                                                      \
	EXPORT int name(int at, const char *path, int flags, ...);        \
	EXPORT int name(int at, const char *path, int flags, ...)         \
	{                                                                 \
		va_list ap;                                               \
		unsigned mode;                                            \
		va_start(ap, flags);                                      \
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, unsigned) : 0; \
		va_end(ap);                                               \
		return do_open(at, path, flags, mode);                    \
	}
OPENAT(openat)
OPENAT(openat64)
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
EXPORT int __open64_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
EXPORT int __openat_2(int at, const char *path, int flags);
EXPORT int __openat_2(int at, const char *path, int flags) { return do_open(at, path, flags, 0); }
EXPORT int __openat64_2(int at, const char *path, int flags);
EXPORT int __openat64_2(int at, const char *path, int flags) { return do_open(at, path, flags, 0); }

EXPORT int
close(int fd)
{
	if (dir != NULL)
		remember(fd, NULL);
	return (int)syscall(SYS_close, fd);
}

/* ---- reading and writing ---- */

static ssize_t
do_read(int fd, void *p, size_t n, int at, off_t pos)
{
	char path[PATH];
	unsigned f = ours(fd, path) ? fault(CALL_READ, path) : 0;

	if (f != 0 && f != SHORT_COUNT)
		return -1;
	if (f == SHORT_COUNT)
		n = n / 2 + n % 2;
	return at ? syscall(SYS_pread64, fd, p, n, pos) : syscall(SYS_read, fd, p, n);
}

EXPORT ssize_t read(int fd, void *p, size_t n) { return do_read(fd, p, n, 0, 0); }
EXPORT ssize_t pread(int fd, void *p, size_t n, off_t pos) { return do_read(fd, p, n, 1, pos); }
EXPORT ssize_t pread64(int fd, void *p, size_t n, off64_t pos) { return do_read(fd, p, n, 1, pos); }

static ssize_t
do_write(int fd, const void *p, size_t n, int at, off_t pos)
{
	char path[PATH];
	int mine = ours(fd, path);
	unsigned f = mine ? fault(CALL_WRITE, path) : 0;
	ssize_t done;

	if (f != 0 && f != SHORT_COUNT)
		return -1;
	if (f == SHORT_COUNT && n > 1) {
		n /= 2;
		if (fcntl(fd, F_GETFL) & O_DIRECT)
			n = n / 4096 * 4096;
	}
	if (mine)
		hold_up();
	done = at ? syscall(SYS_pwrite64, fd, p, n, pos) : syscall(SYS_write, fd, p, n);
	if (!mine || done <= 0)
		return done;
	if (!at)
		pos = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) - done;
	note((struct entry){ .kind = K_WRITE, .ino = ino_of(fd), .a = (uint64_t)pos, .len = (uint32_t)done }, p, NULL);
	return done;
}

EXPORT ssize_t write(int fd, const void *p, size_t n) { return do_write(fd, p, n, 0, 0); }
EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t pos) { return do_write(fd, p, n, 1, pos); }
EXPORT ssize_t pwrite64(int fd, const void *p, size_t n, off64_t pos) { return do_write(fd, p, n, 1, pos); }

/* As one write after the other: nobody here needs them to be one. */
EXPORT ssize_t
writev(int fd, const struct iovec *v, int n)
{
	char path[PATH];
	ssize_t all = 0;

	if (!ours(fd, path))
		return syscall(SYS_writev, fd, v, n);
	for (int i = 0; i < n; i++) {
		ssize_t done = v[i].iov_len == 0 ? 0 : do_write(fd, v[i].iov_base, v[i].iov_len, 0, 0);

		if (done < 0)
			return all > 0 ? all : -1;
		all += done;
		if ((size_t)done < v[i].iov_len)
			break;
	}
	return all;
}

/* Of a tracked file: by way of memory, so that the bytes are logged. */
EXPORT ssize_t
copy_file_range(int in, off64_t *in_pos, int out, off64_t *out_pos, size_t n, unsigned flags)
{
	static __thread char p[65536];
	char path[PATH];
	ssize_t got, put;

	if (!ours(out, path) || in_pos != NULL || out_pos != NULL)
		return syscall(SYS_copy_file_range, in, in_pos, out, out_pos, n, flags);
	got = do_read(in, p, n < sizeof(p) ? n : sizeof(p), 0, 0);
	if (got <= 0)
		return got;
	put = do_write(out, p, (size_t)got, 0, 0);
	if (put >= 0 && put < got)
		syscall(SYS_lseek, in, put - got, SEEK_CUR);
	return put;
}

/* ---- sizes and space ---- */

static int
do_truncate(int fd, off_t size)
{
	char path[PATH];
	int mine = ours(fd, path), rc;

	if (mine && fault(CALL_TRUNCATE, path) != 0)
		return -1;
	rc = (int)syscall(SYS_ftruncate, fd, size);
	if (mine && rc == 0)
		note((struct entry){ .kind = K_SIZE, .ino = ino_of(fd), .a = (uint64_t)size }, NULL, NULL);
	return rc;
}

EXPORT int ftruncate(int fd, off_t size) { return do_truncate(fd, size); }
EXPORT int ftruncate64(int fd, off64_t size) { return do_truncate(fd, size); }

static int
do_allocate(int fd, int mode, off_t pos, off_t len)
{
	char path[PATH];
	int mine = ours(fd, path), rc;
	enum kind kind = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) ? K_ZERO : K_EXTEND;

	if (mine && fault(CALL_ALLOCATE, path) != 0)
		return -1;
	rc = (int)syscall(SYS_fallocate, fd, mode, pos, len);
	if (mine && rc == 0 && (kind == K_ZERO || !(mode & FALLOC_FL_KEEP_SIZE)))
		note((struct entry){ .kind = kind, .ino = ino_of(fd), .a = (uint64_t)pos, .b = (uint64_t)len }, NULL, NULL);
	return rc;
}

EXPORT int fallocate(int fd, int mode, off_t pos, off_t len) { return do_allocate(fd, mode, pos, len); }
EXPORT int fallocate64(int fd, int mode, off64_t pos, off64_t len) { return do_allocate(fd, mode, pos, len); }
EXPORT int posix_fallocate(int fd, off_t pos, off_t len) { return do_allocate(fd, 0, pos, len) == 0 ? 0 : errno; }
EXPORT int posix_fallocate64(int fd, off64_t pos, off64_t len) { return do_allocate(fd, 0, pos, len) == 0 ? 0 : errno; }

/* ---- flushing ---- */

static int
do_sync(int fd, long number, enum kind kind)
{
	char path[PATH];
	int mine = ours(fd, path), rc;
	uint64_t began = log_len();

	if (mine)
		hold_up();
	if (mine && fault(CALL_SYNC, path) != 0) {
		note((struct entry){ .kind = K_SYNC_FAILED, .ino = ino_of(fd) }, NULL, NULL);
		return -1;
	}
	rc = (int)syscall(number, fd);
	if (mine && rc == 0)
		note((struct entry){ .kind = kind, .ino = ino_of(fd), .a = began }, NULL, NULL);
	return rc;
}

EXPORT int fsync(int fd) { return do_sync(fd, SYS_fsync, K_SYNC); }
EXPORT int fdatasync(int fd) { return do_sync(fd, SYS_fdatasync, K_SYNC); }
EXPORT int syncfs(int fd) { return do_sync(fd, SYS_syncfs, K_SYNC_ALL); }

/* ---- names ---- */

static int
do_rename(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
	char a[PATH], b[PATH];
	int mine = full(from_at, from, a) && full(to_at, to, b), rc;
	uint64_t ino = mine ? ino_at(a) : 0;
	const char *a_name, *b_name;
	struct entry e;

	if (mine && fault(CALL_RENAME, b) != 0)
		return -1;
	rc = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
	if (!mine || rc != 0)
		return rc;
	e = (struct entry){ .kind = K_RENAME, .ino = ino, .a = parent(a, &a_name), .b = parent(b, &b_name) };
	e.len = (uint32_t)strlen(a_name);
	e.len2 = (uint32_t)strlen(b_name);
	note(e, a_name, b_name);
	return rc;
}

EXPORT int rename(const char *from, const char *to) { return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
EXPORT int renameat(int a, const char *from, int b, const char *to) { return do_rename(a, from, b, to, 0); }
EXPORT int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return do_rename(a, from, b, to, flags); }

static int
do_link(int from_at, const char *from, int to_at, const char *to, int flags)
{
	char a[PATH], b[PATH];
	int mine = full(from_at, from, a) && full(to_at, to, b), rc;

	if (mine && fault(CALL_MKDIR, b) != 0)
		return -1;
	rc = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
	if (mine && rc == 0)
		note_name(K_LINK, ino_at(a), b);
	return rc;
}

EXPORT int link(const char *from, const char *to) { return do_link(AT_FDCWD, from, AT_FDCWD, to, 0); }
EXPORT int linkat(int a, const char *from, int b, const char *to, int flags) { return do_link(a, from, b, to, flags); }

static int
do_unlink(int at, const char *name, int flags)
{
	char path[PATH];
	int mine = full(at, name, path), rc;
	uint64_t ino = mine ? ino_at(path) : 0;

	if (mine && fault(CALL_UNLINK, path) != 0)
		return -1;
	rc = (int)syscall(SYS_unlinkat, at, name, flags);
	if (mine && rc == 0)
		note_name(flags & AT_REMOVEDIR ? K_RMDIR : K_UNLINK, ino, path);
	return rc;
}

EXPORT int unlink(const char *name) { return do_unlink(AT_FDCWD, name, 0); }
EXPORT int rmdir(const char *name) { return do_unlink(AT_FDCWD, name, AT_REMOVEDIR); }
EXPORT int unlinkat(int at, const char *name, int flags) { return do_unlink(at, name, flags); }

static int
do_mkdir(int at, const char *name, mode_t mode)
{
	char path[PATH];
	int mine = full(at, name, path), rc;

	if (mine && fault(CALL_MKDIR, path) != 0)
		return -1;
	rc = (int)syscall(SYS_mkdirat, at, name, mode);
	if (mine && rc == 0)
		note_name(K_MKDIR, ino_at(path), path);
	return rc;
}

EXPORT int mkdir(const char *name, mode_t mode) { return do_mkdir(AT_FDCWD, name, mode); }
EXPORT int mkdirat(int at, const char *name, mode_t mode) { return do_mkdir(at, name, mode); }

/* ---- memory ---- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

static int
no_memory(void)
{
	return control != NULL && control->calls & CALL_MEMORY && fault(CALL_MEMORY, "") != 0;
}

EXPORT void *malloc(size_t n) { return no_memory() ? NULL : __libc_malloc(n); }
EXPORT void *calloc(size_t n, size_t size) { return no_memory() ? NULL : __libc_calloc(n, size); }
EXPORT void *realloc(void *p, size_t n) { return no_memory() ? NULL : __libc_realloc(p, n); }

/* ---- the wall clock ---- */

EXPORT int
clock_gettime(clockid_t which, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, which, ret);

	if (rc == 0 && control != NULL && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
		ret->tv_sec += __atomic_load_n(&control->clock_ms, __ATOMIC_ACQUIRE) / 1000;
	return rc;
}
