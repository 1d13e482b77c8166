/*
 * stream.c - the bytes of an upload on their way in.
 *
 * One buffer after the other: filled from the client, handed to the digests, sealed if there is a key, appended to the
 * blob. Long streams have the slow digests run, and their bytes written, beside the next fill, straight from these buffers: so
 * they use a few of them in turn. What fits into inline_max never sees the blob store. Digests are verified before
 * blob_commit(), so what is wrong never becomes durable.
 */
#include "s3/stream.h"

#include <openssl/rand.h>

#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "s3/store.h"

#define STREAM_BUFFER (512u << 10)
#define STREAM_BUFFERS 3u

static_assert(STREAM_BUFFER % SSE_C_BLOCK == 0, "a full buffer is sealed as whole blocks");
static_assert(STREAM_BUFFER % BLOB_LEND == 0, "a full buffer is written from where it is");
static_assert(STREAM_BUFFER / SSE_C_BLOCK * SSE_C_TAG % BLOB_LEND != 0, "a sealed one is copied, so there is one for all");
static_assert(STREAM_BUFFERS > DIGEST_BEHIND && STREAM_BUFFERS > BLOB_BEHIND, "one is filled while others are hashed and written");

struct stream {
	struct s3_req *rq;
	const struct stream_plan *plan;
	struct byte_source source;
	struct aws_body *payload;	/* the source; it hashes by itself */
	struct digests *digests;	/* else we do */
	unsigned set;			/* digests wanted */
	size_t size;			/* of a buffer */
	char *buffer[STREAM_BUFFERS];	/* the first only, if that is enough */
	char *sealed;			/* one buffer, encrypted */
	bool through;			/* nothing reads our buffers any more */
	uint64_t block;			/* next to be sealed */
	struct sse_cipher *cipher;
	struct blob_writer *writer;
};

/* A helper of the payload may still read our buffers after a failure: closing the payload waits for it. */
static void
stream_done(struct stream *s)
{
	if (s->payload != NULL && !s->through)
		aws_body_close(&s->rq->payload);
	blob_abort(&s->writer);
	sse_cipher_free(&s->cipher);
	digests_free(&s->digests);
	for (unsigned i = 0; i < STREAM_BUFFERS; i++)
		free(s->buffer[i]);
	free(s->sealed);
}

static err
too_large(struct s3_req *rq, const struct stream_plan *plan, uint64_t size)
{
	s3_detail(rq, "ProposedSize", arena_fmt(rq->arena, "%llu", (unsigned long long)size));
	s3_detail(rq, "MaxSizeAllowed", arena_fmt(rq->arena, "%llu", (unsigned long long)plan->size_max));
	return err_s3f(S3_EntityTooLarge, "The upload is larger than the %llu bytes that are taken at once.",
	    (unsigned long long)plan->size_max);
}

static bool
length_known(const struct stream *s)
{
	return s->source.length != UINT64_MAX;
}

/* Larger than one buffer, as far as we know. */
static bool
is_long(const struct stream *s)
{
	return s->source.length >= STREAM_BUFFER;
}

/*
 * A stream of known length gets one byte more than it needs: a fill that comes back short has seen the end, trailers and
 * all. So either one buffer holds everything, or buffers are STREAM_BUFFER.
 */
static void
stream_buffers(struct stream *s)
{
	s->size = is_long(s) ? STREAM_BUFFER : (size_t)s->source.length + 1;
	for (unsigned i = 0; i < (is_long(s) ? STREAM_BUFFERS : 1); i++)
		s->buffer[i] = mem_alloc_aligned(BLOB_LEND, s->size);
	if (s->plan->key != NULL && s->plan->key->on) {
		s->cipher = sse_cipher_new(s->plan->key, s->plan->sse, SSE_SEAL);
		s->sealed = mem_alloc_aligned(BLOB_LEND, sse_stored_size(s->size));
	}
}

static void
stream_digests(struct stream *s)
{
	const struct stream_plan *plan = s->plan;

	s->set = checksum_want_set(&plan->want) | (plan->md5 ? DIGEST_BIT(DIGEST_MD5) : 0);
	if (plan->alg_also || (!plan->want.named && plan->alg_default))
		s->set |= DIGEST_BIT(plan->alg);
	if (s->payload != NULL) {
		aws_body_want(s->payload, s->set, is_long(s) ? AWS_BODY_HELP : AWS_BODY_ALONE);
		return;
	}
	s->digests = digests_new(s->set);
	if (is_long(s))
		digests_help(s->digests);
}

/* Fewer than size bytes only at the end. */
static err
stream_fill(struct stream *s, char *p, size_t *ret_len)
{
	size_t at = 0;

	if (s->payload != NULL)
		return aws_body_read_full(s->payload, p, s->size, ret_len);
	while (at < s->size) {
		size_t n;

		TRY(s->source.read(s->source.ctx, p + at, s->size - at, &n));
		assert(n <= s->size - at);
		if (n == 0)
			break;
		at += n;
	}
	digests_add(s->digests, str_n(p, at));
	*ret_len = at;
	return ERR_OK;
}

/* The piece as it is to be stored: sealed into our own buffer, or as it is. Only the last piece may end within a block. */
static str
stream_seal(struct stream *s, str plain)
{
	size_t at = 0, to = 0;

	if (s->cipher == NULL)
		return plain;
	while (at < plain.len) {
		str piece = str_sub(plain, at, SSE_C_BLOCK);

		sse_seal(s->cipher, s->block++, piece, s->sealed + to);
		at += piece.len;
		to += piece.len + SSE_C_TAG;
	}
	return str_n(s->sealed, to);
}

static uint64_t
stored_size(const struct stream *s, uint64_t plain)
{
	return s->cipher != NULL ? sse_stored_size(plain) : plain;
}

/* Everything that was said of the bytes holds; *ret's digests are set. */
static err
stream_verify(struct stream *s, struct stream_result *ret)
{
	const struct stream_plan *plan = s->plan;
	enum digest_alg alg = plan->want.named ? plan->want.alg : plan->alg;
	struct digest_values got = { .set = s->set };

	if (s->payload != NULL) {
		TRY(aws_body_finish(s->payload, &got));	/* verifies, the trailer too */
		s->through = true;
	} else {
		for (int i = 0; i < DIGEST_COUNT; i++)
			if (s->set & DIGEST_BIT(i))
				digests_get(s->digests, (enum digest_alg)i, got.at[i]);
		TRY(checksum_want_verify(&plan->want, got.at));
	}
	if (plan->md5)
		memcpy(ret->md5, got.at[DIGEST_MD5], sizeof(ret->md5));
	if (plan->alg_also)
		ret->also = checksum_of(plan->alg, CHECKSUM_FULL_OBJECT, got.at[plan->alg]);
	if (plan->want.named || plan->alg_default)
		ret->checksum = checksum_of(alg, CHECKSUM_FULL_OBJECT, got.at[alg]);
	return ERR_OK;
}

/* All pieces from the first (n bytes in buffer 0) to the end, into a blob. */
static err
stream_blob(struct stream *s, size_t n, struct stream_result *ret)
{
	uint64_t hint = length_known(s) ? s->source.length : n < s->size ? n : 0;
	unsigned turn = 0;

	TRY(blob_begin(s->rq->store->blobs, s->plan->body, stored_size(s, hint), &s->writer));
	for (;;) {
		TRY(blob_append(s->writer, stream_seal(s, str_n(s->buffer[turn], n))));
		if (n < s->size)
			break;
		assert(is_long(s));
		turn = (turn + 1) % STREAM_BUFFERS;
		TRY(stream_fill(s, s->buffer[turn], &n));
		ret->size += n;
		if (ret->size > s->plan->size_max)
			return too_large(s->rq, s->plan, ret->size);
		if (n == 0)
			break;
	}
	TRY(stream_verify(s, ret));
	return blob_commit(&s->writer, &ret->blob);
}

static err
stream_run(struct stream *s, struct stream_result *ret)
{
	struct stream_result r = { 0 };
	size_t n;

	if (length_known(s) && s->source.length > s->plan->size_max)
		return too_large(s->rq, s->plan, s->source.length);
	stream_digests(s);
	stream_buffers(s);
	TRY(stream_fill(s, s->buffer[0], &n));
	r.size = n;
	if (r.size > s->plan->size_max)
		return too_large(s->rq, s->plan, r.size);
	if (n < s->size && n <= s->plan->inline_max) {
		TRY(stream_verify(s, &r));
		r.is_inlined = n > 0;
		if (r.is_inlined)
			r.inlined = arena_str(s->rq->arena, stream_seal(s, str_n(s->buffer[0], n)));
	} else if (s->rq->wait == KV_NO_WAIT) {
		return ERR_WOULD_BLOCK;
	} else {
		TRY(stream_blob(s, n, &r));
	}
	*ret = r;
	return ERR_OK;
}

err_v
stream_receive(struct s3_req *rq, const struct stream_plan *plan, struct stream_result *ret)
{
	AUTO(stream_done) struct stream s = { .rq = rq, .plan = plan, .payload = rq->payload };

	assert(rq->payload != NULL);
	s.source.length = aws_body_length(rq->payload);
	return stream_run(&s, ret);
}

err_v
stream_from(struct s3_req *rq, const struct stream_plan *plan, struct byte_source source, struct stream_result *ret)
{
	AUTO(stream_done) struct stream s = { .rq = rq, .plan = plan, .source = source };

	return stream_run(&s, ret);
}

void
stream_drop(struct s3_req *rq, const struct stream_result *r, err_v why)
{
	err_v e;

	assert(!err_ok(why));
	/* After an error of the machine the batch may be in the log all the same, and come back with the next start. */
	if (r->is_inlined || r->size == 0 || why.code < 0)
		return;
	e = blob_delete(rq->store->blobs, &r->blob);
	(void)e;	/* the sweep finds what has no owner */
}

str
stream_etag(struct arena *a, const struct stream_plan *plan, const struct stream_result *r)
{
	uint8_t chance[16];

	if (plan->md5)
		return hex_str(a, str_n(r->md5, sizeof(r->md5)));
	if (RAND_bytes(chance, sizeof(chance)) != 1)
		PANIC("no randomness for an ETag");
	return hex_str(a, str_n(chance, sizeof(chance)));
}

void
stream_object(struct arena *a, const struct stream_plan *plan, const struct stream_result *r, struct object *o)
{
	o->size = r->size;
	o->etag = stream_etag(a, plan, r);
	o->checksum = r->checksum;
	if (plan->sse != NULL)
		o->sse = *plan->sse;
	o->data = r->size == 0 ? DATA_NONE : r->is_inlined ? DATA_INLINE : DATA_SINGLE;
	o->inlined = r->inlined;
	if (o->data == DATA_SINGLE) {
		o->body = plan->body;
		o->extent = (struct extent){ .body = plan->body, .blob = r->blob, .len = r->size };
	}
}
