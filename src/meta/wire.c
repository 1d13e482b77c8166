/*
 * wire.c - varints, lengths and fields.
 */
#include "meta/wire.h"

#include "base/panic.h"

enum wire_type { TYPE_VARINT = 0, TYPE_FIXED64 = 1, TYPE_BYTES = 2, TYPE_FIXED32 = 5 };

#define VARINT_MAX 10

static size_t
varint_put(char *p, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = (char)(v | 0x80);
	p[n++] = (char)v;
	return n;
}

static void
add_varint(struct buf *b, uint64_t v)
{
	char bytes[VARINT_MAX];

	buf_add(b, str_n(bytes, varint_put(bytes, v)));
}

static void
add_tag(struct buf *b, unsigned field, enum wire_type type)
{
	assert(field > 0 && field < 1u << 28);
	add_varint(b, (uint64_t)field << 3 | type);
}

void
wire_u64(struct buf *b, unsigned field, uint64_t v)
{
	if (v == 0)
		return;
	add_tag(b, field, TYPE_VARINT);
	add_varint(b, v);
}

void
wire_bytes(struct buf *b, unsigned field, str s)
{
	if (s.len == 0)
		return;
	add_tag(b, field, TYPE_BYTES);
	add_varint(b, s.len);
	buf_add(b, s);
}

void
wire_id(struct buf *b, unsigned field, struct id id)
{
	if (!id_is_zero(id))
		wire_bytes(b, field, id_bytes(&id));
}

size_t
wire_begin(struct buf *b, unsigned field)
{
	add_tag(b, field, TYPE_BYTES);
	return b->len;
}

void
wire_end(struct buf *b, size_t mark)
{
	char bytes[VARINT_MAX];
	size_t len = b->len - mark, n = varint_put(bytes, len);

	/* The length goes in front of what is written: a few bytes to move, instead of writing twice. */
	if (buf_room(b, n) == NULL)
		return;
	memmove(b->p + mark + n, b->p + mark, len);
	memcpy(b->p + mark, bytes, n);
	buf_added(b, n);
}

static bool
varint_take_long(str *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < VARINT_MAX && i < s->len; i++) {
		uint8_t c = (uint8_t)s->p[i];

		if (i == VARINT_MAX - 1 && c > 1)
			return false;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c < 0x80) {
			*s = str_skip(*s, i + 1);
			*ret = v;
			return true;
		}
	}
	return false;
}

/* Most are one byte. */
static inline bool
varint_take(str *s, uint64_t *ret)
{
	if (s->len == 0 || (uint8_t)s->p[0] >= 0x80)
		return varint_take_long(s, ret);
	*ret = (uint8_t)s->p[0];
	*s = str_n(s->p + 1, s->len - 1);
	return true;
}

static bool
broken(struct wire *w)
{
	w->bad = true;
	return false;
}

static bool
fixed_take(struct wire *w, size_t n)
{
	uint64_t v = 0;

	if (w->rest.len < n)
		return broken(w);
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(uint8_t)w->rest.p[i] << (8 * i);
	w->rest = str_skip(w->rest, n);
	w->u = v;
	return true;
}

bool
wire_next(struct wire *w)
{
	uint64_t tag, len;

	if (w->bad || w->rest.len == 0)
		return false;
	if (!varint_take(&w->rest, &tag) || tag >> 3 == 0 || tag >> 3 >= 1u << 28)
		return broken(w);
	w->field = (unsigned)(tag >> 3);
	w->is_bytes = false;
	switch ((enum wire_type)(tag & 7)) {
	case TYPE_VARINT:
		return varint_take(&w->rest, &w->u) || broken(w);
	case TYPE_BYTES:
		if (!varint_take(&w->rest, &len) || len > w->rest.len)
			return broken(w);
		w->is_bytes = true;
		w->bytes = str_sub(w->rest, 0, (size_t)len);
		w->rest = str_skip(w->rest, (size_t)len);
		return true;
	case TYPE_FIXED64:
		return fixed_take(w, 8);
	case TYPE_FIXED32:
		return fixed_take(w, 4);
	}
	return broken(w);
}

bool
wire_get_str(struct wire *w, str *ret)
{
	if (!w->is_bytes)
		return broken(w);
	*ret = w->bytes;
	return true;
}

bool
wire_get_fixed(struct wire *w, void *ret, size_t n)
{
	if (!w->is_bytes || w->bytes.len != n)
		return broken(w);
	memcpy(ret, w->bytes.p, n);
	return true;
}

bool
wire_get_id(struct wire *w, struct id *ret)
{
	return wire_get_fixed(w, ret->byte, ID_LEN);
}

bool
wire_get_u64(struct wire *w, uint64_t max, uint64_t *ret)
{
	if (w->is_bytes || w->u > max)
		return broken(w);
	*ret = w->u;
	return true;
}

bool
wire_get_u32(struct wire *w, uint32_t max, uint32_t *ret)
{
	uint64_t v;

	if (!wire_get_u64(w, max, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool
wire_get_bool(struct wire *w, bool *ret)
{
	uint64_t v;

	if (!wire_get_u64(w, 1, &v))
		return false;
	*ret = v != 0;
	return true;
}
