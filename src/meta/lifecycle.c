/*
 * lifecycle.c - what the rules say of one object, version, marker or upload.
 */
#include "meta/lifecycle.h"

#include <stdlib.h>

#include "base/panic.h"

/* Days after a time, rounded up to the next midnight. Never early; saturates. */
static uint64_t
days_after(uint64_t from_ms, uint32_t days, uint32_t day_seconds)
{
	uint64_t day_ms = (uint64_t)day_seconds * 1000, at;

	assert(day_seconds > 0);
	if (__builtin_add_overflow(from_ms, (uint64_t)days * day_ms, &at) || at > UINT64_MAX - day_ms)
		return UINT64_MAX;
	return (at / day_ms + 1) * day_ms;
}

static void
earlier(struct lifecycle_end *end, uint64_t at_ms, const struct lifecycle_rule *r)
{
	if (end->rule == NULL || at_ms < end->at_ms)
		*end = (struct lifecycle_end){ at_ms, r };
}

static bool
has_tags(const struct object *o, struct pairs want)
{
	for (unsigned i = 0; i < want.n; i++) {
		unsigned j = 0;

		while (j < o->tags.n && !(str_eq(o->tags.at[j].name, want.at[i].name) && str_eq(o->tags.at[j].value, want.at[i].value)))
			j++;
		if (j == o->tags.n)
			return false;
	}
	return true;
}

/* A marker has neither bytes nor tags: rules that ask for either do not fit it. */
static bool
fits(const struct lifecycle_rule *r, const struct object *o)
{
	if (!r->enabled || !str_starts(o->key, r->prefix))
		return false;
	if (o->delete_marker)
		return r->tags.n == 0 && !r->has_size_above && !r->has_size_below;
	if ((r->has_size_above && o->size <= r->size_above) || (r->has_size_below && o->size >= r->size_below))
		return false;
	return has_tags(o, r->tags);
}

/* Of each: the first rule of those that end it first. */
#define FOR_RULES(l, r) for (const struct lifecycle_rule *r = (l)->rule; r < (l)->rule + (l)->n; r++)

bool
lifecycle_object(const struct lifecycle *l, const struct object *o, uint32_t day_seconds, struct lifecycle_end *ret)
{
	struct lifecycle_end end = { 0 };

	FOR_RULES(l, r) {
		if ((r->expire_days == 0 && r->expire_at_ms == 0) || !fits(r, o))
			continue;
		earlier(&end, r->expire_days > 0 ? days_after(o->modified_ms, r->expire_days, day_seconds) : r->expire_at_ms, r);
	}
	if (end.rule == NULL)
		return false;
	*ret = end;
	return true;
}

bool
lifecycle_lone_marker(const struct lifecycle *l, const struct object *o, uint32_t day_seconds, struct lifecycle_end *ret)
{
	struct lifecycle_end end = { 0 };

	FOR_RULES(l, r) {
		if (!fits(r, o))
			continue;
		if (r->expire_markers)
			earlier(&end, o->modified_ms, r);
		else if (r->expire_days > 0)
			earlier(&end, days_after(o->modified_ms, r->expire_days, day_seconds), r);
		else if (r->expire_at_ms > 0)
			earlier(&end, r->expire_at_ms, r);
	}
	if (end.rule == NULL)
		return false;
	*ret = end;
	return true;
}

bool
lifecycle_noncurrent(const struct lifecycle *l, const struct object *o, uint64_t since_ms, uint64_t newer, uint32_t day_seconds,
    struct lifecycle_end *ret)
{
	struct lifecycle_end end = { 0 };

	FOR_RULES(l, r)
		if (r->noncurrent_days > 0 && newer >= r->noncurrent_newer && fits(r, o))
			earlier(&end, days_after(since_ms, r->noncurrent_days, day_seconds), r);
	if (end.rule == NULL)
		return false;
	*ret = end;
	return true;
}

bool
lifecycle_upload(const struct lifecycle *l, str key, uint64_t started_ms, uint32_t day_seconds, struct lifecycle_end *ret)
{
	struct lifecycle_end end = { 0 };

	FOR_RULES(l, r)
		if (r->abort_days > 0 && r->enabled && str_starts(key, r->prefix))
			earlier(&end, days_after(started_ms, r->abort_days, day_seconds), r);
	if (end.rule == NULL)
		return false;
	*ret = end;
	return true;
}

bool
lifecycle_has_noncurrent(const struct lifecycle *l)
{
	FOR_RULES(l, r)
		if (r->enabled && (r->noncurrent_days > 0 || r->expire_markers))
			return true;
	return false;
}

bool
lifecycle_has_current(const struct lifecycle *l)
{
	FOR_RULES(l, r)
		if (r->enabled && (r->expire_days > 0 || r->expire_at_ms > 0))
			return true;
	return false;
}

bool
lifecycle_has_uploads(const struct lifecycle *l)
{
	FOR_RULES(l, r)
		if (r->enabled && r->abort_days > 0)
			return true;
	return false;
}

bool
lifecycle_has_tags(const struct lifecycle *l)
{
	FOR_RULES(l, r)
		if (r->enabled && r->tags.n > 0)
			return true;
	return false;
}

static int
by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

void
lifecycle_prefixes(const struct lifecycle *l, struct arena *a, str **ret, unsigned *ret_n)
{
	str *all = ARENA_ARRAY(a, str, l->n + 1);
	unsigned n = 0, left = 0;

	FOR_RULES(l, r)
		if (r->enabled)
			all[n++] = r->prefix;
	qsort(all, n, sizeof(*all), by_bytes);
	/* Whatever begins with a prefix follows it. */
	for (unsigned i = 0; i < n; i++)
		if (left == 0 || !str_starts(all[i], all[left - 1]))
			all[left++] = all[i];
	*ret = all;
	*ret_n = left;
}
