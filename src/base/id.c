/*
 * id.c - space, time, chance.
 */
#include "base/id.h"

#include <sys/random.h>

#include "base/be.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

/* One call of the kernel for 64 ids. */
static uint32_t
chance(void)
{
	static _Thread_local uint32_t pool[64];
	static _Thread_local size_t left;

	if (left == 0) {
		if (getrandom(pool, sizeof(pool), 0) != sizeof(pool))
			PANIC("getrandom");
		left = COUNT(pool);
	}
	return pool[--left];
}

struct id
id_new(uint32_t space)
{
	struct id id;

	be_put(id.byte, space, 4);
	id_set_time(&id, clock_unique_ns());
	be_put(id.byte + 12, chance(), 4);
	return id;
}

uint32_t
id_space(struct id id)
{
	return (uint32_t)be_get(id.byte, 4);
}

uint64_t
id_time(struct id id)
{
	return be_get(id.byte + 4, 8);
}

void
id_set_time(struct id *id, uint64_t ns)
{
	be_put(id->byte + 4, ns, 8);
}

bool
id_eq(struct id a, struct id b)
{
	return memcmp(a.byte, b.byte, ID_LEN) == 0;
}

bool
id_is_zero(struct id id)
{
	return id_eq(id, (struct id){ { 0 } });
}

str
id_bytes(const struct id *id)
{
	return str_n(id->byte, ID_LEN);
}

void
id_text(struct id id, char *ret)
{
	hex_encode(id_bytes(&id), ret);
}

bool
id_parse(str s, struct id *ret)
{
	if (s.len != ID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'F')
			return false;
	return hex_decode(s, ret->byte);
}
