/*
 * users.c - users, and the tokens by which they reach the control API.
 *
 * A token is "CW-SECRET-", its organization, and 40 random characters. The index has its SHA-256 only: there is nothing to find by
 * guessing at it, so a plain hash is enough.
 */
#include "access/access_impl.h"
#include "access/list_impl.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define TOKEN_PREFIX "CW-SECRET-"
#define TOKEN_RANDOM 40u
#define ORG_ID_LEN 6u
#define TOKEN_ID_LEN 16u

static const char *const role_names[] = { [ROLE_USER] = "user", [ROLE_ADMIN] = "admin", [ROLE_OPERATOR] = "operator" };

const char *
access_role_name(enum access_role r)
{
	assert((size_t)r < COUNT(role_names));
	return role_names[r];
}

bool
access_role_parse(str s, enum access_role *ret)
{
	for (size_t i = 0; i < COUNT(role_names); i++) {
		if (!str_eq(s, str_c(role_names[i])))
			continue;
		*ret = (enum access_role)i;
		return true;
	}
	return false;
}

/* ---- users ---- */

static err
user_check(const struct user *u)
{
	TRY(text_check("principal", u->principal, TEXT_NOT_EMPTY, 255));
	if (!str_starts(u->principal, STR("coreweave/")) || u->principal.len == strlen("coreweave/"))
		return err_s3f(S3_InvalidArgument, "A user's principal is coreweave/UID.");
	if (str_find(u->principal, '*') >= 0 || str_find(u->principal, '?') >= 0)
		return err_s3f(S3_InvalidArgument, "A principal has no wildcards.");
	TRY(text_check("name", u->name, TEXT_MAY_BE_EMPTY, 255));
	return names_check("groups", u->groups, ACCESS_GROUPS_MAX);
}

static void
user_put(struct kv_batch *b, const struct user *u)
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	json_t *r = record_new();

	record_set_str(r, "name", u->name);
	record_set_str(r, "role", str_c(access_role_name(u->role)));
	record_set_names(r, "groups", u->groups);
	record_set_u64(r, "created_ms", u->created_ms);
	record_put(b, row_key(mem, "AU", u->org, u->principal), &r);
}

static err
user_read(str org, str principal, str value, struct arena *arena, struct user *ret)
{
	AUTO(json_free) json_t *r = NULL;
	struct user u = { .org = arena_str(arena, org), .principal = arena_str(arena, principal) };

	TRY(record_parse(value, &r));
	u.name = record_str(r, "name", arena);
	u.groups = record_names(r, "groups", arena);
	u.created_ms = record_u64(r, "created_ms");
	if (!access_role_parse(record_str(r, "role", arena), &u.role))
		return ERR_DAMAGED;
	*ret = u;
	return ERR_OK;
}

static err
user_get(struct access *a, str org, str principal, struct arena *arena, struct user *ret)
{
	str value;

	TRY(row_get(a, row_key(arena, "AU", org, principal), arena, &value));
	return user_read(org, principal, value, arena, ret);
}

err_v
user_new(struct access *a, const struct user *u, struct kv_batch *b, struct arena *arena, struct user *ret)
{
	struct user made = *u;
	char uid[20];

	lock_assert_held(&a->lock);
	if (str_empty(u->principal)) {
		random_text(ALPHABET_ALNUM, sizeof(uid), uid);
		made.principal = arena_fmt(arena, "coreweave/%.*s", (int)sizeof(uid), uid);
	}
	TRY(user_check(&made));
	made.created_ms = clock_wall_ms();
	kv_expect_absent(b, row_key(arena, "AU", made.org, made.principal));
	user_put(b, &made);
	*ret = made;
	return ERR_OK;
}

err_v
access_user_create(struct access *a, const struct user *u, struct arena *arena, struct user *ret)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	struct user there;
	err_v e;

	(void)l;
	TRY(change_begin(a, u->org, &b));
	TRY(rows_room(a, "AU", u->org, ACCESS_USERS_MAX));
	e = str_empty(u->principal) ? ERR_NOT_FOUND : user_get(a, u->org, u->principal, arena, &there);
	if (err_ok(e))
		return err_errno(EEXIST, "the user exists");
	if (!err_is(e, ERR_NOT_FOUND.code))
		return e;
	TRY(user_new(a, u, b, arena, &there));
	TRY(change_commit(a, b));
	*ret = there;
	return ERR_OK;
}

err_v
access_user_get(struct access *a, str org, str principal, struct arena *arena, struct user *ret)
{
	CHECK_OBJ(a, ACCESS_MAGIC);
	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(text_check("principal", principal, TEXT_NOT_EMPTY, 255));
	return user_get(a, org, principal, arena, ret);
}

static err
list_user(void *arg, str org, str name, str value)
{
	struct list *l = arg;
	void *item;

	TRY(list_add(l, value.len + sizeof(struct user), &item));
	return user_read(org, name, value, l->arena, item);
}

err_v
access_user_list(struct access *a, str org, struct arena *arena, struct user **ret, unsigned *ret_n)
{
	AUTO(list_done) struct list l = { .arena = arena, .item = sizeof(struct user) };

	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(rows_each(a->kv, "AU", org, list_user, &l));
	*ret = list_take(&l, ret_n);
	return ERR_OK;
}

err_v
access_user_set(struct access *a, const struct user *u)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	struct user now = *u, before;

	(void)l;
	TRY(user_check(u));
	TRY(change_begin(a, u->org, &b));
	TRY(user_get(a, u->org, u->principal, mem, &before));
	now.created_ms = before.created_ms;
	user_put(b, &now);
	return change_commit(a, b);
}

/* ---- tokens ---- */

static str
token_hash(str token, struct arena *arena)
{
	uint8_t hash[32];

	digest_once(DIGEST_SHA256, token, hash);
	return hex_str(arena, str_n(hash, sizeof(hash)));
}

static err
token_read(str org, str hash, str value, struct arena *arena, struct token *ret)
{
	AUTO(json_free) json_t *r = NULL;

	TRY(record_parse(value, &r));
	*ret = (struct token){
		.id = arena_str(arena, str_sub(hash, 0, TOKEN_ID_LEN)),
		.org = arena_str(arena, org),
		.principal = record_str(r, "principal", arena),
		.name = record_str(r, "name", arena),
		.created_ms = record_u64(r, "created_ms"),
		.expires_ms = record_u64(r, "expires_ms"),
	};
	return ERR_OK;
}

err_v
token_new(const struct token *t, uint64_t duration_s, struct kv_batch *b, struct arena *arena, struct token *ret, struct secret *ret_token)
{
	struct token made = *t;
	struct secret s = { .len = strlen(TOKEN_PREFIX) + ORG_ID_LEN + TOKEN_RANDOM };
	json_t *r = record_new();
	str hash;

	assert(t->org.len == ORG_ID_LEN);
	memcpy(s.bytes, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
	memcpy(s.bytes + strlen(TOKEN_PREFIX), t->org.p, ORG_ID_LEN);
	random_text(ALPHABET_ALNUM, TOKEN_RANDOM, s.bytes + strlen(TOKEN_PREFIX) + ORG_ID_LEN);
	hash = token_hash(str_n(s.bytes, s.len), arena);
	made.id = str_sub(hash, 0, TOKEN_ID_LEN);
	made.created_ms = clock_wall_ms();
	made.expires_ms = duration_s != 0 ? made.created_ms + duration_s * 1000 : 0;
	record_set_str(r, "principal", made.principal);
	record_set_str(r, "name", made.name);
	record_set_u64(r, "created_ms", made.created_ms);
	record_set_u64(r, "expires_ms", made.expires_ms);
	record_put(b, row_key(arena, "AT", made.org, hash), &r);
	*ret = made;
	*ret_token = s;
	secret_wipe(&s);
	return ERR_OK;
}

err_v
access_token_create(struct access *a, const struct token *t, uint64_t duration_s, struct arena *arena,
    struct token *ret, struct secret *ret_token)
{
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	struct secret token;
	struct token made;
	struct user user;

	(void)l;
	TRY(text_check("name", t->name, TEXT_MAY_BE_EMPTY, 255));
	if (duration_s > 100ull * 366 * 86400)
		return err_s3f(S3_InvalidArgument, "durationSeconds is more than a hundred years.");
	TRY(change_begin(a, t->org, &b));
	TRY(rows_room(a, "AT", t->org, ACCESS_TOKENS_MAX));
	TRY(text_check("principal", t->principal, TEXT_NOT_EMPTY, 255));
	TRY(user_get(a, t->org, t->principal, arena, &user));
	TRY(token_new(t, duration_s, b, arena, &made, &token));
	TRY(change_commit(a, b));
	*ret = made;
	*ret_token = token;
	secret_wipe(&token);
	return ERR_OK;
}

err_v
access_token_find(struct access *a, str token, struct arena *arena, struct caller *ret)
{
	str org = str_sub(token, strlen(TOKEN_PREFIX), ORG_ID_LEN), hash, value;
	struct token t;
	struct user u;
	err_v e;

	CHECK_OBJ(a, ACCESS_MAGIC);
	if (!str_starts(token, STR(TOKEN_PREFIX)) || token.len != strlen(TOKEN_PREFIX) + ORG_ID_LEN + TOKEN_RANDOM)
		return err_s3(S3_InvalidToken);
	hash = token_hash(token, arena);
	e = row_get(a, row_key(arena, "AT", org, hash), arena, &value);
	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3(S3_InvalidToken);
	TRY(e);
	TRY(token_read(org, hash, value, arena, &t));
	if (t.expires_ms != 0 && clock_wall_ms() >= t.expires_ms)
		return err_s3(S3_ExpiredToken);
	e = user_get(a, org, t.principal, arena, &u);
	if (err_is(e, ERR_NOT_FOUND.code))
		return err_s3(S3_InvalidToken);
	TRY(e);
	*ret = (struct caller){
		.who = { .org = u.org, .name = u.principal, .access_key = STR(""), .groups = u.groups },
		.role = u.role,
		.token_id = t.id,
		.token_expires_ms = t.expires_ms,
	};
	return ERR_OK;
}

static err
list_token(void *arg, str org, str name, str value)
{
	struct list *l = arg;
	void *item;

	TRY(list_add(l, value.len + sizeof(struct token), &item));
	return token_read(org, name, value, l->arena, item);
}

err_v
access_token_list(struct access *a, str org, struct arena *arena, struct token **ret, unsigned *ret_n)
{
	AUTO(list_done) struct list l = { .arena = arena, .item = sizeof(struct token) };

	TRY(text_check("orgId", org, TEXT_NOT_EMPTY, 32));
	TRY(rows_each(a->kv, "AT", org, list_token, &l));
	*ret = list_take(&l, ret_n);
	return ERR_OK;
}

/* Tokens to be deleted: by id, of a principal, or long expired. */
struct token_sweep {
	struct arena *arena;
	struct kv_batch *batch;
	str id, principal;
	uint64_t before_ms;
	unsigned n;
};

static err
sweep_token(void *arg, str org, str hash, str value)
{
	struct token_sweep *s = arg;
	struct token t;

	arena_reset(s->arena);
	TRY(token_read(org, hash, value, s->arena, &t));
	if ((s->id.p != NULL && str_eq(s->id, t.id)) || (s->principal.p != NULL && str_eq(s->principal, t.principal)) ||
	    (t.expires_ms != 0 && t.expires_ms < s->before_ms)) {
		kv_delete(s->batch, row_key(s->arena, "AT", org, hash));
		s->n++;
	}
	return ERR_OK;
}

err_v
access_token_revoke(struct access *a, str org, str id)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	struct token_sweep s = { .arena = mem, .id = id };

	(void)l;
	TRY(text_check("id", id, TEXT_NOT_EMPTY, TOKEN_ID_LEN));
	TRY(change_begin(a, org, &b));
	s.batch = b;
	TRY(rows_each(a->kv, "AT", org, sweep_token, &s));
	return s.n > 0 ? change_commit(a, b) : ERR_NOT_FOUND;
}

err_v
tokens_sweep(struct access *a, uint64_t before_ms, unsigned *ret_n)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(KV_SYSTEM_SPACE);
	struct token_sweep s = { .arena = mem, .batch = b, .before_ms = before_ms };

	lock_assert_held(&a->lock);
	TRY(rows_each(a->kv, "AT", STR_NONE, sweep_token, &s));
	if (s.n > 0)
		TRY(change_commit(a, b));
	*ret_n = s.n;
	return ERR_OK;
}

err_v
access_user_delete(struct access *a, str org, str principal)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	AUTO(arena_free) struct arena *scratch = arena_new(4096, 4 << 20);
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	AUTO(key_list_done) struct key_list keys = { 0 };
	struct token_sweep s = { .principal = principal };
	struct user user;

	(void)l;
	TRY(text_check("principal", principal, TEXT_NOT_EMPTY, 255));
	TRY(change_begin(a, org, &b));
	TRY(user_get(a, org, principal, mem, &user));
	s.arena = scratch;
	s.batch = b;
	TRY(rows_each(a->kv, "AT", org, sweep_token, &s));
	kv_delete(b, row_key(mem, "AU", org, principal));
	keys_of(a, org, principal, &keys);
	return keys_revoke(a, &keys, b);
}
