/*
 * record_bucket.c - rows H, L, J, T and D: buckets, links, and the work lists.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "meta/record_impl.h"

/* The numbers of record.proto. */
static const struct field bucket_fields[] = {
	[1] = U32_FIELD(struct bucket, state, BUCKET_DELETED),
	[2] = STR_FIELD(struct bucket, name),
	[3] = STR_FIELD(struct bucket, org),
	[4] = STR_FIELD(struct bucket, location),
	[5] = STR_FIELD(struct bucket, creator),
	[6] = U64_FIELD(struct bucket, created_ms),
	[7] = U32_FIELD(struct bucket, versioning, VERSIONING_SUSPENDED),
	[8] = U64_FIELD(struct bucket, generation),
	[9] = BOOL_FIELD(struct bucket, has_policy),
	[10] = BOOL_FIELD(struct bucket, has_lifecycle),
	[11] = BOOL_FIELD(struct bucket, has_cors),
	[12] = BOOL_FIELD(struct bucket, has_tags),
	[13] = BOOL_FIELD(struct bucket, audit),
	[14] = BOOL_FIELD(struct bucket, archive),
	[15] = U32_FIELD(struct bucket, archive_days, UINT32_MAX),
	[16] = U64_FIELD(struct bucket, capacity_cap),
	[17] = U32_FIELD(struct bucket, space, UINT32_MAX),
	[18] = U64_FIELD(struct bucket, deleted_ms),
};
static const struct field pending_fields[] = {
	[1] = U64_FIELD(struct pending, made_ms),
	[2] = ID_FIELD(struct pending, body),
	[3] = U32_FIELD(struct pending, space, UINT32_MAX),
	[4] = STR_FIELD(struct pending, key),
	[5] = ID_FIELD(struct pending, upload),
	[6] = U32_FIELD(struct pending, part, UINT16_MAX),
};
static const struct field dead_fields[] = {
	[1] = U32_FIELD(struct dead_record, kind, DEAD_TOKEN),
	[2] = ID_FIELD(struct dead_record, body),
	[3] = ID_FIELD(struct dead_record, owner),
	[4] = STR_FIELD(struct dead_record, part),
	[5] = STR_FIELD(struct dead_record, token),
};
enum { LINK_GENERATION = 1, LINK_OWNER, LINK_BLOB, LINK_CONDEMNED };
enum { TOKEN_MADE_MS = 1, TOKEN_PARAMETERS };

void
record_bucket(struct buf *b, const struct bucket *k)
{
	assert(k->space != KV_SYSTEM_SPACE);
	record_begin(b);
	fields_write(b, bucket_fields, COUNT(bucket_fields), k);
}

err_v
record_bucket_read(str raw, struct bucket *ret)
{
	static const char what[] = "a bucket";
	struct bucket k = { .header = raw };

	TRY(fields_read(raw, what, bucket_fields, COUNT(bucket_fields), &k));
	if (k.space == KV_SYSTEM_SPACE || k.name.len == 0)
		return record_broken(what, "no name or no space");
	*ret = k;
	return ERR_OK;
}

void
record_link(struct buf *b, const struct link *l)
{
	struct extent whole = { .blob = l->blob, .off = 0, .len = l->blob.size };

	record_begin(b);
	wire_u64(b, LINK_GENERATION, l->generation);
	if (l->has_owner)
		wire_id(b, LINK_OWNER, l->owner);
	if (l->has_blob)
		wire_extent(b, LINK_BLOB, &whole);
	wire_u64(b, LINK_CONDEMNED, l->condemned);
}

err_v
record_link_read(str raw, struct link *ret)
{
	static const char what[] = "a link";
	struct link l = { .generation = 0 };
	struct extent whole;
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);) {
		switch (w.field) {
		case LINK_GENERATION: wire_get_u64(&w, UINT64_MAX - 1, &l.generation); break;
		case LINK_OWNER: l.has_owner = wire_get_id(&w, &l.owner); break;
		case LINK_BLOB:
			l.has_blob = wire_get_extent(&w, &whole);
			if (l.has_blob)
				l.blob = whole.blob;
			break;
		case LINK_CONDEMNED: wire_get_bool(&w, &l.condemned); break;
		default: break;
		}
	}
	if (w.bad)
		return record_broken(what, "not a message");
	*ret = l;
	return ERR_OK;
}

void
record_pending(struct buf *b, const struct pending *p)
{
	record_begin(b);
	fields_write(b, pending_fields, COUNT(pending_fields), p);
}

err_v
record_pending_read(str raw, struct pending *ret)
{
	static const char what[] = "a pending link";
	struct pending p = { .made_ms = 0 };

	TRY(fields_read(raw, what, pending_fields, COUNT(pending_fields), &p));
	if (id_is_zero(p.body) || p.space == KV_SYSTEM_SPACE || (p.key.len == 0) == id_is_zero(p.upload))
		return record_broken(what, "no body, or neither an object nor a part");
	*ret = p;
	return ERR_OK;
}

void
record_token(struct buf *b, const struct token *t)
{
	record_begin(b);
	wire_u64(b, TOKEN_MADE_MS, t->made_ms);
	wire_bytes(b, TOKEN_PARAMETERS, str_n(t->parameters, sizeof(t->parameters)));
}

err_v
record_token_read(str raw, struct token *ret)
{
	static const char what[] = "a client token";
	struct token t = { .made_ms = 0 };
	bool seen = false;
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);) {
		if (w.field == TOKEN_MADE_MS)
			wire_get_u64(&w, UINT64_MAX, &t.made_ms);
		else if (w.field == TOKEN_PARAMETERS)
			seen = wire_get_fixed(&w, t.parameters, sizeof(t.parameters));
	}
	if (w.bad || !seen)
		return record_broken(what, "not a message");
	*ret = t;
	return ERR_OK;
}

void
record_dead(struct buf *b, const struct dead_record *d)
{
	record_begin(b);
	fields_write(b, dead_fields, COUNT(dead_fields), d);
}

err_v
record_dead_read(str raw, struct dead_record *ret)
{
	static const char what[] = "a dead entry";
	struct dead_record d = { .kind = DEAD_BODY };

	TRY(fields_read(raw, what, dead_fields, COUNT(dead_fields), &d));
	if ((d.kind != DEAD_TOKEN && id_is_zero(d.body)) || d.kind == DEAD_LINK)
		return record_broken(what, "no body");
	*ret = d;
	return ERR_OK;
}
