/*
 * catalog_list.c - listings: objects, versions, uploads.
 *
 * One scan, which sees one state of the bucket. A common prefix costs one seek, whatever lies below it; keys with
 * older versions cost the listing of objects nothing, because V rows lie elsewhere, and that of versions two seeks.
 */
#include "base/clock.h"
#include "base/panic.h"
#include "meta/catalog_impl.h"

struct lister {
	const struct list_query *q;
	struct arena *arena;
	struct kv_iter *it;
	enum row_kind kind;
	struct row_key end;
	char key[OBJECT_KEY_MAX];	/* of the row that the iterator is at */
	size_t key_len;
	str rest;			/* what follows the key in its row's name; borrowed from the iterator */
	str owner;			/* of the row before: mostly the same again */
	unsigned passed;		/* delete markers that the page does not show */
	uint64_t began_ms;
	struct list_page page;
};

static str
current_key(const struct lister *l)
{
	return str_n(l->key, l->key_len);
}

/* The next row of the page, or NULL: it is full, and there is more. */
static struct list_row *
next_row(struct lister *l)
{
	if (l->page.n == l->q->max) {
		l->page.more = true;
		return NULL;
	}
	return &l->page.row[l->page.n++];
}

/* What is borrowed from the iterator must be copied. */
static str
keep(struct lister *l, str raw, str s)
{
	if (s.p >= raw.p && s.p < raw.p + raw.len)
		return arena_str(l->arena, s);
	return s;
}

static str
keep_owner(struct lister *l, str s)
{
	if (!str_eq(s, l->owner))
		l->owner = arena_str(l->arena, s);
	return l->owner;
}

/* The common prefix that the current key falls under, if any. */
static bool
common_prefix(const struct lister *l, str *ret)
{
	str key = current_key(l), d = l->q->delimiter, rest = str_skip(key, l->q->prefix.len);
	ptrdiff_t at;

	if (d.len == 0)
		return false;
	at = d.len == 1 ? str_find(rest, d.p[0]) : str_find_str(rest, d);
	if (at < 0)
		return false;
	*ret = str_sub(key, 0, l->q->prefix.len + (size_t)at + d.len);
	return true;
}

/* One row for all keys below p; the iterator goes on behind them. */
static void
add_prefix(struct lister *l, str p)
{
	struct list_row *row = next_row(l);
	struct row_key behind;

	if (row == NULL)
		return;
	*row = (struct list_row){ .is_prefix = true, .prefix = arena_str(l->arena, p) };
	behind = row_behind(row_prefix(l->kind, p));
	kv_iter_seek(l->it, row_str(&behind));
}

static void
add_object(struct lister *l, str raw, const struct object *o, bool is_latest)
{
	struct list_row *row = next_row(l);

	if (row == NULL)
		return;
	*row = (struct list_row){ .is_latest = is_latest, .object = *o };
	row->object.key = arena_str(l->arena, current_key(l));
	row->object.etag = keep(l, raw, o->etag);
	row->object.owner_org = keep_owner(l, o->owner_org);
}

/* The current key is a delete marker. After very many of them the page ends: the next one begins there. */
static void
pass_marker(struct lister *l)
{
	const struct list_query *q = l->q;
	str unused;

	if (++l->passed < LIST_PASS_MAX || q->early == LIST_FULL || (q->early == LIST_EARLY_AT_KEY && common_prefix(l, &unused))) {
		kv_iter_next(l->it);
		return;
	}
	l->page.more = l->page.early = true;
	l->page.end = (struct list_row){ .object.key = arena_str(l->arena, current_key(l)) };
}

static err
list_object(struct lister *l)
{
	str raw = kv_iter_value(l->it), prefix;
	struct older unused;
	struct object o;

	TRY(record_object_read(raw, RECORD_LISTED, l->arena, &unused, &o));
	if (o.delete_marker) {
		pass_marker(l);
		return ERR_OK;
	}
	if (common_prefix(l, &prefix)) {
		add_prefix(l, prefix);
		return ERR_OK;
	}
	add_object(l, raw, &o, true);
	if (!l->page.more)
		kv_iter_next(l->it);
	return ERR_OK;
}

/* V rows of the current key, older than "from"; then back to the O rows. */
static err
list_older(struct lister *l, struct id from)
{
	struct row_key first = row_next(row_version(current_key(l), from)), end = row_behind(row_of_key(ROW_VERSION, current_key(l))), back;
	struct older unused;
	struct object o;

	kv_iter_seek(l->it, row_str(&first));
	for (; kv_iter_valid(l->it) && str_cmp(kv_iter_key(l->it), row_str(&end)) < 0; kv_iter_next(l->it)) {
		str raw = kv_iter_value(l->it);

		TRY(record_object_read(raw, RECORD_LISTED, l->arena, &unused, &o));
		add_object(l, raw, &o, false);
		if (l->page.more)
			return ERR_OK;
	}
	TRY(kv_iter_error(l->it));
	back = row_behind(row_object(current_key(l)));
	kv_iter_seek(l->it, row_str(&back));
	return ERR_OK;
}

/* Where a listing of versions goes on within its key: NULL at the key's beginning. */
static const struct id *
resume_after(const struct lister *l, const struct object *newest, const struct older *older)
{
	const struct list_query *q = l->q;

	if (!q->has_after_version || !str_eq(current_key(l), q->after))
		return NULL;
	if (!q->after_version.null)
		return &q->after_version.id;
	if (newest->version.null)
		return &newest->version.id;
	return older->has_null ? &older->null : NULL;	/* gone since: rather some rows twice than some never */
}

static err
list_version(struct lister *l)
{
	str raw = kv_iter_value(l->it), prefix;
	const struct id *after;
	struct id from;
	struct older older;
	struct object o;

	if (common_prefix(l, &prefix)) {
		add_prefix(l, prefix);
		return ERR_OK;
	}
	TRY(record_object_read(raw, RECORD_LISTED, l->arena, &older, &o));
	after = resume_after(l, &o, &older);
	from = after != NULL ? *after : o.version.id;	/* all V rows are older than that */
	if (after == NULL || memcmp(o.version.id.byte, from.byte, ID_LEN) < 0) {
		add_object(l, raw, &o, true);
		if (l->page.more)
			return ERR_OK;
	}
	if (older.any)
		return list_older(l, from);
	kv_iter_next(l->it);
	return ERR_OK;
}

static err
list_upload(struct lister *l)
{
	str raw = kv_iter_value(l->it), prefix;
	struct list_row *row;
	struct upload u;

	if (common_prefix(l, &prefix)) {
		add_prefix(l, prefix);
		return ERR_OK;
	}
	TRY(record_upload_read(raw, RECORD_LISTED, l->arena, &u));
	if (!row_upload_id(l->rest, &u.id))
		return err_errno(EBADMSG, "name of an upload's row");
	row = next_row(l);
	if (row == NULL)
		return ERR_OK;
	u.key = arena_str(l->arena, current_key(l));
	u.owner_org = keep_owner(l, u.owner_org);
	u.initiator = keep(l, raw, u.initiator);
	*row = (struct list_row){ .upload = u };
	kv_iter_next(l->it);
	return ERR_OK;
}

/* The first name that the page may show. */
static struct row_key
first_row(const struct lister *l)
{
	const struct list_query *q = l->q;
	struct row_key from = row_prefix(l->kind, q->prefix), start;
	str after = str_sub(q->after, 0, OBJECT_KEY_MAX);
	bool whole = after.len == q->after.len;		/* longer than any key: what follows it follows its beginning */

	if (after.len == 0)
		return from;
	if (whole && q->after_is_prefix)
		start = row_behind(row_prefix(l->kind, after));
	else if (whole && q->has_after_version && q->what == LIST_VERSIONS)
		start = row_of_key(l->kind, after);
	else if (whole && q->has_after_version && q->what == LIST_UPLOADS)
		start = row_next(row_upload(after, q->after_upload));
	else
		start = row_behind(row_of_key(l->kind, after));
	return str_cmp(row_str(&start), row_str(&from)) > 0 ? start : from;
}

static err
list_rows(struct lister *l)
{
	static err_v (*const one[])(struct lister *) = {
		[LIST_OBJECTS] = list_object, [LIST_VERSIONS] = list_version, [LIST_UPLOADS] = list_upload,
	};

	while (!l->page.more && kv_iter_valid(l->it) && str_cmp(kv_iter_key(l->it), row_str(&l->end)) < 0) {
		if (!row_object_key(kv_iter_key(l->it), l->kind, l->key, &l->key_len, &l->rest))
			return err_errno(EBADMSG, "name of a row of kind %c", l->kind);
		TRY(one[l->q->what](l));
		if (l->q->early != LIST_FULL && l->page.n > 0 && clock_mono_ms() - l->began_ms > LIST_TIME_MAX_MS)
			l->page.more = true;
	}
	if (l->page.more && !l->page.early)
		l->page.end = l->page.row[l->page.n - 1];
	return kv_iter_error(l->it);
}

static err
open_scan(struct kv *kv, uint32_t space, str from, str to, const struct list_query *q, struct kv_iter **ret)
{
	if (q->once)
		return kv_scan_once(kv, space, from, to, ret);
	return (q->early == LIST_FULL ? kv_scan : kv_scan_brief)(kv, space, from, to, ret);
}

err_v
catalog_list(struct catalog *c, const struct bucket *b, const struct list_query *q, struct arena *a, struct list_page *ret)
{
	struct lister l = { .q = q, .arena = a, .kind = q->what == LIST_UPLOADS ? ROW_UPLOAD : ROW_OBJECT, .began_ms = clock_mono_ms() };
	struct row_key first, scan_end;
	err_v e;

	CHECK_OBJ(c, CATALOG_MAGIC);
	assert(q->max > 0);
	*ret = (struct list_page){ .n = 0 };
	if (q->prefix.len > OBJECT_KEY_MAX)
		return ERR_OK;
	first = first_row(&l);
	l.end = row_behind(row_prefix(l.kind, q->prefix));
	if (str_cmp(row_str(&first), row_str(&l.end)) >= 0)
		return ERR_OK;
	scan_end = q->what == LIST_VERSIONS ? row_behind(row_kind_from(ROW_VERSION)) : l.end;
	l.page.row = arena_room(a, arena_mul(q->max, sizeof(*l.page.row)));	/* not zeroed: most pages fill little of it */
	if (l.page.row == NULL)
		return err_errno(ENOMEM, "a page of %u rows", q->max);
	TRY(open_scan(c->kv, b->space, row_str(&first), row_str(&scan_end), q, &l.it));
	e = list_rows(&l);
	kv_iter_close(&l.it);
	TRY(e);
	*ret = l.page;
	return ERR_OK;
}
