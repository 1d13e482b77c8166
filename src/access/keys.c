/*
 * keys.c - access keys: made, shown, suspended, revoked, forgotten.
 */
#include "access/access_impl.h"
#include "access/list_impl.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define KEY_ID_RANDOM 16u
#define SECRET_RANDOM 40u
#define SESSION_RANDOM 64u
#define FORGET_AFTER_MS (24 * 3600 * 1000ull)
#define SWEEP_MAX 1000u		/* keys in one batch */

static const char *const status_names[] = { [KEY_ACTIVE] = "ACTIVE", [KEY_SUSPENDED] = "FULL_SUSPENDED", [KEY_EXPIRED] = "EXPIRED" };

const char *
access_key_status_name(enum key_status s)
{
	assert((size_t)s < COUNT(status_names));
	return status_names[s];
}

bool
access_key_status_parse(str s, enum key_status *ret)
{
	if (str_starts(s, STR("ACCESS_KEY_STATUS_")))
		s = str_skip(s, strlen("ACCESS_KEY_STATUS_"));
	if (str_eq(s, STR("ACTIVE")))
		*ret = KEY_ACTIVE;
	else if (str_eq(s, STR("SUSPENDED")) || str_eq(s, STR("FULL_SUSPENDED")))
		*ret = KEY_SUSPENDED;
	else
		return false;
	return true;
}

/* ---- form ---- */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A DNS label: lower case, digits, hyphens inside. */
static bool
is_label(str s)
{
	if (s.len == 0 || s.len > 63)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] >= 'A' && s.p[i] <= 'Z') || (!is_alnum(s.p[i]) && s.p[i] != '-'))
			return false;
	return s.p[0] != '-' && s.p[s.len - 1] != '-';
}

/* A Kubernetes label value: empty, or letters, digits, "-_." inside. */
static bool
is_label_value(str s)
{
	if (s.len == 0)
		return true;
	if (s.len > 63 || !is_alnum(s.p[0]) || !is_alnum(s.p[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return true;
}

static err
attributes_check(struct pairs p)
{
	if (p.n > ACCESS_ATTRIBUTES_MAX)
		return err_s3f(S3_InvalidArgument, "attributes: at most %u are allowed.", ACCESS_ATTRIBUTES_MAX);
	for (unsigned i = 0; i < p.n; i++) {
		str name = p.at[i].name;

		TRY(text_check("attributes", name, TEXT_NOT_EMPTY, 63));
		TRY(text_check("attributes", p.at[i].value, TEXT_MAY_BE_EMPTY, 63));
		if (!is_label(name) || str_starts(name, STR("cw-")) || str_starts(name, STR("role")) || str_starts(name, STR("groups")))
			return err_s3f(S3_InvalidArgument,
			    "attributes: \"%.*s\" is not a lower-case DNS label, or begins with cw-, role or groups.", STR_FMT(name));
		if (!is_label_value(p.at[i].value))
			return err_s3f(S3_InvalidArgument, "attributes: the value of \"%.*s\" is not a label value.", STR_FMT(name));
		for (unsigned k = 0; k < i; k++)
			if (str_eq(p.at[k].name, name))
				return err_s3f(S3_InvalidArgument, "attributes: \"%.*s\" comes twice.", STR_FMT(name));
	}
	return ERR_OK;
}

static err
key_check(const struct key_new *k)
{
	TRY(text_check("principal", k->principal, TEXT_NOT_EMPTY, 1024));
	if (k->duration_s > ACCESS_DURATION_MAX)
		return err_s3f(S3_InvalidArgument, "durationSeconds is 0 for a permanent key, or at most %u.", ACCESS_DURATION_MAX);
	TRY(attributes_check(k->attributes));
	return names_check("groups", k->groups, ACCESS_GROUPS_MAX);
}

/* ---- making ---- */

static void
make_texts(enum key_session session, char id[2 + KEY_ID_RANDOM], struct secret *secret, struct secret *token)
{
	memcpy(id, "CW", 2);
	random_text(ALPHABET_UPPER, KEY_ID_RANDOM, id + 2);
	*secret = (struct secret){ .bytes = "cwo", .len = 3 + SECRET_RANDOM };
	random_text(ALPHABET_ALNUM, SECRET_RANDOM, secret->bytes + 3);
	*token = (struct secret){ .len = session == KEY_WITH_SESSION ? SESSION_RANDOM : 0 };
	if (token->len > 0)
		random_text(ALPHABET_ALNUM, token->len, token->bytes);
}

err_v
key_new(struct access *a, const struct key_new *k, struct kv_batch *b, struct arena *arena, struct key_info *ret,
    struct secret *ret_secret, struct secret *ret_session)
{
	struct key_info info = { .org = k->org, .principal = k->principal, .attributes = k->attributes, .groups = k->groups };
	AUTO(json_free) json_t *r = record_new();
	char id[2 + KEY_ID_RANDOM];
	uint8_t hash[32];
	str sealed, row;

	lock_assert_held(&a->lock);
	TRY(key_check(k));
	make_texts(k->session, id, ret_secret, ret_session);
	info.id = arena_str(arena, str_n(id, sizeof(id)));
	info.created_ms = clock_wall_ms();
	info.expires_ms = k->duration_s != 0 ? info.created_ms + k->duration_s * 1000 : 0;
	TRY(seal(a->master, info.id, str_n(ret_secret->bytes, ret_secret->len), arena, &sealed));
	record_set_str(r, "principal", info.principal);
	record_set_u64(r, "created_ms", info.created_ms);
	record_set_u64(r, "expires_ms", info.expires_ms);
	record_set_pairs(r, "attributes", info.attributes);
	record_set_names(r, "groups", info.groups);
	record_set_str(r, "secret", sealed);
	if (ret_session->len > 0) {
		digest_once(DIGEST_SHA256, str_n(ret_session->bytes, ret_session->len), hash);
		record_set_str(r, "session", hex_str(arena, str_n(hash, sizeof(hash))));
	}
	row = row_key(arena, "AK", info.org, info.id);
	kv_expect_absent(b, row);
	record_put(b, row, &r);
	*ret = info;
	return ERR_OK;
}

err_v
key_reload(struct access *a, str org, str id)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	struct key_view *view;
	struct edit *edit;
	str value;

	TRY(row_get(a, row_key(mem, "AK", org, id), mem, &value));
	TRY(key_view_load(a, org, id, value, &view));
	edit = edit_begin(a);
	edit_key(edit, view);
	edit_publish(&edit);
	return ERR_OK;
}

/* Who may make keys could else walk around the suspension of those they have. Also true of keys that have ended since. */
static bool
has_suspended(const struct snapshot *now, const struct key_new *new)
{
	for (size_t at = 0; at < KEY_SLOTS; at++)
		for (unsigned i = 0; now->slot[at] != NULL && i < now->slot[at]->n; i++) {
			const struct key_info *k = &now->slot[at]->key[i]->info;

			if (k->status == KEY_SUSPENDED && str_eq(k->principal, new->principal) && str_eq(k->org, new->org))
				return true;
		}
	return false;
}

err_v
access_key_create(struct access *a, const struct key_new *k, struct arena *arena, struct key_info *ret,
    struct secret *ret_secret, struct secret *ret_session)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	const struct org_view *org;
	struct key_info info;

	(void)l;
	TRY(change_begin(a, k->org, &b));
	org = snapshot_org(atomic_load(&a->now), k->org);
	if (org == NULL)
		return ERR_NOT_FOUND;
	if (has_suspended(atomic_load(&a->now), k))
		return err_s3f(S3_AccessDenied, "The access keys of %.*s are suspended.", STR_FMT(str_sub(k->principal, 0, 200)));
	if (*org->keys >= ACCESS_KEYS_MAX)
		return err_errno(EDQUOT, "%u access keys are allowed", ACCESS_KEYS_MAX);
	TRY(key_new(a, k, b, arena, &info, ret_secret, ret_session));
	TRY(change_commit(a, b));
	TRY(key_reload(a, info.org, info.id));
	*ret = info;
	return ERR_OK;
}

/* ---- showing ---- */

static err
key_read(str org, str id, str value, struct arena *arena, struct key_info *ret)
{
	AUTO(json_free) json_t *r = NULL;
	uint64_t expires_ms;

	TRY(record_parse(value, &r));
	expires_ms = record_u64(r, "expires_ms");
	*ret = (struct key_info){
		.id = arena_str(arena, id),
		.org = arena_str(arena, org),
		.principal = record_str(r, "principal", arena),
		.status = expires_ms != 0 && clock_wall_ms() >= expires_ms ? KEY_EXPIRED :
		    record_flag(r, "suspended") ? KEY_SUSPENDED : KEY_ACTIVE,
		.created_ms = record_u64(r, "created_ms"),
		.expires_ms = expires_ms,
		.attributes = record_pairs(r, "attributes", arena),
		.groups = record_names(r, "groups", arena),
	};
	return ERR_OK;
}

err_v
access_key_get(struct access *a, str org, str id, struct arena *arena, struct key_info *ret)
{
	str value;

	CHECK_OBJ(a, ACCESS_MAGIC);
	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(text_check("accessKeyId", id, TEXT_NOT_EMPTY, 128));
	TRY(row_get(a, row_key(arena, "AK", org, id), arena, &value));
	return key_read(org, id, value, arena, ret);
}

struct key_page { struct list list; unsigned offset, limit; };

static err
list_key(void *arg, str org, str name, str value)
{
	struct key_page *p = arg;
	void *item;

	if (p->offset > 0) {
		p->offset--;
		return ERR_OK;
	}
	if (p->list.n == p->limit)
		return ERR_OK;
	TRY(list_add(&p->list, value.len + sizeof(struct key_info), &item));
	return key_read(org, name, value, p->list.arena, item);
}

static void
key_page_done(struct key_page *p)
{
	list_done(&p->list);
}

err_v
access_key_list(struct access *a, str org, unsigned offset, unsigned limit, struct arena *arena, struct key_info **ret, unsigned *ret_n)
{
	AUTO(key_page_done) struct key_page p = { { .arena = arena, .item = sizeof(struct key_info) }, offset, limit };

	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(rows_each(a->kv, "AK", org, list_key, &p));
	*ret = list_take(&p.list, ret_n);
	return ERR_OK;
}

/* ---- changing many ---- */

void
key_list_done(struct key_list *l)
{
	free(l->at);
	l->at = NULL;
}

static void
key_list_add(struct key_list *l, const struct key_view *k)
{
	l->at = mem_more(l->at, l->n, &l->room, sizeof(*l->at));
	l->at[l->n++] = k;
}

void
keys_of(struct access *a, str org, str principal, struct key_list *ret)
{
	const struct snapshot *now = atomic_load(&a->now);

	lock_assert_held(&a->lock);
	for (size_t at = 0; at < KEY_SLOTS; at++)
		for (unsigned i = 0; now->slot[at] != NULL && i < now->slot[at]->n; i++) {
			const struct key_view *k = now->slot[at]->key[i];

			if (str_eq(k->info.org, org) && str_eq(k->info.principal, principal))
				key_list_add(ret, k);
		}
}

err_v
keys_revoke(struct access *a, struct key_list *l, struct kv_batch *b)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 1 << 20);
	struct edit *edit;

	for (size_t i = 0; i < l->n; i++) {
		arena_reset(mem);
		kv_delete(b, row_key(mem, "AK", l->at[i]->info.org, l->at[i]->info.id));
	}
	TRY(change_commit(a, b));
	edit = edit_begin(a);
	for (size_t i = 0; i < l->n; i++)
		edit_key_gone(edit, l->at[i]->info.id);
	edit_publish(&edit);
	return ERR_OK;
}

err_v
access_key_revoke(struct access *a, str org, str id)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	AUTO(key_list_done) struct key_list keys = { 0 };
	const struct key_view *k;

	(void)l;
	TRY(change_begin(a, org, &b));
	k = snapshot_key(atomic_load(&a->now), id);
	if (k == NULL || !str_eq(k->info.org, org))
		return ERR_NOT_FOUND;
	key_list_add(&keys, k);
	return keys_revoke(a, &keys, b);
}

err_v
access_key_revoke_principal(struct access *a, str org, str principal, unsigned *ret_n)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	AUTO(key_list_done) struct key_list keys = { 0 };
	unsigned n;

	(void)l;
	TRY(text_check("principalName", principal, TEXT_NOT_EMPTY, 1024));
	TRY(change_begin(a, org, &b));
	keys_of(a, org, principal, &keys);
	n = (unsigned)keys.n;
	if (n > 0)
		TRY(keys_revoke(a, &keys, b));
	*ret_n = n;
	return ERR_OK;
}

/* The row of a key with another status; the rest as it is. */
static err
put_status(struct access *a, const struct key_view *k, enum key_status status, struct kv_batch *b, struct arena *mem)
{
	AUTO(json_free) json_t *r = NULL;
	str row = row_key(mem, "AK", k->info.org, k->info.id), value;

	TRY(row_get(a, row, mem, &value));
	TRY(record_parse(value, &r));
	record_set_flag(r, "suspended", status == KEY_SUSPENDED);
	record_put(b, row, &r);
	return ERR_OK;
}

err_v
access_key_set_status(struct access *a, str org, str principal, enum key_status status)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	AUTO(key_list_done) struct key_list keys = { 0 };
	struct edit *edit;
	err_v e = ERR_OK;

	(void)l;
	assert(status == KEY_ACTIVE || status == KEY_SUSPENDED);
	TRY(text_check("principalName", principal, TEXT_NOT_EMPTY, 1024));
	TRY(change_begin(a, org, &b));
	keys_of(a, org, principal, &keys);
	if (keys.n == 0)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < keys.n; i++) {
		arena_reset(mem);
		TRY(put_status(a, keys.at[i], status, b, mem));
	}
	TRY(change_commit(a, b));
	edit = edit_begin(a);
	for (size_t i = 0; i < keys.n && err_ok(e); i++) {
		struct key_view *view;
		str value;

		arena_reset(mem);
		e = row_get(a, row_key(mem, "AK", org, keys.at[i]->info.id), mem, &value);
		if (err_ok(e))
			e = key_view_load(a, org, keys.at[i]->info.id, value, &view);
		if (err_ok(e))
			edit_key(edit, view);
	}
	edit_publish(&edit);
	return e;
}

err_v
access_sweep(struct access *a, unsigned *ret_n)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(KV_SYSTEM_SPACE);
	AUTO(key_list_done) struct key_list keys = { 0 };
	uint64_t before_ms = clock_wall_ms() - FORGET_AFTER_MS;
	const struct snapshot *now = atomic_load(&a->now);
	unsigned tokens;

	(void)l;
	for (size_t at = 0; at < KEY_SLOTS; at++)
		for (unsigned i = 0; now->slot[at] != NULL && i < now->slot[at]->n && keys.n < SWEEP_MAX; i++) {
			const struct key_view *k = now->slot[at]->key[i];

			if (k->info.status == KEY_ACTIVE && k->info.expires_ms != 0 && k->info.expires_ms < before_ms)
				key_list_add(&keys, k);
		}
	if (keys.n > 0)
		TRY(keys_revoke(a, &keys, b));
	TRY(tokens_sweep(a, before_ms, &tokens));
	*ret_n = (unsigned)keys.n + tokens;
	return ERR_OK;
}
