/*
 * metrics.c - what the process counts, as Prometheus text: a list of names and help, and where each figure comes from.
 *
 * docs/operations.md says what to watch; tests/control/test_metrics.py compares it, the dashboard and the alarms with this page.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/health.h"
#include "job/jobs.h"
#include "meta/touch.h"

#define METRICS_MAX (4u << 20)
#define BUCKETS_SHOWN 1000u

enum figure {
	HOT_OBJECTS, WARM_OBJECTS, COLD_OBJECTS, ARCHIVE_OBJECTS, HOT_BYTES, WARM_BYTES, COLD_BYTES, ARCHIVE_BYTES, UPLOADS_BYTES,
	CAP_BYTES, FIGURE_COUNT
};

enum metric_kind { GAUGE, COUNTER };

static void
metric(struct buf *out, const char *name, enum metric_kind kind, const char *help, uint64_t value)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, kind == COUNTER ? "counter" : "gauge", name,
	    value);
}

static void
server_metrics(struct control *c, struct buf *out)
{
	struct http_server_stats s = { 0 };
	struct pool_stats p = { 0 };

	http_server_stats(c->s3, &s);
	pool_stats(c->pool, &p);
	metric(out, "caisson_connections", GAUGE, "Open client connections.", s.connections);
	metric(out, "caisson_connections_idle", GAUGE, "Of them, waiting for a request.", s.idle);
	metric(out, "caisson_connections_accepted_total", COUNTER, "Connections accepted.", s.accepted);
	metric(out, "caisson_requests_refused_total", COUNTER, "Requests and connections refused before a handler.", s.refused);
	metric(out, "caisson_requests_on_loop_total", COUNTER, "Requests answered on an event loop.", s.requests_on_loop);
	metric(out, "caisson_requests_on_worker_total", COUNTER, "Requests answered on a worker.", s.requests_on_worker);
	metric(out, "caisson_received_bytes_total", COUNTER, "Bytes received from clients.", s.bytes_in);
	metric(out, "caisson_sent_bytes_total", COUNTER, "Bytes sent to clients.", s.bytes_out);
	metric(out, "caisson_workers", GAUGE, "Worker threads.", p.threads);
	metric(out, "caisson_workers_busy", GAUGE, "Workers with a request.", p.busy);
	metric(out, "caisson_queue_length", GAUGE, "Requests waiting for a worker.", p.queued);
	metric(out, "caisson_queue_refused_total", COUNTER, "Requests refused because the queue was full.", p.refused);
	buf_addf(out, "# HELP caisson_queue_wait_seconds_total Time that requests waited for a worker.\n"
	    "# TYPE caisson_queue_wait_seconds_total counter\ncaisson_queue_wait_seconds_total %g\n",
	    (double)p.wait_ns_total / 1e9);
}

static void
engine_metrics(struct control *c, struct buf *out)
{
	struct kv *kv = catalog_kv(c->catalog);
	struct kv_stats k = { 0 };
	struct blob_stats b = { 0 };

	kv_stats(kv, &k);
	blob_stats(c->blobs, &b);
	metric(out, "caisson_index_disk_bytes", GAUGE, "Bytes of the index on disk.", k.disk_bytes);
	metric(out, "caisson_index_memory_bytes", GAUGE, "Bytes of the index in memory.", k.memory_bytes);
	metric(out, "caisson_index_commits_total", COUNTER, "Batches committed.", k.commits);
	metric(out, "caisson_index_conflicts_total", COUNTER, "Batches refused because another writer came first.", k.conflicts);
	metric(out, "caisson_index_flushes_total", COUNTER, "Flushes of the log.", k.flushes);
	metric(out, "caisson_index_cache_bytes", GAUGE, "Of the bytes in memory, the block cache.", k.cache_bytes);
	metric(out, "caisson_index_compactions", GAUGE, "Compactions that run now.", k.compactions);
	metric(out, "caisson_index_compaction_pending_bytes", GAUGE, "Bytes that wait for a compaction, estimated.",
	    k.compaction_pending_bytes);
	metric(out, "caisson_index_writes_stopped", GAUGE, "1 if commits wait for compactions.", k.writes_stopped);
	metric(out, "caisson_index_failed", GAUGE, "1 if the index refuses commits.", kv_trouble(kv) != NULL);
	metric(out, "caisson_blob_files", GAUGE, "Blobs in files of their own.", b.files);
	metric(out, "caisson_blob_volumes", GAUGE, "Volumes.", b.volumes);
	metric(out, "caisson_blob_bytes", GAUGE, "Bytes of blobs, as far as known.", b.bytes_live);
	metric(out, "caisson_blob_commits_total", COUNTER, "Blobs made durable.", b.commits);
	metric(out, "caisson_blob_flushes_total", COUNTER, "Flushes that made them so.", b.flushes);
	metric(out, "caisson_disk_free_bytes", GAUGE, "Free bytes of the file system of the blobs.", b.disk_free);
	metric(out, "caisson_disk_size_bytes", GAUGE, "Size of that file system.", b.disk_size);
	metric(out, "caisson_disk_reserve_bytes", GAUGE, "Below this much free space writes are refused.", b.reserve);
}

static void
audit_metrics(struct control *c, struct buf *out)
{
	struct audit_stats s;

	if (c->audit == NULL)
		return;
	audit_stats(c->audit, &s);
	metric(out, "caisson_audit_lines_written_total", COUNTER, "Lines of the audit log written.", s.written);
	metric(out, "caisson_audit_lines_dropped_total", COUNTER, "Lines lost because the queue was full, or a line too long.", s.dropped);
	metric(out, "caisson_audit_lines_failed_total", COUNTER, "Lines lost because the file took no more.", s.failed);
}

/* The names that every Prometheus client uses. */
static void
process_metrics(struct buf *out)
{
	unsigned long size = 0, resident = 0, descriptors = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	DIR *fds = opendir("/proc/self/fd");
	struct rusage used;
	struct rlimit limit;

	if (statm != NULL && fscanf(statm, "%lu %lu", &size, &resident) == 2)
		metric(out, "process_resident_memory_bytes", GAUGE, "Resident memory.", resident * (uint64_t)sysconf(_SC_PAGESIZE));
	if (statm != NULL)
		(void)fclose(statm);
	while (fds != NULL && readdir(fds) != NULL)
		descriptors++;
	if (fds != NULL)
		closedir(fds);
	if (descriptors >= 3)
		metric(out, "process_open_fds", GAUGE, "Open file descriptors.", descriptors - 3);	/* ".", "..", our own */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metric(out, "process_max_fds", GAUGE, "How many there may be.", limit.rlim_cur);
	if (getrusage(RUSAGE_SELF, &used) == 0)
		buf_addf(out, "# HELP process_cpu_seconds_total CPU time, user and system.\n# TYPE process_cpu_seconds_total counter\n"
		    "process_cpu_seconds_total %.2f\n", (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

/* A row for each job in each family. */
static void
job_metrics(struct control *c, struct buf *out)
{
	static const struct { const char *name, *type, *help; size_t at; } families[] = {
		{ "caisson_job_passes_total", "counter", "Passes ended.", offsetof(struct job_progress, passes) },
		{ "caisson_job_seen_total", "counter", "Things looked at.", offsetof(struct job_progress, seen) },
		{ "caisson_job_done_total", "counter", "Things done: deleted, freed.", offsetof(struct job_progress, done) },
		{ "caisson_job_bytes_total", "counter", "Bytes freed or verified.", offsetof(struct job_progress, bytes) },
		{ "caisson_job_failed_total", "counter", "Steps that failed, to be tried again.", offsetof(struct job_progress, failed) },
		{ "caisson_job_findings_total", "counter", "Damage found.", offsetof(struct job_progress, findings) },
		{ "caisson_job_ended_ms", "gauge", "When the last pass ended, since 1970; 0: none has.",
			offsetof(struct job_progress, ended_ms) },
		{ "caisson_job_backlog", "gauge", "What the last pass left behind.", offsetof(struct job_progress, backlog) },
	};

	for (size_t f = 0; f < COUNT(families); f++) {
		buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", families[f].name, families[f].help, families[f].name, families[f].type);
		for (int j = 0; j < JOB_COUNT; j++) {
			struct job_progress p;

			jobs_progress(c->jobs, (enum job_kind)j, &p);
			buf_addf(out, "%s{name=\"%s\"} %" PRIu64 "\n", families[f].name, p.name,
			    *(const uint64_t *)((const char *)&p + families[f].at));
		}
	}
}

static void
backup_metric(struct control *c, struct buf *out)
{
	struct backup_report r;

	jobs_backup_report(c->jobs, &r);
	metric(out, "caisson_backup_ended_ms", GAUGE, "When the last backup ended that lacks nothing, since 1970, over restarts; 0: none.",
	    r.good_ms);
}

/* Sums of a bucket; each figure of a family stands under one head. */
static const struct { const char *family, *class; enum figure figure; } bucket_rows[] = {
	{ "objects", "hot", HOT_OBJECTS }, { "objects", "warm", WARM_OBJECTS }, { "objects", "cold", COLD_OBJECTS },
	{ "objects", "archive", ARCHIVE_OBJECTS },
	{ "bytes", "hot", HOT_BYTES }, { "bytes", "warm", WARM_BYTES }, { "bytes", "cold", COLD_BYTES },
	{ "bytes", "archive", ARCHIVE_BYTES }, { "bytes", "uploads", UPLOADS_BYTES }, { "cap_bytes", NULL, CAP_BYTES },
};

static err
bucket_figures(struct control *c, const struct bucket *b, struct arena *a, uint64_t ret[FIGURE_COUNT])
{
	struct bucket_usage u;
	struct bucket_ages ages;
	struct bucket_split s;

	TRY(catalog_usage(c->catalog, b->space, a, &u));
	TRY(catalog_ages(c->catalog, b->space, a, &ages));
	s = bucket_split(&u, &ages);
	ret[HOT_OBJECTS] = (uint64_t)s.objects[AGE_HOT];
	ret[WARM_OBJECTS] = (uint64_t)s.objects[AGE_WARM];
	ret[COLD_OBJECTS] = (uint64_t)s.objects[AGE_COLD];
	ret[ARCHIVE_OBJECTS] = (uint64_t)u.objects[CLASS_STANDARD_IA];
	ret[HOT_BYTES] = (uint64_t)s.bytes[AGE_HOT];
	ret[WARM_BYTES] = (uint64_t)s.bytes[AGE_WARM];
	ret[COLD_BYTES] = (uint64_t)s.bytes[AGE_COLD];
	ret[ARCHIVE_BYTES] = (uint64_t)u.bytes[CLASS_STANDARD_IA];
	ret[UPLOADS_BYTES] = (uint64_t)u.uploads_bytes;
	ret[CAP_BYTES] = b->capacity_cap;
	return ERR_OK;
}

/* The first BUCKETS_SHOWN by name: a page must stay one. caisson bucket list has all. */
static err
bucket_metrics(struct control *c, struct buf *out)
{
	AUTO(arena_free) struct arena *a = arena_new(256u << 10, 16u << 20);
	uint64_t (*figures)[FIGURE_COUNT];
	struct bucket *b;
	unsigned n;
	bool more;

	TRY(catalog_bucket_list(c->catalog, STR_NONE, STR_NONE, STR_NONE, BUCKETS_SHOWN, a, &b, &n, &more));
	figures = arena_alloc(a, arena_mul(sizeof(*figures), n + 1));
	for (unsigned i = 0; i < n; i++)
		TRY(bucket_figures(c, &b[i], a, figures[i]));
	for (size_t k = 0; k < COUNT(bucket_rows); k++) {
		const char *family = bucket_rows[k].family;

		if (k == 0 || strcmp(family, bucket_rows[k - 1].family) != 0)
			buf_addf(out, "# HELP caisson_bucket_%s Of a bucket, by class of age.\n# TYPE caisson_bucket_%s gauge\n", family,
			    family);
		for (unsigned i = 0; i < n; i++) {
			buf_addf(out, "caisson_bucket_%s{bucket=\"%.*s\"", family, STR_FMT(b[i].name));
			if (bucket_rows[k].class != NULL)
				buf_addf(out, ",class=\"%s\"", bucket_rows[k].class);
			buf_addf(out, "} %" PRIu64 "\n", figures[i][bucket_rows[k].figure]);
		}
	}
	metric(out, "caisson_buckets_hidden", GAUGE, "1 if there are more buckets than this page shows.", more);
	return ERR_OK;
}

static void
touch_metrics(struct control *c, struct buf *out)
{
	struct touch_stats s;

	touch_stats(c->touch, &s);
	metric(out, "caisson_reads_noted_total", COUNTER, "First reads of an object on a day.", s.noted);
	metric(out, "caisson_reads_dropped_total", COUNTER, "Reads that were not noted because the queue was full.", s.dropped);
}

void
health_metrics(struct control *c, struct http_req *rq)
{
	AUTO(buf_done) struct buf out = { 0 }, why = { 0 };
	err_v e;

	buf_init(&out, METRICS_MAX);
	buf_init(&why, 4096);
	health_reasons(c, &why);
	buf_addf(&out, "# HELP caisson_info The version that runs.\n# TYPE caisson_info gauge\ncaisson_info{version=\"%s\"} 1\n",
	    CAISSON_VERSION);
	metric(&out, "caisson_ready", GAUGE, "1 if /readyz says so: writes are taken.", why.len == 0);
	process_metrics(&out);
	server_metrics(c, &out);
	engine_metrics(c, &out);
	audit_metrics(c, &out);
	job_metrics(c, &out);
	backup_metric(c, &out);
	touch_metrics(c, &out);
	e = bucket_metrics(c, &out);
	if (!err_ok(e))
		log_warn("metrics without buckets: error %d %s", e.code, err_context());
	if (c->metrics != NULL)
		c->metrics(&out);
	health_answer(rq, 200, STR("text/plain; version=0.0.4"), buf_str(&out));
}
