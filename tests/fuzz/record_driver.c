/* Lines "kind hex" of records in; out comes each written anew, as hex, or "bad". For test_proto.py. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "records.h"

int
main(void)
{
	AUTO(arena_free) struct arena *arena = arena_new(1u << 16, 1u << 26);
	AUTO(buf_done) struct buf b = { 0 };
	char *line = NULL, *hex;
	size_t room = 0;
	ssize_t n;

	buf_init(&b, KV_VALUE_MAX);
	while ((n = getline(&line, &room, stdin)) > 1) {
		unsigned long kind = strtoul(line, &hex, 10);
		str rest = str_c(hex), text = str_trim(str_take_until(&rest, '\n'));
		char *raw = arena_alloc(arena, text.len / 2 + 1), *out;

		if (kind >= RECORD_KINDS || !hex_decode(text, (uint8_t *)raw))
			return 2;
		if (err_ok(record_again((enum record_kind)kind, str_n(raw, text.len / 2), arena, &b))) {
			out = arena_alloc(arena, 2 * b.len + 1);
			hex_encode(buf_str(&b), out);
			puts(out);
		} else {
			puts("bad");
		}
		(void)fflush(stdout);
		arena_reset(arena);
	}
	free(line);
	return 0;
}
