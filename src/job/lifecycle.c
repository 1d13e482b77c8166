/*
 * lifecycle.c - deletes what the rules of its bucket have ended.
 *
 * A pass goes through the buckets that have rules, and in each only through the prefixes that enabled rules name, a page
 * at a time. What is due is deleted by conditional batches of many, which expect of each the very object that was judged: one
 * that was replaced since stays. Nothing is remembered between two passes, so a crash costs no more than judging again.
 *
 * Listings say nothing of tags. Where rules ask for them, a page is judged as if every tag were there, and what would be due is
 * read and judged again.
 */
#include "meta/lifecycle.h"

#include "base/clock.h"
#include "base/mem.h"
#include "job/job_impl.h"
#include "meta/keys.h"

#define PAGE 1000u
#define SLICE 128u		/* of a page, for one thread */
#define CONFIG_ARENA_MAX (64u << 20)

/* What a page found to be due. */
struct due {
	enum { DUE_CURRENT, DUE_MARKER, DUE_NONCURRENT, DUE_UPLOAD } kind;
	str key;
	struct version_id version;
	struct id id;			/* oid, or of the upload */
	uint64_t since_ms, newer;	/* DUE_NONCURRENT */
};

struct walk {
	struct job *job;
	struct arena *page[2];		/* in turns: the last row of a page is where the next begins */
	const struct bucket *bucket;
	struct lifecycle real, hopeful;	/* hopeful: no rule asks for tags */
	bool tags;
	uint64_t now_ms;
	struct due due[PAGE + 1];
	unsigned ndue;
	/* LIST_VERSIONS: the key at hand, over pages. */
	char key[OBJECT_KEY_MAX];
	size_t key_len;
	uint64_t above_ms, newer;	/* when the version above came; how many noncurrent ones are above */
	bool lone;			/* a marker is all that has been seen of the key */
	struct version_id lone_version;
	struct id lone_oid;
	uint64_t lone_ms;
};

/* ---- deleting ---- */

static bool
is_due(const struct walk *w, const struct lifecycle *l, const struct due *d, const struct object *o)
{
	uint32_t day = w->job->options->day_seconds;
	struct lifecycle_end end;
	bool ends;

	if (d->kind == DUE_CURRENT)
		ends = !o->delete_marker && lifecycle_object(l, o, day, &end);
	else if (d->kind == DUE_MARKER)
		ends = lifecycle_lone_marker(l, o, day, &end);
	else
		ends = lifecycle_noncurrent(l, o, d->since_ms, d->newer, day, &end);
	return ends && end.at_ms <= w->now_ms;
}

/* Judged with its tags. */
static err
look_again(struct walk *w, const struct due *d, const struct which *which, struct arena *a, bool *ret)
{
	struct object o;
	err_v e = catalog_get(w->job->options->catalog, w->bucket, d->key, which, KV_MAY_BLOCK, a, &o);

	*ret = false;
	if (err_is(e, S3_NoSuchKey) || err_is(e, S3_NoSuchVersion))
		return ERR_OK;
	TRY(e);
	*ret = id_eq(o.oid, d->id) && is_due(w, &w->real, d, &o);
	return ERR_OK;
}

/* Somebody was faster: what was judged is there no more. */
static bool
is_gone(err_v e)
{
	return err_is(e, S3_PreconditionFailed) || err_is(e, S3_NoSuchUpload) || err_is(e, S3_NoSuchBucket) ||
	    err_is(e, S3_ConditionalRequestConflict);
}

static void
ended(struct walk *w, err_v e)
{
	if (err_ok(e))
		atomic_fetch_add(&w->job->done, 1);
	else if (!is_gone(e))
		job_failed(w->job, "expire", e);
}

/* The deletion of what is due. false: there is none, for its tags say otherwise, or that could not be found out. */
static bool
deletion(struct walk *w, const struct due *d, struct arena *a, struct delete_item *ret)
{
	bool still = true;
	err_v e;

	*ret = (struct delete_item){ .key = d->key, .expected = &d->id };
	ret->which.kind = d->kind == DUE_CURRENT ? WHICH_CURRENT : WHICH_VERSION;
	ret->which.version = d->version;
	if (!w->tags)
		return true;
	e = look_again(w, d, &ret->which, a, &still);
	if (!err_ok(e))
		job_failed(w->job, "expire", e);
	return err_ok(e) && still;
}

/* One slice of those that are due: deletions in few batches, uploads one by one. */
static void
end_slice(void *arg, size_t i, struct arena *a)
{
	struct walk *w = arg;
	size_t first = i * SLICE, end = first + SLICE < w->ndue ? first + SLICE : w->ndue;
	struct delete_item *item = ARENA_ARRAY(a, struct delete_item, SLICE);
	unsigned n = 0;

	if (job_stopping(w->job))
		return;
	for (size_t k = first; k < end; k++) {
		const struct due *d = &w->due[k];

		if (d->kind == DUE_UPLOAD)
			ended(w, catalog_upload_abort(w->job->options->catalog, w->bucket, d->key, d->id));
		else
			n += deletion(w, d, a, &item[n]);
	}
	catalog_delete_many(w->job->options->catalog, w->bucket, item, n);
	for (unsigned k = 0; k < n; k++)
		ended(w, item[k].error);
}

/* ---- judging ---- */

static void
add_due(struct walk *w, const struct due *d)
{
	w->due[w->ndue++] = *d;
}

/* The key at hand has no other version than a marker. page: its key must outlive the page's deletions. */
static void
end_of_key(struct walk *w, struct arena *page)
{
	struct object marker = { .key = str_n(w->key, w->key_len), .delete_marker = true, .modified_ms = w->lone_ms };
	struct due d = { .kind = DUE_MARKER, .version = w->lone_version, .id = w->lone_oid };

	if (w->lone && is_due(w, &w->hopeful, &d, &marker)) {
		d.key = arena_str(page, marker.key);
		add_due(w, &d);
	}
	w->lone = false;
}

static void
judge_version(struct walk *w, const struct object *o, bool is_latest, struct arena *page)
{
	struct due d = { .kind = is_latest ? DUE_CURRENT : DUE_NONCURRENT, .key = o->key, .version = o->version, .id = o->oid,
		.since_ms = w->above_ms, .newer = w->newer };

	if (is_latest) {
		end_of_key(w, page);
		memcpy(w->key, o->key.p, o->key.len < OBJECT_KEY_MAX ? o->key.len : OBJECT_KEY_MAX);
		w->key_len = o->key.len < OBJECT_KEY_MAX ? o->key.len : OBJECT_KEY_MAX;
		w->newer = 0;
		w->lone = o->delete_marker;
		w->lone_version = o->version;
		w->lone_oid = o->oid;
		w->lone_ms = o->modified_ms;
	} else {
		w->lone = false;
		w->newer++;
	}
	w->above_ms = o->modified_ms;
	if (is_due(w, &w->hopeful, &d, o))
		add_due(w, &d);
}

static void
judge_upload(struct walk *w, const struct upload *u)
{
	struct due d = { .kind = DUE_UPLOAD, .key = u->key, .id = u->id };
	struct lifecycle_end end;

	if (lifecycle_upload(&w->real, u->key, u->started_ms, w->job->options->day_seconds, &end) && end.at_ms <= w->now_ms)
		add_due(w, &d);
}

static void
judge_page(struct walk *w, enum list_what what, const struct list_page *page, struct arena *a)
{
	w->ndue = 0;
	for (unsigned i = 0; i < page->n; i++) {
		struct list_row *row = &page->row[i];
		struct due d = { .kind = DUE_CURRENT, .key = row->object.key, .version = row->object.version, .id = row->object.oid };

		if (what == LIST_VERSIONS)
			judge_version(w, &row->object, row->is_latest, a);
		else if (what == LIST_UPLOADS)
			judge_upload(w, &row->upload);
		else if (is_due(w, &w->hopeful, &d, &row->object))
			add_due(w, &d);
	}
	if (what == LIST_VERSIONS && !page->more)
		end_of_key(w, a);
}

/* ---- walking ---- */

/* Where the next page begins; its strings in the other page's arena. */
static void
next_page(struct list_query *q, const struct list_page *page)
{
	const struct list_row *last = &page->row[page->n - 1];

	q->after = q->what == LIST_UPLOADS ? last->upload.key : last->object.key;
	q->has_after_version = q->what != LIST_OBJECTS;
	if (q->what == LIST_VERSIONS)
		q->after_version = last->object.version;
	else if (q->what == LIST_UPLOADS)
		q->after_upload = last->upload.id;
}

static err
walk_list(struct walk *w, enum list_what what, str prefix)
{
	struct list_query q = { .what = what, .prefix = prefix, .max = PAGE, .once = true };
	struct list_page page = { .more = true };

	w->lone = false;
	for (unsigned turn = 0; page.more; turn ^= 1) {
		arena_reset(w->page[turn]);
		TRY(catalog_list(w->job->options->catalog, w->bucket, &q, w->page[turn], &page));
		if (page.n == 0 || !job_pace(w->job, page.n))
			return ERR_OK;
		judge_page(w, what, &page, w->page[turn]);
		crew_run(w->job->crew, (w->ndue + SLICE - 1) / SLICE, end_slice, w);
		next_page(&q, &page);
	}
	return ERR_OK;
}

static void
without_tags(const struct lifecycle *l, struct arena *a, struct lifecycle *ret)
{
	ret->n = l->n;
	ret->rule = ARENA_ARRAY(a, struct lifecycle_rule, l->n);
	for (unsigned i = 0; i < l->n; i++) {
		ret->rule[i] = l->rule[i];
		ret->rule[i].tags.n = 0;
	}
}

static err
read_rules(struct walk *w, struct arena *a)
{
	struct xml_node *root;
	str text;

	TRY(catalog_config_get(w->job->options->catalog, w->bucket, CONFIG_LIFECYCLE, a, &text));
	TRY(xml_parse(text, a, &root));
	TRY(lifecycle_parse(root, LIFECYCLE_OLD_PREFIX_ALLOWED, a, &w->real));
	without_tags(&w->real, a, &w->hopeful);
	w->tags = lifecycle_has_tags(&w->real);
	return ERR_OK;
}

static err
walk_bucket(void *arg, const struct bucket *b)
{
	AUTO(arena_free) struct arena *a = NULL;
	struct walk *w = arg;
	bool versions = b->versioning != VERSIONING_NEVER;
	unsigned n;
	str *prefix;
	err_v e;

	if (!b->has_lifecycle)
		return ERR_OK;
	w->bucket = b;
	a = arena_new(64u << 10, CONFIG_ARENA_MAX);
	e = read_rules(w, a);
	if (err_is(e, ERR_NOT_FOUND.code))
		return ERR_OK;			/* taken away meanwhile */
	TRY(e);
	lifecycle_prefixes(&w->real, a, &prefix, &n);
	for (unsigned i = 0; i < n && !job_stopping(w->job); i++) {
		if (lifecycle_has_current(&w->real) || (versions && lifecycle_has_noncurrent(&w->real)))
			TRY(walk_list(w, versions ? LIST_VERSIONS : LIST_OBJECTS, prefix[i]));
		if (lifecycle_has_uploads(&w->real))
			TRY(walk_list(w, LIST_UPLOADS, prefix[i]));
	}
	return ERR_OK;
}

err_v
job_lifecycle(struct job *j)
{
	AUTO(arena_free) struct arena *even = arena_new(1u << 20, 16u << 20), *odd = arena_new(1u << 20, 16u << 20);
	AUTO(mem_free_p) struct walk *w = MEM_NEW(struct walk);

	w->job = j;
	w->now_ms = clock_wall_ms();
	w->page[0] = even;
	w->page[1] = odd;
	return job_each_bucket(j, STR_NONE, "bucket", walk_bucket, w);
}
