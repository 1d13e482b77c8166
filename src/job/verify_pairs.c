/*
 * verify_pairs.c - which rows lack the row that they need, in memory that does not grow with the store.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "job/verify_impl.h"

#define ITEMS_MAX 1000000u
#define NAMES_MAX (256u << 20)
#define MIX UINT64_C(0x9e3779b97f4a7c15)

static uint64_t
mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * MIX;
	return h ^ h >> 29;
}

uint64_t
pairs_hash(const struct verify *v, str s)
{
	uint64_t h = v->seed, word;

	for (; s.len > 0; s = str_skip(s, sizeof(word))) {
		word = s.len;
		memcpy(&word, s.p, s.len < sizeof(word) ? s.len : sizeof(word));
		h = mix(h, word);
	}
	return mix(h, h >> 32);
}

void
pairs_begin(struct pairs_walk *p, struct verify *v)
{
	*p = (struct pairs_walk){ .v = v, .pass = PAIRS_SUM, .names = arena_new(4096, NAMES_MAX) };
	memset(v->balance, 0, sizeof(*v->balance) << BALANCE_BITS);
}

void
pairs_done(struct pairs_walk *p)
{
	free(p->item);
	arena_free(&p->names);
}

static void
collect(struct pairs_walk *p, struct pair_item item)
{
	if (p->n == ITEMS_MAX) {
		p->full = true;
		return;
	}
	p->item = mem_more(p->item, p->n, &p->room, sizeof(*p->item));
	item.row = arena_str(p->names, str_sub(item.row, 0, ROW_KEY_MAX));
	p->item[p->n++] = item;
}

void
pairs_add(struct pairs_walk *p, enum pairing pairing, enum side side, struct id a, struct id b, uint64_t more, str row)
{
	struct pair_item item = { .pairing = pairing, .side = side, .a = a, .b = b, .row = row };
	struct { struct id a, b; uint64_t more, pairing; } all = { a, b, more, pairing };
	uint64_t *sum;

	static_assert(sizeof(all) == 2 * ID_LEN + 16, "no holes");
	item.hash = pairs_hash(p->v, str_n(&all, sizeof(all)));
	sum = &p->v->balance[item.hash >> (64 - BALANCE_BITS)];
	if (p->pass == PAIRS_SUM)
		*sum += side == NEEDS ? mix(item.hash, MIX) : -mix(item.hash, MIX);
	else if (*sum != 0)
		collect(p, item);
}

bool
pairs_agree(const struct pairs_walk *p)
{
	uint64_t any = 0;

	for (size_t i = 0; i < (size_t)1 << BALANCE_BITS; i++)
		any |= p->v->balance[i];
	return any == 0;
}

static int
by_hash(const void *a, const void *b)
{
	const struct pair_item *x = a, *y = b;

	if (x->hash != y->hash)
		return (x->hash > y->hash) - (x->hash < y->hash);
	return (x->side > y->side) - (x->side < y->side);
}

/* A version or an upload by the name of its row; what is missing is of a body or a part: it is found later who needs that. */
static void
tell_need(struct pairs_walk *p, const struct pair_item *item, str bucket)
{
	static const char *const what[] = {
		[PAIR_OWNER] = "the index does not say that its bytes are in use: the reaper may delete them",
		[PAIR_PART_BLOB] = "the index does not say that the blob of a part is in use",
		[PAIR_TABLE] = "the table of its parts is gone",
		[PAIR_NULL] = "its null version is gone",
	};
	struct finding f = { .kind = FINDING_DAMAGE, .bucket = bucket, .what = str_c(what[item->pairing]) };
	char key[OBJECT_KEY_MAX];
	enum row_kind kind = (enum row_kind)item->row.p[0];
	uint32_t number = 0;
	struct id body;
	str rest;
	size_t len;

	if (kind == ROW_PART && row_part_parse(item->row, &body, &number)) {
		suspect_add(p->v, &p->v->bodies, body, number, "%s", what[item->pairing]);
	} else if (kind == ROW_LINK) {
		suspect_add(p->v, &p->v->bodies, item->a, 0, "%s", what[item->pairing]);
	} else if ((kind == ROW_OBJECT || kind == ROW_VERSION) && row_object_key(item->row, kind, key, &len, &rest)) {
		f.key = str_n(key, len);
		f.has_version = kind == ROW_VERSION && row_version_id(rest, &f.version.id);
		verify_found(p->v, &f);
	}
}

static void
tell_leak(struct pairs_walk *p, const struct pair_item *item, str bucket)
{
	static const char *const what[] = {
		[PAIR_OWNER] = "bytes are kept for a version or part that is gone",
		[PAIR_PART_BLOB] = "a blob is kept for a part that is gone",
		[PAIR_TABLE] = "a table of parts is kept, but not its body",
		[PAIR_NULL] = "an older null version that the newest version does not know of",
	};
	AUTO(arena_free) struct arena *a = arena_new(4096, 65536);
	struct finding f = { .kind = item->pairing == PAIR_NULL ? FINDING_DAMAGE : FINDING_LEAK, .bucket = bucket };
	char key[OBJECT_KEY_MAX];
	size_t len;
	str rest;

	if (item->pairing == PAIR_NULL && row_object_key(item->row, ROW_VERSION, key, &len, &rest)) {
		f.key = str_n(key, len);
		f.has_version = f.version.null = true;
	}
	f.what = arena_fmt(a, "%s (%.*s)", what[item->pairing], STR_FMT(hex_str(a, id_bytes(&item->a))));
	verify_found(p->v, &f);
}

/* Needs come before what serves them: equal numbers of both cancel out. */
void
pairs_tell(struct pairs_walk *p, str bucket)
{
	struct finding more = { .kind = FINDING_DAMAGE, .bucket = bucket,
		.what = STR("so many rows lack their counterparts that they are not named one by one") };

	if (p->full) {
		verify_found(p->v, &more);
		return;
	}
	if (p->n > 0)
		qsort(p->item, p->n, sizeof(*p->item), by_hash);
	for (size_t i = 0, end; i < p->n; i = end) {
		size_t needs = 0, serves;

		for (end = i; end < p->n && p->item[end].hash == p->item[i].hash; end++)
			needs += p->item[end].side == NEEDS;
		serves = end - i - needs;
		for (size_t k = serves; k < needs; k++)
			tell_need(p, &p->item[i + k], bucket);
		for (size_t k = needs; k < serves; k++)
			tell_leak(p, &p->item[i + needs + k], bucket);
	}
}
