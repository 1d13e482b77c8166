/*
 * serve.c - the object graph, from the engines up, and its life.
 *
 * Everything that lives as long as the process is a member of struct server, built in order by server_open and taken apart in
 * reverse by server_close; both cope with a half-built one.
 */
#include "serve.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/admin.h"
#include "access/audit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/log.h"
#include "base/private.h"
#include "base/mem.h"
#include "control/control.h"
#include "control/oidc.h"
#include "first_start.h"
#include "job/jobs.h"
#include "meta/touch.h"
#include "notify.h"
#include "s3/dispatch.h"
#include "s3/expiry.h"
#include "s3/metrics.h"
#include "s3/sigv4.h"

#define CONTROL_WORKERS 4
#define TOUCH_WAIT_MS 2000u
#define KEYS_INTERVAL_MS 600000u
#define CONTROL_QUEUE 64
#define HANDOVER_IDLE_MS 1000	/* for a client's next request on a connection that a restart is about to close */
#define AUDIT_QUEUE (4u << 20)
#define PUT_MAX (5ull << 30)		/* a single PUT or part: caios.md, limits */
/* Open files, besides connections: tables of the index, volumes, what a worker has in its hands, and the rest. */
#define FILES_INDEX 512
#define FILES_BLOBS 256
#define FILES_WORKER 3
#define FILES_REST 64
#define MAPPED_MIN (512 << 10)	/* bytes: what is larger goes back to the system as soon as it is freed */
#define ARENA_CORES 2			/* that share an arena of malloc */
#define WATCH_S 1			/* between two looks at the index */
#define REOPEN_DRAIN_MS 5000		/* for running requests, when the store is opened anew */

/* They outlive the store: while that is opened anew, clients wait instead of being refused. */
struct listeners {
	struct listener s3, control;
};

struct server {
	const struct config *config;
	struct kv *kv;
	struct tls *tls;
	struct listeners *listeners;
	struct listener s3_listener, control_listener;		/* copies, until a server takes them over */
	struct pool *pool, *control_pool;
	struct store store;
	struct control control;
	struct http_server *s3_server, *control_server;
	struct jobs *jobs;
	const char *trouble;		/* of the index, as last logged */
};

static const char *
scheme(const struct server *s)
{
	return s->tls != NULL ? "https" : "http";
}

static str
data_path(struct arena *a, const struct config *c, const char *name)
{
	return arena_fmt(a, "%.*s/%s", STR_FMT(c->data_dir), name);
}

/* ---- building ---- */

/* First of all: a server that cannot listen shall not have made a store. Whoever connects from now on waits until we are ready. */
static err
open_listeners(struct server *s)
{
	const struct config *c = s->config;
	AUTO(arena_free) struct arena *a = arena_new(4096, 65536);

	if (!str_empty(c->tls_cert))
		TRY(tls_open(arena_str(a, c->tls_cert).p, arena_str(a, c->tls_key).p, c->connections_max, &s->tls));
	if (s->listeners->s3.fd < 0)
		TRY(listen_open(arena_str(a, c->listen).p, &s->listeners->s3));
	if (s->listeners->control.fd < 0)
		TRY(listen_open(arena_str(a, c->control_listen).p, &s->listeners->control));
	TRY(listen_copy(&s->listeners->s3, &s->s3_listener));
	return listen_copy(&s->listeners->control, &s->control_listener);
}

static err
open_directory(const char *dir)
{
	if (mkdir(dir, 0700) == 0)
		return file_flush_parent(dir);	/* or a power cut could take the whole store */
	if (errno != EEXIST)
		return err_errno(errno, "cannot make the data directory %s", dir);
	if (access(dir, R_OK | W_OK | X_OK) != 0)
		return err_errno(errno, "cannot write to the data directory %s", dir);
	return ERR_OK;
}

/* A directory of a newer program is refused before anything in it is touched. */
static err
check_format(const struct config *c, struct arena *a)
{
	str path = data_path(a, c, "format"), new = arena_fmt(a, "%.*s.new", STR_FMT(path));
	err_v e = format_check(AT_FDCWD, path.p, "data", DATA_FORMAT);

	if (!err_is(e, -ENOENT))
		return e;
	TRY(format_write(new.p, "data", DATA_FORMAT));
	return file_rename(new.p, path.p);
}

static err
open_engines(struct server *s)
{
	const struct config *c = s->config;
	AUTO(arena_free) struct arena *a = arena_new(4096, 65536);
	struct kv_options kv = { c->index_cache, (int)c->index_threads, .reserve = c->disk_reserve };
	struct blob_options blob = { c->volume_max, c->volume_bytes, c->direct_min, .reserve = c->disk_reserve };
	str url, dir = arena_str(a, c->data_dir);

	TRY(open_directory(dir.p));
	TRY(check_format(c, a));
	url = c->meta_engine == 0 ? arena_fmt(a, "rocksdb:%.*s/index", STR_FMT(c->data_dir)) : STR("memory:");
	TRY(kv_open(url, &kv, &s->kv));
	TRY(catalog_open(s->kv, &s->store.catalog));
	url = c->blob_engine == 0 ? arena_fmt(a, "file:%.*s/blobs", STR_FMT(c->data_dir)) : STR("memory:");
	return blobs_open(url, &blob, &s->store.blobs);
}

static err
open_access(struct server *s)
{
	AUTO(arena_free) struct arena *a = arena_new_private(65536, 1u << 20);
	const struct config *c = s->config;
	str audit = str_empty(c->audit_log) ? data_path(a, c, "audit.log") : c->audit_log;
	str key_file = str_empty(c->master_key_file) ? data_path(a, c, "master.key") : c->master_key_file;
	uint8_t key[32];
	err_v e;

	s->control.master_key_file = arena_str(c->arena, key_file).p;
	TRY(access_master_key(s->kv, s->control.master_key_file, key));
	e = access_open(s->kv, s->store.catalog, key, &s->store.access);
	explicit_bzero(key, sizeof(key));
	TRY(e);
	TRY(audit_open(audit.p, AUDIT_QUEUE, &s->store.audit));
	s->control.oidc = oidc_new();
	return first_start(s->store.access, c->data_dir, arena_fmt(a, "%s://%s", scheme(s), s->s3_listener.text), a);
}

static void
fill_store(struct server *s)
{
	const struct config *c = s->config;
	struct store *t = &s->store;

	t->signing = signing_cache_new();
	t->expiry = expiry_new();
	t->dialect = c->s3_dialect == 0 ? DIALECT_CAIOS : DIALECT_AWS;
	t->require_virtual_host = c->require_virtual_host;
	t->verify_reads = c->verify_reads;
	t->alive_ms = (unsigned)c->copy_alive_interval;
	t->day_seconds = (unsigned)c->lifecycle_day_seconds;
	t->inline_max = c->inline_max;
	t->put_max = PUT_MAX;
	t->domains = c->domains.at;
	t->ndomains = c->domains.n;
	t->zones = c->zones.at;
	t->nzones = c->zones.n;
	t->region = c->region;
	t->buckets_max = (unsigned)c->buckets_max;
	t->sse_c_plain_http = c->sse_c_plain_http;
	t->touch = touch_new((uint32_t)c->lifecycle_day_seconds);
	t->access_form = c->access_log_format == 0 ? ACCESS_TEXT : ACCESS_JSON;
	t->observe = s3_metrics_observe;
}

static struct http_limits
limits(const struct config *c)
{
	return (struct http_limits){
		.loops = (unsigned)c->loops, .connections = (unsigned)c->connections_max,
		.head_timeout_ms = (unsigned)c->head_timeout, .idle_timeout_ms = (unsigned)c->idle_timeout,
		.body_rate_min = (unsigned)c->rate_min, .rate_interval_ms = (unsigned)c->rate_interval,
		.handover_idle_ms = HANDOVER_IDLE_MS, .client_workers = (unsigned)c->client_workers,
	};
}

/*
 * Connections and open files are descriptors: take as many as the system gives. If they do not suffice for all, at least half are
 * for files: a client can come again, but an index that cannot open its files stops.
 */
static void
raise_descriptors(const struct config *c, struct http_limits *l)
{
	uint64_t files = FILES_INDEX + FILES_BLOBS + FILES_WORKER * c->workers + FILES_REST;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		log_warn("the limit of open files cannot be raised to %llu", (unsigned long long)r.rlim_max);
	if (r.rlim_max >= l->connections + files)
		return;
	l->connections = (unsigned)(r.rlim_max > 2 * files ? r.rlim_max - files : r.rlim_max / 2);
	log_warn("only %llu open files are allowed: so %u connections at most, not %llu; raise LimitNOFILE",
	    (unsigned long long)r.rlim_max, l->connections, (unsigned long long)c->connections_max);
}

static err
start_servers(struct server *s)
{
	const struct config *c = s->config;
	struct http_limits l = limits(c);
	struct http_handler s3 = s3_handler(&s->store), control = control_handler(&s->control);

	raise_descriptors(c, &l);
	s->pool = pool_new("worker", (unsigned)c->workers, (unsigned)c->queue_max, (unsigned)c->workers_small);
	s->control_pool = pool_new("control", CONTROL_WORKERS, CONTROL_QUEUE, 0);
	s->control.catalog = s->store.catalog;
	s->control.blobs = s->store.blobs;
	s->control.access = s->store.access;
	s->control.audit = s->store.audit;
	s->control.touch = s->store.touch;
	s->control.pool = s->pool;
	s->control.metrics = s3_metrics_render;
	TRY(http_server_start("s3", &s->s3_listener, s->tls, &l, s->pool, &s3, &s->s3_server));
	s->control.s3 = s->s3_server;
	l.loops = 1;
	l.handover_idle_ms = 0;		/* nor shall a scraper's connection hold up a restart */
	return http_server_start("control", &s->control_listener, s->tls, &l, s->control_pool, &control, &s->control_server);
}

static void
start_jobs(struct server *s)
{
	const struct config *c = s->config;
	struct jobs_options o = {
		.catalog = s->store.catalog, .blobs = s->store.blobs, .threads = (unsigned)c->job_threads,
		.interval_ms = { [JOB_sweep] = c->sweep_interval, [JOB_reaper] = c->reap_interval,
			[JOB_lifecycle] = c->lifecycle_interval, [JOB_scrub] = c->scrub_interval, [JOB_touch] = c->touch_interval,
			[JOB_age] = c->age_interval, [JOB_keys] = KEYS_INTERVAL_MS },
		.rate = { [JOB_reaper] = c->reap_rate, [JOB_lifecycle] = c->lifecycle_rate, [JOB_scrub] = c->scrub_rate,
			[JOB_age] = c->age_rate },
		.opened_ns = clock_unique_ns(),		/* servers are started later, so no upload is under way */
		.reap_grace_ms = c->reap_grace, .day_seconds = (uint32_t)c->lifecycle_day_seconds, .data_dir = c->data_dir,
		.touch = s->store.touch, .access = s->store.access,
	};

	jobs_start(&o, &s->jobs);
	s->control.jobs = s->jobs;
}

static err
server_open(struct server *s)
{
	TRY(open_listeners(s));
	TRY(open_engines(s));
	TRY(open_access(s));
	fill_store(s);
	start_jobs(s);
	return start_servers(s);
}

/* Reads noted since the last time: a stop in good order loses none. */
static void
write_touches(struct server *s)
{
	if (s->jobs != NULL)
		(void)jobs_wait(s->jobs, JOB_touch, jobs_run(s->jobs, JOB_touch), clock_mono_ms() + TOUCH_WAIT_MS);
}

static void
server_close(struct server *s, uint64_t drain_ms)
{
	uint64_t deadline = clock_mono_ms() + drain_ms;

	atomic_store(&s->control.draining, true);
	http_server_stop(&s->s3_server, deadline);
	http_server_stop(&s->control_server, deadline);
	write_touches(s);
	jobs_stop(&s->jobs);
	pool_free(&s->pool);
	pool_free(&s->control_pool);
	listen_close(&s->s3_listener);
	listen_close(&s->control_listener);
	tls_close(&s->tls);
	signing_cache_free(&s->store.signing);
	expiry_free(&s->store.expiry);
	touch_free(&s->store.touch);
	oidc_free(&s->control.oidc);
	access_close(&s->store.access);
	audit_close(&s->store.audit);
	blobs_close(&s->store.blobs);
	catalog_close(&s->store.catalog);
	kv_close(&s->kv);
}

/* ---- running ---- */

static void
reload(struct server *s)
{
	err_v logs = log_reopen(), certificate;

	if (!err_ok(logs))
		log_error("the access log was not opened anew, lines go where they went before: %s", err_context());
	audit_reopen(s->store.audit);
	certificate = s->tls != NULL ? tls_reload(s->tls) : ERR_OK;
	if (!err_ok(certificate))
		log_error("the certificate was not reloaded, the old one stays: %s", err_context());
	if (err_ok(logs) && err_ok(certificate))
		log_info("reloaded: logs and certificates");
}

static void
describe(struct server *s)
{
	AUTO(buf_done) struct buf out = { 0 };
	str rest, line;

	buf_init(&out, 1u << 20);
	pool_describe(s->pool, &out);
	for (rest = buf_str(&out); rest.p != NULL;) {
		line = str_take_until(&rest, '\n');
		if (!str_empty(line))
			log_info("%.*s", STR_FMT(line));
	}
}

/* Who presses Ctrl-C again does not want to wait. It is a crash like any other: what was acknowledged is there. */
static void
let_interrupt(void)
{
	sigset_t set;

	(void)signal(SIGINT, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * An index that has failed refuses changes, and reads go on. Once its disk works again the store is opened anew, as after a
 * restart: what the disk has is what counts.
 */
static bool
wants_reopening(struct server *s)
{
	struct kv *kv = catalog_kv(s->store.catalog);
	const char *trouble = kv_trouble(kv);

	if (trouble != s->trouble && trouble != NULL)
		log_error("changes are refused: %s", trouble);
	else if (trouble != s->trouble)
		log_info("changes are taken again");
	s->trouble = trouble;
	return trouble != NULL && kv_can_reopen(kv);
}

enum after { AFTER_END, AFTER_REOPEN };

/* Until SIGTERM or SIGINT, or until it would help to open the store anew. */
static enum after
run(struct server *s, const sigset_t *signals)
{
	const struct timespec watch = { .tv_sec = WATCH_S };
	int signal;

	printf("ready: s3=%s://%s control=%s://%s\n", scheme(s), http_server_address(s->s3_server), scheme(s),
	    http_server_address(s->control_server));
	(void)fflush(stdout);
	notify("READY=1");
	for (;;) {
		signal = sigtimedwait(signals, NULL, &watch);
		if (signal == SIGHUP)
			reload(s);
		else if (signal == SIGUSR1)
			describe(s);
		else if (signal > 0)
			break;
		else if (wants_reopening(s))
			return AFTER_REOPEN;
	}
	notify("STOPPING=1");
	log_info("stopping: running requests may go on for %llu ms%s", (unsigned long long)s->config->drain_timeout,
	    signal == SIGINT ? "; Ctrl-C again ends at once" : "");
	let_interrupt();
	return AFTER_END;
}

static void
listeners_close(struct listeners *l)
{
	listen_close(&l->s3);
	listen_close(&l->control);
}

static enum after
serve_once(const struct config *c, const sigset_t *signals, struct listeners *l, err_v *ret)
{
	struct server s = { .config = c, .listeners = l, .s3_listener = LISTENER_NONE, .control_listener = LISTENER_NONE };
	enum after after = AFTER_END;

	*ret = server_open(&s);
	if (err_ok(*ret))
		after = run(&s, signals);
	else
		log_error("cannot start: %s",
		    *err_context() ? err_context() : ret->code < 0 ? strerror(-ret->code) : s3_error_info(ret->code)->code);
	if (after == AFTER_REOPEN)
		log_warn("the index's disk works again: the store is opened anew");
	else
		listeners_close(l);		/* or clients would wait for nobody */
	server_close(&s, after == AFTER_REOPEN ? REOPEN_DRAIN_MS : c->drain_timeout);
	return after;
}

static void
tune_malloc(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	/* Else glibc raises this by itself, and keeps what a memtable of the index took after it has been written out. */
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_MIN);
	/* Blocks of the index's cache come and go on all threads: of many arenas, each keeps holes that no other can fill. */
	(void)mallopt(M_ARENA_MAX, cores > ARENA_CORES ? (int)(cores / ARENA_CORES) : 1);
}

bool
serve(const struct config *c)
{
	struct listeners listeners = { LISTENER_NONE, LISTENER_NONE };
	sigset_t signals;
	err_v e;

	/* Before any thread: they are all born with these blocked, and only run() above sees them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);

	tune_malloc();
	private_libraries();
	log_set_level((enum log_level)c->log_level);
	e = log_access_open(arena_str(c->arena, c->access_log).p);
	if (!err_ok(e)) {
		log_error("cannot start: %s", err_context());
		return false;
	}
	while (serve_once(c, &signals, &listeners, &e) == AFTER_REOPEN)
		;
	return err_ok(e);
}
