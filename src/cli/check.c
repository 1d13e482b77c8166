/*
 * check.c - caisson check: is a stopped store whole?
 *
 * Opens index and blobs for reading only, so it can look at a disk that must not change. One line on standard output for each
 * finding, a summary at the end; progress on standard error if that is a terminal.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access/admin.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "cli/cli.h"
#include "config/config.h"
#include "job/verify.h"

#define LINE_MAX_BYTES (64u << 10)
#define PROGRESS_MS 200u

struct check {
	const struct config *config;
	struct kv *kv;
	struct catalog *catalog;
	struct blobs *blobs;
	struct crew *crew;
	uint64_t damaged, leaked;	/* told */
	uint64_t rows, bytes, rows_expected;
	uint64_t shown_ms;		/* progress */
	bool terminal;
};

static void
clear_progress(struct check *c)
{
	if (c->terminal && c->shown_ms > 0)
		fputs("\r\033[K", stderr);
}

static void
found(void *arg, const struct finding *f)
{
	struct check *c = arg;
	AUTO(buf_done) struct buf line = { 0 };

	*(f->kind == FINDING_DAMAGE ? &c->damaged : &c->leaked) += 1;
	buf_init(&line, LINE_MAX_BYTES);
	finding_text(f, &line);
	clear_progress(c);
	printf("%.*s\n", STR_FMT(buf_str(&line)));
	(void)fflush(stdout);
}

/* What could not even be opened. */
static void
found_closed(struct check *c, const char *what, err_v e)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, 65536);

	found(c, &(struct finding){ .kind = FINDING_DAMAGE, .what = arena_fmt(a, "%s: %s", what,
	    *err_context() != '\0' ? err_context() : strerror(-e.code)) });
}

static bool
pace(void *arg, enum verify_unit unit, uint64_t n)
{
	struct check *c = arg;
	uint64_t now;

	*(unit == VERIFY_ROWS ? &c->rows : &c->bytes) += n;
	if (!c->terminal || (now = clock_mono_ms()) < c->shown_ms + PROGRESS_MS)
		return true;
	c->shown_ms = now;
	fprintf(stderr, "\r%llu rows of about %llu, %.1f MiB of blobs\033[K", (unsigned long long)c->rows,
	    (unsigned long long)c->rows_expected, (double)c->bytes / (1 << 20));
	return true;
}

/* The form of the data directory, as serving asks for it. A store that never came up may have none. */
static err
check_form(const struct config *config, struct arena *a)
{
	err_v e = format_check(AT_FDCWD, arena_fmt(a, "%.*s/format", STR_FMT(config->data_dir)).p, "data", DATA_FORMAT);

	return err_is(e, -ENOENT) ? ERR_OK : e;
}

static err
open_store(struct check *c)
{
	AUTO(arena_free) struct arena *a = arena_new(4096, 65536);
	struct kv_options kv = { .cache_bytes = c->config->index_cache, .background_threads = 1, .read_only = true };
	struct blob_options blob = { .read_only = true };
	struct kv_stats stats;

	TRY(check_form(c->config, a));
	TRY(kv_open(arena_fmt(a, "rocksdb:%.*s/index", STR_FMT(c->config->data_dir)), &kv, &c->kv));
	kv_stats(c->kv, &stats);
	c->rows_expected = stats.keys_estimate;
	TRY(catalog_open(c->kv, &c->catalog));
	return blobs_open(arena_fmt(a, "file:%.*s/blobs", STR_FMT(c->config->data_dir)), &blob, &c->blobs);
}

/* The master key is that of the index, and everything of access control can be read. A store that never came up has none. */
static void
check_access(struct check *c)
{
	AUTO(arena_free) struct arena *a = arena_new(65536, 4u << 20);
	AUTO(access_close) struct access *access = NULL;
	str file = c->config->master_key_file, row;
	uint8_t key[32];
	err_v e = kv_get(c->kv, KV_SYSTEM_SPACE, STR("AM"), KV_MAY_BLOCK, a, &row);

	if (err_is(e, ERR_NOT_FOUND.code))
		return;
	if (str_empty(file))
		file = arena_fmt(a, "%.*s/master.key", STR_FMT(c->config->data_dir));
	if (err_ok(e))
		e = access_master_key(c->kv, arena_str(a, file).p, key);
	if (err_ok(e))
		e = access_open(c->kv, c->catalog, key, &access);
	explicit_bzero(key, sizeof(key));
	if (!err_ok(e))
		found_closed(c, "access control", e);
}

/* false: it could not be done. */
static bool
check(struct check *c)
{
	struct verify_options o = { .alone = true, .pace = pace, .found = found, .arg = c };
	struct verify_sum sum = { 0 };
	const char *trouble;
	err_v e = open_store(c);

	if (err_is(e, -EBUSY)) {
		fprintf(stderr, "caisson: %s: stop the store first, or use caisson scrub\n", err_context());
		return false;
	}
	if (!err_ok(e)) {
		found_closed(c, "the store cannot be opened", e);
		return true;
	}
	trouble = kv_trouble(c->kv);
	if (trouble != NULL)
		found(c, &(struct finding){ .kind = FINDING_DAMAGE, .what = str_c(trouble) });
	check_access(c);
	c->crew = crew_new((unsigned)c->config->job_threads);
	o.catalog = c->catalog;
	o.blobs = c->blobs;
	o.crew = c->crew;
	e = verify_store(&o, &sum);
	if (!err_ok(e))
		found_closed(c, "not all could be checked", e);
	clear_progress(c);
	printf("checked %llu rows, %llu versions, %llu uploads, %llu blobs with %llu bytes\n", (unsigned long long)sum.rows,
	    (unsigned long long)sum.objects, (unsigned long long)sum.uploads, (unsigned long long)sum.blobs,
	    (unsigned long long)sum.bytes);
	return true;
}

static void
check_close(struct check *c)
{
	crew_free(&c->crew);
	blobs_close(&c->blobs);
	catalog_close(&c->catalog);
	kv_close(&c->kv);
}

/* --strict is ours, the rest are parameters. */
static bool
take_strict(int *n, char **arg)
{
	int kept = 0;

	for (int i = 0; i < *n; i++)
		if (strcmp(arg[i], "--strict") != 0)
			arg[kept++] = arg[i];
	if (kept == *n)
		return false;
	*n = kept;
	return true;
}

int
cmd_check(int n, char **arg)
{
	AUTO(config_free) struct config config = { 0 };
	AUTO(buf_done) struct buf why = { 0 };
	struct check c = { .config = &config, .terminal = isatty(STDERR_FILENO) };
	bool strict = take_strict(&n, arg), done;

	buf_init(&why, 65536);
	if (!config_load(n, arg, &config, &why)) {
		fprintf(stderr, "caisson: %.*s\n", STR_FMT(buf_str(&why)));
		return CLI_USAGE;
	}
	if (str_empty(config.data_dir)) {
		fprintf(stderr, "caisson: --data-dir says where the store is; it must be given\n");
		return CLI_USAGE;
	}
	done = check(&c);
	check_close(&c);
	if (!done)
		return CLI_USAGE;
	printf("%llu damaged, %llu leaks\n", (unsigned long long)c.damaged, (unsigned long long)c.leaked);
	return c.damaged > 0 || (strict && c.leaked > 0) ? CLI_FAILED : 0;
}
