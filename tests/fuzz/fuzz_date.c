/* http/date.c: any bytes as a time; what was read is read again when it is written. */
#include "fuzz.h"

#include "http/date.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	str text = fuzz_copy(arena, data, size);
	uint64_t t, again;

	if (date_http_parse(text, &t))
		CLAIM(date_http_parse(date_http(arena, t * 1000), &again) && again == t);
	if (date_amz_parse(text, &t)) {
		CLAIM(text.len == 16);
		CLAIM(date_amz_parse(date_amz(arena, t), &again) && again == t);
	}
	if (date_iso_parse(text, &t))
		CLAIM(date_iso_parse(date_iso(arena, t), &again) && again == t);
	return 0;
}
