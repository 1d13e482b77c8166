/*
 * policy.h - a policy in the form that is evaluated, and its evaluation.
 *
 * Bucket policies and organization policies compile into the same statements; what differs is how they are written
 * (policy_json.c, policy_org.c). Compiled once when set, immutable after, evaluated without allocation and without locks.
 */
#pragma once

#include "access/access.h"
#include "access/action.h"
#include "access/glob.h"

enum condition_key {
#define CONDITION_KEY(id, name, meaning) COND_##id,
#include "tbl/condition_keys.h"
#undef CONDITION_KEY
	COND_COUNT
};

enum condition_type { TYPE_STRING, TYPE_NUMBER, TYPE_DATE, TYPE_BOOL, TYPE_IP, TYPE_NOTHING };
enum condition_test {
	TEST_EQUAL, TEST_EQUAL_NOCASE, TEST_LIKE, TEST_LESS, TEST_LESS_EQUAL, TEST_GREATER, TEST_GREATER_EQUAL,
	TEST_WITHIN, TEST_ABSENT
};

struct ip_range {
	uint8_t addr[16];	/* IPv4 mapped into IPv6 */
	unsigned bits;
};

union condition_value {
	struct glob text;
	double number;		/* also dates: seconds since 1970 */
	struct ip_range ip;
	bool absent;		/* Null */
};

struct condition {
	enum condition_key key;
	str arg;		/* of a tag key: the tag; of GROUPS: the organization */
	enum condition_type type;
	enum condition_test test;
	bool negated, if_exists;
	enum { FOR_PLAIN, FOR_ANY, FOR_ALL } quantifier;
	union condition_value *value;
	unsigned values;
};

/* Whom one entry of a principal list means. */
struct who {
	enum {
		WHO_EVERYONE,		/* also the anonymous */
		WHO_ORG,		/* everyone of org */
		WHO_NAME,		/* name in org */
		WHO_PREFIX,		/* names that begin so, in org */
		WHO_KEY			/* the holder of the access key "name" */
	} kind;
	str org, name;
};

struct statement {
	str name;			/* Sid; "" if there is none */
	bool allow;
	enum {
		WHOM_NOT_SAID,		/* everyone for a Deny, every principal that is not anonymous for an Allow */
		WHOM_LISTED,
		WHOM_ALL_BUT		/* NotPrincipal */
	} whom;
	struct who *who;
	unsigned whos;
	struct actions actions;		/* NotAction is turned round when compiled */
	bool resources_not;		/* NotResource */
	struct glob *resource;		/* over "*", "bucket", "bucket/key" */
	unsigned resources;
	struct condition *condition;	/* all must hold */
	unsigned conditions;
};

struct policy {
	str name;			/* of an organization policy, or Id */
	struct statement *statement;
	unsigned statements;
	bool asks_existing_tags;
	struct arena *memory;		/* holds all of it, and the policy itself */
};

/* The policy owns its memory. S3_MalformedPolicy naming the element. */
err policy_compile_bucket(str bucket, str json, struct policy **ret);
err policy_compile_org(str org, str json, struct policy **ret);
void policy_free(struct policy **);

/* ---- evaluation (policy_eval.c) ---- */

#define POLICY_RESOURCE_MAX 2048u

struct ask {
	const struct access_question *question;
	enum action action;
	str resource;			/* "*", "bucket", "bucket/key" */
	uint64_t now_ms;
};

enum verdict { VERDICT_NONE, VERDICT_ALLOW, VERDICT_DENY };

/* Deny wins, then Allow. *ret: the statement that decided. */
enum verdict policy_ask(const struct policy *, const struct ask *, const struct statement **ret);

/* Does it hold? (policy_condition.c) */
bool condition_holds(const struct condition *, const struct ask *);

/* ---- pieces of the compiler ---- */

struct json_t;

/* Where in the document we are, for messages; memory of the policy. */
struct policy_reader {
	struct arena *arena;
	str bucket;			/* bucket policies: resources must fit it */
	str org;			/* organization policies: whose principals are meant */
	unsigned statement;		/* from 1 on; 0: outside */
	bool old_version;		/* 2008-10-17: no ${} */
	bool asks_existing_tags;
};
typedef err_v policy_reader_f(struct policy_reader *, struct json_t *root, struct policy *ret);
/* Parse and read; what both kinds share. (policy_json.c) */
err policy_compile(str json, policy_reader_f *, struct policy_reader *, struct policy **ret);
/* S3_MalformedPolicy: "Statement 2, Action: ..." */
err_v policy_bad(const struct policy_reader *, const char *element, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "Condition": {operator: {key: value or values}} (policy_condition_json.c) */
err policy_read_conditions(struct policy_reader *, struct json_t *, struct statement *ret);
/* A string or a list of strings, at most max, none empty list. */
err policy_read_strings(const struct policy_reader *, const char *element, struct json_t *, unsigned max, str **ret, unsigned *ret_n);

/* "10.0.0.0/8", "2001:db8::1". */
bool ip_range_parse(str, struct ip_range *ret);
bool condition_number_parse(str, double *ret);
/* ISO 8601 or seconds since 1970. */
bool condition_date_parse(str, double *ret);
