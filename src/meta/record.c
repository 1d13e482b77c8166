/*
 * record.c - format byte, and the messages that several records share.
 */
#include "meta/record_impl.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define PAIRS_MAX 4096u

enum { CHECKSUM_ALG = 1, CHECKSUM_TYPE, CHECKSUM_VALUE };
enum { SSE_KEY_MD5 = 1, SSE_SALT, SSE_CHECK };

/* The numbers of record.proto. */
static const struct field pair_fields[] = {
	[1] = STR_FIELD(struct pair, name),
	[2] = STR_FIELD(struct pair, value),
};
static const struct field extent_fields[] = {
	[1] = ID_FIELD(struct extent, blob.id),
	[2] = U64_FIELD(struct extent, blob.place),
	[3] = U64_FIELD(struct extent, blob.size),
	[4] = U64_FIELD(struct extent, off),
	[5] = U64_FIELD(struct extent, len),
};
static const struct field run_fields[] = {
	[1] = U32_FIELD(struct part_run, first, UINT16_MAX),
	[2] = U32_FIELD(struct part_run, count, UINT16_MAX),
	[3] = U64_FIELD(struct part_run, size),
};

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
fields_write(struct buf *b, const struct field *f, size_t n, const void *from)
{
	for (unsigned i = 0; i < n; i++) {
		const void *p = (const char *)from + f[i].at;

		switch (f[i].kind) {
		case FIELD_NONE:
			break;
		case FIELD_BOOL:
			wire_u64(b, i, *(const bool *)p);
			break;
		case FIELD_U32:
			wire_u64(b, i, *(const uint32_t *)p);
			break;
		case FIELD_U64:
			wire_u64(b, i, *(const uint64_t *)p);
			break;
		case FIELD_STR:
			wire_bytes(b, i, *(const str *)p);
			break;
		case FIELD_ID:
			wire_id(b, i, *(const struct id *)p);
			break;
		}
	}
}

void
field_read(struct wire *w, const struct field *f, size_t n, void *ret)
{
	void *p;

	if (w->field >= n)
		return;
	p = (char *)ret + f[w->field].at;
	switch (f[w->field].kind) {
	case FIELD_NONE:
		break;
	case FIELD_BOOL:
		wire_get_bool(w, p);
		break;
	case FIELD_U32:
		wire_get_u32(w, (uint32_t)f[w->field].max, p);
		break;
	case FIELD_U64:
		wire_get_u64(w, f[w->field].max, p);
		break;
	case FIELD_STR:
		wire_get_str(w, p);
		break;
	case FIELD_ID:
		wire_get_id(w, p);
		break;
	}
}

err_v
fields_read(str raw, const char *what, const struct field *f, size_t n, void *ret)
{
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);)
		field_read(&w, f, n, ret);
	return w.bad ? record_broken(what, "not a message") : ERR_OK;
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

static void
message_write(struct buf *b, unsigned field, const struct field *f, size_t n, const void *from)
{
	size_t mark = wire_begin(b, field);

	fields_write(b, f, n, from);
	wire_end(b, mark);
}

static bool
message_read(struct wire *w, const struct field *f, size_t n, void *ret)
{
	struct wire in;

	if (!message(w, &in))
		return false;
	while (wire_next(&in))
		field_read(&in, f, n, ret);
	return finish(w, &in, true);
}

void
wire_pairs(struct buf *b, unsigned field, struct pairs pairs)
{
	assert(pairs.n <= PAIRS_MAX);
	for (unsigned i = 0; i < pairs.n; i++)
		message_write(b, field, pair_fields, COUNT(pair_fields), &pairs.at[i]);
}

static bool
get_pair(struct wire *w, struct pair *ret)
{
	*ret = (struct pair){ STR(""), STR("") };
	return message_read(w, pair_fields, COUNT(pair_fields), ret);
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
	message_write(b, field, extent_fields, COUNT(extent_fields), e);
}

bool
wire_get_extent(struct wire *w, struct extent *ret)
{
	struct extent e = { .off = 0 };
	uint64_t end;

	if (!message_read(w, extent_fields, COUNT(extent_fields), &e))
		return false;
	/* Offsets are of plain bytes: those of a sealed blob are fewer than it holds. */
	if (id_is_zero(e.blob.id) || __builtin_add_overflow(e.off, e.len, &end) || end > e.blob.size) {
		w->bad = true;
		return false;
	}
	*ret = e;
	return true;
}

void
wire_run(struct buf *b, unsigned field, const struct part_run *r)
{
	message_write(b, field, run_fields, COUNT(run_fields), r);
}

bool
wire_get_run(struct wire *w, struct part_run *ret)
{
	*ret = (struct part_run){ 0 };
	return message_read(w, run_fields, COUNT(run_fields), ret);
}

err_v
record_pairs_read(str bytes, const char *what, const struct pair_fields *f, struct arena *a,
    struct pairs *ret_headers, struct pairs *ret_metadata, struct pairs *ret_tags)
{
	struct { unsigned field; struct pairs *ret; unsigned n; str from; } lists[] = {
		{ f->header, ret_headers, 0, STR_NONE }, { f->metadata, ret_metadata, 0, STR_NONE }, { f->tag, ret_tags, 0, STR_NONE },
	};
	struct wire w = wire_of(bytes);

	/* How many of each, and where the first of them begins. */
	for (str at = w.rest; wire_next(&w); at = w.rest)
		for (unsigned i = 0; i < 3; i++)
			if (w.field == lists[i].field && lists[i].n++ == 0)
				lists[i].from = at;
	for (unsigned i = 0; i < 3; i++) {
		struct pairs p = { NULL, 0 };

		if (lists[i].n > PAIRS_MAX)
			return record_broken(what, "too many pairs");
		if (lists[i].n > 0 && (p.at = arena_try(a, lists[i].n * sizeof(*p.at))) == NULL)
			return record_broken(what, "too large for the memory of a request");
		for (w = wire_of(lists[i].from); p.n < lists[i].n && wire_next(&w);)
			if (w.field == lists[i].field && get_pair(&w, &p.at[p.n]))
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
