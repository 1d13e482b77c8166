/*
 * record_bucket.c - rows H, L, J, T and D: buckets, links, and the work lists.
 */
#include "base/panic.h"
#include "meta/record_impl.h"

enum {
	BUCKET_STATE = 1, BUCKET_NAME, BUCKET_ORG, BUCKET_LOCATION, BUCKET_CREATOR, BUCKET_CREATED_MS, BUCKET_VERSIONING,
	BUCKET_GENERATION, BUCKET_HAS_POLICY, BUCKET_HAS_LIFECYCLE, BUCKET_HAS_CORS, BUCKET_HAS_TAGS, BUCKET_AUDIT, BUCKET_ARCHIVE,
	BUCKET_ARCHIVE_DAYS, BUCKET_CAPACITY_CAP, BUCKET_SPACE,
};
enum { LINK_GENERATION = 1, LINK_OWNER, LINK_BLOB, LINK_CONDEMNED };
enum { PENDING_MADE_MS = 1, PENDING_BODY, PENDING_SPACE, PENDING_KEY, PENDING_UPLOAD, PENDING_PART };
enum { TOKEN_MADE_MS = 1, TOKEN_PARAMETERS };
enum { DEAD_RECORD_KIND = 1, DEAD_RECORD_BODY, DEAD_RECORD_OWNER, DEAD_RECORD_PART, DEAD_RECORD_TOKEN };

void
record_bucket(struct buf *b, const struct bucket *k)
{
	assert(k->space != KV_SYSTEM_SPACE);
	record_begin(b);
	wire_u64(b, BUCKET_STATE, k->state);
	wire_bytes(b, BUCKET_NAME, k->name);
	wire_bytes(b, BUCKET_ORG, k->org);
	wire_bytes(b, BUCKET_LOCATION, k->location);
	wire_bytes(b, BUCKET_CREATOR, k->creator);
	wire_u64(b, BUCKET_CREATED_MS, k->created_ms);
	wire_u64(b, BUCKET_VERSIONING, k->versioning);
	wire_u64(b, BUCKET_GENERATION, k->generation);
	wire_u64(b, BUCKET_HAS_POLICY, k->has_policy);
	wire_u64(b, BUCKET_HAS_LIFECYCLE, k->has_lifecycle);
	wire_u64(b, BUCKET_HAS_CORS, k->has_cors);
	wire_u64(b, BUCKET_HAS_TAGS, k->has_tags);
	wire_u64(b, BUCKET_AUDIT, k->audit);
	wire_u64(b, BUCKET_ARCHIVE, k->archive);
	wire_u64(b, BUCKET_ARCHIVE_DAYS, k->archive_days);
	wire_u64(b, BUCKET_CAPACITY_CAP, k->capacity_cap);
	wire_u64(b, BUCKET_SPACE, k->space);
}

static void
get_bucket_field(struct wire *w, struct bucket *k)
{
	uint32_t v;

	switch (w->field) {
	case BUCKET_STATE: k->state = wire_get_u32(w, BUCKET_DELETED, &v) ? (enum bucket_state)v : BUCKET_LIVE; break;
	case BUCKET_NAME: wire_get_str(w, &k->name); break;
	case BUCKET_ORG: wire_get_str(w, &k->org); break;
	case BUCKET_LOCATION: wire_get_str(w, &k->location); break;
	case BUCKET_CREATOR: wire_get_str(w, &k->creator); break;
	case BUCKET_CREATED_MS: wire_get_u64(w, UINT64_MAX, &k->created_ms); break;
	case BUCKET_VERSIONING:
		k->versioning = wire_get_u32(w, VERSIONING_SUSPENDED, &v) ? (enum versioning)v : VERSIONING_NEVER;
		break;
	case BUCKET_GENERATION: wire_get_u64(w, UINT64_MAX, &k->generation); break;
	case BUCKET_HAS_POLICY: wire_get_bool(w, &k->has_policy); break;
	case BUCKET_HAS_LIFECYCLE: wire_get_bool(w, &k->has_lifecycle); break;
	case BUCKET_HAS_CORS: wire_get_bool(w, &k->has_cors); break;
	case BUCKET_HAS_TAGS: wire_get_bool(w, &k->has_tags); break;
	case BUCKET_AUDIT: wire_get_bool(w, &k->audit); break;
	case BUCKET_ARCHIVE: wire_get_bool(w, &k->archive); break;
	case BUCKET_ARCHIVE_DAYS: wire_get_u32(w, UINT32_MAX, &k->archive_days); break;
	case BUCKET_CAPACITY_CAP: wire_get_u64(w, UINT64_MAX, &k->capacity_cap); break;
	case BUCKET_SPACE: wire_get_u32(w, UINT32_MAX, &k->space); break;
	default: break;
	}
}

err_v
record_bucket_read(str raw, struct bucket *ret)
{
	static const char what[] = "a bucket";
	struct bucket k = { .header = raw };
	struct wire w;
	str message;

	TRY(record_open(raw, what, &message));
	for (w = wire_of(message); wire_next(&w);)
		get_bucket_field(&w, &k);
	if (w.bad || k.space == KV_SYSTEM_SPACE || k.name.len == 0)
		return record_broken(what, "not a message, or no name or space");
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
	wire_u64(b, PENDING_MADE_MS, p->made_ms);
	wire_id(b, PENDING_BODY, p->body);
	wire_u64(b, PENDING_SPACE, p->space);
	wire_bytes(b, PENDING_KEY, p->key);
	wire_id(b, PENDING_UPLOAD, p->upload);
	wire_u64(b, PENDING_PART, p->part);
}

err_v
record_pending_read(str raw, struct pending *ret)
{
	static const char what[] = "a pending link";
	struct pending p = { .made_ms = 0 };
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);) {
		switch (w.field) {
		case PENDING_MADE_MS: wire_get_u64(&w, UINT64_MAX, &p.made_ms); break;
		case PENDING_BODY: wire_get_id(&w, &p.body); break;
		case PENDING_SPACE: wire_get_u32(&w, UINT32_MAX, &p.space); break;
		case PENDING_KEY: wire_get_str(&w, &p.key); break;
		case PENDING_UPLOAD: wire_get_id(&w, &p.upload); break;
		case PENDING_PART: wire_get_u32(&w, UINT16_MAX, &p.part); break;
		default: break;
		}
	}
	if (w.bad || id_is_zero(p.body) || p.space == KV_SYSTEM_SPACE || (p.key.len == 0) == id_is_zero(p.upload))
		return record_broken(what, "not a message, or neither an object nor a part");
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
	wire_u64(b, DEAD_RECORD_KIND, d->kind);
	wire_id(b, DEAD_RECORD_BODY, d->body);
	wire_id(b, DEAD_RECORD_OWNER, d->owner);
	wire_bytes(b, DEAD_RECORD_PART, d->part);
	wire_bytes(b, DEAD_RECORD_TOKEN, d->token);
}

err_v
record_dead_read(str raw, struct dead_record *ret)
{
	static const char what[] = "a dead entry";
	struct dead_record d = { .kind = DEAD_BODY };
	uint32_t v;
	struct wire w;

	TRY(record_open(raw, what, &raw));
	for (w = wire_of(raw); wire_next(&w);) {
		switch (w.field) {
		case DEAD_RECORD_KIND: d.kind = wire_get_u32(&w, DEAD_TOKEN, &v) ? (enum dead_kind)v : DEAD_BODY; break;
		case DEAD_RECORD_BODY: wire_get_id(&w, &d.body); break;
		case DEAD_RECORD_OWNER: wire_get_id(&w, &d.owner); break;
		case DEAD_RECORD_PART: wire_get_str(&w, &d.part); break;
		case DEAD_RECORD_TOKEN: wire_get_str(&w, &d.token); break;
		default: break;
		}
	}
	if (w.bad || (d.kind != DEAD_TOKEN && id_is_zero(d.body)) || d.kind == DEAD_LINK)
		return record_broken(what, "not a message, or no body");
	*ret = d;
	return ERR_OK;
}
