/*
 * record_part.c - rows U, P and B: uploads, their parts, and whose a part's blob is.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "meta/keys.h"
#include "meta/record_impl.h"

/* The numbers of record.proto. */
static const struct field upload_fields[] = {
	[1] = U64_FIELD(struct upload, started_ms),
	[2] = STR_FIELD(struct upload, owner_org),
	[3] = STR_FIELD(struct upload, initiator),
	[4] = U32_FIELD(struct upload, class, CLASS_COUNT - 1),
	[5] = BOOL_FIELD(struct upload, checksum_set),
	[6] = U32_FIELD(struct upload, checksum_alg, DIGEST_COUNT - 1),
	[7] = U32_FIELD(struct upload, checksum_type, CHECKSUM_COMPOSITE),
	[8] = U64_FIELD(struct upload, generation),
};
enum { UPLOAD_SSE = 9, UPLOAD_HEADER, UPLOAD_METADATA, UPLOAD_TAG };
enum {
	PART_SIZE = 1, PART_MODIFIED_MS, PART_MD5, PART_ETAG, PART_CHECKSUM, PART_OID, PART_SSE, PART_BODY, PART_EXTENT, PART_INLINED,
};
enum { TABLE_RUN = 1 };

struct blob_owner { struct id upload; uint32_t part; };
static const struct field blob_owner_fields[] = {
	[1] = ID_FIELD(struct blob_owner, upload),
	[2] = U32_FIELD(struct blob_owner, part, PART_NUMBER_MAX),
};

void
record_upload(struct buf *b, const struct upload *u)
{
	record_begin(b);
	fields_write(b, upload_fields, COUNT(upload_fields), u);
	wire_sse(b, UPLOAD_SSE, &u->sse);
	wire_pairs(b, UPLOAD_HEADER, u->headers);
	wire_pairs(b, UPLOAD_METADATA, u->metadata);
	wire_pairs(b, UPLOAD_TAG, u->tags);
}

err_v
record_upload_read(str raw, enum record_depth depth, struct arena *a, struct upload *ret)
{
	static const struct pair_fields fields = { UPLOAD_HEADER, UPLOAD_METADATA, UPLOAD_TAG };
	static const char what[] = "an upload";
	struct upload u = { .class = CLASS_STANDARD };
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);) {
		if (w.field == UPLOAD_SSE)
			wire_get_sse(&w, &u.sse);
		else
			field_read(&w, upload_fields, COUNT(upload_fields), &u);
	}
	if (w.bad)
		return record_broken(what, "not a message");
	if (depth == RECORD_FULL)
		TRY(record_pairs_read(raw, what, &fields, a, &u.headers, &u.metadata, &u.tags));
	*ret = u;
	return ERR_OK;
}

void
record_part(struct buf *b, struct id upload, const struct part *p)
{
	char hex[32];

	assert(!id_is_zero(p->oid) && p->nextents <= EXTENTS_MAX);
	assert(p->nextents == 0 || p->inlined.len == 0);
	hex_encode(str_n(p->md5, sizeof(p->md5)), hex);
	record_begin(b);
	wire_u64(b, PART_SIZE, p->size);
	wire_u64(b, PART_MODIFIED_MS, p->modified_ms);
	wire_bytes(b, PART_MD5, str_n(p->md5, sizeof(p->md5)));
	if (!str_eq(p->etag, str_n(hex, sizeof(hex))))
		wire_bytes(b, PART_ETAG, p->etag);
	wire_checksum(b, PART_CHECKSUM, &p->checksum);
	wire_id(b, PART_OID, p->oid);
	wire_sse(b, PART_SSE, &p->sse);
	if (p->nextents > 0 && !id_eq(p->extents[0].body, upload))
		wire_id(b, PART_BODY, p->extents[0].body);
	for (unsigned i = 0; i < p->nextents; i++) {
		assert(id_eq(p->extents[i].body, p->extents[0].body));
		wire_extent(b, PART_EXTENT, &p->extents[i]);
	}
	wire_bytes(b, PART_INLINED, p->inlined);
}

static err
get_extents(str message, const char *what, struct id body, struct arena *a, struct part *p)
{
	uint64_t sum = 0;
	unsigned n = 0;
	struct wire w;

	if (p->nextents > EXTENTS_MAX)
		return record_broken(what, "too many extents");
	p->extents = arena_try(a, p->nextents * sizeof(*p->extents));
	if (p->extents == NULL)
		return record_broken(what, "too large for the memory of a request");
	for (w = wire_of(message); n < p->nextents && wire_next(&w);) {
		if (w.field != PART_EXTENT || !wire_get_extent(&w, &p->extents[n]))
			continue;
		p->extents[n].body = body;
		if (__builtin_add_overflow(sum, p->extents[n].len, &sum))
			w.bad = true;
		n++;
	}
	if (w.bad || sum != p->size)
		return record_broken(what, "extents");
	return ERR_OK;
}

static void
get_part_field(struct wire *w, struct part *p, struct id *body)
{
	switch (w->field) {
	case PART_SIZE: wire_get_u64(w, INT64_MAX, &p->size); break;
	case PART_MODIFIED_MS: wire_get_u64(w, UINT64_MAX, &p->modified_ms); break;
	case PART_MD5: wire_get_fixed(w, p->md5, sizeof(p->md5)); break;
	case PART_ETAG: wire_get_str(w, &p->etag); break;
	case PART_CHECKSUM: wire_get_checksum(w, &p->checksum); break;
	case PART_OID: wire_get_id(w, &p->oid); break;
	case PART_SSE: wire_get_sse(w, &p->sse); break;
	case PART_BODY: wire_get_id(w, body); break;
	case PART_EXTENT: p->nextents++; break;
	case PART_INLINED: wire_get_str(w, &p->inlined); break;
	default: break;
	}
}

err_v
record_part_read(str raw, struct id upload, enum record_depth depth, struct arena *a, struct part *ret)
{
	static const char what[] = "a part";
	struct part p = { .size = 0 };
	struct id body = upload;
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);)
		get_part_field(&w, &p, &body);
	if (w.bad || id_is_zero(p.oid))
		return record_broken(what, "not a message, or no id");
	if (p.nextents > 0 ? p.inlined.len > 0 : p.sse.on ? p.inlined.len < p.size : p.inlined.len != p.size)
		return record_broken(what, "bytes do not fit");
	if (p.etag.p == NULL && (p.etag = etag_unpack(a, p.md5, 0)).p == NULL)
		return record_broken(what, "too large for the memory of a request");
	if (depth == RECORD_LISTED) {
		p.nextents = 0;
		p.inlined = STR_NONE;
	} else if (p.nextents > 0) {
		TRY(get_extents(raw, what, body, a, &p));
	}
	*ret = p;
	return ERR_OK;
}

void
record_runs(struct buf *b, const struct part_run *runs, unsigned n)
{
	record_begin(b);
	for (unsigned i = 0; i < n; i++)
		wire_run(b, TABLE_RUN, &runs[i]);
}

err_v
record_runs_read(str raw, struct arena *a, struct part_run **ret, unsigned *ret_n)
{
	static const char what[] = "a part table";
	struct part_run *runs;
	unsigned n = 0, i = 0;
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);)
		n += w.field == TABLE_RUN;
	if (w.bad || n == 0 || n > PART_NUMBER_MAX)
		return record_broken(what, "not a message, or no runs");
	runs = arena_try(a, n * sizeof(*runs));
	if (runs == NULL)
		return record_broken(what, "too large for the memory of a request");
	for (w = wire_of(raw); i < n && wire_next(&w);)
		if (w.field == TABLE_RUN && wire_get_run(&w, &runs[i]))
			i++;
	if (w.bad)
		return record_broken(what, "runs");
	*ret = runs;
	*ret_n = n;
	return ERR_OK;
}

bool
runs_valid(const struct part_run *runs, unsigned n, uint32_t parts, uint64_t size)
{
	uint64_t bytes = 0, run, count = 0;
	uint32_t next = 1;

	for (unsigned i = 0; i < n; i++) {
		const struct part_run *r = &runs[i];

		if (r->first < next || r->count == 0 || r->count > PART_NUMBER_MAX || r->first + r->count - 1 > PART_NUMBER_MAX)
			return false;
		if (__builtin_mul_overflow(r->size, r->count, &run) || __builtin_add_overflow(bytes, run, &bytes))
			return false;
		next = r->first + r->count;
		count += r->count;
	}
	return count == parts && bytes == size;
}

void
record_blob_owner(struct buf *b, struct id upload, uint32_t part)
{
	record_begin(b);
	fields_write(b, blob_owner_fields, COUNT(blob_owner_fields), &(struct blob_owner){ upload, part });
}

err_v
record_blob_owner_read(str raw, struct id *ret_upload, uint32_t *ret_part)
{
	static const char what[] = "a part's blob";
	struct blob_owner o = { .part = 0 };

	TRY(fields_read(raw, what, blob_owner_fields, COUNT(blob_owner_fields), &o));
	if (id_is_zero(o.upload) || o.part == 0)
		return record_broken(what, "no upload or no part");
	*ret_upload = o.upload;
	*ret_part = o.part;
	return ERR_OK;
}
