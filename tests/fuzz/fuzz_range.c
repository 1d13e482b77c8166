/* http/range.c: any header value, any size (the first eight bytes). */
#include "fuzz.h"

#include "http/range.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct range r = { 0 };
	uint64_t total;
	str value;
	err_v e;

	if (size < sizeof(total))
		return 0;
	memcpy(&total, data, sizeof(total));
	total &= INT64_MAX;
	value = fuzz_copy(arena, data + sizeof(total), size - sizeof(total));
	e = range_parse(value, total, &r);
	CLAIM(err_ok(e) || e.code == S3_InvalidRange);
	if (err_ok(e)) {
		CLAIM(r.off <= total && r.len <= total - r.off);
		CLAIM(r.partial ? r.len > 0 : r.off == 0 && r.len == total);
	}
	r = (struct range){ 0 };
	if (err_ok(range_parse_copy(value, total, &r)))
		CLAIM(r.len > 0 && r.off < total && r.len <= total - r.off);
	return 0;
}
