/*
 * admin.c - organizations, and what all changes share.
 *
 * Each change expects the row of its organization: none can slip in beside a deletion of it, whoever runs on the same index.
 */
#include "access/admin.h"

#include "access/access_impl.h"
#include "access/list_impl.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"

/* ---- lists ---- */

err_v
list_add(struct list *l, size_t row_bytes, void **ret)
{
	l->bytes += row_bytes;
	if (l->bytes > LIST_BYTES_MAX)
		return err_errno(E2BIG, "the list is larger than %zu bytes", LIST_BYTES_MAX);
	if (l->n == l->room) {
		l->room = l->room * 2 + 16;
		l->at = mem_grow(l->at, l->room * l->item);
	}
	*ret = l->at + (size_t)l->n++ * l->item;
	memset(*ret, 0, l->item);
	return ERR_OK;
}

void *
list_take(struct list *l, unsigned *ret_n)
{
	void *ret = NULL;

	if (l->n > 0) {
		ret = arena_alloc(l->arena, l->n * l->item);
		memcpy(ret, l->at, l->n * l->item);
	}
	*ret_n = l->n;
	list_done(l);
	return ret;
}

void
list_done(struct list *l)
{
	free(l->at);
	l->at = NULL;
}

/* ---- changes ---- */

NO_LOCK_ANALYSIS struct locked
locked_begin(struct access *a)
{
	CHECK_OBJ(a, ACCESS_MAGIC);
	lock_take(&a->lock);
	return (struct locked){ a };
}

NO_LOCK_ANALYSIS void
locked_done(struct locked *l)
{
	lock_drop(&l->access->lock);
}

err_v
row_get(struct access *a, str row, struct arena *arena, str *ret)
{
	return kv_get(a->kv, KV_SYSTEM_SPACE, row, KV_MAY_BLOCK, arena, ret);
}

static str
org_row(struct arena *arena, str org)
{
	return arena_fmt(arena, "AO%.*s", STR_FMT(org));
}

err_v
change_begin(struct access *a, str org, struct kv_batch **ret)
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	str row = org_row(mem, org), value;
	struct kv_batch *b;

	lock_assert_held(&a->lock);
	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(row_get(a, row, mem, &value));
	b = kv_batch_new(KV_SYSTEM_SPACE);
	kv_expect_value(b, row, value);
	*ret = b;
	return ERR_OK;
}

err_v
change_commit(struct access *a, struct kv_batch *b)
{
	err_v e = kv_commit(a->kv, b);

	return err_is(e, ERR_CONFLICT.code) ? err_s3(S3_OperationAborted) : e;
}

err_v
org_reload(struct access *a, str org)
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	struct org_view *view;
	struct edit *edit;
	str value;

	TRY(row_get(a, org_row(mem, org), mem, &value));
	TRY(org_view_load(a, org, value, &view));
	edit = edit_begin(a);
	edit_org(edit, view);
	edit_publish(&edit);
	return ERR_OK;
}

/* ---- organizations ---- */

static json_t *
org_record(const struct org *o)
{
	json_t *r = record_new();

	record_set_str(r, "name", o->name);
	record_set_u64(r, "created_ms", o->created_ms);
	record_set_flag(r, "control_audit", o->control_audit);
	record_set_flag(r, "bucket_audit", o->bucket_audit);
	record_set_u64(r, "capacity_cap", o->capacity_cap);
	return r;
}

static void
org_put(struct kv_batch *b, const struct org *o)
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	json_t *record = org_record(o);

	record_put(b, org_row(mem, o->id), &record);
}

err_v
org_new(struct access *a, str name, struct kv_batch *b, struct arena *arena, struct org *ret)
{
	char id[6];
	struct org o = { .name = name, .created_ms = clock_wall_ms() };

	lock_assert_held(&a->lock);
	TRY(text_check("name", name, TEXT_NOT_EMPTY, 255));
	if (atomic_load(&a->now)->orgs >= ACCESS_ORGS_MAX)
		return err_errno(EDQUOT, "%u organizations are allowed", ACCESS_ORGS_MAX);
	do
		random_text(ALPHABET_HEX, sizeof(id), id);
	while (snapshot_org(atomic_load(&a->now), str_n(id, sizeof(id))) != NULL);
	o.id = arena_str(arena, str_n(id, sizeof(id)));
	o.name = arena_str(arena, name);
	kv_expect_absent(b, org_row(arena, o.id));
	org_put(b, &o);
	*ret = o;
	return ERR_OK;
}

err_v
access_org_create(struct access *a, str name, struct arena *arena, struct org *ret)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(KV_SYSTEM_SPACE);
	struct org o;

	(void)l;
	TRY(org_new(a, name, b, arena, &o));
	TRY(change_commit(a, b));
	TRY(org_reload(a, o.id));
	*ret = o;
	return ERR_OK;
}

static struct org
org_copy(const struct org *o, struct arena *arena)
{
	struct org ret = *o;

	ret.id = arena_str(arena, o->id);
	ret.name = arena_str(arena, o->name);
	return ret;
}

err_v
access_org_get(struct access *a, str org, struct arena *arena, struct org *ret)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	const struct org_view *v = snapshot_org(atomic_load(&a->now), org);

	(void)l;
	if (v == NULL)
		return ERR_NOT_FOUND;
	*ret = org_copy(&v->org, arena);
	return ERR_OK;
}

err_v
access_org_list(struct access *a, struct arena *arena, struct org **ret, unsigned *ret_n)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	const struct snapshot *now = atomic_load(&a->now);
	struct org *list = now->orgs > 0 ? ARENA_ARRAY(arena, struct org, now->orgs) : NULL;

	(void)l;
	for (unsigned i = 0; i < now->orgs; i++)
		list[i] = org_copy(&now->org[i]->org, arena);
	*ret = list;
	*ret_n = now->orgs;
	return ERR_OK;
}

err_v
access_org_set(struct access *a, const struct org *o)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	const struct org_view *v;
	struct org now = *o;

	(void)l;
	TRY(text_check("name", o->name, TEXT_NOT_EMPTY, 255));
	TRY(change_begin(a, o->id, &b));
	v = snapshot_org(atomic_load(&a->now), o->id);
	if (v == NULL)
		return ERR_NOT_FOUND;
	now.created_ms = v->org.created_ms;
	org_put(b, &now);
	TRY(change_commit(a, b));
	return org_reload(a, o->id);
}

err_v
access_org_delete(struct access *a, str org)
{
	static const char *const kinds[] = { "AU", "AT", "AK", "AP", "AI" };
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	struct bucket *bucket;
	struct edit *edit;
	unsigned n;
	bool more;

	(void)l;
	TRY(change_begin(a, org, &b));
	TRY(catalog_bucket_list(a->catalog, org, STR_NONE, STR_NONE, 1, mem, &bucket, &n, &more));
	if (n > 0)
		return err_errno(ENOTEMPTY, "the organization owns buckets");
	for (size_t i = 0; i < COUNT(kinds); i++)
		kv_delete_range(b, arena_fmt(mem, "%s%.*s/", kinds[i], STR_FMT(org)),
		    arena_fmt(mem, "%s%.*s0", kinds[i], STR_FMT(org)));	/* '0' follows '/' */
	kv_delete(b, org_row(mem, org));
	TRY(change_commit(a, b));
	edit = edit_begin(a);
	edit_org_gone(edit, org);
	edit_publish(&edit);
	return ERR_OK;
}
