/*
 * lifecycle.h - rules that say when objects, versions and uploads go.
 *
 * Pure: XML to rules and back, and the judgement of one object, version or upload by its record. Amazon's rules (S3 User
 * Guide, "Managing your storage lifecycle"): a number of days counts from creation, or from when a version became
 * noncurrent, and is rounded up to the next midnight UTC. A day may be shorter, for tests; "midnight" is then a multiple of it.
 * If several rules fit, the one that deletes first wins.
 */
#pragma once

#include "base/buf.h"
#include "http/xml_in.h"
#include "meta/object.h"

#define LIFECYCLE_RULES_MAX 1000u
#define LIFECYCLE_BODY_MAX (1u << 20)
#define LIFECYCLE_NEWER_MAX 100u

struct lifecycle_rule {
	str id;				/* p == NULL: the rule came without one */
	bool enabled;
	/* The filter: all that are set must hold. */
	bool old_prefix;		/* Prefix stood in the rule itself, not in a Filter */
	bool and;			/* the filter's parts stood in an And */
	bool has_prefix, has_size_above, has_size_below;
	str prefix;
	struct pairs tags;
	uint64_t size_above, size_below;	/* bytes; both exclusive */
	/* The actions. 0: none. */
	uint32_t expire_days;
	uint64_t expire_at_ms;
	bool has_expire_markers, expire_markers;
	uint32_t noncurrent_days, noncurrent_newer;
	uint32_t abort_days;
};

struct lifecycle {
	struct lifecycle_rule *rule;
	unsigned n;
};

/*
 * S3_MalformedXML, S3_InvalidArgument, S3_InvalidRequest; S3_NotImplemented names an action that is not supported. A Prefix outside
 * a Filter: Amazon still takes it, CoreWeave does not.
 */
enum lifecycle_prefix { LIFECYCLE_OLD_PREFIX_REFUSED, LIFECYCLE_OLD_PREFIX_ALLOWED };
err lifecycle_parse(const struct xml_node *root, enum lifecycle_prefix, struct arena *, struct lifecycle *ret);
/* What GetBucketLifecycleConfiguration answers: every rule as it was given. lifecycle_parse() reads it back. */
void lifecycle_write(struct buf *, const struct lifecycle *);

/* What goes, when, and which rule says so. */
struct lifecycle_end {
	uint64_t at_ms;
	const struct lifecycle_rule *rule;
};
/* Each: false if no rule ever ends it. */
/* A current object; not a delete marker. needs_tags: of o, else rules with tags never fit. */
bool lifecycle_object(const struct lifecycle *, const struct object *o, uint32_t day_seconds, struct lifecycle_end *ret);
/* A delete marker that is the only version of its key. */
bool lifecycle_lone_marker(const struct lifecycle *, const struct object *o, uint32_t day_seconds, struct lifecycle_end *ret);
/* A version or marker that is not current any more: since when, and how many newer ones are not current either. */
bool lifecycle_noncurrent(const struct lifecycle *, const struct object *o, uint64_t since_ms, uint64_t newer, uint32_t day_seconds,
    struct lifecycle_end *ret);
bool lifecycle_upload(const struct lifecycle *, str key, uint64_t started_ms, uint32_t day_seconds, struct lifecycle_end *ret);

/* Does any enabled rule act on ... */
bool lifecycle_has_noncurrent(const struct lifecycle *);	/* versions, or markers */
bool lifecycle_has_current(const struct lifecycle *);
bool lifecycle_has_uploads(const struct lifecycle *);
/* ... and does any ask for tags? */
bool lifecycle_has_tags(const struct lifecycle *);
/* The prefixes under which enabled rules act, sorted, none within another. None: no enabled rule. */
void lifecycle_prefixes(const struct lifecycle *, struct arena *, str **ret, unsigned *ret_n);
