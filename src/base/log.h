/*
 * log.h - one line for an operator.
 *
 * key=value lines on standard error: time, level, then one sentence that can be
 * acted on. Only edges log (src/main, s3 and control dispatch, job loops);
 * libraries return errors. Secrets never come here.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level);
void log_event(enum log_level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_info(...) log_event(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_event(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__)

/* One whole line, as it is, to the access log (a newline is added). Never blocks for long. */
void log_access(str line);
/* Is there an access log? Else its lines need not be made. */
bool log_access_on(void);
/* Path of the access log, "" for none, "-" for standard output. */
err log_access_open(const char *path);
/* Open the path anew, after rotation. On failure lines go where they went before. */
err log_reopen(void);
