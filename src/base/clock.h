/*
 * clock.h - what time it is.
 *
 * Deadlines use the monotonic clock; what a client sees uses the wall clock.
 */
#pragma once

#include <stdint.h>

uint64_t clock_mono_ms(void);		/* since some start; never goes back */
uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void);		/* since 1970, UTC */
uint64_t clock_wall_ms(void);
/* Wall nanoseconds, greater than at every earlier call in this process. */
uint64_t clock_unique_ns(void);
