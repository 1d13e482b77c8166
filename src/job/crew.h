/*
 * crew.h - threads that do many like things side by side, so that their commits share flushes.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct crew;

struct crew *crew_new(unsigned threads);
/* Nothing may be running. */
void crew_free(struct crew **);
/*
 * fn for each i below n, in any order; returns when all are done. The arena is the thread's, empty each time. One caller at a
 * time, others wait.
 */
typedef void crew_f(void *arg, size_t i, struct arena *);
void crew_run(struct crew *, size_t n, crew_f *fn, void *arg);
