/*
 * snapshot.c - organizations, policies and keys in memory, for readers that never wait.
 *
 * Keys hang in slots by hash. An edit copies the top and the slots that it touches; everything else is shared with the snapshot
 * before. What an edit replaces is freed when no reader can see it any more.
 */
#include "access/access_impl.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define POLICY_MEMORY 4096u
#define VIEW_MEMORY_MAX ((size_t)4 << 20)	/* a record is at most KV_VALUE_MAX */

struct retired { void *p; enum { OLD_ORG, OLD_KEY, OLD_SLOT } kind; };
struct edit {
	struct access *access;
	struct snapshot *next;
	struct retired *old;
	size_t olds, room;
};

static size_t
slot_of(str id)
{
	return crc32c(0, id) % KEY_SLOTS;
}

const struct org_view *
snapshot_org(const struct snapshot *s, str org)
{
	unsigned low = 0, high = s->orgs;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = str_cmp(s->org[middle]->org.id, org);

		if (order == 0)
			return s->org[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct key_view *
snapshot_key(const struct snapshot *s, str id)
{
	const struct key_slot *slot = s->slot[slot_of(id)];

	for (unsigned i = 0; slot != NULL && i < slot->n; i++)
		if (str_eq(slot->key[i]->info.id, id))
			return slot->key[i];
	return NULL;
}

/* ---- views ---- */

static void
org_view_free(struct org_view *v)
{
	struct arena *memory = v->memory;

	for (unsigned i = 0; i < v->policies; i++)
		policy_free(&v->policy[i]);
	free(v->policy);
	arena_free(&memory);
}

static err
add_policy(void *arg, str org, str name, str value)
{
	struct org_view *v = arg;
	AUTO(policy_free) struct policy *p = NULL;

	/* Stored by an older or newer program and not understood: the start fails rather than a Deny being lost. */
	TRY(policy_compile_org(org, value, &p));
	v->policy = mem_grow(v->policy, (v->policies + 1) * sizeof(v->policy[0]));
	v->policy[v->policies++] = p;
	p = NULL;
	return ERR_OK;
}

err_v
org_view_load(struct access *a, str org, str record, struct org_view **ret)
{
	AUTO(json_free) json_t *json = NULL;
	const struct org_view *before = a->now != NULL ? snapshot_org(a->now, org) : NULL;
	struct arena *memory;
	struct org_view *v;
	err_v e;

	TRY(record_parse(record, &json));
	memory = arena_new(POLICY_MEMORY, VIEW_MEMORY_MAX);
	v = ARENA_NEW(memory, struct org_view);
	v->memory = memory;
	v->org = (struct org){
		.id = arena_str(memory, org),
		.name = record_str(json, "name", memory),
		.created_ms = record_u64(json, "created_ms"),
		.control_audit = record_flag(json, "control_audit"),
		.bucket_audit = record_flag(json, "bucket_audit"),
		.capacity_cap = record_u64(json, "capacity_cap"),
	};
	e = rows_each(a->kv, "AP", org, add_policy, v);
	if (!err_ok(e)) {
		org_view_free(v);
		return e;
	}
	v->keys = before != NULL ? before->keys : MEM_NEW(unsigned);
	*ret = v;
	return ERR_OK;
}

static void
key_view_free(struct access *a, struct key_view *k)
{
	struct arena *memory = k->memory;

	if (k->secret != NULL)
		vault_drop(a->vault, (char *)k->secret);
	arena_free(&memory);
}

err_v
key_view_load(struct access *a, str org, str id, str record, struct key_view **ret)
{
	AUTO(json_free) json_t *json = NULL;
	AUTO(arena_free) struct arena *scratch = arena_new(1024, 1 << 20);
	AUTO(arena_free) struct arena *memory = arena_new(1024, VIEW_MEMORY_MAX);
	struct key_view *k = ARENA_NEW(memory, struct key_view);
	str session;
	char *slot;
	err_v e;

	TRY(record_parse(record, &json));
	k->info = (struct key_info){
		.id = arena_str(memory, id),
		.org = arena_str(memory, org),
		.principal = record_str(json, "principal", memory),
		.status = record_flag(json, "suspended") ? KEY_SUSPENDED : KEY_ACTIVE,
		.created_ms = record_u64(json, "created_ms"),
		.expires_ms = record_u64(json, "expires_ms"),
		.groups = record_names(json, "groups", memory),
	};
	session = record_str(json, "session", scratch);
	k->has_session = !str_empty(session);
	if (k->has_session && (session.len != 64 || !hex_decode(session, k->session)))
		return ERR_DAMAGED;
	slot = vault_take(a->vault);
	e = unseal(a->master, id, record_str(json, "secret", scratch), slot, VAULT_SLOT, &k->secret_len);
	if (!err_ok(e)) {
		vault_drop(a->vault, slot);
		return e;
	}
	k->secret = slot;
	k->memory = memory;
	memory = NULL;
	*ret = k;
	return ERR_OK;
}

/* ---- edits ---- */

struct edit *
edit_begin(struct access *a)
{
	struct edit *e = MEM_NEW(struct edit);
	const struct snapshot *now = atomic_load(&a->now);

	lock_assert_held(&a->lock);
	e->access = a;
	e->next = MEM_NEW(struct snapshot);
	*e->next = *now;
	e->next->org = mem_alloc((now->orgs + 1) * sizeof(now->org[0]));	/* room for one more */
	if (now->orgs > 0)
		memcpy(e->next->org, now->org, now->orgs * sizeof(now->org[0]));
	return e;
}

static void
retire(struct edit *e, void *p, int kind)
{
	e->old = mem_more(e->old, e->olds, &e->room, sizeof(*e->old));
	e->old[e->olds].p = p;
	e->old[e->olds++].kind = kind;
}

void
edit_org(struct edit *e, struct org_view *v)
{
	struct snapshot *s = e->next;
	unsigned i = 0;

	while (i < s->orgs && str_cmp(s->org[i]->org.id, v->org.id) < 0)
		i++;
	if (i < s->orgs && str_eq(s->org[i]->org.id, v->org.id)) {
		retire(e, s->org[i], OLD_ORG);
	} else {
		s->org = mem_grow(s->org, (s->orgs + 2) * sizeof(s->org[0]));
		memmove(&s->org[i + 1], &s->org[i], (s->orgs - i) * sizeof(s->org[0]));
		s->orgs++;
	}
	s->org[i] = v;
}

/* The slot without this key and with that one (each may be missing). */
static void
slot_change(struct edit *e, size_t at, const struct key_view *gone, const struct key_view *come)
{
	struct key_slot *old = e->next->slot[at], *slot;
	unsigned n = old != NULL ? old->n : 0, k = 0;

	slot = mem_alloc(sizeof(*slot) + (n + 1) * sizeof(slot->key[0]));
	for (unsigned i = 0; i < n; i++)
		if (old->key[i] != gone)
			slot->key[k++] = old->key[i];
	if (come != NULL)
		slot->key[k++] = come;
	slot->n = k;
	if (k == 0) {
		free(slot);
		slot = NULL;
	}
	e->next->slot[at] = slot;
	if (old != NULL)
		retire(e, old, OLD_SLOT);
	if (gone != NULL)
		retire(e, (void *)gone, OLD_KEY);
}

static void
count_keys(struct edit *e, str org, int change)
{
	const struct org_view *v = snapshot_org(e->next, org);

	if (v != NULL)
		*v->keys += (unsigned)change;
}

void
edit_key(struct edit *e, struct key_view *k)
{
	const struct key_view *old = snapshot_key(e->next, k->info.id);

	slot_change(e, slot_of(k->info.id), old, k);
	if (old == NULL)
		count_keys(e, k->info.org, 1);
}

void
edit_key_gone(struct edit *e, str id)
{
	const struct key_view *old = snapshot_key(e->next, id);

	if (old == NULL)
		return;
	count_keys(e, old->info.org, -1);
	slot_change(e, slot_of(id), old, NULL);
}

void
edit_org_gone(struct edit *e, str org)
{
	struct snapshot *s = e->next;

	for (size_t at = 0; at < KEY_SLOTS; at++) {
		for (unsigned i = 0; s->slot[at] != NULL && i < s->slot[at]->n;) {
			const struct key_view *k = s->slot[at]->key[i];

			if (str_eq(k->info.org, org))
				edit_key_gone(e, k->info.id);	/* makes a new slot: the next is at i again */
			else
				i++;
		}
	}
	for (unsigned i = 0; i < s->orgs; i++) {
		if (!str_eq(s->org[i]->org.id, org))
			continue;
		free(s->org[i]->keys);
		retire(e, s->org[i], OLD_ORG);
		memmove(&s->org[i], &s->org[i + 1], (s->orgs - i - 1) * sizeof(s->org[0]));
		s->orgs--;
		return;
	}
}

void
edit_publish(struct edit **ep)
{
	struct edit *e = *ep;
	struct access *a = e->access;
	struct snapshot *old = atomic_exchange(&a->now, e->next);

	rcu_wait(&a->rcu);
	for (size_t i = 0; i < e->olds; i++) {
		switch (e->old[i].kind) {
		case OLD_ORG:
			org_view_free(e->old[i].p);
			break;
		case OLD_KEY:
			key_view_free(a, e->old[i].p);
			break;
		default:
			free(e->old[i].p);
		}
	}
	free(old->org);
	free(old);
	free(e->old);
	free(e);
	*ep = NULL;
}

/* ---- start and end ---- */

struct loading { struct access *access; struct edit *edit; };

static err
load_org(void *arg, str org, str name, str value)
{
	struct loading *l = arg;
	struct org_view *v;

	TRY(org_view_load(l->access, org, value, &v));
	edit_org(l->edit, v);
	return ERR_OK;
}

static err
load_key(void *arg, str org, str name, str value)
{
	struct loading *l = arg;
	struct key_view *k;

	TRY(key_view_load(l->access, org, name, value, &k));
	edit_key(l->edit, k);
	return ERR_OK;
}

err_v
snapshot_load(struct access *a)
{
	struct loading l = { .access = a };
	err_v e;

	a->now = MEM_NEW(struct snapshot);
	l.edit = edit_begin(a);
	e = rows_each(a->kv, "AO", STR_NONE, load_org, &l);
	if (err_ok(e))
		e = rows_each(a->kv, "AK", STR_NONE, load_key, &l);
	edit_publish(&l.edit);
	return e;
}

void
snapshot_free(struct access *a)
{
	struct snapshot *s = a->now;

	if (s == NULL)
		return;
	for (size_t at = 0; at < KEY_SLOTS; at++) {
		for (unsigned i = 0; s->slot[at] != NULL && i < s->slot[at]->n; i++)
			key_view_free(a, (struct key_view *)s->slot[at]->key[i]);
		free(s->slot[at]);
	}
	for (unsigned i = 0; i < s->orgs; i++) {
		free(s->org[i]->keys);
		org_view_free(s->org[i]);
	}
	free(s->org);
	free(s);
	a->now = NULL;
}
