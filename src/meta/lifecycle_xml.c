/*
 * lifecycle_xml.c - lifecycle rules from XML, checked as Amazon checks them, and back.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/panic.h"
#include "http/date.h"
#include "http/xml_out.h"
#include "meta/lifecycle.h"

#define ID_MAX 255u
#define PREFIX_MAX 1024u
#define TAG_KEY_MAX 128u
#define TAG_VALUE_MAX 256u
#define DAY_MS 86400000u

/* ---- small pieces ---- */

static err
malformed(const char *why, str name)
{
	return err_s3f(S3_MalformedXML, "%s: %.*s.", why, STR_FMT(name));
}

/* A count of days: from 1 on. */
static err
days_parse(const struct xml_node *n, const char *action, uint32_t *ret)
{
	uint64_t days;

	if (!str_u64(str_trim(n->text), &days) || days == 0 || days > INT32_MAX)
		return err_s3f(S3_InvalidArgument, "%.*s of %s must be a whole number of at least 1.", STR_FMT(n->name), action);
	*ret = (uint32_t)days;
	return ERR_OK;
}

static err
size_parse(const struct xml_node *n, bool *has, uint64_t *ret)
{
	if (*has)
		return malformed("A filter has it twice", n->name);
	if (!str_u64(str_trim(n->text), ret))
		return err_s3f(S3_InvalidRequest, "%.*s must be a number of bytes.", STR_FMT(n->name));
	*has = true;
	return ERR_OK;
}

static err
prefix_parse(const struct xml_node *n, struct lifecycle_rule *r)
{
	if (r->has_prefix)
		return malformed("A rule has it twice", n->name);
	if (n->text.len > PREFIX_MAX)
		return err_s3f(S3_InvalidRequest, "A Prefix has at most %u bytes.", PREFIX_MAX);
	r->has_prefix = true;
	r->prefix = n->text;
	return ERR_OK;
}

static err
tag_parse(const struct xml_node *n, struct pair *ret)
{
	const struct xml_node *key = xml_child(n, "Key"), *value = xml_child(n, "Value");

	if (key == NULL || value == NULL || n->children != 2)
		return malformed("It has a Key and a Value", n->name);
	if (str_empty(key->text) || key->text.len > TAG_KEY_MAX)
		return err_s3f(S3_InvalidTag, "The Key of a Tag has 1 to %u bytes.", TAG_KEY_MAX);
	if (value->text.len > TAG_VALUE_MAX)
		return err_s3f(S3_InvalidTag, "The Value of a Tag has at most %u bytes.", TAG_VALUE_MAX);
	*ret = (struct pair){ key->text, value->text };
	return ERR_OK;
}

/* ---- filter ---- */

static err
tag_add(struct lifecycle_rule *r, const struct xml_node *n)
{
	struct pair *tag = &r->tags.at[r->tags.n];

	TRY(tag_parse(n, tag));
	for (unsigned i = 0; i < r->tags.n; i++)
		if (str_eq(r->tags.at[i].name, tag->name))
			return err_s3f(S3_InvalidRequest, "Two Tags of a filter have the Key \"%.*s\".", STR_FMT(tag->name));
	r->tags.n++;
	return ERR_OK;
}

/* One part of a filter; the same outside and inside an And. */
static err
filter_part(struct lifecycle_rule *r, const struct xml_node *n)
{
	if (str_eq(n->name, STR("Prefix")))
		return prefix_parse(n, r);
	if (str_eq(n->name, STR("Tag")))
		return tag_add(r, n);
	if (str_eq(n->name, STR("ObjectSizeGreaterThan")))
		return size_parse(n, &r->has_size_above, &r->size_above);
	if (str_eq(n->name, STR("ObjectSizeLessThan")))
		return size_parse(n, &r->has_size_below, &r->size_below);
	return malformed("A filter cannot hold it", n->name);
}

static err
filter_parse(const struct xml_node *filter, struct arena *a, struct lifecycle_rule *r)
{
	const struct xml_node *parts = filter, *and = xml_child(filter, "And");

	if (filter->children > 1)
		return malformed("More than one part belongs into an And", filter->name);
	if (and != NULL) {
		parts = and;
		r->and = true;
	}
	r->tags.at = parts->children > 0 ? ARENA_ARRAY(a, struct pair, parts->children) : NULL;
	for (const struct xml_node *n = parts->child; n != NULL; n = n->next)
		TRY(filter_part(r, n));
	if (r->and && parts->children < 2)
		return malformed("Two parts or more belong into it", and->name);
	if (r->has_size_above && r->has_size_below && r->size_below <= r->size_above)
		return err_s3f(S3_InvalidRequest, "No object is both: ObjectSizeLessThan must be above ObjectSizeGreaterThan.");
	return ERR_OK;
}

/* ---- actions ---- */

static err
date_parse(const struct xml_node *n, uint64_t *ret)
{
	uint64_t ms;

	if (!date_iso_parse(str_trim(n->text), &ms) || ms == 0)
		return malformed("It is a date of ISO 8601", n->name);
	if (ms % DAY_MS != 0)
		return err_s3f(S3_InvalidArgument, "A Date must be a midnight of UTC.");
	*ret = ms;
	return ERR_OK;
}

static err
expiration_parse(const struct xml_node *action, struct arena *a, struct lifecycle_rule *r)
{
	if (action->children != 1)
		return malformed("It holds one of Days, Date, ExpiredObjectDeleteMarker", action->name);
	for (const struct xml_node *n = action->child; n != NULL; n = n->next) {
		if (str_eq(n->name, STR("Days"))) {
			TRY(days_parse(n, "Expiration", &r->expire_days));
		} else if (str_eq(n->name, STR("Date"))) {
			TRY(date_parse(n, &r->expire_at_ms));
		} else if (str_eq(n->name, STR("ExpiredObjectDeleteMarker"))) {
			r->has_expire_markers = true;
			r->expire_markers = str_eq(str_trim(n->text), STR("true"));
			if (!r->expire_markers && !str_eq(str_trim(n->text), STR("false")))
				return malformed("It is true or false", n->name);
		} else {
			return malformed("An Expiration cannot hold it", n->name);
		}
	}
	return ERR_OK;
}

static err
noncurrent_parse(const struct xml_node *action, struct arena *a, struct lifecycle_rule *r)
{
	for (const struct xml_node *n = action->child; n != NULL; n = n->next) {
		if (str_eq(n->name, STR("NoncurrentDays"))) {
			TRY(days_parse(n, "NoncurrentVersionExpiration", &r->noncurrent_days));
		} else if (str_eq(n->name, STR("NewerNoncurrentVersions"))) {
			TRY(days_parse(n, "NoncurrentVersionExpiration", &r->noncurrent_newer));
			if (r->noncurrent_newer > LIFECYCLE_NEWER_MAX)
				return err_s3f(S3_InvalidArgument, "NewerNoncurrentVersions must be at most %u.",
				    LIFECYCLE_NEWER_MAX);
		} else {
			return malformed("A NoncurrentVersionExpiration cannot hold it", n->name);
		}
	}
	if (r->noncurrent_days == 0)
		return malformed("It needs NoncurrentDays", action->name);
	return ERR_OK;
}

static err
abort_parse(const struct xml_node *action, struct arena *a, struct lifecycle_rule *r)
{
	if (action->children != 1 || !str_eq(action->child->name, STR("DaysAfterInitiation")))
		return malformed("It holds DaysAfterInitiation", action->name);
	return days_parse(action->child, "AbortIncompleteMultipartUpload", &r->abort_days);
}

/* ---- rules ---- */

static err
rule_id_parse(const struct xml_node *n, struct arena *a, struct lifecycle_rule *r)
{
	if (n->text.len > ID_MAX)
		return err_s3f(S3_InvalidArgument, "The ID of a rule has at most %u bytes.", ID_MAX);
	r->id = n->text.p != NULL ? n->text : STR("");
	return ERR_OK;
}

static err
status_parse(const struct xml_node *n, struct arena *a, struct lifecycle_rule *r)
{
	r->enabled = str_eq(n->text, STR("Enabled"));
	return r->enabled || str_eq(n->text, STR("Disabled")) ? ERR_OK : malformed("It is Enabled or Disabled", n->name);
}

static err
old_prefix_parse(const struct xml_node *n, struct arena *a, struct lifecycle_rule *r)
{
	r->old_prefix = true;
	return prefix_parse(n, r);
}

static err
not_supported(const struct xml_node *n, struct arena *a, struct lifecycle_rule *r)
{
	return err_s3f(S3_NotImplemented, "A lifecycle rule cannot have a %.*s here: objects do not change their storage class by "
	    "rules.", STR_FMT(n->name));
}

static const struct element {
	const char *name;
	err_v (*parse)(const struct xml_node *, struct arena *, struct lifecycle_rule *);
	enum { ONCE_ACTION, ONCE, ANY } kind;
} elements[] = {
	{ "ID", rule_id_parse, ONCE },
	{ "Status", status_parse, ONCE },
	{ "Prefix", old_prefix_parse, ONCE },
	{ "Filter", filter_parse, ONCE },
	{ "Expiration", expiration_parse, ONCE_ACTION },
	{ "NoncurrentVersionExpiration", noncurrent_parse, ONCE_ACTION },
	{ "AbortIncompleteMultipartUpload", abort_parse, ONCE_ACTION },
	{ "Transition", not_supported, ANY },
	{ "NoncurrentVersionTransition", not_supported, ANY },
};

static err
rule_complete(const struct xml_node *n, const struct lifecycle_rule *r, unsigned actions)
{
	bool sizes = r->has_size_above || r->has_size_below;

	if (xml_child(n, "Status") == NULL)
		return malformed("A rule needs a Status", r->id);
	if ((xml_child(n, "Filter") != NULL) == r->old_prefix)
		return malformed("A rule needs a Filter", r->id);
	if (actions == 0)
		return err_s3f(S3_InvalidRequest,
		    "A rule needs an action: Expiration, NoncurrentVersionExpiration or AbortIncompleteMultipartUpload.");
	if (r->abort_days > 0 && (r->tags.n > 0 || sizes))
		return err_s3f(S3_InvalidRequest, "AbortIncompleteMultipartUpload cannot have a filter of %s: uploads have none.",
		    r->tags.n > 0 ? "tags" : "sizes");
	if (r->has_expire_markers && (r->tags.n > 0 || sizes))
		return err_s3f(S3_InvalidRequest, "ExpiredObjectDeleteMarker cannot have a filter of %s: delete markers have none.",
		    r->tags.n > 0 ? "tags" : "sizes");
	return ERR_OK;
}

static err
rule_parse(const struct xml_node *n, enum lifecycle_prefix old, struct arena *a, struct lifecycle_rule *r)
{
	unsigned seen[COUNT(elements)] = { 0 }, actions = 0;

	for (const struct xml_node *c = n->child; c != NULL; c = c->next) {
		size_t i = 0;

		while (i < COUNT(elements) && !str_eq(c->name, str_c(elements[i].name)))
			i++;
		if (i == COUNT(elements))
			return malformed("A rule cannot hold it", c->name);
		if (seen[i]++ > 0 && elements[i].kind != ANY)
			return malformed("A rule has it twice", c->name);
		actions += elements[i].kind == ONCE_ACTION;
		TRY(elements[i].parse(c, a, r));
	}
	if (r->old_prefix && old == LIFECYCLE_OLD_PREFIX_REFUSED)
		return err_s3f(S3_InvalidRequest, "Prefix in a Rule is no longer taken: put it into a Filter.");
	return rule_complete(n, r, actions);
}

static int
by_id(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

static err
ids_differ(const struct lifecycle *l, struct arena *a)
{
	str *id = ARENA_ARRAY(a, str, l->n);
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		if (!str_empty(l->rule[i].id))
			id[n++] = l->rule[i].id;
	qsort(id, n, sizeof(*id), by_id);
	for (unsigned i = 1; i < n; i++)
		if (str_eq(id[i - 1], id[i]))
			return err_s3f(S3_InvalidArgument, "Two rules have the ID \"%.*s\". Give each its own.", STR_FMT(id[i]));
	return ERR_OK;
}

err_v
lifecycle_parse(const struct xml_node *root, enum lifecycle_prefix old, struct arena *a, struct lifecycle *ret)
{
	struct lifecycle l = { 0 };

	if (!str_eq(root->name, STR("LifecycleConfiguration")))
		return malformed("A LifecycleConfiguration is expected", root->name);
	if (root->children == 0 || root->children > LIFECYCLE_RULES_MAX)
		return err_s3f(S3_MalformedXML, "A LifecycleConfiguration has 1 to %u rules.", LIFECYCLE_RULES_MAX);
	l.rule = ARENA_ARRAY(a, struct lifecycle_rule, root->children);
	for (const struct xml_node *n = root->child; n != NULL; n = n->next) {
		if (!str_eq(n->name, STR("Rule")))
			return malformed("A LifecycleConfiguration holds nothing but rules", n->name);
		TRY(rule_parse(n, old, a, &l.rule[l.n++]));
	}
	TRY(ids_differ(&l, a));
	*ret = l;
	return ERR_OK;
}

/* ---- back to XML ---- */

static void
tag_write(struct buf *b, const struct pair *tag)
{
	xml_open(b, "Tag");
	xml_text(b, "Key", tag->name);
	xml_text(b, "Value", tag->value);
	xml_close(b, "Tag");
}

static void
filter_write(struct buf *b, const struct lifecycle_rule *r)
{
	if (r->old_prefix) {
		xml_text(b, "Prefix", r->prefix);
		return;
	}
	xml_open(b, "Filter");
	if (r->and)
		xml_open(b, "And");
	if (r->has_prefix)
		xml_text(b, "Prefix", r->prefix);
	for (unsigned i = 0; i < r->tags.n; i++)
		tag_write(b, &r->tags.at[i]);
	if (r->has_size_above)
		xml_u64(b, "ObjectSizeGreaterThan", r->size_above);
	if (r->has_size_below)
		xml_u64(b, "ObjectSizeLessThan", r->size_below);
	if (r->and)
		xml_close(b, "And");
	xml_close(b, "Filter");
}

static void
date_write(struct buf *b, const char *tag, uint64_t ms)
{
	char text[DATE_ISO_LEN];

	date_iso_text(ms, text);
	xml_text(b, tag, str_n(text, sizeof(text)));
}

static void
expiration_write(struct buf *b, const struct lifecycle_rule *r)
{
	if (r->expire_days == 0 && r->expire_at_ms == 0 && !r->has_expire_markers)
		return;
	xml_open(b, "Expiration");
	if (r->expire_days > 0)
		xml_u64(b, "Days", r->expire_days);
	if (r->expire_at_ms > 0)
		date_write(b, "Date", r->expire_at_ms);
	if (r->has_expire_markers)
		xml_bool(b, "ExpiredObjectDeleteMarker", r->expire_markers);
	xml_close(b, "Expiration");
}

static void
rule_write(struct buf *b, const struct lifecycle_rule *r)
{
	xml_open(b, "Rule");
	if (r->id.p != NULL)
		xml_text(b, "ID", r->id);
	filter_write(b, r);
	xml_text(b, "Status", r->enabled ? STR("Enabled") : STR("Disabled"));
	expiration_write(b, r);
	if (r->noncurrent_days > 0) {
		xml_open(b, "NoncurrentVersionExpiration");
		xml_u64(b, "NoncurrentDays", r->noncurrent_days);
		if (r->noncurrent_newer > 0)
			xml_u64(b, "NewerNoncurrentVersions", r->noncurrent_newer);
		xml_close(b, "NoncurrentVersionExpiration");
	}
	if (r->abort_days > 0) {
		xml_open(b, "AbortIncompleteMultipartUpload");
		xml_u64(b, "DaysAfterInitiation", r->abort_days);
		xml_close(b, "AbortIncompleteMultipartUpload");
	}
	xml_close(b, "Rule");
}

void
lifecycle_write(struct buf *b, const struct lifecycle *l)
{
	xml_begin(b, "LifecycleConfiguration", true);
	for (unsigned i = 0; i < l->n; i++)
		rule_write(b, &l->rule[i]);
	xml_close(b, "LifecycleConfiguration");
}
