/* backup.c - caisson backup: asks a running store for one and waits; caisson restore: works on directories, no store runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/control_call.h"
#include "job/backup.h"

#define POLL_MIN_MS 50u
#define POLL_MAX_MS 1000u
#define ARENA_MAX (64u << 20)

static const struct verb start = {
	"backup", "", "POST", "/v1/caisson/backup", "directory --keep:keep#", "backup", "",
	"Back up a running store into a directory of its machine, an absolute path, and wait for the end.",
	"caisson backup /mnt/backup/caisson --keep 7",
};
static const struct verb poll = { "backup", "", "GET", "/v1/caisson/backup", "", "backup", "", "", "" };

static const char *
text(const json_t *answer, const char *member)
{
	const char *s = json_string_value(json_object_get(json_object_get(answer, "backup"), member));

	return s != NULL ? s : "";
}

static uint64_t
number(const json_t *answer, const char *member)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(answer, "backup"), member));
}

static int
tell(const struct call *c, const json_t *answer)
{
	bool done = strcmp(text(answer, "state"), "DONE") == 0;

	if (call_wants_json(c)) {
		(void)json_dumpf(answer, stdout, JSON_INDENT(2));
		printf("\n");
	} else if (done) {
		printf("%s/%s: %" PRIu64 " blobs, of which %" PRIu64 " (%" PRIu64 " bytes) were copied\n", text(answer, "directory"),
		    text(answer, "name"), number(answer, "blobs"), number(answer, "blobsCopied"), number(answer, "bytesCopied"));
	}
	if (!done)
		fprintf(stderr, "caisson: the backup failed: %s\n", text(answer, "message"));
	else if (number(answer, "blobsMissing") > 0)
		fprintf(stderr, "caisson: %" PRIu64 " blobs that the index names are missing in the store: %s\n",
		    number(answer, "blobsMissing"), text(answer, "message"));
	return done && number(answer, "blobsMissing") == 0 ? 0 : CLI_FAILED;
}

int
cmd_backup(int n, char **arg)
{
	AUTO(call_close) struct call *c = call_open(&start, n, arg);
	AUTO(json_free) json_t *answer = NULL;
	bool tty = isatty(STDERR_FILENO) != 0;
	unsigned wait_ms = POLL_MIN_MS;

	if (c == NULL)
		return CLI_USAGE;
	answer = call_perform(c, &start);
	while (answer != NULL && strcmp(text(answer, "state"), "RUNNING") == 0) {
		if (tty)
			fprintf(stderr, "\r%" PRIu64 " blobs", number(answer, "blobsSeen"));
		(void)usleep(1000 * wait_ms);
		wait_ms = 2 * wait_ms < POLL_MAX_MS ? 2 * wait_ms : POLL_MAX_MS;
		json_decref(answer);
		answer = call_perform(c, &poll);
	}
	if (tty)
		fprintf(stderr, "\r\033[K");
	return answer != NULL ? tell(c, answer) : CLI_FAILED;
}

/* ---- restore ---- */

static void
say(const char *line)
{
	fprintf(stderr, "caisson: %s\n", line);
}

static int
restore_usage(const char *what)
{
	fprintf(stderr, "caisson: %s\nusage: caisson restore --from DIR [--set NAME] --data-dir NEW\n", what);
	return CLI_USAGE;
}

int
cmd_restore(int n, char **arg)
{
	AUTO(arena_free) struct arena *a = arena_new(65536, ARENA_MAX);
	struct { const char *flag; str value; } flags[] = { { "--from" }, { "--set" }, { "--data-dir" } };
	struct restore_report r;
	err_v e;

	for (int i = 0; i < n; i += 2) {
		unsigned k = 0;

		while (k < 3 && strcmp(arg[i], flags[k].flag) != 0)
			k++;
		if (k == 3 || i + 1 == n)
			return restore_usage(k == 3 ? "there is no such flag" : "a value is missing");
		flags[k].value = str_c(arg[i + 1]);
	}
	if (str_empty(flags[0].value) || str_empty(flags[2].value))
		return restore_usage("--from and --data-dir must be given");
	e = backup_restore(flags[0].value, flags[1].value, flags[2].value, say, a, &r);
	if (!err_ok(e)) {
		fprintf(stderr, "caisson: not restored: %s (%s)\n", err_context(), strerror(e.code < 0 ? -e.code : 0));
		return CLI_FAILED;
	}
	printf("%.*s is the store of %.*s: %" PRIu64 " rows and %" PRIu64 " blobs have been read and verified\n", STR_FMT(flags[2].value),
	    STR_FMT(r.name), r.rows, r.blobs);
	if (r.damaged > 0)
		fprintf(stderr, "caisson: %" PRIu64 " findings of damage in the backup; the objects named answer errors, all others work\n",
		    r.damaged);
	return r.damaged > 0 ? CLI_FAILED : 0;
}
