/*
 * blob_data.h - blobs whose bytes follow from their id, for the tests of blob engines.
 */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "blob/blob.h"

static inline uint64_t
data_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* 8 bytes of a blob, by number. */
static inline uint64_t
data_word(struct id id, uint64_t i)
{
	uint64_t x;

	memcpy(&x, id.byte + 8, 8);
	x += i * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* [off, off + len) of the data of a blob; free() it. */
static inline char *
data_of(struct id id, uint64_t off, size_t len)
{
	char *p = mem_alloc(len + 16);
	uint64_t skip = off % 8;

	for (size_t i = 0; i < len + skip; i += 8)
		memcpy(p + i, &(uint64_t){ data_word(id, off / 8 + i / 8) }, 8);
	memmove(p, p + skip, len);
	return p;
}

/* Store a blob of a new id in pieces of random length up to piece_max. */
static inline err_v
data_put(struct blobs *s, size_t size, uint64_t hint, size_t piece_max, struct blob_ref *ret)
{
	AUTO(blob_abort) struct blob_writer *w = NULL;
	struct id id = id_new(7);
	uint64_t seed = data_word(id, 1) | 1;
	char *p = data_of(id, 0, size);
	err_v e = blob_begin(s, id, hint, &w);

	for (size_t done = 0, n; err_ok(e) && done < size; done += n) {
		n = 1 + data_random(&seed) % piece_max;
		n = n < size - done ? n : size - done;
		e = blob_append(w, str_n(p + done, n));
	}
	if (err_ok(e))
		e = blob_commit(&w, ret);
	free(p);
	return e;
}

/* Random ranges, and all of it. */
static inline void
data_check_reader(struct blob_reader *r, const struct blob_ref *ref)
{
	uint64_t seed = data_word(ref->id, 2) | 1;
	char *want = data_of(ref->id, 0, ref->size), *got = mem_alloc(ref->size + 1);

	for (int i = 0; i < 8; i++) {
		size_t off = i == 0 ? 0 : data_random(&seed) % (ref->size + 1);
		size_t len = i == 0 ? ref->size : data_random(&seed) % (ref->size - off + 1);

		memset(got, 0, ref->size + 1);
		EXPECT_OK(blob_read(r, off, got, len));
		EXPECT(memcmp(got, want + off, len) == 0);
	}
	free(want);
	free(got);
}

static inline void
data_check_read(struct blobs *s, const struct blob_ref *ref)
{
	struct blob_reader *r = NULL;

	EXPECT_OK(blob_open(s, ref, &r));
	REQUIRE(r != NULL);
	data_check_reader(r, ref);
	blob_reader_close(&r);
}

/* Walk [off, end) by extents, as a download does. false: an extent was refused with *e, or the bytes are wrong. */
static inline bool
data_walk(struct blob_reader *r, struct id id, uint64_t off, uint64_t end, size_t max, err_v *e)
{
	bool same = true;

	while (off < end && same) {
		uint64_t pos;
		size_t len, ask = end - off < max ? end - off : max;
		char *want, *got;
		int fd;

		*e = blob_extent(r, off, ask, &fd, &pos, &len);
		if (!err_ok(*e))
			return false;
		if (len == 0 || len > ask)
			return false;
		want = data_of(id, off, len);
		got = mem_alloc(len);
		same = pread(fd, got, len, (off_t)pos) == (ssize_t)len && memcmp(got, want, len) == 0;
		free(want);
		free(got);
		off += len;
	}
	return same;
}

static inline void
data_check_extents(struct blobs *s, const struct blob_ref *ref)
{
	uint64_t seed = data_word(ref->id, 3) | 1;
	struct blob_reader *r = NULL;
	err_v e = ERR_OK;

	EXPECT_OK(blob_open(s, ref, &r));
	REQUIRE(r != NULL);
	for (int i = 0; i < 4 && ref->size > 0; i++) {
		uint64_t off = i == 0 ? 0 : data_random(&seed) % ref->size;
		uint64_t end = i == 0 ? ref->size : off + data_random(&seed) % (ref->size - off + 1);

		if (!data_walk(r, ref->id, off, end, i == 1 ? 40000 : 1 << 20, &e) && e.code != -ENOTSUP)
			TEST_FAIL("extents of %" PRIu64 "..%" PRIu64 ": %d", off, end, e.code);
	}
	blob_reader_close(&r);
}

/* One bit of this blob is wrong: scrub finds it; reads refuse, or give the right bytes. */
static inline void
data_check_rotten(struct blobs *s, const struct blob_ref *ref)
{
	struct blob_reader *r = NULL;
	uint64_t off = UINT64_MAX;
	err_v e = blob_scrub(s, ref, &off);
	char *want, *got;

	EXPECT(e.code == -EBADMSG || e.code == -ENOENT);
	if (e.code == -EBADMSG)
		EXPECT(off <= ref->size);
	if (!err_ok(blob_open(s, ref, &r)))
		return;
	want = data_of(ref->id, 0, ref->size);
	got = mem_alloc(ref->size + 1);
	e = blob_read(r, 0, got, ref->size);
	EXPECT(e.code == -EBADMSG || (err_ok(e) && memcmp(got, want, ref->size) == 0));
	e = ERR_OK;
	EXPECT(data_walk(r, ref->id, 0, ref->size, 1 << 20, &e) || e.code == -EBADMSG || e.code == -ENOTSUP);
	free(want);
	free(got);
	blob_reader_close(&r);
}

struct data_list {
	struct blob_ref *refs;
	size_t n, max;
};

static inline bool
data_list_visit(void *arg, const struct blob_ref *ref)
{
	struct data_list *l = arg;

	if (l->n < l->max)
		l->refs[l->n] = *ref;
	l->n++;
	return true;
}

/* How many there are; the first max go to refs. */
static inline size_t
data_list(struct blobs *s, struct blob_ref *refs, size_t max)
{
	struct data_list l = { refs, 0, max };

	EXPECT_OK(blob_list(s, data_list_visit, &l));
	return l.n;
}

static inline size_t
data_suspects(struct blobs *s, struct blob_ref *refs, size_t max)
{
	struct data_list l = { refs, 0, max };

	EXPECT_OK(blob_list_suspects(s, data_list_visit, &l));
	return l.n;
}

static inline bool
data_has(const struct blob_ref *refs, size_t n, const struct blob_ref *ref)
{
	for (size_t i = 0; i < n; i++)
		if (id_eq(refs[i].id, ref->id) && refs[i].place == ref->place &&
		    (refs[i].size == 0 || ref->size == 0 || refs[i].size == ref->size))
			return true;
	return false;
}

static inline bool
data_same(const struct blob_ref *a, size_t na, const struct blob_ref *b, size_t nb)
{
	for (size_t i = 0; i < na; i++)
		if (!data_has(b, nb, &a[i]))
			return false;
	return na == nb;
}
