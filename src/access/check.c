/*
 * check.c - may they: organization policies, then the bucket's.
 *
 *	caller			organization policies		bucket policy
 *	of the bucket's org	theirs: no Deny, an Allow	none: allowed; else no Deny, an Allow
 *	of another org		theirs: no Deny, an Allow;	no Deny, an Allow
 *				the bucket's org: no Deny for *
 *	anonymous		the bucket's org: no Deny for *	no Deny, an Allow for *
 *
 * s3:PutBucketPolicy never asks the bucket policy, so that nobody locks themselves out, and like s3:DeleteBucketPolicy is
 * for the bucket's own organization only. Without a bucket (s3:ListAllMyBuckets, s3:CreateBucket) only organization policies count.
 */
#include "access/access_impl.h"
#include "base/clock.h"
#include "base/panic.h"

/* The decision in words, for the audit log; said of every request, so without printf. */
static _Thread_local char why_text[320];

static void
why_add(str *why, str s)
{
	size_t n = str_sub(s, 0, sizeof(why_text) - why->len).len;

	if (n > 0)
		memcpy(why_text + why->len, s.p, n);
	why->len += n;
}

/* kind "policy": Allow "statement" */
static void
why_say(str *ret, const char *kind, str policy, const struct statement *s)
{
	str why = str_n(why_text, 0);

	if (ret == NULL)
		return;
	why_add(&why, str_c(kind));
	if (s != NULL && !str_empty(policy)) {
		why_add(&why, STR(" \""));
		why_add(&why, policy);
		why_add(&why, STR("\""));
	}
	if (s != NULL) {
		why_add(&why, s->allow ? STR(": Allow \"") : STR(": Deny \""));
		why_add(&why, s->name);
		why_add(&why, STR("\""));
	}
	*ret = why;
}

static err
denied(str *ret_why, const char *kind)
{
	why_say(ret_why, kind, STR_NONE, NULL);
	return err_s3(S3_AccessDenied);
}

/* What organization policies say, each asked in turn. */
static enum verdict
org_ask(const struct org_view *org, const struct ask *ask, const struct policy **ret_policy, const struct statement **ret)
{
	enum verdict found = VERDICT_NONE;

	for (unsigned i = 0; i < org->policies; i++) {
		const struct statement *s;
		enum verdict v = policy_ask(org->policy[i], ask, &s);

		if (v == VERDICT_NONE || (v == VERDICT_ALLOW && found == VERDICT_ALLOW))
			continue;
		found = v;
		*ret_policy = org->policy[i];
		*ret = s;
		if (v == VERDICT_DENY)
			break;
	}
	return found;
}

/* The caller's own organization: no Deny, an Allow. */
static err
ask_own_org(const struct snapshot *now, const struct ask *ask, str *ret_why)
{
	const struct org_view *org = snapshot_org(now, ask->question->who->org);
	const struct policy *policy;
	const struct statement *s;
	enum verdict v = org != NULL ? org_ask(org, ask, &policy, &s) : VERDICT_NONE;

	if (v == VERDICT_NONE && ask->question->refusals_only)
		return ERR_OK;
	if (v == VERDICT_NONE)
		return denied(ret_why, "no organization policy allows it");
	why_say(ret_why, "organization policy", policy->name, s);
	return v == VERDICT_ALLOW ? ERR_OK : err_s3(S3_AccessDenied);
}

/* The bucket's organization, for callers from outside: its Deny for everyone holds for them too. */
static err
ask_owner_org(const struct snapshot *now, const struct ask *ask, str *ret_why)
{
	const struct org_view *org = snapshot_org(now, ask->question->target->org);
	const struct policy *policy;
	const struct statement *s;

	if (org == NULL || org_ask(org, ask, &policy, &s) != VERDICT_DENY)
		return ERR_OK;
	why_say(ret_why, "policy of the bucket's organization", policy->name, s);
	return err_s3(S3_AccessDenied);
}

static err
ask_bucket(struct access *a, const struct ask *ask, bool own, str *ret_why)
{
	const struct bucket *b = ask->question->target;
	const struct bucket_policy *p = b->has_policy ? cache_find(a, b) : NULL;
	const struct statement *s;
	enum verdict v;

	if (b->has_policy && p == NULL)
		return ERR_WOULD_BLOCK;
	if (p == NULL || p->state == BUCKET_POLICY_NONE)
		return own || ask->question->refusals_only ? ERR_OK : denied(ret_why, "the bucket has no policy");
	if (p->state == BUCKET_POLICY_UNREADABLE)
		return denied(ret_why, "the bucket's policy cannot be read");
	v = policy_ask(p->policy, ask, &s);
	if (v == VERDICT_NONE && ask->question->refusals_only)
		return ERR_OK;
	if (v == VERDICT_NONE) {
		why_say(ret_why, "the bucket policy does not allow it", STR_NONE, NULL);
		if (!own)
			return err_s3(S3_AccessDenied);
		/* Who writes a policy for guests is told that it binds the owner too; strangers are told nothing. */
		return err_s3f(S3_AccessDenied, "The bucket policy does not allow this, which it must for the bucket's own "
		    "organization too. Put another one: PutBucketPolicy asks organization policies only.");
	}
	why_say(ret_why, "bucket policy", p->policy->name, s);
	return v == VERDICT_ALLOW ? ERR_OK : err_s3(S3_AccessDenied);
}

/* Inside a section. ERR_WOULD_BLOCK: the bucket's policy is not in the cache. */
static err
decide(struct access *a, const struct ask *ask, str *ret_why)
{
	const struct snapshot *now = atomic_load(&a->now);
	const struct access_question *q = ask->question;
	bool own = !q->who->anonymous && q->target != NULL && str_eq(q->who->org, q->target->org);

	if (q->who->anonymous && q->target == NULL)
		return denied(ret_why, "anonymous callers have no organization");
	if (!q->who->anonymous)
		TRY(ask_own_org(now, ask, ret_why));
	if (q->target == NULL || ask->action == ACTION_s3_ListAllMyBuckets)
		return ERR_OK;
	if (!own) {
		if (ask->action == ACTION_s3_PutBucketPolicy || ask->action == ACTION_s3_DeleteBucketPolicy)
			return denied(ret_why, "the bucket belongs to another organization");
		TRY(ask_owner_org(now, ask, ret_why));
	}
	if (ask->action == ACTION_s3_PutBucketPolicy)
		return ERR_OK;
	return ask_bucket(a, ask, own, ret_why);
}

/* "*", "bucket" or "bucket/key"; false if that is longer than any key can be. */
static bool
resource_text(const struct access_question *q, enum action action, char room[POLICY_RESOURCE_MAX], str *ret)
{
	str bucket = q->target != NULL ? q->target->name : q->bucket;
	size_t n = bucket.len;

	if (n == 0 || action == ACTION_s3_ListAllMyBuckets) {
		*ret = STR("*");
		return true;
	}
	if (n + 1 + q->key.len > POLICY_RESOURCE_MAX)
		return false;
	memcpy(room, bucket.p, n);
	if (q->key.len > 0) {
		room[n++] = '/';
		memcpy(room + n, q->key.p, q->key.len);
		n += q->key.len;
	}
	*ret = str_n(room, n);
	return true;
}

err_v
access_check(struct access *a, const struct access_question *q, str *ret_why)
{
	struct ask ask = { .question = q, .action = action_find(q->action), .now_ms = clock_wall_ms() };
	char room[POLICY_RESOURCE_MAX];
	struct rcu_section section;
	err_v e;

	CHECK_OBJ(a, ACCESS_MAGIC);
	if (ask.action == ACTION_NONE)
		return denied(ret_why, "there is no such action");
	if (!resource_text(q, ask.action, room, &ask.resource))
		return denied(ret_why, "the key is too long");
	/* Twice at most: an entry that another bucket drives out between fill and look is made again, then given up. */
	for (int attempt = 0;; attempt++) {
		rcu_enter(&a->rcu, &section);
		e = decide(a, &ask, ret_why);
		rcu_leave(&section);
		if (!err_is(e, ERR_WOULD_BLOCK.code) || attempt == 8)
			return e;
		TRY(cache_fill(a, q->target, q->wait));
	}
}

err_v
access_needs_tags(struct access *a, const struct bucket *b, enum kv_wait wait, bool *ret)
{
	const struct bucket_policy *p;
	struct rcu_section section;
	bool found, needs;

	CHECK_OBJ(a, ACCESS_MAGIC);
	if (!b->has_policy) {
		*ret = false;
		return ERR_OK;
	}
	for (int attempt = 0; attempt < 8; attempt++) {
		rcu_enter(&a->rcu, &section);
		p = cache_find(a, b);
		found = p != NULL;
		needs = found && p->state == BUCKET_POLICY_READY && p->policy->asks_existing_tags;
		rcu_leave(&section);
		if (found) {
			*ret = needs;
			return ERR_OK;
		}
		TRY(cache_fill(a, b, wait));
	}
	return ERR_WOULD_BLOCK;
}

/* ---- switches of the audit log ---- */

static bool
org_flag(struct access *a, str org, bool control)
{
	const struct org_view *v;
	struct rcu_section section;
	bool on;

	rcu_enter(&a->rcu, &section);
	v = snapshot_org(atomic_load(&a->now), org);
	on = v != NULL && (control ? v->org.control_audit : v->org.bucket_audit);
	rcu_leave(&section);
	return on;
}

bool
access_bucket_audited(struct access *a, const struct bucket *b)
{
	return b->audit || org_flag(a, b->org, false);
}

bool
access_org_buckets_audited(struct access *a, str org)
{
	return org_flag(a, org, false);
}

bool
access_org_audited(struct access *a, str org)
{
	return org_flag(a, org, true);
}

uint64_t
access_org_cap(struct access *a, str org)
{
	const struct org_view *v;
	struct rcu_section section;
	uint64_t cap;

	rcu_enter(&a->rcu, &section);
	v = snapshot_org(atomic_load(&a->now), org);
	cap = v != NULL ? v->org.capacity_cap : 0;
	rcu_leave(&section);
	return cap;
}

/* ---- the control plane's questions ---- */

err_v
access_control_principal(struct access *a, const struct principal *who, str action, str *ret_why)
{
	struct access_question q = { .who = who, .action = action };

	return access_check(a, &q, ret_why);
}

err_v
access_control(struct access *a, const struct caller *c, str action, str *ret_why)
{
	if (c->role != ROLE_USER && action_is_control(action_find(action))) {
		why_say(ret_why, "administrator", STR_NONE, NULL);
		return ERR_OK;
	}
	return access_control_principal(a, &c->who, action, ret_why);
}

err_v
access_can_i(struct access *a, const struct caller *c, str action, str resource, struct arena *arena, bool *ret, str *ret_why)
{
	enum action which = action_find(action);
	str key = resource, bucket_name = str_take_until(&key, '/');
	struct access_question q = { .who = &c->who, .action = action };
	struct bucket bucket;
	err_v e;

	if (which == ACTION_NONE)
		return err_s3f(S3_InvalidArgument, "\"%.*s\" is not an action.", STR_FMT(action));
	if (action_is_control(which)) {
		e = access_control(a, c, action, ret_why);
	} else {
		if (!str_empty(bucket_name) && !str_eq(resource, STR("*"))) {
			q.bucket = bucket_name;
			q.key = key;
			e = catalog_bucket(a->catalog, bucket_name, KV_MAY_BLOCK, arena, &bucket);
			if (err_ok(e))
				q.target = &bucket;
			else if (!err_is(e, S3_NoSuchBucket) && !err_is(e, S3_InvalidBucketName))
				return e;
		}
		e = access_check(a, &q, ret_why);
	}
	if (!err_ok(e) && !err_is(e, S3_AccessDenied))
		return e;
	*ret = err_ok(e);
	return ERR_OK;
}
