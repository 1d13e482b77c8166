/*
 * blob.c - the contract in front of the engines.
 *
 * Finds the engine by url, and holds what is common: states of writers, bounds
 * of reads. Nothing here touches a disk.
 */
#include "blob/blob.h"

#include "base/mem.h"
#include "base/panic.h"
#include "blob/blob_impl.h"

static const struct blob_ops *const engines[] = { &blob_file_ops, &blob_mem_ops };

static const struct blob_options defaults = {
	.volume_max = UINT64_C(512) << 10,
	.volume_bytes = UINT64_C(1) << 30,
	.direct_min = UINT64_C(1) << 20,
};

err_v
blobs_open(str url, const struct blob_options *options, struct blobs **ret)
{
	str place = url, scheme = str_take_until(&place, ':');

	for (size_t i = 0; i < COUNT(engines); i++) {
		if (!str_eq(scheme, str_c(engines[i]->scheme)) || place.p == NULL)
			continue;
		TRY(engines[i]->open(place, options != NULL ? options : &defaults, ret));
		CHECK_OBJ(*ret, BLOBS_MAGIC);
		return ERR_OK;
	}
	return err_errno(EINVAL, "blob store \"%.*s\": want file:DIR or memory:", STR_FMT(url));
}

void
blobs_close(struct blobs **sp)
{
	if (*sp == NULL)
		return;
	CHECK_OBJ(*sp, BLOBS_MAGIC);
	(*sp)->ops->close(*sp);
	*sp = NULL;
}

static err
refuse_if_read_only(const struct blobs *s)
{
	return s->options.read_only ? err_errno(EROFS, "the blob store is open for reading only") : ERR_OK;
}

err_v
blob_begin(struct blobs *s, struct id id, uint64_t size_hint, struct blob_writer **ret)
{
	struct blob_writer *w;

	CHECK_OBJ(s, BLOBS_MAGIC);
	assert(!id_is_zero(id));
	TRY(refuse_if_read_only(s));
	TRY(s->ops->begin(s, id, size_hint, &w));
	w->magic = BLOB_WRITER_MAGIC;
	w->store = s;
	w->id = id;
	w->size = 0;
	w->state = WRITER_OPEN;
	*ret = w;
	return ERR_OK;
}

err_v
blob_append(struct blob_writer *w, str bytes)
{
	err_v e;

	CHECK_OBJ(w, BLOB_WRITER_MAGIC);
	assert(w->state == WRITER_OPEN);
	if (bytes.len == 0)
		return ERR_OK;
	e = w->store->ops->append(w, bytes);
	if (err_ok(e))
		w->size += bytes.len;
	else
		w->state = WRITER_FAILED;
	return e;
}

err_v
blob_commit(struct blob_writer **wp, struct blob_ref *ret)
{
	struct blob_writer *w = *wp;
	struct blob_ref ref;
	err_v e;

	CHECK_OBJ(w, BLOB_WRITER_MAGIC);
	assert(w->state == WRITER_OPEN);
	ref = (struct blob_ref){ .id = w->id, .size = w->size };
	e = w->store->ops->commit(w, &ref);
	w->state = err_ok(e) ? WRITER_COMMITTED : WRITER_FAILED;
	if (!err_ok(e))
		return e;
	*ret = ref;
	blob_abort(wp);
	return ERR_OK;
}

void
blob_abort(struct blob_writer **wp)
{
	struct blob_writer *w = *wp;

	if (w == NULL)
		return;
	CHECK_OBJ(w, BLOB_WRITER_MAGIC);
	w->magic = 0;
	w->store->ops->forget(w);
	*wp = NULL;
}

err_v
blob_open(struct blobs *s, const struct blob_ref *ref, struct blob_reader **ret)
{
	struct blob_reader *r;

	CHECK_OBJ(s, BLOBS_MAGIC);
	TRY(s->ops->reader_open(s, ref, &r));
	r->magic = BLOB_READER_MAGIC;
	r->store = s;
	r->verify = true;
	if (ref->size != 0 && r->size != ref->size) {
		blob_reader_close(&r);
		return ERR_DAMAGED;
	}
	*ret = r;
	return ERR_OK;
}

void
blob_reader_close(struct blob_reader **rp)
{
	struct blob_reader *r = *rp;

	if (r == NULL)
		return;
	CHECK_OBJ(r, BLOB_READER_MAGIC);
	r->magic = 0;
	r->store->ops->reader_close(r);
	*rp = NULL;
}

void
blob_reader_verify(struct blob_reader *r, bool verify)
{
	CHECK_OBJ(r, BLOB_READER_MAGIC);
	r->verify = verify;
}

err_v
blob_read(struct blob_reader *r, uint64_t off, void *p, size_t len)
{
	CHECK_OBJ(r, BLOB_READER_MAGIC);
	/* What to read comes from records: a range that is not there is damage, not our bug. */
	if (off > r->size || len > r->size - off)
		return ERR_DAMAGED;
	if (len == 0)
		return ERR_OK;
	return r->store->ops->read(r, off, p, len);
}

err_v
blob_extent(struct blob_reader *r, uint64_t off, size_t max, int *ret_fd, uint64_t *ret_pos, size_t *ret_len)
{
	CHECK_OBJ(r, BLOB_READER_MAGIC);
	assert(max > 0);
	if (off >= r->size)
		return ERR_DAMAGED;
	if (max > r->size - off)
		max = (size_t)(r->size - off);
	return r->store->ops->extent(r, off, max, ret_fd, ret_pos, ret_len);
}

err_v
blob_delete(struct blobs *s, const struct blob_ref *ref)
{
	CHECK_OBJ(s, BLOBS_MAGIC);
	TRY(refuse_if_read_only(s));
	return s->ops->delete(s, ref);
}

err_v
blobs_flush(struct blobs *s)
{
	CHECK_OBJ(s, BLOBS_MAGIC);
	TRY(refuse_if_read_only(s));
	return s->ops->flush(s);
}

err_v
blob_list(struct blobs *s, blob_visit_f *visit, void *arg)
{
	CHECK_OBJ(s, BLOBS_MAGIC);
	return s->ops->list(s, visit, arg);
}

err_v
blob_list_suspects(struct blobs *s, blob_visit_f *visit, void *arg)
{
	CHECK_OBJ(s, BLOBS_MAGIC);
	TRY(refuse_if_read_only(s));
	return s->ops->list_suspects(s, visit, arg);
}

err_v
blob_scrub(struct blobs *s, const struct blob_ref *ref, uint64_t *ret_off)
{
	CHECK_OBJ(s, BLOBS_MAGIC);
	return s->ops->scrub(s, ref, ret_off);
}

err_v
blob_copy_begin(struct blobs *s, const char *dir, struct blob_copy **ret)
{
	struct blob_copy *c;

	CHECK_OBJ(s, BLOBS_MAGIC);
	TRY(s->ops->copy_begin(s, dir, &c));
	c->magic = BLOB_COPY_MAGIC;
	c->store = s;
	*ret = c;
	return ERR_OK;
}

err_v
blob_copy_add(struct blob_copy *c, const struct blob_ref *ref, uint64_t *ret_bytes)
{
	CHECK_OBJ(c, BLOB_COPY_MAGIC);
	return c->store->ops->copy_add(c, ref, ret_bytes);
}

err_v
blob_copy_end(struct blob_copy **cp)
{
	err_v e;

	CHECK_OBJ(*cp, BLOB_COPY_MAGIC);
	e = (*cp)->store->ops->copy_end(*cp);
	blob_copy_drop(cp);
	return e;
}

void
blob_copy_drop(struct blob_copy **cp)
{
	struct blob_copy *c = *cp;

	if (c == NULL)
		return;
	CHECK_OBJ(c, BLOB_COPY_MAGIC);
	c->magic = 0;
	c->store->ops->copy_drop(c);
	*cp = NULL;
}

void
blob_stats(struct blobs *s, struct blob_stats *ret)
{
	CHECK_OBJ(s, BLOBS_MAGIC);
	*ret = (struct blob_stats){ 0 };
	s->ops->stats(s, ret);
}
