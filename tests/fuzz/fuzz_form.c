/*
 * s3/form_data.c, s3/form_policy.c: form bodies, their Content-Type, and policies of forms. The first byte says how the body is cut, the
 * rest is all three.
 */
#include "fuzz.h"

#include "s3/form_data.h"
#include "s3/form_policy.h"

struct drip { str rest; size_t step; };

static err
drip_read(void *ctx, void *p, size_t max, size_t *ret_len)
{
	struct drip *d = ctx;
	str piece = str_sub(d->rest, 0, d->step < max ? d->step : max);

	if (piece.len > 0)
		memcpy(p, piece.p, piece.len);
	d->rest = str_skip(d->rest, piece.len);
	*ret_len = piece.len;
	return ERR_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair fields[] = {
		{ STR("key"), STR("a/b") }, { STR("Content-Type"), STR("text/a, text/b") }, { STR("x-ignore-a"), STR("") },
	};
	struct arena *a = fuzz_arena();
	struct drip d = { fuzz_copy(a, data, size), size > 0 ? 1 + data[0] * 16u : 1 };
	AUTO(form_data_close) struct form_data *f = form_data_open((struct byte_source){ &d, drip_read, UINT64_MAX }, STR("b"));
	struct form_limits limits;
	struct form_field got;
	bool more = true, fits;
	str value;
	err_v e = form_policy_check(str_skip(d.rest, 1), STR("bucket"), (struct pairs){ fields, 3 }, 1764000000000u, &limits);

	CLAIM(!form_data_boundary(str_skip(d.rest, 1), &value) || (value.len > 0 && value.len <= 70));
	for (int i = 0; i < 100 && more && err_ok(form_data_next(f, a, &got, &more)) && more; i++) {
		e = form_data_value(f, a, 4096, &value, &fits);
		(void)e;
	}
	return 0;
}
