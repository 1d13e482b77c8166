/*
 * record.c - format byte, and the messages that several records share.
 */
#include "meta/record_impl.h"

#include "base/panic.h"
#include "base/text.h"

#define PAIRS_MAX 4096u

enum { PAIR_NAME = 1, PAIR_VALUE };
enum { CHECKSUM_ALG = 1, CHECKSUM_TYPE, CHECKSUM_VALUE };
enum { SSE_KEY_MD5 = 1, SSE_SALT, SSE_CHECK };
enum { EXTENT_BLOB = 1, EXTENT_PLACE, EXTENT_BLOB_SIZE, EXTENT_OFF, EXTENT_LEN };
enum { RUN_FIRST = 1, RUN_COUNT, RUN_SIZE };

void
record_begin(struct buf *b)
{
	buf_clear(b);
	buf_add_char(b, RECORD_FORMAT);
}

void
record_mark(struct buf *b)
{
	record_begin(b);
}

err_v
record_broken(const char *what, const char *why)
{
	return err_errno(EBADMSG, "record of %s: %s", what, why);
}

err_v
record_open(str raw, const char *what, str *ret)
{
	if (raw.len == 0)
		return record_broken(what, "empty");
	if (raw.p[0] == 0 || (uint8_t)raw.p[0] > RECORD_FORMAT)
		return record_broken(what, "of a format that this program does not know");
	*ret = str_skip(raw, 1);
	return ERR_OK;
}

void
wire_pairs(struct buf *b, unsigned field, struct pairs pairs)
{
	assert(pairs.n <= PAIRS_MAX);
	for (unsigned i = 0; i < pairs.n; i++) {
		size_t mark = wire_begin(b, field);

		wire_bytes(b, PAIR_NAME, pairs.at[i].name);
		wire_bytes(b, PAIR_VALUE, pairs.at[i].value);
		wire_end(b, mark);
	}
}

static bool
message(struct wire *w, struct wire *ret)
{
	str bytes;

	if (!wire_get_str(w, &bytes))
		return false;
	*ret = wire_of(bytes);
	return true;
}

/* The end of a message within: all of it was read, and holds what it must. */
static bool
finish(struct wire *w, const struct wire *within, bool complete)
{
	if (within->bad || !complete)
		w->bad = true;
	return !w->bad;
}

bool
wire_get_pair(struct wire *w, struct pair *ret)
{
	struct pair p = { STR(""), STR("") };
	struct wire in;

	if (!message(w, &in))
		return false;
	while (wire_next(&in)) {
		if (in.field == PAIR_NAME)
			wire_get_str(&in, &p.name);
		else if (in.field == PAIR_VALUE)
			wire_get_str(&in, &p.value);
	}
	*ret = p;
	return finish(w, &in, true);
}

void
wire_checksum(struct buf *b, unsigned field, const struct checksum *c)
{
	size_t mark;

	if (!c->set)
		return;
	assert(c->alg != DIGEST_MD5 && c->alg < DIGEST_COUNT);
	mark = wire_begin(b, field);
	wire_u64(b, CHECKSUM_ALG, c->alg);
	wire_u64(b, CHECKSUM_TYPE, c->type);
	wire_bytes(b, CHECKSUM_VALUE, str_n(c->value, digest_len(c->alg)));
	wire_end(b, mark);
}

bool
wire_get_checksum(struct wire *w, struct checksum *ret)
{
	uint32_t alg = 0, type = 0;
	str value = STR("");
	struct wire in;

	if (!message(w, &in))
		return false;
	while (wire_next(&in)) {
		if (in.field == CHECKSUM_ALG)
			wire_get_u32(&in, DIGEST_COUNT - 1, &alg);
		else if (in.field == CHECKSUM_TYPE)
			wire_get_u32(&in, CHECKSUM_COMPOSITE, &type);
		else if (in.field == CHECKSUM_VALUE)
			wire_get_str(&in, &value);
	}
	if (!finish(w, &in, alg != DIGEST_MD5 && value.len == digest_len((enum digest_alg)alg)))
		return false;
	*ret = (struct checksum){ .set = true, .alg = (enum digest_alg)alg, .type = (enum checksum_type)type };
	memcpy(ret->value, value.p, value.len);
	return true;
}

void
wire_sse(struct buf *b, unsigned field, const struct sse_c *s)
{
	size_t mark;

	if (!s->on)
		return;
	mark = wire_begin(b, field);
	wire_bytes(b, SSE_KEY_MD5, str_n(s->key_md5, sizeof(s->key_md5)));
	wire_bytes(b, SSE_SALT, str_n(s->salt, sizeof(s->salt)));
	wire_bytes(b, SSE_CHECK, str_n(s->check, sizeof(s->check)));
	wire_end(b, mark);
}

bool
wire_get_sse(struct wire *w, struct sse_c *ret)
{
	struct sse_c s = { .on = true };
	unsigned seen = 0;
	struct wire in;

	if (!message(w, &in))
		return false;
	while (wire_next(&in)) {
		if (in.field == SSE_KEY_MD5)
			seen |= wire_get_fixed(&in, s.key_md5, sizeof(s.key_md5)) ? 1u : 0;
		else if (in.field == SSE_SALT)
			seen |= wire_get_fixed(&in, s.salt, sizeof(s.salt)) ? 2u : 0;
		else if (in.field == SSE_CHECK)
			seen |= wire_get_fixed(&in, s.check, sizeof(s.check)) ? 4u : 0;
	}
	*ret = s;
	return finish(w, &in, seen == 7);
}

void
wire_extent(struct buf *b, unsigned field, const struct extent *e)
{
	size_t mark = wire_begin(b, field);

	wire_id(b, EXTENT_BLOB, e->blob.id);
	wire_u64(b, EXTENT_PLACE, e->blob.place);
	wire_u64(b, EXTENT_BLOB_SIZE, e->blob.size);
	wire_u64(b, EXTENT_OFF, e->off);
	wire_u64(b, EXTENT_LEN, e->len);
	wire_end(b, mark);
}

bool
wire_get_extent(struct wire *w, struct extent *ret)
{
	struct extent e = { .off = 0 };
	uint64_t end;
	struct wire in;

	if (!message(w, &in))
		return false;
	while (wire_next(&in)) {
		if (in.field == EXTENT_BLOB)
			wire_get_id(&in, &e.blob.id);
		else if (in.field == EXTENT_PLACE)
			wire_get_u64(&in, UINT64_MAX, &e.blob.place);
		else if (in.field == EXTENT_BLOB_SIZE)
			wire_get_u64(&in, UINT64_MAX, &e.blob.size);
		else if (in.field == EXTENT_OFF)
			wire_get_u64(&in, UINT64_MAX, &e.off);
		else if (in.field == EXTENT_LEN)
			wire_get_u64(&in, UINT64_MAX, &e.len);
	}
	/* Offsets are of plain bytes: those of a sealed blob are fewer than it holds. */
	if (!finish(w, &in, !id_is_zero(e.blob.id) && !__builtin_add_overflow(e.off, e.len, &end) && end <= e.blob.size))
		return false;
	*ret = e;
	return true;
}

void
wire_run(struct buf *b, unsigned field, const struct part_run *r)
{
	size_t mark = wire_begin(b, field);

	wire_u64(b, RUN_FIRST, r->first);
	wire_u64(b, RUN_COUNT, r->count);
	wire_u64(b, RUN_SIZE, r->size);
	wire_end(b, mark);
}

bool
wire_get_run(struct wire *w, struct part_run *ret)
{
	struct part_run r = { 0, 0, 0 };
	struct wire in;

	if (!message(w, &in))
		return false;
	while (wire_next(&in)) {
		if (in.field == RUN_FIRST)
			wire_get_u32(&in, UINT16_MAX, &r.first);
		else if (in.field == RUN_COUNT)
			wire_get_u32(&in, UINT16_MAX, &r.count);
		else if (in.field == RUN_SIZE)
			wire_get_u64(&in, UINT64_MAX, &r.size);
	}
	*ret = r;
	return finish(w, &in, true);
}

err_v
record_pairs_read(str bytes, const char *what, const struct pair_fields *f, struct arena *a,
    struct pairs *ret_headers, struct pairs *ret_metadata, struct pairs *ret_tags)
{
	struct { unsigned field; struct pairs *ret; unsigned n; } lists[] = {
		{ f->header, ret_headers, 0 }, { f->metadata, ret_metadata, 0 }, { f->tag, ret_tags, 0 },
	};
	struct wire w;

	for (w = wire_of(bytes); wire_next(&w);)
		for (unsigned i = 0; i < 3; i++)
			lists[i].n += w.field == lists[i].field;
	for (unsigned i = 0; i < 3; i++) {
		struct pairs p = { NULL, 0 };

		if (lists[i].n > PAIRS_MAX)
			return record_broken(what, "too many pairs");
		if (lists[i].n > 0 && (p.at = arena_try(a, lists[i].n * sizeof(*p.at))) == NULL)
			return record_broken(what, "too large for the memory of a request");
		for (w = wire_of(bytes); p.n < lists[i].n && wire_next(&w);)
			if (w.field == lists[i].field && wire_get_pair(&w, &p.at[p.n]))
				p.n++;
		if (w.bad)
			return record_broken(what, "pairs");
		*lists[i].ret = p;
	}
	return ERR_OK;
}

bool
etag_pack(str etag, uint8_t ret_md5[16], uint32_t *ret_parts)
{
	uint64_t parts = 0;

	if (etag.len < 32)
		return false;
	for (size_t i = 0; i < 32; i++)
		if (etag.p[i] >= 'A' && etag.p[i] <= 'F')
			return false;
	if (etag.len > 32) {
		/* Only what comes out the same again. */
		if (etag.p[32] != '-' || etag.len < 34 || etag.p[33] == '0' || !str_u64(str_skip(etag, 33), &parts) || parts > UINT16_MAX)
			return false;
	}
	if (!hex_decode(str_sub(etag, 0, 32), ret_md5))
		return false;
	*ret_parts = (uint32_t)parts;
	return true;
}

str
etag_unpack(struct arena *a, const uint8_t md5[16], uint32_t parts)
{
	char *p = arena_try(a, 32 + 6);
	size_t len = 32;

	if (p == NULL)
		return STR_NONE;
	hex_encode(str_n(md5, 16), p);
	if (parts > 0) {
		char digits[5];
		size_t n = 0;

		for (uint32_t v = parts; v > 0; v /= 10)
			digits[n++] = (char)('0' + v % 10);
		p[len++] = '-';
		while (n > 0)
			p[len++] = digits[--n];
	}
	return str_n(p, len);
}
