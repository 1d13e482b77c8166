/*
 * err.c - errors and their one line of context.
 *
 * The context is thread-local and belongs to the newest failure of the thread:
 * every err_* call replaces it. The S3 table lives here, and only here.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/panic.h"

static _Thread_local char context[1024];

static const struct s3_error_info infos[S3_ERROR_COUNT] = {
	[S3_OK] = { "OK", 200, "" },
#define S3_ERROR(code, status, message) [S3_##code] = { #code, status, message },
#include "tbl/errors.h"
#undef S3_ERROR
};

const struct s3_error_info *
s3_error_info(int code)
{
	assert(code > S3_OK && code < S3_ERROR_COUNT);
	return &infos[code];
}

err_v
err_s3(enum s3_error code)
{
	assert(code > S3_OK && code < S3_ERROR_COUNT);
	context[0] = '\0';
	return (err_v){ (int)code };
}

err_v
err_s3f(enum s3_error code, const char *fmt, ...)
{
	char text[sizeof(context)];
	va_list ap;

	assert(code > S3_OK && code < S3_ERROR_COUNT);
	/* By way of a second buffer: the arguments may hold err_context() itself. */
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(context, text, sizeof(context));
	return (err_v){ (int)code };
}

err_v
err_sys(const char *what)
{
	return err_errno(errno, "%s", what);
}

err_v
err_errno(int errnum, const char *fmt, ...)
{
	char text[sizeof(context)], reason[128];
	va_list ap;
	int n;

	assert(errnum > 0);
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s",
		    strerror_r(errnum, reason, sizeof(reason)));
	memcpy(context, text, sizeof(context));
	return (err_v){ -errnum };
}

err_v
err_again(err_v e, const char *was)
{
	snprintf(context, sizeof(context), "%s", was);
	return e;
}

const char *
err_context(void)
{
	return context;
}
