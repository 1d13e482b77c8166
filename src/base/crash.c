/* crash.c - places where a test may kill the process. */
#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/panic.h"
#include "base/str.h"

static const char *const names[] = {
#define CRASH(name, where) #name,
#include "tbl/crash.h"
#undef CRASH
};
static_assert(COUNT(names) == CRASH_COUNT, "a name for each point");

int crash_armed;
static atomic_uint_fast64_t left;

void
crash_init(void)
{
	str rest = str_c(getenv("CAISSON_CRASH_AT")), name;
	uint64_t nth = 1;

	if (str_empty(rest))
		return;
	name = str_take_until(&rest, ':');
	if (rest.p != NULL && (!str_u64(rest, &nth) || nth == 0))
		PANIC("CAISSON_CRASH_AT: \"%.*s\" is not a count", STR_FMT(rest));
	for (int i = 0; i < CRASH_COUNT; i++) {
		if (str_eq(name, str_c(names[i]))) {
			atomic_store(&left, nth);
			crash_armed = i + 1;
			return;
		}
	}
	PANIC("CAISSON_CRASH_AT: there is no crash point \"%.*s\"", STR_FMT(name));
}

void
crash_reached(enum crash_point p)
{
	assert(crash_armed == (int)p + 1);
	if (atomic_fetch_sub(&left, 1) == 1) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
}
