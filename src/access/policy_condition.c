/*
 * policy_condition.c - what a request says under a condition key, and whether a condition holds.
 *
 * A key that the request does not have: the condition fails, unless it is negated ("...Not..."), ends with IfExists, or is
 * ForAllValues. Without a quantifier a key of several values holds if one of them fits; negated, if none does.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/policy.h"
#include "base/panic.h"
#include "base/text.h"
#include "http/date.h"
#include "http/head.h"

/* Room for a value that must be made: a date, a number. */
struct scratch { char text[32]; };

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool
ip_is_v4(const struct ip_range *r)
{
	return memcmp(r->addr, mapped, sizeof(mapped)) == 0;
}

bool
ip_range_parse(str s, struct ip_range *ret)
{
	str bits_text = s, addr_text = str_take_until(&bits_text, '/');
	char text[INET6_ADDRSTRLEN + 1];
	struct ip_range r;
	uint64_t bits;
	bool v4;

	if (addr_text.len >= sizeof(text) || memchr(addr_text.p ? addr_text.p : "", '\0', addr_text.len) != NULL)
		return false;
	memcpy(text, addr_text.p ? addr_text.p : "", addr_text.len);
	text[addr_text.len] = '\0';
	memcpy(r.addr, mapped, sizeof(mapped));
	v4 = inet_pton(AF_INET, text, r.addr + 12) == 1;
	if (!v4 && inet_pton(AF_INET6, text, r.addr) != 1)
		return false;
	r.bits = 128;
	if (bits_text.p != NULL) {
		if (!str_u64(bits_text, &bits) || bits > (v4 ? 32u : 128u))
			return false;
		r.bits = (unsigned)bits + (v4 ? 96u : 0u);
	}
	*ret = r;
	return true;
}

static bool
ip_range_has(const struct ip_range *r, const struct ip_range *addr)
{
	unsigned bytes = r->bits / 8, rest = r->bits % 8;

	/* "::/0" means every IPv6 address, not the IPv4 ones that we keep among them. */
	if (r->bits < 96 && ip_is_v4(addr))
		return false;
	if (memcmp(r->addr, addr->addr, bytes) != 0)
		return false;
	return rest == 0 || (r->addr[bytes] ^ addr->addr[bytes]) >> (8 - rest) == 0;
}

bool
condition_number_parse(str s, double *ret)
{
	char text[40], *end;
	double d;

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (strchr("0123456789+-.eE", s.p[i]) == NULL || s.p[i] == '\0')
			return false;		/* no blanks, hexadecimal, infinities */
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	d = strtod(text, &end);
	if (end == text || *end != '\0')
		return false;
	*ret = d;
	return true;
}

bool
condition_date_parse(str s, double *ret)
{
	uint64_t ms;

	if (date_iso_parse(s, &ms)) {
		*ret = (double)ms / 1000;
		return true;
	}
	if (!str_u64(s, &ms))
		return false;
	*ret = (double)ms;
	return true;
}

static str
header(const struct ask *ask, str name)
{
	return ask->question->head != NULL ? http_header(ask->question->head, name) : STR_NONE;
}

static str
query(const struct ask *ask, str name)
{
	str value = ask->question->head != NULL ? http_query_value(ask->question->head, name) : STR_NONE;

	if (value.p == NULL && ask->question->head != NULL && http_query(ask->question->head, name) != NULL)
		value = STR("");		/* "?prefix" */
	return value;
}

static str
print(struct scratch *s, uint64_t n)
{
	int len = snprintf(s->text, sizeof(s->text), "%llu", (unsigned long long)n);

	assert(len > 0 && (size_t)len < sizeof(s->text));
	return str_n(s->text, (size_t)len);
}

/* Does the request make an object? Not if it begins an upload or brings a part of one. */
static str
creation(const struct ask *ask)
{
	const struct http_head *h = ask->question->head;

	if (h == NULL || (ask->action != ACTION_s3_PutObject))
		return STR_NONE;
	if (h->method == HTTP_POST ? http_query(h, STR("uploads")) != NULL : http_query(h, STR("uploadId")) != NULL)
		return STR("false");
	return STR("true");
}

/* Not what headers say, but what was verified: a form may have fields of any name. */
static str
auth_type(const struct principal *who)
{
	static const str names[] = {
		[SIGNED_HEADER] = STR("REST-HEADER"), [SIGNED_QUERY] = STR("REST-QUERY-STRING"), [SIGNED_FORM] = STR("POST"),
	};

	return names[who->signed_how];
}

static str
signature_age(const struct ask *ask, struct scratch *s)
{
	uint64_t signed_ms = ask->question->who->signed_s * 1000;

	if (signed_ms == 0)
		return STR_NONE;
	return print(s, ask->now_ms > signed_ms ? ask->now_ms - signed_ms : 0);
}

/* Not by strftime(): it looks for a time zone, and allocates. */
static str
now_text(const struct ask *ask, struct scratch *s)
{
	static_assert(sizeof(s->text) >= DATE_ISO_LEN, "room for a date");
	date_iso_text(ask->now_ms / 1000 * 1000, s->text);
	return str_n(s->text, DATE_ISO_LEN);
}

static str
tag(const struct pairs *tags, str name)
{
	for (unsigned i = 0; tags != NULL && i < tags->n; i++)
		if (str_eq(tags->at[i].name, name))
			return str_empty(tags->at[i].value) ? STR("") : tags->at[i].value;
	return STR_NONE;
}

static str
nth_name(const struct pairs *pairs, unsigned i)
{
	return pairs != NULL && i < pairs->n ? pairs->at[i].name : STR_NONE;
}

/* What stands in a header, by key. */
static const str header_of[COND_COUNT] = {
	[COND_STORAGE_CLASS] = STR("x-amz-storage-class"),
	[COND_SSE_C_ALGORITHM] = STR("x-amz-server-side-encryption-customer-algorithm"),
	[COND_ACL] = STR("x-amz-acl"),
	[COND_CONTENT_SHA256] = STR("x-amz-content-sha256"),
	[COND_IF_MATCH] = STR("if-match"),
	[COND_IF_NONE_MATCH] = STR("if-none-match"),
	[COND_USER_AGENT] = STR("user-agent"),
	[COND_REFERER] = STR("referer"),
};
/* What stands in the query of a listing; in that of another request it says nothing. */
static const str query_of[COND_COUNT] = {
	[COND_PREFIX] = STR("prefix"),
	[COND_DELIMITER] = STR("delimiter"),
	[COND_MAX_KEYS] = STR("max-keys"),
};

static bool
is_listing(enum action a)
{
	return a == ACTION_s3_ListBucket || a == ACTION_s3_ListBucketVersions || a == ACTION_s3_ListBucketMultipartUploads;
}

/* The i-th value of the key, p == NULL if there is none. */
static str
value_at(const struct condition *c, const struct ask *ask, unsigned i, struct scratch *s)
{
	const struct access_question *q = ask->question;

	if (c->key == COND_GROUPS)
		return str_eq(c->arg, q->who->org) && !q->who->anonymous ? nth_name(&q->who->groups, i) : STR_NONE;
	if (c->key == COND_REQUEST_TAGS)
		return nth_name(q->request_tags, i);
	if (i > 0)
		return STR_NONE;
	if (header_of[c->key].p != NULL)
		return header(ask, header_of[c->key]);
	if (query_of[c->key].p != NULL)
		return is_listing(ask->action) ? query(ask, query_of[c->key]) : STR_NONE;
	switch (c->key) {
	case COND_PRINCIPAL_ORG:
	case COND_AWS_ORG:
		return q->who->anonymous ? STR_NONE : q->who->org;
	case COND_VERSION_ID:
		return str_empty(q->version_id) ? STR_NONE : q->version_id;
	case COND_EXISTING_TAG:
		return tag(q->existing_tags, c->arg);
	case COND_REQUEST_TAG:
		return tag(q->request_tags, c->arg);
	case COND_COPY_SOURCE:
		return q->copy_source;
	case COND_DIRECTIVE:
		return q->copy_source.p != NULL ? header(ask, STR("x-amz-metadata-directive")) : STR_NONE;
	case COND_CREATION:
		return creation(ask);
	case COND_AUTH_TYPE:
		return auth_type(q->who);
	case COND_SIGNATURE_AGE:
		return signature_age(ask, s);
	case COND_SOURCE_IP:
		return str_empty(q->source_ip) ? STR_NONE : q->source_ip;
	case COND_SECURE:
		return q->tls ? STR("true") : STR("false");
	case COND_NOW:
		return now_text(ask, s);
	case COND_EPOCH:
		return print(s, ask->now_ms / 1000);
	default:
		return STR_NONE;
	}
}

static bool
compare(enum condition_test test, double a, double b)
{
	switch (test) {
	case TEST_LESS:
		return a < b;
	case TEST_LESS_EQUAL:
		return a <= b;
	case TEST_GREATER:
		return a > b;
	case TEST_GREATER_EQUAL:
		return a >= b;
	default:
		return !(a < b) && !(a > b);
	}
}

/* Does this value of the request fit one of the condition's, the negation left aside? */
static bool
value_fits(const struct condition *c, str value)
{
	struct ip_range addr = { 0 };
	double number = 0;
	bool fits = false;

	if (c->type == TYPE_IP && (!ip_range_parse(value, &addr) || addr.bits != 128))
		return false;
	if (c->type == TYPE_NUMBER && !condition_number_parse(value, &number))
		return false;
	if (c->type == TYPE_DATE && !condition_date_parse(value, &number))
		return false;
	for (unsigned i = 0; i < c->values && !fits; i++) {
		const union condition_value *want = &c->value[i];

		if (c->type == TYPE_IP)
			fits = ip_range_has(&want->ip, &addr);
		else if (c->type == TYPE_NUMBER || c->type == TYPE_DATE)
			fits = compare(c->test, number, want->number);
		else if (c->test == TEST_EQUAL_NOCASE)
			fits = str_eq_nocase(want->text.text, value);
		else
			fits = glob_match(&want->text, value);
	}
	return fits;
}

bool
condition_holds(const struct condition *c, const struct ask *ask)
{
	bool any = false, all = true;
	struct scratch scratch;
	unsigned i = 0;

	for (str v = value_at(c, ask, 0, &scratch); v.p != NULL; v = value_at(c, ask, ++i, &scratch)) {
		bool holds;

		if (c->type == TYPE_NOTHING) {
			i = 1;
			break;
		}
		holds = value_fits(c, v) != (c->negated && c->quantifier != FOR_PLAIN);
		any = any || holds;
		all = all && holds;
	}
	if (c->type == TYPE_NOTHING) {
		for (unsigned k = 0; k < c->values; k++)
			if (c->value[k].absent == (i == 0))
				return true;
		return false;
	}
	if (i == 0)
		return c->if_exists || c->quantifier == FOR_ALL || (c->quantifier == FOR_PLAIN && c->negated);
	if (c->quantifier == FOR_ALL)
		return all;
	return any != (c->negated && c->quantifier == FOR_PLAIN);
}
