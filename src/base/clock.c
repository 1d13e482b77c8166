/*
 * clock.c - the two clocks.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/panic.h"

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		PANIC("clock_gettime");
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t
clock_mono_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

uint64_t
clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000u;
}

uint64_t
clock_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

uint64_t
clock_wall_ms(void)
{
	return clock_wall_ns() / 1000000u;
}

uint64_t
clock_unique_ns(void)
{
	static _Atomic uint64_t last;
	uint64_t now = clock_wall_ns(), before = atomic_load(&last), mine;

	do
		mine = now > before ? now : before + 1;
	while (!atomic_compare_exchange_weak(&last, &before, mine));
	return mine;
}
