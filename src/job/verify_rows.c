/*
 * verify_rows.c - all rows of a space at one instant, and past those that cannot be read.
 *
 * When the engine meets a bad block it cannot say where the block ends. Seeking beyond works again, so the end is found by
 * halving: names of rows are taken as long numbers.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "job/verify_impl.h"

#define NUMBER_LEN 256u			/* bytes of a name that decide */
#define TEXT_MAX 512u

err_v
rows_open(struct verify *v, uint32_t space, struct rows *ret)
{
	*ret = (struct rows){ .v = v, .space = space, .bucket = STR_NONE };
	return kv_scan_once(v->kv, space, STR_NONE, STR_NONE, &ret->it);
}

void
rows_close(struct rows *r)
{
	kv_iter_close(&r->it);
}

void
rows_seek(struct rows *r, struct row_key to)
{
	r->moved = false;
	r->last = to;
	if (r->broken) {
		kv_iter_close(&r->it);
		if (!err_ok(kv_scan_once(r->v->kv, r->space, row_str(&to), STR_NONE, &r->it)))
			r->it = NULL;
	} else {
		kv_iter_seek(r->it, row_str(&to));
	}
}

/* (a + b) / 2; false: there is nothing between them. */
static bool
middle(const uint8_t *a, const uint8_t *b, uint8_t *ret)
{
	uint16_t sum[NUMBER_LEN];
	unsigned carry = 0;

	for (unsigned i = NUMBER_LEN; i-- > 0;) {
		unsigned s = (unsigned)a[i] + b[i] + carry;

		sum[i] = (uint16_t)(s & 0xff);
		carry = s >> 8;
	}
	for (unsigned i = 0; i < NUMBER_LEN; i++) {
		unsigned s = carry << 8 | sum[i];

		ret[i] = (uint8_t)(s >> 1);
		carry = s & 1;
	}
	return memcmp(ret, a, NUMBER_LEN) != 0;
}

/* Each try with an iterator of its own: one that has met a bad block may go on saying so. */
static bool
open_at(struct rows *r, const uint8_t *number)
{
	kv_iter_close(&r->it);
	return err_ok(kv_scan_once(r->v->kv, r->space, str_n(number, NUMBER_LEN), STR_NONE, &r->it)) &&
	    (kv_iter_valid(r->it) || err_ok(kv_iter_error(r->it)));
}

/* For people: the key if it has one. */
static void
row_describe(struct buf *out, str row)
{
	char key[OBJECT_KEY_MAX];
	size_t len;
	str rest;

	if (row.len == 0) {
		buf_add_c(out, "the end");
		return;
	}
	buf_add_char(out, row.p[0]);
	buf_add_char(out, ' ');
	if ((row.p[0] == ROW_OBJECT || row.p[0] == ROW_VERSION || row.p[0] == ROW_UPLOAD) &&
	    row_object_key(row, (enum row_kind)row.p[0], key, &len, &rest))
		url_encode(out, str_n(key, len), URL_KEEP_SLASH);
	else
		url_encode(out, str_skip(row, 1), URL_ENCODE_SLASH);
}

static void
tell_gap(struct rows *r, const char *why)
{
	AUTO(buf_done) struct buf what = { 0 };
	struct finding f = { .kind = FINDING_DAMAGE, .bucket = r->bucket };

	buf_init(&what, 16u << 10);
	buf_addf(&what, "rows of the index behind \"");
	row_describe(&what, row_str(&r->last));
	buf_add_c(&what, "\" and before \"");
	row_describe(&what, kv_iter_valid(r->it) ? kv_iter_key(r->it) : STR(""));
	buf_addf(&what, "\" cannot be read: %s", why);
	f.what = buf_str(&what);
	verify_found(r->v, &f);
}

/* From here on rows are of another instant, and rows_look() finds none before: judge nothing by it. */
static bool
leap(struct rows *r)
{
	uint8_t bad[NUMBER_LEN] = { 0 }, good[NUMBER_LEN], between[NUMBER_LEN];
	char why[TEXT_MAX];

	snprintf(why, sizeof(why), "%s", err_context());
	memcpy(bad, r->last.bytes, r->last.len < NUMBER_LEN ? r->last.len : NUMBER_LEN);
	memset(good, 0xff, sizeof(good));
	while (middle(bad, good, between))
		memcpy(open_at(r, between) ? good : bad, between, NUMBER_LEN);
	r->broken = true;
	if (!open_at(r, good)) {		/* it works at one time and not at another: give up */
		kv_iter_close(&r->it);
		return false;
	}
	if (!r->told)
		tell_gap(r, why);
	return kv_iter_valid(r->it);
}

bool
rows_here(struct rows *r)
{
	str key;

	if (r->it == NULL)
		return false;
	if (!kv_iter_valid(r->it) && (err_ok(kv_iter_error(r->it)) || !leap(r)))
		return false;
	key = kv_iter_key(r->it);
	r->last.len = key.len < sizeof(r->last.bytes) ? key.len : sizeof(r->last.bytes);
	memcpy(r->last.bytes, key.p, r->last.len);
	return true;
}

void
rows_next(struct rows *r)
{
	if (r->moved)
		rows_seek(r, r->last);
	if (r->it != NULL && kv_iter_valid(r->it))
		kv_iter_next(r->it);
}

bool
rows_look(struct rows *r, struct row_key row, str *ret)
{
	if (r->broken)
		return false;
	r->moved = true;
	kv_iter_seek(r->it, row_str(&row));
	if (kv_iter_valid(r->it) && str_eq(kv_iter_key(r->it), row_str(&row))) {
		*ret = kv_iter_value(r->it);
		return true;
	}
	if (!err_ok(kv_iter_error(r->it)))
		r->broken = true;
	return false;
}
