/*
 * meta/record*.c and meta/wire.c: the first byte says which kind of record the rest is.
 *
 * Claims: damage is ERR_DAMAGED; what is read can be written; what is written reads as the same record.
 */
#include "fuzz.h"

#include "records.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_done) struct buf first = { 0 }, second = { 0 };
	struct arena *arena = fuzz_arena();
	enum record_kind kind;
	err_v e;

	if (size == 0)
		return 0;
	kind = (enum record_kind)(data[0] % RECORD_KINDS);
	buf_init(&first, KV_VALUE_MAX);
	buf_init(&second, KV_VALUE_MAX);
	e = record_again(kind, fuzz_copy(arena, data + 1, size - 1), arena, &first);
	CLAIM(err_ok(e) || (err_is(e, ERR_DAMAGED.code) && err_context()[0] != '\0'));
	if (!err_ok(e))
		return 0;
	CLAIM(!buf_overflow(&first));
	CLAIM(err_ok(record_again(kind, fuzz_copy(arena, (const uint8_t *)first.p, first.len), arena, &second)));
	CLAIM(str_eq(buf_str(&first), buf_str(&second)));
	return 0;
}
