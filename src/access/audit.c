/*
 * audit.c - a ring of finished lines, and the thread that writes them.
 *
 * Lines lie one behind the other in the ring, each whole. The writer takes what is there at once, lets go of the lock, and writes.
 * A line that the disk refuses is counted, not tried again: what follows would only pile up.
 */
#include "access/audit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define LINE_MAX_BYTES 16384u	/* beyond: the line is dropped */
#define STACK_BYTES (256u << 10)

struct audit {
	unsigned magic;
#define AUDIT_MAGIC 0x5ad09e31
	char *path;
	int fd;
	pthread_t thread;
	struct lock lock;
	struct cond more;
	char *queue GUARDED_BY(lock);		/* lines, back to back */
	size_t used GUARDED_BY(lock), room;
	char *spare;				/* the writer's half: swapped with queue */
	uint64_t missing GUARDED_BY(lock);	/* dropped since the last line that got through */
	uint64_t in_queue GUARDED_BY(lock);	/* lines */
	struct audit_stats stats GUARDED_BY(lock);
	bool reopen GUARDED_BY(lock), stop GUARDED_BY(lock);
};

/* ---- one line ---- */

static void
add_member(struct buf *b, const char *name, str value)
{
	if (str_empty(value))
		return;
	buf_addf(b, ",\"%s\":", name);
	json_quote(b, value);
}

static void
add_number(struct buf *b, const char *name, uint64_t n)
{
	buf_addf(b, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void
add_time(struct buf *b, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[40];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(b, "{\"time\":\"%s.%03uZ\"", text, (unsigned)(ms % 1000));
}

static void
line_make(struct buf *b, const struct audit_event *e)
{
	static const char *const decisions[] = { [AUDIT_ALLOW] = "allow", [AUDIT_DENY] = "deny", [AUDIT_NOT_ASKED] = "none" };

	add_time(b, e->time_ms);
	add_member(b, "plane", e->plane == AUDIT_DATA ? STR("data") : STR("control"));
	add_member(b, "requestId", e->request_id);
	add_member(b, "operation", e->operation);
	if (e->who != NULL && !e->who->anonymous) {
		add_member(b, "principal", e->who->name);
		add_member(b, "principalOrgId", e->who->org);
		add_member(b, "accessKeyId", e->who->access_key);
	} else if (e->who != NULL) {
		add_member(b, "principal", STR("anonymous"));
	}
	add_member(b, "sourceIp", e->source_ip);
	add_member(b, "userAgent", e->user_agent);
	add_member(b, "orgId", e->org);
	add_member(b, "bucket", e->bucket);
	add_member(b, "key", e->key);
	add_member(b, "versionId", e->version_id);
	add_member(b, "resource", e->resource);
	add_member(b, "decision", str_c(decisions[e->decision]));
	add_member(b, "decidedBy", e->why);
	add_number(b, "status", (uint64_t)e->status);
	add_member(b, "error", e->error);
	add_number(b, "bytesIn", e->bytes_in);
	add_number(b, "bytesOut", e->bytes_out);
	add_number(b, "durationMicros", e->duration_us);
}

/* ---- the queue ---- */

void
audit_write(struct audit *a, const struct audit_event *e)
{
	struct buf line;
	uint64_t missing;

	CHECK_OBJ(a, AUDIT_MAGIC);
	buf_init(&line, LINE_MAX_BYTES);
	line_make(&line, e);
	lock_take(&a->lock);
	missing = a->missing;
	if (missing > 0)
		add_number(&line, "linesDroppedBefore", missing);
	buf_add_c(&line, "}\n");
	if (buf_overflow(&line) || line.len > a->room - a->used) {
		a->missing++;
		a->stats.dropped++;
	} else {
		memcpy(a->queue + a->used, line.p, line.len);
		a->used += line.len;
		a->missing = 0;
		a->in_queue++;
		cond_signal(&a->more);
	}
	lock_drop(&a->lock);
	buf_done(&line);
}

static int
path_open(const char *path)
{
	return strcmp(path, "-") == 0 ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static bool
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static void
reopen(struct audit *a)
{
	int fd = path_open(a->path);

	if (fd < 0)
		return;		/* go on with the old file: better than none */
	close(a->fd);
	a->fd = fd;
}

static void *
writer(void *arg)
{
	struct audit *a = arg;

	CHECK_OBJ(a, AUDIT_MAGIC);
	lock_take(&a->lock);
	for (;;) {
		uint64_t lines = a->in_queue;
		size_t n = a->used;
		char *taken = a->queue;
		bool again = a->reopen, ok;

		if (n == 0 && !again) {
			if (a->stop)
				break;
			cond_wait(&a->more, &a->lock);
			continue;
		}
		a->queue = a->spare;
		a->spare = taken;
		a->used = 0;
		a->in_queue = 0;
		a->reopen = false;
		lock_drop(&a->lock);
		if (again)
			reopen(a);
		ok = write_all(a->fd, taken, n);
		lock_take(&a->lock);
		*(ok ? &a->stats.written : &a->stats.failed) += lines;
		a->missing += ok ? 0 : lines;
	}
	lock_drop(&a->lock);
	return NULL;
}

err_v
audit_open(const char *path, size_t queue_bytes, struct audit **ret)
{
	struct audit *a;
	int fd = path_open(path);

	assert(queue_bytes > 0);
	if (fd < 0)
		return err_errno(errno, "open the audit log %s", path);
	a = MEM_NEW(struct audit);
	a->magic = AUDIT_MAGIC;
	a->path = mem_strdup(path);
	a->fd = fd;
	a->room = queue_bytes / 2 > LINE_MAX_BYTES ? queue_bytes / 2 : LINE_MAX_BYTES;
	a->queue = mem_alloc(a->room);
	a->spare = mem_alloc(a->room);
	lock_init(&a->lock, LOCK_LOG);
	cond_init(&a->more);
	thread_start(&a->thread, "audit", STACK_BYTES, writer, a);
	*ret = a;
	return ERR_OK;
}

void
audit_close(struct audit **ap)
{
	struct audit *a = *ap;

	if (a == NULL)
		return;
	CHECK_OBJ(a, AUDIT_MAGIC);
	lock_take(&a->lock);
	a->stop = true;
	cond_signal(&a->more);
	lock_drop(&a->lock);
	pthread_join(a->thread, NULL);
	close(a->fd);
	cond_done(&a->more);
	lock_done(&a->lock);
	free(a->queue);
	free(a->spare);
	free(a->path);
	a->magic = 0;
	free(a);
	*ap = NULL;
}

void
audit_reopen(struct audit *a)
{
	CHECK_OBJ(a, AUDIT_MAGIC);
	lock_take(&a->lock);
	a->reopen = true;
	cond_signal(&a->more);
	lock_drop(&a->lock);
}

void
audit_stats(struct audit *a, struct audit_stats *ret)
{
	CHECK_OBJ(a, AUDIT_MAGIC);
	lock_take(&a->lock);
	*ret = a->stats;
	lock_drop(&a->lock);
}
