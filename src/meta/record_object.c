/*
 * record_object.c - rows O and V: one version of an object.
 *
 * Behind the format byte stands one byte of flags on the key's older versions, and the id of the null version if it is
 * one of them; so a version moves between O and V without being taken apart.
 */
#include "base/panic.h"
#include "meta/keys.h"
#include "meta/record_impl.h"

enum { OLDER_ANY = 1, OLDER_NULL = 2 };

enum {
	OBJECT_VERSION = 1, OBJECT_NULL_VERSION, OBJECT_DELETE_MARKER, OBJECT_OID, OBJECT_MODIFIED_MS, OBJECT_SIZE, OBJECT_ETAG_MD5,
	OBJECT_ETAG_PARTS, OBJECT_ETAG, OBJECT_CHECKSUM, OBJECT_CLASS, OBJECT_OWNER_ORG, OBJECT_DATA, OBJECT_BODY, OBJECT_EXTENT,
	OBJECT_PARTS, OBJECT_RUN, OBJECT_RESERVED, OBJECT_SSE, OBJECT_HEADER, OBJECT_METADATA, OBJECT_TAG, OBJECT_INLINED,
};

static const char WHAT[] = "an object";

static void
begin(struct buf *b, const struct older *older)
{
	record_begin(b);
	buf_add_char(b, (char)((older->any ? OLDER_ANY : 0) | (older->has_null ? OLDER_NULL : 0)));
	if (older->has_null)
		buf_add(b, id_bytes(&older->null));
}

static void
put_etag(struct buf *b, str etag)
{
	uint8_t md5[16];
	uint32_t parts;

	if (!etag_pack(etag, md5, &parts)) {
		wire_bytes(b, OBJECT_ETAG, etag);
		return;
	}
	wire_bytes(b, OBJECT_ETAG_MD5, str_n(md5, sizeof(md5)));
	wire_u64(b, OBJECT_ETAG_PARTS, parts);
}

void
record_object(struct buf *b, const struct older *older, const struct object *o)
{
	assert(!id_is_zero(o->version.id) && !id_is_zero(o->oid));
	assert(!o->delete_marker || o->data == DATA_NONE);
	assert(o->data != DATA_SINGLE || id_eq(o->body, o->extent.blob.id));
	assert(o->data != DATA_MULTIPART || !id_is_zero(o->body));
	begin(b, older);
	wire_id(b, OBJECT_VERSION, o->version.id);
	wire_u64(b, OBJECT_NULL_VERSION, o->version.null);
	wire_u64(b, OBJECT_DELETE_MARKER, o->delete_marker);
	wire_id(b, OBJECT_OID, o->oid);
	wire_u64(b, OBJECT_MODIFIED_MS, o->modified_ms);
	wire_u64(b, OBJECT_SIZE, o->size);
	put_etag(b, o->etag);
	wire_checksum(b, OBJECT_CHECKSUM, &o->checksum);
	wire_u64(b, OBJECT_CLASS, o->class);
	wire_bytes(b, OBJECT_OWNER_ORG, o->owner_org);
	wire_u64(b, OBJECT_DATA, o->data);
	if (o->data == DATA_SINGLE || o->data == DATA_MULTIPART)
		wire_id(b, OBJECT_BODY, o->body);
	if (o->data == DATA_SINGLE)
		wire_extent(b, OBJECT_EXTENT, &o->extent);
	wire_u64(b, OBJECT_PARTS, o->parts);
	if (o->nruns <= RUNS_IN_RECORD)
		for (unsigned i = 0; i < o->nruns; i++)
			wire_run(b, OBJECT_RUN, &o->runs[i]);
	wire_sse(b, OBJECT_SSE, &o->sse);
	wire_pairs(b, OBJECT_HEADER, o->headers);
	wire_pairs(b, OBJECT_METADATA, o->metadata);
	wire_pairs(b, OBJECT_TAG, o->tags);
	if (o->data == DATA_INLINE)
		wire_bytes(b, OBJECT_INLINED, o->inlined);
}

/* Flags and null version; ret: the message behind. */
static err
open_object(str raw, struct older *ret_older, str *ret)
{
	struct older older = { .any = false };
	uint8_t flags;

	TRY(record_open(raw, WHAT, &raw));
	if (raw.len == 0)
		return record_broken(WHAT, "no flags");
	flags = (uint8_t)raw.p[0];
	raw = str_skip(raw, 1);
	if (flags > (OLDER_ANY | OLDER_NULL))
		return record_broken(WHAT, "unknown flags");
	older.any = flags & OLDER_ANY;
	older.has_null = flags & OLDER_NULL;
	if (older.has_null) {
		if (raw.len < ID_LEN)
			return record_broken(WHAT, "no null version");
		memcpy(older.null.byte, raw.p, ID_LEN);
		raw = str_skip(raw, ID_LEN);
	}
	*ret_older = older;
	*ret = raw;
	return ERR_OK;
}

void
record_object_again(struct buf *b, const struct older *older, str raw)
{
	struct older was;
	str message = STR("");
	err_v e = open_object(raw, &was, &message);

	assert(err_ok(e));		/* the caller has read it */
	begin(b, older);
	buf_add(b, message);
}

/* An ETag in its short form; a text, if there is one too, counts before it. */
struct short_etag {
	bool set;
	uint8_t md5[16];
	uint32_t parts;
};

/* The fields that a listing shows; the rest by and by. */
static void
get_field(struct wire *w, struct object *o, struct short_etag *etag)
{
	uint32_t v;

	switch (w->field) {
	case OBJECT_VERSION: wire_get_id(w, &o->version.id); break;
	case OBJECT_NULL_VERSION: wire_get_bool(w, &o->version.null); break;
	case OBJECT_DELETE_MARKER: wire_get_bool(w, &o->delete_marker); break;
	case OBJECT_OID: wire_get_id(w, &o->oid); break;
	case OBJECT_MODIFIED_MS: wire_get_u64(w, UINT64_MAX, &o->modified_ms); break;
	case OBJECT_SIZE: wire_get_u64(w, INT64_MAX, &o->size); break;
	case OBJECT_ETAG_MD5: etag->set = wire_get_fixed(w, etag->md5, sizeof(etag->md5)); break;
	case OBJECT_ETAG_PARTS: wire_get_u32(w, UINT16_MAX, &etag->parts); break;
	case OBJECT_ETAG: wire_get_str(w, &o->etag); break;
	case OBJECT_CHECKSUM: wire_get_checksum(w, &o->checksum); break;
	case OBJECT_CLASS: o->class = wire_get_u32(w, CLASS_COUNT - 1, &v) ? (enum storage_class)v : CLASS_STANDARD; break;
	case OBJECT_OWNER_ORG: wire_get_str(w, &o->owner_org); break;
	case OBJECT_DATA: o->data = wire_get_u32(w, DATA_MULTIPART, &v) ? (enum data_kind)v : DATA_NONE; break;
	case OBJECT_BODY: wire_get_id(w, &o->body); break;
	case OBJECT_EXTENT: wire_get_extent(w, &o->extent); break;
	case OBJECT_PARTS: wire_get_u32(w, PART_NUMBER_MAX, &o->parts); break;
	case OBJECT_RUN: o->nruns++; break;
	case OBJECT_SSE: wire_get_sse(w, &o->sse); break;
	case OBJECT_INLINED: wire_get_str(w, &o->inlined); break;
	default: break;
	}
}

static const char *
why_not(const struct object *o)
{
	if (id_is_zero(o->version.id) || id_is_zero(o->oid))
		return "no version or no id";
	if (o->delete_marker && o->data != DATA_NONE)
		return "a delete marker with bytes";
	if (o->data == DATA_NONE && o->size != 0)
		return "no bytes, but a size";
	if (o->data == DATA_INLINE && (o->sse.on ? o->inlined.len < o->size : o->inlined.len != o->size))
		return "inlined bytes of another size";
	if (o->data == DATA_SINGLE && (id_is_zero(o->body) || !id_eq(o->body, o->extent.blob.id) || o->extent.len != o->size))
		return "an extent that does not fit";
	if (o->data == DATA_MULTIPART && (id_is_zero(o->body) || o->parts == 0))
		return "no body or no parts";
	if (o->nruns > RUNS_IN_RECORD)
		return "too many runs of parts";
	return NULL;
}

static err
get_runs(str message, struct arena *a, struct object *o)
{
	unsigned n = 0;
	struct wire w;

	o->runs = arena_try(a, o->nruns * sizeof(*o->runs));
	if (o->runs == NULL)
		return record_broken(WHAT, "too large for the memory of a request");
	for (w = wire_of(message); n < o->nruns && wire_next(&w);)
		if (w.field == OBJECT_RUN && wire_get_run(&w, &o->runs[n]))
			n++;
	if (w.bad || !runs_valid(o->runs, o->nruns, o->parts, o->size))
		return record_broken(WHAT, "runs of parts");
	return ERR_OK;
}

err_v
record_object_read(str raw, enum record_depth depth, struct arena *a, struct older *ret_older, struct object *ret)
{
	static const struct pair_fields fields = { OBJECT_HEADER, OBJECT_METADATA, OBJECT_TAG };
	struct object o = { .class = CLASS_STANDARD };
	struct short_etag etag = { .set = false };
	struct older older;
	const char *why;
	struct wire w;
	str message;

	TRY(open_object(raw, &older, &message));
	for (w = wire_of(message); wire_next(&w);)
		get_field(&w, &o, &etag);
	if (w.bad)
		return record_broken(WHAT, "not a message");
	why = why_not(&o);
	if (why != NULL)
		return record_broken(WHAT, why);
	if (etag.set && o.etag.p == NULL) {
		o.etag = etag_unpack(a, etag.md5, etag.parts);
		if (o.etag.p == NULL)
			return record_broken(WHAT, "too large for the memory of a request");
	}
	o.extent.body = o.body;
	if (depth == RECORD_FULL) {
		TRY(record_pairs_read(message, WHAT, &fields, a, &o.headers, &o.metadata, &o.tags));
		if (o.nruns > 0)
			TRY(get_runs(message, a, &o));
	} else {
		o.inlined = STR_NONE;
		o.nruns = 0;
	}
	*ret_older = older;
	*ret = o;
	return ERR_OK;
}
