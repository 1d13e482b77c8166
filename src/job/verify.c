/*
 * verify.c - the order of the passes, and what they find.
 */
#include "job/verify_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define SUSPECTS_MAX 1000000u
#define TEXTS_MAX (256u << 20)
#define SPACES_MAX (64u << 20)

bool
verify_pace(struct verify *v, enum verify_unit unit, uint64_t n)
{
	*(unit == VERIFY_ROWS ? &v->sum.rows : &v->sum.bytes) += n;
	if (!v->stopped && !v->o->pace(v->o->arg, unit, n))
		v->stopped = true;
	return !v->stopped;
}

void
verify_found(struct verify *v, const struct finding *f)
{
	*(f->kind == FINDING_DAMAGE ? &v->sum.damaged : &v->sum.leaked) += 1;
	v->o->found(v->o->arg, f);
}

void
suspect_add(struct verify *v, struct suspects *s, struct id id, uint32_t part, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	if (s->n == SUSPECTS_MAX)
		return;
	s->at = mem_more(s->at, s->n, &s->room, sizeof(*s->at));
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	s->at[s->n++] = (struct suspect){ id, part, arena_str(v->texts, str_c(what)).p };
}

static int
by_id(const void *a, const void *b)
{
	const struct suspect *x = a, *y = b;
	int order = memcmp(x->id.byte, y->id.byte, ID_LEN);

	return order != 0 ? order : (x->part > y->part) - (x->part < y->part);
}

void
suspects_sort(struct suspects *s)
{
	if (s->n > 0)
		qsort(s->at, s->n, sizeof(*s->at), by_id);
}

/* The first of this id. */
const struct suspect *
suspect_find(const struct suspects *s, struct id id)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (memcmp(s->at[middle].id.byte, id.byte, ID_LEN) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n && id_eq(s->at[low].id, id) ? &s->at[low] : NULL;
}

void
finding_text(const struct finding *f, struct buf *out)
{
	char id[ID_TEXT_LEN];

	buf_add_c(out, f->kind == FINDING_DAMAGE ? "damage" : "leak");
	if (!str_empty(f->bucket)) {
		buf_add_c(out, " bucket=");
		url_encode(out, f->bucket, URL_KEEP_SLASH);
	}
	if (f->key.p != NULL) {
		buf_add_c(out, " key=");
		url_encode(out, f->key, URL_KEEP_SLASH);
	}
	if (f->has_version && f->version.null)
		buf_add_c(out, " version=null");
	if ((f->has_version && !f->version.null) || f->has_upload) {
		id_text(f->has_upload ? f->upload : f->version.id, id);
		buf_addf(out, " %s=%.*s", f->has_upload ? "upload" : "version", ID_TEXT_LEN, id);
	}
	buf_add_c(out, ": ");
	buf_add(out, f->what);
}

static err
run(struct verify *v, struct arena *spaces)
{
	TRY(verify_system(v, spaces));
	for (unsigned i = 0; i < v->nspaces && !v->stopped; i++)
		TRY(verify_space(v, v->space[i]));
	if (!v->stopped)
		TRY(verify_links(v));
	for (unsigned i = 0; i < v->nspaces && !v->stopped; i++)
		TRY(verify_blobs(v, v->space[i]));
	if (!v->stopped)
		TRY(verify_names(v));
	return v->stopped ? ERR_OK : verify_owned(v);
}

err_v
verify_store(const struct verify_options *o, struct verify_sum *ret)
{
	AUTO(arena_free) struct arena *spaces = arena_new(4096, SPACES_MAX), *texts = arena_new(4096, TEXTS_MAX);
	struct verify v = { .o = o, .kv = catalog_kv(o->catalog), .texts = texts, .from = o->from };
	err_v e;

	if (getrandom(&v.seed, sizeof(v.seed), 0) != sizeof(v.seed))
		PANIC("getrandom");
	v.balance = mem_alloc(sizeof(*v.balance) << BALANCE_BITS);
	v.far = mem_alloc(sizeof(*v.far) << BALANCE_BITS);
	memset(v.far, 0, sizeof(*v.far) << BALANCE_BITS);
	e = run(&v, spaces);
	free(v.balance);
	free(v.far);
	free(v.blobs.at);
	free(v.bodies.at);
	*ret = v.sum;
	return e;
}
