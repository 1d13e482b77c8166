/*
 * policies.c - organization policies and OIDC issuers, kept as they were given.
 */
#include "access/access_impl.h"
#include "access/list_impl.h"
#include "base/mem.h"
#include "base/panic.h"

/* ---- policies ---- */

/* What is stored: the policy object itself, without the wrapper {"policy": ...}. */
static str
unwrapped(str json, struct arena *arena)
{
	AUTO(json_free) json_t *root = json_loadb(json.p, json.len, 0, NULL);
	json_t *inner = json_object_get(root, "policy");

	return inner != NULL ? record_text(inner, arena) : json;
}

err_v
policy_new(str org, str json, struct kv_batch *b, struct arena *arena, str *ret_name)
{
	AUTO(policy_free) struct policy *p = NULL;
	str row;

	TRY(policy_compile_org(org, json, &p));
	*ret_name = arena_str(arena, p->name);
	row = row_key(arena, "AP", org, p->name);
	kv_put(b, row, unwrapped(json, arena));
	return ERR_OK;
}

err_v
access_policy_ensure(struct access *a, str org, str json, struct arena *arena, str *ret_name)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	str name, before;
	err_v e;

	(void)l;
	TRY(change_begin(a, org, &b));
	TRY(policy_new(org, json, b, arena, &name));
	e = row_get(a, row_key(arena, "AP", org, name), arena, &before);
	if (err_is(e, ERR_NOT_FOUND.code))
		e = rows_room(a, "AP", org, ACCESS_POLICIES_MAX);
	TRY(e);
	TRY(change_commit(a, b));
	TRY(org_reload(a, org));
	*ret_name = name;
	return ERR_OK;
}

static err
list_policy(void *arg, str org, str name, str value)
{
	struct list *l = arg;
	void *item;

	TRY(list_add(l, value.len + sizeof(str), &item));
	*(str *)item = arena_str(l->arena, value);
	return ERR_OK;
}

err_v
access_policy_list(struct access *a, str org, struct arena *arena, str **ret, unsigned *ret_n)
{
	AUTO(list_done) struct list l = { .arena = arena, .item = sizeof(str) };

	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(rows_each(a->kv, "AP", org, list_policy, &l));
	*ret = list_take(&l, ret_n);
	return ERR_OK;
}

/* Delete a row of an organization that must be there. */
static err
row_delete(struct access *a, const char *kind, str org, str name, struct kv_batch *b)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	str row = row_key(mem, kind, org, name), value;

	TRY(row_get(a, row, mem, &value));
	kv_expect_value(b, row, value);
	kv_delete(b, row);
	return change_commit(a, b);
}

err_v
access_policy_delete(struct access *a, str org, str name)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;

	(void)l;
	TRY(text_check("name", name, TEXT_NOT_EMPTY, 255));
	TRY(change_begin(a, org, &b));
	TRY(row_delete(a, "AP", org, name, b));
	return org_reload(a, org);
}

/* ---- issuers ---- */

static err
issuer_read(str id, str value, struct arena *arena, struct issuer *ret)
{
	AUTO(json_free) json_t *r = NULL;

	TRY(record_parse(value, &r));
	*ret = (struct issuer){
		.id = arena_str(arena, id),
		.name = record_str(r, "name", arena),
		.description = record_str(r, "description", arena),
		.issuer = record_str(r, "issuer", arena),
		.audience = record_str(r, "audience", arena),
	};
	return ERR_OK;
}

enum issuer_where
access_issuer_where(str url)
{
	str rest = url, scheme = str_take_until(&rest, ':'), authority, host;

	if (!str_starts(rest, STR("//")))
		return ISSUER_NOWHERE;
	rest = str_skip(rest, 2);
	authority = str_take_until(&rest, '/');
	rest = authority;
	host = str_take_until(&rest, ':');
	if (str_empty(host) || str_find(authority, '@') >= 0)	/* what stands before it is no host */
		return ISSUER_NOWHERE;
	if (str_eq(scheme, STR("https")))
		return ISSUER_HTTPS;
	if (str_eq(scheme, STR("http")) && (str_eq(host, STR("127.0.0.1")) || str_eq(host, STR("localhost"))))
		return ISSUER_LOOPBACK;
	return ISSUER_NOWHERE;
}

bool
access_issuer_may_name(str issuer, str url)
{
	enum issuer_where where = access_issuer_where(url);

	return where == ISSUER_HTTPS || (where == ISSUER_LOOPBACK && access_issuer_where(issuer) == ISSUER_LOOPBACK);
}

static err
issuer_check(const struct issuer *i)
{
	TRY(text_check("name", i->name, TEXT_MAY_BE_EMPTY, 255));
	TRY(text_check("description", i->description, TEXT_MAY_BE_EMPTY, 1024));
	TRY(text_check("issuer", i->issuer, TEXT_NOT_EMPTY, 512));
	TRY(text_check("audience", i->audience, TEXT_NOT_EMPTY, 512));
	if (access_issuer_where(i->issuer) == ISSUER_NOWHERE)
		return err_s3f(S3_InvalidArgument, "issuer must be an https:// URL.");
	if (str_find(i->issuer, '*') >= 0 || str_find(i->issuer, '?') >= 0 || str_find(i->issuer, '#') >= 0)
		return err_s3f(S3_InvalidArgument, "issuer has a query, a fragment or a wildcard.");
	return ERR_OK;
}

struct issuer_search { struct arena *arena; str issuer; struct issuer found; bool any; };

static err
match_issuer(void *arg, str org, str name, str value)
{
	struct issuer_search *s = arg;
	struct issuer i;

	TRY(issuer_read(name, value, s->arena, &i));
	if (str_eq(i.issuer, s->issuer)) {
		s->found = i;
		s->any = true;
	}
	return ERR_OK;
}

err_v
access_issuer_find(struct access *a, str org, str issuer_url, struct arena *arena, struct issuer *ret)
{
	struct issuer_search s = { .arena = arena, .issuer = issuer_url };

	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(rows_each(a->kv, "AI", org, match_issuer, &s));
	if (!s.any)
		return ERR_NOT_FOUND;
	*ret = s.found;
	return ERR_OK;
}

err_v
access_issuer_ensure(struct access *a, str org, const struct issuer *i, struct arena *arena, struct issuer *ret)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	struct issuer made = *i, before;
	json_t *r;
	char id[12];
	err_v e;

	(void)l;
	TRY(issuer_check(i));
	TRY(change_begin(a, org, &b));
	e = access_issuer_find(a, org, i->issuer, arena, &before);
	if (err_is(e, ERR_NOT_FOUND.code)) {
		e = rows_room(a, "AI", org, ACCESS_ISSUERS_MAX);
		random_text(ALPHABET_HEX, sizeof(id), id);
		before.id = arena_str(arena, str_n(id, sizeof(id)));
	}
	TRY(e);
	made.id = before.id;
	r = record_new();
	record_set_str(r, "name", made.name);
	record_set_str(r, "description", made.description);
	record_set_str(r, "issuer", made.issuer);
	record_set_str(r, "audience", made.audience);
	record_put(b, row_key(arena, "AI", org, made.id), &r);
	TRY(change_commit(a, b));
	*ret = made;
	return ERR_OK;
}

static err
list_issuer(void *arg, str org, str name, str value)
{
	struct list *l = arg;
	void *item;

	TRY(list_add(l, value.len + sizeof(struct issuer), &item));
	return issuer_read(name, value, l->arena, item);
}

err_v
access_issuer_list(struct access *a, str org, struct arena *arena, struct issuer **ret, unsigned *ret_n)
{
	AUTO(list_done) struct list l = { .arena = arena, .item = sizeof(struct issuer) };

	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(rows_each(a->kv, "AI", org, list_issuer, &l));
	*ret = list_take(&l, ret_n);
	return ERR_OK;
}

err_v
access_issuer_delete(struct access *a, str org, str id)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;

	(void)l;
	TRY(text_check("id", id, TEXT_NOT_EMPTY, 64));
	TRY(change_begin(a, org, &b));
	return row_delete(a, "AI", org, id, b);
}
