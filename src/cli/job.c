/*
 * job.c - caisson job run, caisson scrub: begin a pass of a background job, and watch it to its end.
 *
 * What it finds goes to standard output as it is found; how far it is, to standard error if that is a terminal.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/control_call.h"

#define POLL_MS 200
#define ARGUMENTS_MAX 16
#define BAR_WIDTH 40

struct watch {
	const char *name;
	char *arg[ARGUMENTS_MAX + 3];	/* the job, where the server is, and which findings are wanted */
	int n;
	json_int_t ticket;		/* of the pass that is waited for: what earlier ones have found is not shown */
	char began[32];			/* the pass whose findings are being shown ... */
	size_t found;			/* ... and how many of them have been */
	bool terminal;
};

/* The answer of "caisson job VERB ...". NULL: *ret_code, and the reason is on standard error. */
static json_t *
call(const char *verb, int n, char **arg, int *ret_code)
{
	AUTO(call_close) struct call *c = NULL;
	const struct verb *v = verbs;

	while (v->group != NULL && (strcmp(v->group, "job") != 0 || strcmp(v->verb, verb) != 0))
		v++;
	*ret_code = CLI_USAGE;
	c = call_open(v, n, arg);
	if (c == NULL)
		return NULL;
	*ret_code = CLI_FAILED;
	return call_perform(c, v);
}

static json_int_t
number(const json_t *job, const char *name)
{
	return json_integer_value(json_object_get(job, name));
}

static void
clear_bar(const struct watch *w)
{
	if (w->terminal)
		fputs("\r\033[K", stderr);
}

static void
show_bar(const struct watch *w, const json_t *job)
{
	double percent = json_number_value(json_object_get(job, "percent"));
	int full = (int)(percent * BAR_WIDTH / 100);

	if (!w->terminal)
		return;
	clear_bar(w);
	if (percent > 0)
		fprintf(stderr, "[%.*s%*s] %5.1f %%  ", full, "########################################", BAR_WIDTH - full, "", percent);
	fprintf(stderr, "%s: %lld %s", w->name, (long long)number(job, "passSeen"), json_string_value(json_object_get(job, "unit")));
}

/* false: they are of another pass than those before: look again from the first. */
static bool
show_found(struct watch *w, const json_t *job, const json_t *found)
{
	const char *began = json_string_value(json_object_get(job, "passBegan"));
	const json_t *line;
	size_t i;

	if (began == NULL || strcmp(began, w->began) != 0) {
		snprintf(w->began, sizeof(w->began), "%s", began != NULL ? began : "");
		w->found = 0;
		return false;
	}

	if (json_array_size(found) > 0)
		clear_bar(w);
	json_array_foreach(found, i, line)
		printf("%s\n", json_string_value(line));
	(void)fflush(stdout);
	w->found += json_array_size(found);
	return json_array_size(found) == 0;
}

/* One look. NULL: *ret_code. *ret_all: no findings are left to show. */
static json_t *
look(struct watch *w, bool *ret_all, int *ret_code)
{
	char offset[24], flag[] = "--offset";
	json_t *answer, *job;

	snprintf(offset, sizeof(offset), "%zu", w->found);
	w->arg[w->n] = flag;
	w->arg[w->n + 1] = offset;
	answer = call("show", w->n + 2, w->arg, ret_code);
	if (answer == NULL)
		return NULL;
	job = json_object_get(answer, "job");
	*ret_all = number(job, "serves") < w->ticket || show_found(w, job, json_object_get(answer, "found"));
	return answer;
}

static int
sum_up(const struct watch *w, const json_t *job)
{
	json_int_t findings = number(job, "passFindings"), failed = number(job, "passFailed");

	clear_bar(w);
	printf("%s: %lld %s seen, %lld damaged, %lld left behind, %lld steps failed\n", w->name, (long long)number(job, "passSeen"),
	    json_string_value(json_object_get(job, "unit")), (long long)findings, (long long)number(job, "backlog"), (long long)failed);
	return findings > 0 || failed > 0 ? CLI_FAILED : 0;
}

static int
watch(struct watch *w)
{
	json_t *job, *answer;
	bool all;
	int code;

	answer = call("run", w->n, w->arg, &code);
	if (answer == NULL)
		return code;
	w->ticket = number(answer, "ticket");
	json_decref(answer);
	for (;;) {
		answer = look(w, &all, &code);
		if (answer == NULL)
			return code;
		job = json_object_get(answer, "job");
		if (number(job, "served") >= w->ticket && all)
			break;
		show_bar(w, job);
		json_decref(answer);
		if (all)
			nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
	}
	code = sum_up(w, job);
	json_decref(answer);
	return code;
}

static int
run(const char *name, int n, char **arg)
{
	struct watch w = { .name = name, .terminal = isatty(STDERR_FILENO) };

	if (n > ARGUMENTS_MAX) {
		fprintf(stderr, "caisson: too many arguments\n");
		return CLI_USAGE;
	}
	w.arg[w.n++] = (char *)name;
	for (int i = 0; i < n; i++)
		w.arg[w.n++] = arg[i];
	return watch(&w);
}

int
cmd_job(int n, char **arg)
{
	if (n > 1 && strcmp(arg[0], "run") == 0 && !help_wanted(arg[1]))
		return run(arg[1], n - 2, arg + 2);
	return control_group("job", n, arg);
}

int
cmd_scrub(int n, char **arg)
{
	return run("scrub", n, arg);
}
