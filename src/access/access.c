/*
 * access.c - open and close; whose key is this.
 */
#include "access/access_impl.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/panic.h"

/* Is the index under this master key? One that holds nothing yet becomes so. */
static err
master_agree(struct access *a)
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	AUTO(json_free) json_t *record = NULL;
	char check[64];
	err_v e;
	str row;

	master_check(a->master, check);
	e = kv_get(a->kv, KV_SYSTEM_SPACE, STR("AM"), KV_MAY_BLOCK, mem, &row);
	if (err_ok(e)) {
		TRY(record_parse(row, &record));
		if (!str_eq(record_str(record, "check", mem), str_n(check, sizeof(check))))
			return err_errno(EKEYREJECTED, "the index is under another master key");
		return ERR_OK;
	}
	if (!err_is(e, ERR_NOT_FOUND.code))
		return e;
	b = kv_batch_new(KV_SYSTEM_SPACE);
	kv_expect_absent(b, STR("AM"));
	master_put(b, a->master);
	return kv_commit(a->kv, b);
}

err_v
access_open(struct kv *kv, struct catalog *catalog, const uint8_t master_key[32], struct access **ret)
{
	AUTO(access_close) struct access *a = mem_alloc_aligned(64, sizeof(*a));
	err_v e;

	memset(a, 0, sizeof(*a));
	a->magic = ACCESS_MAGIC;
	a->kv = kv;
	a->catalog = catalog;
	lock_init(&a->lock, LOCK_ACCESS);
	lock_init(&a->cache_lock, LOCK_BUCKETS);
	rcu_init(&a->rcu, LOCK_RCU);
	a->vault = vault_new();
	a->master = (uint8_t *)vault_take(a->vault);
	memcpy(a->master, master_key, 32);
	TRY(master_agree(a));
	lock_take(&a->lock);
	e = snapshot_load(a);
	lock_drop(&a->lock);
	TRY(e);
	*ret = a;
	a = NULL;
	return ERR_OK;
}

void
access_close(struct access **ap)
{
	struct access *a = *ap;

	if (a == NULL)
		return;
	CHECK_OBJ(a, ACCESS_MAGIC);
	snapshot_free(a);
	cache_free(a);
	vault_free(&a->vault);
	rcu_done(&a->rcu);
	lock_done(&a->cache_lock);
	lock_done(&a->lock);
	a->magic = 0;
	free(a);
	*ap = NULL;
}

static void
copy_principal(const struct key_view *k, struct arena *arena, struct principal *ret)
{
	*ret = (struct principal){
		.org = arena_str(arena, k->info.org),
		.name = arena_str(arena, k->info.principal),
		.access_key = arena_str(arena, k->info.id),
	};
	if (k->info.groups.n == 0)
		return;
	ret->groups.at = ARENA_ARRAY(arena, struct pair, k->info.groups.n);
	for (unsigned i = 0; i < k->info.groups.n; i++)
		ret->groups.at[ret->groups.n++] = (struct pair){ arena_str(arena, k->info.groups.at[i].name), STR("") };
}

/* A key without session token takes none; one with must come with it. */
static err
check_session(const struct key_view *k, str token)
{
	uint8_t hash[32];

	if (!k->has_session)
		return str_empty(token) ? ERR_OK : err_s3(S3_InvalidToken);
	if (str_empty(token))
		return err_s3(S3_InvalidToken);
	digest_once(DIGEST_SHA256, token, hash);
	return str_eq_secret(str_n(hash, sizeof(hash)), str_n(k->session, sizeof(k->session))) ? ERR_OK : err_s3(S3_InvalidToken);
}

static err
key_usable(const struct key_view *k, str token)
{
	if (k == NULL)
		return err_s3(S3_InvalidAccessKeyId);
	if (k->info.expires_ms != 0 && clock_wall_ms() >= k->info.expires_ms)
		return err_s3(S3_ExpiredToken);
	TRY(check_session(k, token));
	if (k->info.status == KEY_SUSPENDED)
		return err_s3f(S3_AccessDenied, "The access key is suspended.");
	return ERR_OK;
}

err_v
access_key_find(struct access *a, str access_key, str token, struct arena *arena, struct principal *ret, struct secret *ret_secret)
{
	const struct key_view *k;
	struct rcu_section section;
	err_v e;

	CHECK_OBJ(a, ACCESS_MAGIC);
	rcu_enter(&a->rcu, &section);
	k = snapshot_key(atomic_load(&a->now), access_key);
	e = key_usable(k, token);
	if (err_ok(e)) {
		copy_principal(k, arena, ret);
		memcpy(ret_secret->bytes, k->secret, k->secret_len);
		ret_secret->bytes[k->secret_len] = '\0';
		ret_secret->len = k->secret_len;
	}
	rcu_leave(&section);
	return e;
}
