/*
 * catalog_help.h - a catalog in memory, or on RocksDB where that has to be, and short ways to use it.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "meta/catalog.h"
#include "test.h"

struct bed {
	struct kv *kv;
	struct catalog *c;
	struct arena *a;
	struct bucket b;		/* "bucket" of "org" */
};

static inline void
bed_done(struct bed *t)
{
	catalog_close(&t->c);
	if (t->kv != NULL)
		kv_close(&t->kv);
	arena_free(&t->a);
}

static inline struct bed
bed_new(void)
{
	struct bed t = { .a = arena_new(1 << 16, 1 << 28) };
	struct bucket_new new = { .name = STR("bucket"), .org = STR("org"), .location = STR("HERE") };

	EXPECT_OK(kv_open(STR("memory:"), NULL, &t.kv));
	EXPECT_OK(catalog_open(t.kv, &t.c));
	EXPECT_OK(catalog_bucket_create(t.c, &new));
	EXPECT_OK(catalog_bucket(t.c, STR("bucket"), KV_MAY_BLOCK, t.a, &t.b));
	return t;
}

static inline void
bed_reload(struct bed *t)
{
	EXPECT_OK(catalog_bucket(t->c, STR("bucket"), KV_MAY_BLOCK, t->a, &t->b));
}

/* On RocksDB, in memory (/dev/shm) where there is such a thing, so that a flush costs nothing. */
struct place {
	char dir[64];
	struct bed bed;
};

static inline void
place_new(struct place *p, const struct kv_options *options)
{
	struct bucket_new new = { .name = STR("bucket"), .org = STR("org"), .location = STR("HERE") };
	struct bed *t = &p->bed;

	snprintf(p->dir, sizeof(p->dir), "%s/test_catalog.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(p->dir) == NULL)
		abort();
	*t = (struct bed){ .a = arena_new(1 << 20, 1 << 30) };
	EXPECT_OK(kv_open(arena_fmt(t->a, "rocksdb:%s/index", p->dir), options, &t->kv));
	EXPECT_OK(catalog_open(t->kv, &t->c));
	EXPECT_OK(catalog_bucket_create(t->c, &new));
	bed_reload(t);
}

static inline void
place_done(struct place *p)
{
	bed_done(&p->bed);
	EXPECT_OK(file_remove_tree(p->dir));
}

static inline void
bed_versioning(struct bed *t, enum versioning v)
{
	EXPECT_OK(catalog_bucket_versioning(t->c, &t->b, v));
	bed_reload(t);
}

/* An inlined object whose bytes are its ETag. */
static inline struct object
small(str key, str text)
{
	return (struct object){ .key = key, .data = text.len > 0 ? DATA_INLINE : DATA_NONE, .inlined = text, .size = text.len, .etag = text,
	    .owner_org = STR("org") };
}

/* One that has a blob. */
static inline struct object
large(struct bed *t, str key, uint64_t size)
{
	struct object o = { .key = key, .data = DATA_SINGLE, .size = size, .etag = STR("large"), .owner_org = STR("org") };

	o.extent.blob = (struct blob_ref){ id_new(t->b.space), 1, size };
	o.extent.len = size;
	return o;
}

static inline err_v
put_if(struct bed *t, str key, str text, const struct conditions *cond, struct version_id *ret)
{
	struct object o = small(key, text);

	return catalog_put(t->c, &t->b, &o, cond, ret);
}

static inline struct version_id
put(struct bed *t, str key, str text)
{
	struct version_id v = { .null = false };

	EXPECT_OK(put_if(t, key, text, NULL, &v));
	return v;
}

static const struct which current = { .kind = WHICH_CURRENT };

static inline struct which
which_of(struct version_id v)
{
	return (struct which){ .kind = WHICH_VERSION, .version = v };
}

static inline err_v
get(struct bed *t, str key, struct which which, struct object *ret)
{
	return catalog_get(t->c, &t->b, key, &which, KV_MAY_BLOCK, t->a, ret);
}

/* ETag of the current version: "(marker)", "(none)". */
static inline str
etag_now(struct bed *t, str key)
{
	struct object o;
	err_v e = get(t, key, current, &o);

	if (err_is(e, S3_NoSuchKey))
		return STR("(none)");
	EXPECT_OK(e);
	return o.delete_marker ? STR("(marker)") : o.etag;
}

static inline struct deleted
del(struct bed *t, str key, struct which which)
{
	struct deleted d = { .marker = false };

	EXPECT_OK(catalog_delete(t->c, &t->b, key, &which, NULL, NULL, &d));
	return d;
}

/* A listing in one line: "a b/ c" for objects; versions "a=etag* a=etag"; the caller's query is used as it is. */
static inline str
list_text(struct bed *t, const struct list_query *q, bool *ret_more)
{
	struct list_page page = { .n = 0 };
	str s = STR("");

	EXPECT_OK(catalog_list(t->c, &t->b, q, t->a, &page));
	for (unsigned i = 0; i < page.n; i++) {
		const struct list_row *r = &page.row[i];
		const char *space = i > 0 ? " " : "";

		if (r->is_prefix)
			s = arena_fmt(t->a, "%.*s%s%.*s", STR_FMT(s), space, STR_FMT(r->prefix));
		else if (q->what == LIST_OBJECTS)
			s = arena_fmt(t->a, "%.*s%s%.*s", STR_FMT(s), space, STR_FMT(r->object.key));
		else if (q->what == LIST_UPLOADS)
			s = arena_fmt(t->a, "%.*s%s%.*s", STR_FMT(s), space, STR_FMT(r->upload.key));
		else
			s = arena_fmt(t->a, "%.*s%s%.*s=%.*s%s", STR_FMT(s), space, STR_FMT(r->object.key),
			    STR_FMT(r->object.delete_marker ? STR("marker") : r->object.etag), r->is_latest ? "*" : "");
	}
	if (ret_more != NULL)
		*ret_more = page.more;
	return s;
}

static inline str
list_all(struct bed *t, enum list_what what)
{
	return list_text(t, &(struct list_query){ .what = what, .max = 1000 }, NULL);
}

static inline struct bucket_usage
usage(struct bed *t)
{
	struct bucket_usage u = { .markers = -1 };

	EXPECT_OK(catalog_usage(t->c, t->b.space, t->a, &u));
	return u;
}

/* Reap until nothing is dead; returns how many blobs were to be deleted. */
static inline unsigned
reap_all(struct bed *t)
{
	unsigned blobs = 0, n = 1;
	uint32_t *spaces = NULL;
	unsigned nspaces = 0;

	EXPECT_OK(catalog_spaces(t->c, t->a, &spaces, &nspaces));
	for (int round = 0; round < 20 && n > 0; round++) {
		n = 0;
		for (unsigned i = 0; i < nspaces; i++) {
			struct dead *dead = NULL;
			unsigned ndead = 0;

			EXPECT_OK(catalog_dead(t->c, spaces[i], UINT64_MAX, NULL, 1000, t->a, &dead, &ndead));
			for (unsigned j = 0; j < ndead; j++) {
				struct blob_ref *refs;
				unsigned nrefs = 0;

				EXPECT_OK(catalog_dead_unlink(t->c, &dead[j], t->a, &refs, &nrefs));
				EXPECT_OK(catalog_dead_done(t->c, &dead[j]));
				blobs += nrefs;
			}
			n += ndead;
		}
	}
	return blobs;
}

/* Rows of the space that begin with c. */
static inline unsigned
rows(struct bed *t, char c)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	char from[1] = { c }, to[1] = { (char)(c + 1) };
	unsigned n = 0;

	EXPECT_OK(kv_scan(t->kv, t->b.space, str_n(from, 1), str_n(to, 1), &it));
	for (; kv_iter_valid(it); kv_iter_next(it))
		n++;
	return n;
}
