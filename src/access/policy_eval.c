/*
 * policy_eval.c - does a statement speak of this question, and what does the policy say.
 */
#include "access/policy.h"

#include "base/panic.h"

/* Names first: they differ in length or at their ends, where organizations mostly are the caller's own. */
static bool
who_is(const struct who *w, const struct principal *p)
{
	if (w->kind == WHO_EVERYONE)
		return true;
	if (p->anonymous)
		return false;
	switch (w->kind) {
	case WHO_KEY:
		return !str_empty(p->access_key) && str_eq(w->name, p->access_key);
	case WHO_ORG:
		return str_eq(w->org, p->org);
	case WHO_NAME:
		return str_eq(w->name, p->name) && str_eq(w->org, p->org);
	default:
		return str_starts(p->name, w->name) && str_eq(w->org, p->org);
	}
}

/* An anonymous caller is allowed nothing but by an explicit "*"; a Deny that names nobody is for everybody. */
static bool
statement_whom(const struct statement *s, const struct principal *p)
{
	bool listed = false;

	if (s->whom == WHOM_NOT_SAID)
		return !s->allow || !p->anonymous;
	for (unsigned i = 0; i < s->whos && !listed; i++)
		listed = who_is(&s->who[i], p);
	if (s->whom == WHOM_ALL_BUT)
		return !listed && !(s->allow && p->anonymous);
	return listed;
}

static bool
statement_resource(const struct statement *s, str resource)
{
	bool listed = false;

	for (unsigned i = 0; i < s->resources && !listed; i++)
		listed = glob_match(&s->resource[i], resource);
	return listed != s->resources_not;
}

static bool
statement_matches(const struct statement *s, const struct ask *ask)
{
	if (!actions_has(&s->actions, ask->action) || !statement_whom(s, ask->question->who) ||
	    !statement_resource(s, ask->resource))
		return false;
	for (unsigned i = 0; i < s->conditions; i++)
		if (!condition_holds(&s->condition[i], ask))
			return false;
	return true;
}

enum verdict
policy_ask(const struct policy *p, const struct ask *ask, const struct statement **ret)
{
	const struct statement *allow = NULL;

	assert(ask->question->who != NULL);
	for (unsigned i = 0; i < p->statements; i++) {
		const struct statement *s = &p->statement[i];

		if ((s->allow && allow != NULL) || !statement_matches(s, ask))
			continue;
		if (!s->allow) {
			*ret = s;
			return VERDICT_DENY;
		}
		allow = s;
	}
	if (allow == NULL)
		return VERDICT_NONE;
	*ret = allow;
	return VERDICT_ALLOW;
}

void
policy_free(struct policy **pp)
{
	struct arena *memory;

	if (*pp == NULL)
		return;
	memory = (*pp)->memory;
	*pp = NULL;
	arena_free(&memory);
}
