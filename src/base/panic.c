/*
 * panic.c - the end of a process that has met the impossible.
 */
#include "base/panic.h"

#include <execinfo.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local const char *note;

void
panic_note(const char *request_id)
{
	note = request_id;
}

void
panic(const char *file, int line, const char *fmt, ...)
{
	char thread[16] = "?";
	void *frame[48];
	va_list ap;

	pthread_getname_np(pthread_self(), thread, sizeof(thread));
	fprintf(stderr, "panic: %s:%d: thread %s, request %s: ", file, line, thread,
	    note != NULL ? note : "none");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	fflush(stderr);
	backtrace_symbols_fd(frame, backtrace(frame, 48), STDERR_FILENO);
	abort();
}
