/*
 * fuzz_form.c - form bodies and policies of forms. The first byte says how the body is cut, the rest is both.
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
	static struct pair field = { STR("key"), STR("a/b") };
	struct arena *a = fuzz_arena();
	struct drip d = { fuzz_copy(a, data, size), size > 0 ? 1 + data[0] * 16u : 1 };
	AUTO(form_data_close) struct form_data *f = form_data_open((struct byte_source){ &d, drip_read, UINT64_MAX }, STR("b"));
	struct form_limits limits;
	struct form_field got;
	bool more = true, fits;
	str value;
	err_v e = form_policy_check(str_skip(d.rest, 1), STR("bucket"), (struct pairs){ &field, 1 }, 0, &limits);

	for (int i = 0; i < 100 && more && err_ok(form_data_next(f, a, &got, &more)) && more; i++) {
		e = form_data_value(f, a, 4096, &value, &fits);
		(void)e;
	}
	return 0;
}
