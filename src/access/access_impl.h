/*
 * access_impl.h - what the files of this room share.
 *
 * The index holds the truth, as JSON rows in the system space:
 *
 *	AM			which master key secrets are under
 *	AO<org>			organization
 *	AU<org>/<principal>	user
 *	AT<org>/<sha256 hex>	token of the control API, by hash
 *	AK<org>/<id>		access key, its secret sealed under the master key
 *	AP<org>/<name>		organization policy, as it was given
 *	AI<org>/<id>		OIDC issuer
 *
 * Organizations, their policies and all keys are also in one snapshot in memory. Readers use it inside an RCU section. Writers hold
 * "lock" over commit and replacement: first the batch is durable, then the edit is published, then the call returns.
 */
#pragma once

#include <jansson.h>
#include <stdatomic.h>

#include "access/admin.h"
#include "access/policy.h"
#include "base/json.h"
#include "base/rcu.h"

/* ---- memory that no core file holds (vault.c) ---- */

struct vault;
#define VAULT_SLOT 128u
struct vault *vault_new(void);
void vault_free(struct vault **);
/* A slot, zeroed. Not thread-safe: under the lock of access. */
char *vault_take(struct vault *);
void vault_drop(struct vault *, char *slot);	/* wiped */

/* ---- the snapshot (snapshot.c) ---- */

#define KEY_SLOTS 4096u

/* Immutable but for the counter, which writers change under the lock. */
struct org_view {
	struct org org;
	struct policy **policy;		/* by name */
	unsigned policies;
	unsigned *keys;			/* how many it has; shared by the successive views of an org */
	struct arena *memory;
};
struct key_view {
	struct key_info info;		/* status: ACTIVE or SUSPENDED; expiry is looked at when asked */
	const char *secret;		/* in the vault */
	size_t secret_len;
	bool has_session;
	uint8_t session[32];		/* SHA-256 of the session token */
	struct arena *memory;
};
struct key_slot {
	unsigned n;
	const struct key_view *key[];
};
struct snapshot {
	struct org_view **org;		/* by id */
	unsigned orgs;
	struct key_slot *slot[KEY_SLOTS];	/* NULL: empty */
};

#define CACHE_SETS 1024u
#define CACHE_WAYS 4u

/* A bucket's policy, compiled; of one generation of the bucket. */
struct bucket_policy {
	uint32_t space;
	uint64_t generation;
	enum {
		BUCKET_POLICY_READY,
		BUCKET_POLICY_NONE,		/* removed since the bucket was read */
		BUCKET_POLICY_UNREADABLE	/* the stored text does not compile: nothing is allowed */
	} state;
	struct policy *policy;		/* READY */
};

struct access {
	unsigned magic;
#define ACCESS_MAGIC 0x3c9be1d7
	struct kv *kv;
	struct catalog *catalog;
	struct lock lock;		/* rank ACCESS: writers */
	struct rcu rcu;
	struct snapshot *_Atomic now;
	struct vault *vault;
	uint8_t *master GUARDED_BY(lock);	/* 32 bytes, in the vault */
	struct lock cache_lock;		/* rank BUCKETS: who fills the cache */
	struct bucket_policy *_Atomic cache[CACHE_SETS][CACHE_WAYS];
	unsigned cache_next GUARDED_BY(cache_lock);
};

/* Inside a section, or under the lock. NULL if there is none. */
const struct org_view *snapshot_org(const struct snapshot *, str org);
const struct key_view *snapshot_key(const struct snapshot *, str id);

/* A changed copy of the present snapshot. Under the lock, from begin to publish. */
struct edit;
struct edit *edit_begin(struct access *);
void edit_org(struct edit *, struct org_view *);	/* in place of the one of this id; takes it */
void edit_org_gone(struct edit *, str org);		/* with its keys */
void edit_key(struct edit *, struct key_view *);
void edit_key_gone(struct edit *, str id);
void edit_publish(struct edit **);			/* visible to every reader when it returns */

/* Views from records. */
err org_view_load(struct access *, str org, str record, struct org_view **ret);
err key_view_load(struct access *, str org, str id, str record, struct key_view **ret);
/* Build the first snapshot from the index. */
err snapshot_load(struct access *);
void snapshot_free(struct access *);

/* ---- records (record.c) ---- */

/* "AK" + org + "/" + name */
str row_key(struct arena *, const char *kind, str org, str name);
/* Call f for each row "kind" + org + "/"...; org STR_NONE: of all organizations. */
typedef err_v row_f(void *arg, str org, str name, str value);
err rows_each(struct kv *, const char *kind, str org, row_f *f, void *arg);
/* -EDQUOT if there are max already. */
err rows_room(struct access *, const char *kind, str org, unsigned max);
/* Members are borrowed into the arena. ERR_DAMAGED if it is not an object of version 1. */
err record_parse(str value, json_t **ret);
str record_str(json_t *, const char *member, struct arena *);		/* "" if absent */
uint64_t record_u64(json_t *, const char *member);
bool record_flag(json_t *, const char *member);
struct pairs record_pairs(json_t *, const char *member, struct arena *);	/* an object of strings */
struct pairs record_names(json_t *, const char *member, struct arena *);	/* a list of strings */
json_t *record_new(void);
void record_set_str(json_t *, const char *member, str);
void record_set_u64(json_t *, const char *member, uint64_t);
void record_set_flag(json_t *, const char *member, int on);
void record_set_pairs(json_t *, const char *member, struct pairs);
void record_set_names(json_t *, const char *member, struct pairs);
/* The put of a row; takes the record. */
void record_put(struct kv_batch *, str row, json_t **record);
str record_text(json_t *, struct arena *);

/* ---- checks of what callers bring (record.c) ---- */

/* S3_InvalidArgument naming the field: UTF-8 without control characters, 1 (or 0) to max bytes. */
enum text_may { TEXT_NOT_EMPTY, TEXT_MAY_BE_EMPTY };
err text_check(const char *field, str, enum text_may, size_t max);
err names_check(const char *field, struct pairs, unsigned max);

/* ---- changes (admin.c) ---- */

/* A batch in the system space that also expects the organization to be as it is. ERR_NOT_FOUND if it is not there. Under the lock. */
err change_begin(struct access *, str org, struct kv_batch **ret);
err change_commit(struct access *, struct kv_batch *);
/* Read a row: ERR_NOT_FOUND. */
err row_get(struct access *, str row, struct arena *, str *ret);
/* Load the organization's view anew from the index and publish it. */
err org_reload(struct access *, str org);
struct locked { struct access *access; };
/* Take the lock until the scope ends: AUTO(locked_done) struct locked l = locked_begin(a); */
struct locked locked_begin(struct access *);
void locked_done(struct locked *);

/* ---- pieces that the first start and deletions put together ---- */

/* Each adds its rows to the batch, and says what will be when it is committed. */
err org_new(struct access *, str name, struct kv_batch *, struct arena *, struct org *ret);
err user_new(struct access *, const struct user *, struct kv_batch *, struct arena *, struct user *ret);
err token_new(const struct token *, uint64_t duration_s, struct kv_batch *, struct arena *, struct token *ret, struct secret *ret_token);
err key_new(struct access *, const struct key_new *, struct kv_batch *, struct arena *, struct key_info *ret,
    struct secret *ret_secret, struct secret *ret_session);
err policy_new(str org, str json, struct kv_batch *, struct arena *, str *ret_name);
/* Publish the view of a key whose row is committed. */
err key_reload(struct access *, str org, str id);

/* Keys, to be changed together. */
struct key_list { const struct key_view **at; size_t n, room; };
void key_list_done(struct key_list *);
/* All of a principal. Under the lock, as long as the list is used. */
void keys_of(struct access *, str org, str principal, struct key_list *);
/* Delete their rows, commit, publish. */
err keys_revoke(struct access *, struct key_list *, struct kv_batch *);
/* Forget tokens that ended before then; how many. Under the lock. */
err tokens_sweep(struct access *, uint64_t before_ms, unsigned *ret_n);

/* ---- chance and ciphers (seal.c) ---- */

/* n characters of an alphabet. */
void random_text(const char *alphabet, size_t n, char *ret);
#define ALPHABET_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define ALPHABET_ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define ALPHABET_HEX "0123456789abcdef"
/* AES-256-GCM, base64 of nonce, ciphertext, tag. owner is authenticated with it: a secret cannot be moved to another row. */
err seal(const uint8_t master[32], str owner, str secret, struct arena *, str *ret);
/* ERR_DAMAGED if it was not sealed so. */
err unseal(const uint8_t master[32], str owner, str sealed, char *ret, size_t max, size_t *ret_len);
/* Tells keys apart, tells nothing of the key. ret: 64 hex digits. */
void master_check(const uint8_t master[32], char ret[64]);
/* The row AM under this master key. */
void master_put(struct kv_batch *, const uint8_t master[32]);

/* ---- compiled bucket policies (cache.c) ---- */

/* Inside a section. NULL: not there for this generation. */
const struct bucket_policy *cache_find(struct access *, const struct bucket *);
/* Read, compile, remember. ERR_WOULD_BLOCK with KV_NO_WAIT. Outside of sections. */
err cache_fill(struct access *, const struct bucket *, enum kv_wait);
void cache_free(struct access *);
