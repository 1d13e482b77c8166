/*
 * admin.h - everything that changes who may do what: for the control API, the command line and the first start.
 *
 * Every change is one batch in the system space of the index, then one replacement of the snapshot in memory: when a
 * call returns OK, the next request on any worker sees it. All calls may block. They check form and limits, never
 * whether the caller may: ask access_control() first.
 *
 * Errors: ERR_NOT_FOUND; -EEXIST; -ENOTEMPTY; -EDQUOT (a limit below); S3_InvalidArgument and S3_MalformedPolicy with a message
 * that names the field; other errnos from the index. Results live in the arena given.
 */
#pragma once

#include "access/access.h"

#define ACCESS_ORGS_MAX 10000u
#define ACCESS_USERS_MAX 10000u		/* these four: per organization */
#define ACCESS_TOKENS_MAX 10000u
#define ACCESS_KEYS_MAX 100000u
#define ACCESS_POLICIES_MAX 100u
#define ACCESS_ISSUERS_MAX 100u
#define ACCESS_ATTRIBUTES_MAX 15u	/* of a key */
#define ACCESS_GROUPS_MAX 200u		/* of a principal */
#define ACCESS_DURATION_MAX 43200u	/* seconds, of temporary keys */
#define ACCESS_POLICY_BYTES_MAX 20480u
#define ACCESS_STATEMENTS_MAX 200u	/* of a policy */

/* ---- the master key (master_key.c) ---- */

/*
 * The key that secrets in this index are encrypted under. From CAISSON_MASTER_KEY (64 hex digits), else from the file "path", which
 * the first start makes (0600; -EACCES if others may read it). Brings an interrupted rotation to its end. With CAISSON_MASTER_KEY_OLD
 * beside CAISSON_MASTER_KEY, an index under the old key is re-encrypted. Both variables are overwritten with stars. -EKEYREJECTED: the
 * index is under another key; -EINVAL: not a key.
 */
err access_master_key(struct kv *, const char *path, uint8_t ret[32]);
/* A new key in the file; every secret re-encrypted in one batch. -ENOTSUP when the key comes from the environment. */
err access_master_rotate(struct access *, const char *path);

/* ---- organizations ---- */

struct org {
	str id;				/* six hex digits: "ab1cd2" */
	str name;
	uint64_t created_ms;
	bool control_audit;		/* controlPlaneAuditLoggingEnabled */
	bool bucket_audit;		/* bucketAuditLoggingEnabled: all its buckets */
	uint64_t capacity_cap;		/* capacityCapBytes of all its buckets together; 0: none */
};
err access_org_create(struct access *, str name, struct arena *, struct org *ret);
err access_org_get(struct access *, str org, struct arena *, struct org *ret);
err access_org_list(struct access *, struct arena *, struct org **ret, unsigned *ret_n);	/* by id */
/* Replaces name and settings by those of o. */
err access_org_set(struct access *, const struct org *o);
/* With its users, tokens, keys and policies. -ENOTEMPTY while it owns buckets. */
err access_org_delete(struct access *, str org);

/* ---- users: principals "coreweave/<uid>" ---- */

enum access_role {
	ROLE_USER,		/* what organization policies allow */
	ROLE_ADMIN,		/* and every cwobject: action in the organization */
	ROLE_OPERATOR		/* and organizations themselves */
};
struct user {
	str org;
	str principal;		/* "coreweave/<uid>" */
	str name;		/* for people */
	enum access_role role;
	struct pairs groups;	/* names only: condition key iam:<org>:groups */
	uint64_t created_ms;
};
/* u->principal: STR_NONE makes a uid. */
err access_user_create(struct access *, const struct user *u, struct arena *, struct user *ret);
err access_user_get(struct access *, str org, str principal, struct arena *, struct user *ret);
err access_user_list(struct access *, str org, struct arena *, struct user **ret, unsigned *ret_n);
/* Replaces name, role and groups. Keys that exist keep the groups they were made with. */
err access_user_set(struct access *, const struct user *u);
/* And revokes its tokens and keys. */
err access_user_delete(struct access *, str org, str principal);
const char *access_role_name(enum access_role);			/* "user", "admin", "operator" */
bool access_role_parse(str, enum access_role *ret);

/* ---- tokens of the control API ---- */

struct token {
	str id;			/* shown in lists, names it for revocation; tells nothing of the token */
	str org, principal;
	str name;
	uint64_t created_ms, expires_ms;	/* 0: never */
};
/* t: org, principal (a user), name; duration 0: until revoked. The token itself ("CW-SECRET-...") is shown here only. */
err access_token_create(struct access *, const struct token *t, uint64_t duration_s, struct arena *,
    struct token *ret, struct secret *ret_token);
err access_token_list(struct access *, str org, struct arena *, struct token **ret, unsigned *ret_n);
err access_token_revoke(struct access *, str org, str id);

/* Who holds a token. The principal has org, name and groups; no access key. */
struct caller {
	struct principal who;
	enum access_role role;
	str token_id;
	uint64_t token_expires_ms;	/* 0: never */
};
/* S3_InvalidToken if unknown or revoked, S3_ExpiredToken. */
err access_token_find(struct access *, str token, struct arena *, struct caller *ret);

/* ---- access keys ---- */

enum key_status { KEY_ACTIVE, KEY_SUSPENDED, KEY_EXPIRED };
const char *access_key_status_name(enum key_status);		/* "ACTIVE", "FULL_SUSPENDED", "EXPIRED" */
/* Also ACCESS_KEY_STATUS_ACTIVE, SUSPENDED and so on; EXPIRED cannot be set. */
bool access_key_status_parse(str, enum key_status *ret);

enum key_session { KEY_WITHOUT_SESSION, KEY_WITH_SESSION };
struct key_new {
	str org, principal;
	uint64_t duration_s;		/* 0: permanent; else up to ACCESS_DURATION_MAX */
	struct pairs attributes;
	struct pairs groups;		/* names only */
	enum key_session session;	/* with: requests must carry the session token */
};
struct key_info {
	str id;				/* "CW..." */
	str org, principal;
	enum key_status status;
	uint64_t created_ms, expires_ms;	/* 0: permanent */
	struct pairs attributes, groups;
};
/*
 * The secret ("cwo...") and session token ("" without) are shown here only. Wipe them when they are sent. S3_AccessDenied while keys of
 * the principal are suspended.
 */
err access_key_create(struct access *, const struct key_new *, struct arena *, struct key_info *ret,
    struct secret *ret_secret, struct secret *ret_session);
err access_key_get(struct access *, str org, str id, struct arena *, struct key_info *ret);
/* By id, from offset on, at most limit. */
err access_key_list(struct access *, str org, unsigned offset, unsigned limit, struct arena *, struct key_info **ret, unsigned *ret_n);
/* Of all keys of a principal. ERR_NOT_FOUND if it has none. */
err access_key_set_status(struct access *, str org, str principal, enum key_status);
err access_key_revoke(struct access *, str org, str id);
/* OK also if it has none. */
err access_key_revoke_principal(struct access *, str org, str principal, unsigned *ret_n);
/* Forget up to 1,000 keys and tokens that ended more than a day ago; a suspended key stays. *ret_n: how many; 0: there are no more. */
err access_sweep(struct access *, unsigned *ret_n);

/* ---- organization policies ---- */

/*
 * Upsert by name. json: the policy object of caios's v1alpha1, or {"policy": it}. S3_MalformedPolicy names the element.
 * *ret_name: in the arena.
 */
err access_policy_ensure(struct access *, str org, str json, struct arena *, str *ret_name);
/* JSON texts of the policy objects, by name. */
err access_policy_list(struct access *, str org, struct arena *, str **ret, unsigned *ret_n);
err access_policy_delete(struct access *, str org, str name);

/* ---- OIDC issuers ---- */

struct issuer {
	str id;				/* config id, made here */
	str name, description;
	str issuer;			/* exactly as in "iss": "https://..." (http:// only for loopback) */
	str audience;			/* client id: one of "aud" */
};
/* May keys be fetched from there: https, or plain http on this very machine. */
enum issuer_where { ISSUER_NOWHERE, ISSUER_HTTPS, ISSUER_LOOPBACK };
enum issuer_where access_issuer_where(str url);
/* May the document of an issuer say that its keys are there? This machine is for an issuer on it only. */
bool access_issuer_may_name(str issuer, str url);
/* Upsert by issuer url. */
err access_issuer_ensure(struct access *, str org, const struct issuer *, struct arena *, struct issuer *ret);
err access_issuer_find(struct access *, str org, str issuer_url, struct arena *, struct issuer *ret);
err access_issuer_list(struct access *, str org, struct arena *, struct issuer **ret, unsigned *ret_n);
err access_issuer_delete(struct access *, str org, str id);

/* ---- questions ---- */

/*
 * May the caller do this cwobject: action? Admins always; others when an organization policy allows it and none denies it.
 * S3_AccessDenied or OK. why (may be NULL): as in access_check().
 */
err access_control(struct access *, const struct caller *, str action, str *ret_why);
/* The same for a principal that has no token yet: cwobject:CreateAccessKeyOIDC of role/<iss>:<sub>. */
err access_control_principal(struct access *, const struct principal *, str action, str *ret_why);
/*
 * AuthCanI: any action on a resource in short form: "*", "bucket", "bucket/key". For s3: actions on a bucket that exists
 * its policy is asked too. Conditions see no request. *ret: may they. Errors: S3_InvalidArgument for an action that is none.
 */
err access_can_i(struct access *, const struct caller *, str action, str resource, struct arena *, bool *ret, str *ret_why);

/* ---- the first start ---- */

struct first_start {
	struct org org;
	struct user user;		/* ROLE_OPERATOR */
	struct secret token;		/* of the control API */
	str access_key;
	struct secret secret;
};
/*
 * One organization, one operator with a token and a permanent access key, and the policy "allow-all" for that principal, in one
 * batch. -EEXIST if there is an organization already: then it is not the first start. save() is called before the batch, to write
 * the secrets where their owner finds them: if it fails nothing is made, and no crash leaves a store that nobody can enter.
 */
typedef err_v first_start_save_f(void *ctx, const struct first_start *);
err access_first_start(struct access *, first_start_save_f *save, void *ctx, struct arena *, struct first_start *ret);
