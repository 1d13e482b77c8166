/*
 * crash.h - places where a test may kill the process.
 *
 * Each row of tbl/crash.h lies between two durable states. CAISSON_CRASH_AT="name" in the environment kills the process
 * with SIGKILL when it gets there, "name:3" the third time. Without it a crash point costs one load of a zero.
 */
#pragma once

enum crash_point {
#define CRASH(name, where) CRASH_##name,
#include "tbl/crash.h"
#undef CRASH
	CRASH_COUNT
};

/* Read the environment. Once, before any thread starts. An unknown name is a panic: a test that kills nothing proves nothing. */
void crash_init(void);
void crash_reached(enum crash_point);

extern int crash_armed;		/* 1 + the point, or 0 */
#define CRASH_POINT(name)                                               \
	do {                                                            \
		if (__builtin_expect(crash_armed == CRASH_##name + 1, 0)) \
			crash_reached(CRASH_##name);                    \
	} while (0)
