/*
 * panic.h - for what cannot happen.
 *
 * Always on. An assertion is about our own code; no byte from a client, a disk
 * or a peer may reach one. A panic prints file, line, condition, thread name,
 * what the thread was working on and a backtrace, and aborts. The supervisor
 * starts us again, and recovery is the ordinary start.
 */
#pragma once

#define PANIC(...) panic(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void panic(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#undef static_assert
#define static_assert _Static_assert
#undef assert
#define assert(cond)                                              \
	do {                                                      \
		if (__builtin_expect(!(cond), 0))                 \
			panic(__FILE__, __LINE__, "%s", #cond);   \
	} while (0)

/* Every struct that passes a void *, a queue or a thread starts with its magic. */
#define CHECK_OBJ(o, m)                          \
	do {                                     \
		assert((o) != NULL);             \
		assert((o)->magic == (m));       \
	} while (0)

/* A word on what this thread does now, shown by a panic; it must outlive the work. NULL: idle. */
void panic_note(const char *request_id);
