/*
 * Uploads and reads without a network: what stream_from() stored comes back through an object_reader, any range of it,
 * plain and sealed, inlined and in blobs; and nothing damaged comes back at all.
 */
#include "test.h"

#include <stdlib.h>

#include "base/digest.h"
#include "base/mem.h"
#include "blob/blob_impl.h"
#include "s3/object_read.h"
#include "s3/store.h"
#include "s3/stream.h"

#define MIB (1u << 20)
#define INLINE_MAX 4096u

static uint64_t seed = 20261125;

static uint64_t
random_below(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % n;
}

/* A request with a store of its own, without a client. */
struct world {
	struct store store;
	struct s3_req rq;
	struct kv *kv;
	struct sse_key key;
	uint8_t key_bytes[SSE_KEY_LEN];
	struct sse_c sse;
};

static void
world_make(struct world *w)
{
	*w = (struct world){ .store = { .inline_max = INLINE_MAX, .verify_reads = true } };
	EXPECT_OK(kv_open(STR("memory:"), NULL, &w->kv));
	EXPECT_OK(catalog_open(w->kv, &w->store.catalog));
	EXPECT_OK(blobs_open(STR("memory:"), NULL, &w->store.blobs));
	w->rq = (struct s3_req){ .magic = S3_REQ_MAGIC, .store = &w->store, .arena = arena_new(65536, 64 * MIB) };
	w->key.on = true;
	w->key.key = w->key_bytes;
	memset(w->key.key, 'k', SSE_KEY_LEN);
	sse_c_new(&w->key, &w->sse);
}

static void
world_end(struct world *w)
{
	arena_free(&w->rq.arena);
	blobs_close(&w->store.blobs);
	catalog_close(&w->store.catalog);
	kv_close(&w->kv);
}

/* Bytes that come in pieces of odd sizes; fail_at: an error in place of this byte. */
struct feed { str rest; uint64_t fail_at; };

static err
feed_read(void *ctx, void *p, size_t max, size_t *ret_len)
{
	struct feed *f = ctx;
	size_t n = 1 + random_below(200000);

	n = n < max ? n : max;
	n = n < f->rest.len ? n : f->rest.len;
	if (f->fail_at != 0 && n >= f->fail_at)
		return err_s3(S3_IncompleteBody);
	f->fail_at -= f->fail_at != 0 ? n : 0;
	if (n > 0)
		memcpy(p, f->rest.p, n);
	f->rest = str_skip(f->rest, n);
	*ret_len = n;
	return ERR_OK;
}

enum sealing { PLAIN, SEALED };

static struct stream_plan
plan_make(struct world *w, enum sealing sealing)
{
	static const struct sse_key off = { 0 };
	static const struct sse_c none = { 0 };

	return (struct stream_plan){
		.body = id_new(1), .size_max = 64 * MIB, .inline_max = INLINE_MAX, .md5 = sealing == PLAIN,
		.key = sealing == SEALED ? &w->key : &off, .sse = sealing == SEALED ? &w->sse : &none,
		.alg_default = true, .alg = DIGEST_CRC64NVME,
	};
}

static struct byte_source
source_make(struct feed *f, bool known)
{
	return (struct byte_source){ .ctx = f, .read = feed_read, .length = known ? f->rest.len : UINT64_MAX };
}

static char *
content(size_t n)
{
	char *p = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)random_below(256);
	return p;
}

static void
read_range(struct world *w, const struct object *o, str want, uint64_t off, uint64_t len)
{
	static const struct sse_key none = { 0 };
	AUTO(object_reader_close) struct object_reader *r = NULL;
	AUTO(mem_free_p) char *got = malloc(len + 1);
	struct byte_source s;
	size_t at = 0, n;

	EXPECT_OK(object_reader_open(&w->rq, o, o->sse.on ? &w->key : &none, off, len, &r));
	s = object_reader_source(r);
	EXPECT_EQ("length", s.length, len);
	do {
		EXPECT_OK(s.read(s.ctx, got + at, len + 1 - at, &n));
		at += n;
	} while (n > 0 && at <= len);
	EXPECT_STR("range", str_n(got, at), str_sub(want, off, len));
}

static void
round_trip(struct world *w, size_t size, enum sealing sealing, bool known)
{
	AUTO(mem_free_p) char *bytes = content(size);
	struct stream_plan plan = plan_make(w, sealing);
	struct feed feed = { .rest = str_n(bytes, size) };
	struct stream_result got;
	struct object o = { .key = STR("k") };
	uint8_t want[DIGEST_MAX];

	EXPECT_OK(stream_from(&w->rq, &plan, source_make(&feed, known), &got));
	stream_object(w->rq.arena, &plan, &got, &o);
	EXPECT_EQ("size", o.size, size);
	EXPECT_EQ("kind", o.data, size == 0 ? DATA_NONE : size <= INLINE_MAX ? DATA_INLINE : DATA_SINGLE);
	digest_once(DIGEST_CRC64NVME, str_n(bytes, size), want);
	EXPECT(memcmp(want, o.checksum.value, 8) == 0);
	digest_once(DIGEST_MD5, str_n(bytes, size), want);
	EXPECT((memcmp(want, got.md5, 16) == 0) == (sealing == PLAIN));
	if (size == 0)
		return;
	read_range(w, &o, str_n(bytes, size), 0, size);
	for (int i = 0; i < 6; i++) {
		uint64_t off = random_below(size);

		read_range(w, &o, str_n(bytes, size), off, 1 + random_below(size - off));
	}
	if (!got.is_inlined) {
		struct blob_reader *r = NULL;

		stream_drop(&w->rq, &got, err_errno(EIO, "fate unknown"));
		EXPECT_OK(blob_open(w->store.blobs, &got.blob, &r));
		blob_reader_close(&r);
		stream_drop(&w->rq, &got, err_s3(S3_PreconditionFailed));
		EXPECT_ERR("dropped", blob_open(w->store.blobs, &got.blob, &r), ERR_NOT_FOUND.code);
	}
}

TEST(stream_round_trip)
{
	static const size_t sizes[] = { 0, 1, INLINE_MAX, INLINE_MAX + 1, SSE_C_BLOCK - 1, SSE_C_BLOCK, SSE_C_BLOCK + 1, 300000,
		MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 77 };
	struct world w;

	world_make(&w);
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (int way = 0; way < 4; way++)
			round_trip(&w, sizes[i], way & 1 ? SEALED : PLAIN, way & 2);
	world_end(&w);
}

TEST(stream_refuses)
{
	struct world w;
	AUTO(mem_free_p) char *bytes = content(3 * MIB);
	struct feed feed = { .rest = str_n(bytes, 3 * MIB) };
	struct stream_result got;
	struct stream_plan plan;

	world_make(&w);
	plan = plan_make(&w, PLAIN);
	plan.size_max = 3 * MIB - 1;
	EXPECT_ERR("known length", stream_from(&w.rq, &plan, source_make(&feed, true), &got), S3_EntityTooLarge);
	EXPECT_EQ("untouched", feed.rest.len, 3 * MIB);
	EXPECT_ERR("unknown length", stream_from(&w.rq, &plan, source_make(&feed, false), &got), S3_EntityTooLarge);

	plan = plan_make(&w, PLAIN);
	plan.want.has_md5 = true;
	feed = (struct feed){ .rest = str_n(bytes, 2 * MIB) };
	EXPECT_ERR("wrong digest", stream_from(&w.rq, &plan, source_make(&feed, true), &got), S3_BadDigest);
	plan.want.has_md5 = false;
	feed = (struct feed){ .rest = str_n(bytes, 3 * MIB), .fail_at = 2 * MIB };
	EXPECT_ERR("cut", stream_from(&w.rq, &plan, source_make(&feed, true), &got), S3_IncompleteBody);
	world_end(&w);
}

static bool
count_blob(void *arg, const struct blob_ref *ref)
{
	++*(unsigned *)arg;
	return true;
}

TEST(stream_leaves_nothing)
{
	struct world w;
	AUTO(mem_free_p) char *bytes = content(2 * MIB);
	unsigned blobs = 0;

	world_make(&w);
	for (size_t size = 1; size <= 2 * MIB; size = size * 3 + 1) {
		struct feed feed = { .rest = str_n(bytes, size), .fail_at = size };
		struct stream_plan plan = plan_make(&w, PLAIN);
		struct stream_result got;

		EXPECT_ERR("cut", stream_from(&w.rq, &plan, source_make(&feed, true), &got), S3_IncompleteBody);
	}
	EXPECT_OK(blob_list(w.store.blobs, count_blob, &blobs));
	EXPECT_EQ("after failures", blobs, 0);
	world_end(&w);
}

/* One bit flipped anywhere: an error, and never other bytes. */
TEST(reader_finds_damage)
{
	struct world w;
	const size_t size = 300000;
	AUTO(mem_free_p) char *bytes = content(size), *to = malloc(size + 1);

	world_make(&w);
	for (int i = 0; i < 40; i++) {
		struct feed feed = { .rest = str_n(bytes, size) };
		struct stream_plan plan = plan_make(&w, i & 1 ? SEALED : PLAIN);
		struct object_reader *r = NULL;
		struct stream_result got;
		struct object o = { .key = STR("k") };
		size_t at = 0, n = 1;
		struct byte_source s;
		err_v e = ERR_OK;

		EXPECT_OK(stream_from(&w.rq, &plan, source_make(&feed, true), &got));
		stream_object(w.rq.arena, &plan, &got, &o);
		EXPECT(blob_mem_rot(w.store.blobs, &got.blob, random_below(size * 8)));
		EXPECT_OK(object_reader_open(&w.rq, &o, plan.key, 0, size, &r));
		s = object_reader_source(r);
		while (err_ok(e) && n > 0) {
			e = s.read(s.ctx, to + at, size - at + 1, &n);
			at += err_ok(e) ? n : 0;
		}
		EXPECT_ERR("damaged", e, ERR_DAMAGED.code);
		EXPECT(memcmp(to, bytes, at) == 0);
		object_reader_close(&r);
	}
	world_end(&w);
}

/* A blob that is not there is damage, not "no such key". */
TEST(reader_missing_blob)
{
	struct world w;
	AUTO(mem_free_p) char *bytes = content(10000);
	struct feed feed = { .rest = str_n(bytes, 10000) };
	struct stream_plan plan;
	struct object_reader *r = NULL;
	struct stream_result got;
	struct object o = { .key = STR("k") };
	size_t n;

	world_make(&w);
	plan = plan_make(&w, PLAIN);
	EXPECT_OK(stream_from(&w.rq, &plan, source_make(&feed, true), &got));
	stream_object(w.rq.arena, &plan, &got, &o);
	EXPECT_OK(blob_delete(w.store.blobs, &got.blob));
	EXPECT_OK(object_reader_open(&w.rq, &o, plan.key, 0, 10000, &r));
	EXPECT_ERR("missing", object_reader_source(r).read(r, bytes, 100, &n), ERR_DAMAGED.code);
	object_reader_close(&r);
	world_end(&w);
}
