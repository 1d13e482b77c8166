/*
 * test_blob.c - what every blob engine obeys.
 *
 * Each test runs against each engine. The data of a blob follows from its id,
 * so any blob can be checked by whoever finds it. What is particular to the
 * file engine (its files, faults, crashes) is in test_blob_file.c.
 */
#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "blob/blob_impl.h"
#include "blob_data.h"

static const struct blob_options small = {
	.volume_max = 65536, .volume_bytes = 1 << 20, .direct_min = 300000,
};

static const char *const engines[] = { "memory", "file", "tmpfs" };

struct env {
	const char *engine;
	char dir[64];
	char url[80];
	struct blobs *s;
};

static void
env_open(struct env *e)
{
	EXPECT_OK(blobs_open(str_c(e->url), &small, &e->s));
	if (e->s == NULL)
		abort();
}

static void
env_start(struct env *e, const char *engine)
{
	*e = (struct env){ .engine = engine };
	/* The file engine on the disk, and on a file system without a disk. */
	snprintf(e->dir, sizeof(e->dir), "%s/test_blob.XXXXXX", strcmp(engine, "tmpfs") == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(e->dir) == NULL)
		abort();
	if (strcmp(engine, "memory") == 0)
		snprintf(e->url, sizeof(e->url), "memory:");
	else
		snprintf(e->url, sizeof(e->url), "file:%s/blobs", e->dir);
	env_open(e);
}

/* What is in memory does not survive, so nothing to reopen there. */
static bool
env_reopen(struct env *e)
{
	if (strcmp(e->engine, "memory") == 0)
		return false;
	blobs_close(&e->s);
	env_open(e);
	return true;
}

static void
env_end(struct env *e)
{
	blobs_close(&e->s);
	EXPECT_OK(file_remove_tree(e->dir));
}

/* A test body for each engine. */
static void
each(void (*body)(struct env *))
{
	for (size_t i = 0; i < COUNT(engines); i++) {
		struct env e;

		env_start(&e, engines[i]);
		body(&e);
		if (test_failed)
			printf("with engine %s\n", engines[i]);
		env_end(&e);
	}
}

/* Sizes at each border of either layout. */
static const size_t sizes[] = {
	0, 1, 2, 4095, 4096, 4097, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 69632, 131072, 299999,
	300000, 300001, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 4096, (3 << 20) + 12345,
};

static void
check_all(struct env *e, const struct blob_ref *ref)
{
	uint64_t off = 99;

	data_check_read(e->s, ref);
	data_check_extents(e->s, ref);
	EXPECT_OK(blob_scrub(e->s, ref, &off));
	EXPECT_EQ("off of a whole blob", off, 99);
}

static void
round_trip(struct env *e)
{
	struct blob_ref ref[2 * COUNT(sizes)];

	for (size_t i = 0; i < COUNT(ref); i++) {
		size_t size = sizes[i / 2];

		REQUIRE(err_ok(data_put(e->s, size, i % 2 ? size : 0, 1 + i * 7919, &ref[i])));
		EXPECT_EQ("size", ref[i].size, size);
		check_all(e, &ref[i]);
	}
	if (env_reopen(e))
		for (size_t i = 0; i < COUNT(ref); i++)
			check_all(e, &ref[i]);
	for (size_t i = 0; i < COUNT(ref); i++) {
		struct blob_reader *r = NULL;

		EXPECT_OK(blob_delete(e->s, &ref[i]));
		EXPECT_OK(blobs_flush(e->s));
		EXPECT_OK(blob_delete(e->s, &ref[i]));
		EXPECT_ERR("open deleted", blob_open(e->s, &ref[i], &r), -ENOENT);
	}
}
TEST(round_trip) { each(round_trip); }

static void
hints_may_be_wrong(struct env *e)
{
	static const struct { size_t size, hint; } t[] = {
		{ 10, 100000 }, { 70000, 10 }, { 400000, 20 }, { 400000, 2000000 }, { 0, 5000000 }, { 66000, 65536 },
	};
	struct blob_ref ref;

	for (size_t i = 0; i < COUNT(t); i++) {
		REQUIRE(err_ok(data_put(e->s, t[i].size, t[i].hint, 5000, &ref)));
		check_all(e, &ref);
	}
}
TEST(hints_may_be_wrong) { each(hints_may_be_wrong); }

/* From buffers that are overwritten as soon as the contract allows: lent ones, and others between them. */
static void
buffers_in_turn(struct env *e)
{
	static const size_t lens[] = { 524288, 524288, 4096, 524288, 100, 524288, 1048576, 524288, 262144, 1048576, 1048576, 524288 };
	char *buffer[BLOB_BEHIND + 1];

	for (size_t i = 0; i < COUNT(buffer); i++)
		buffer[i] = mem_alloc_aligned(BLOB_LEND, 1 << 20);
	for (size_t first = 0; first < COUNT(lens); first++) {
		AUTO(blob_abort) struct blob_writer *w = NULL;
		struct id id = id_new(7);
		struct blob_ref ref;
		uint64_t size = 0;

		EXPECT_OK(blob_begin(e->s, id, first % 2 ? 8 << 20 : 0, &w));
		for (size_t i = first; i < COUNT(lens); i++) {
			char *p = data_of(id, size, lens[i]), *to = buffer[i % COUNT(buffer)];

			memset(to, 0xee, 1 << 20);
			memcpy(to, p, lens[i]);
			EXPECT_OK(blob_append(w, str_n(to, lens[i])));
			memset(buffer[(i + 1) % COUNT(buffer)], 0xee, 1 << 20);
			size += lens[i];
			free(p);
		}
		EXPECT_OK(blob_commit(&w, &ref));
		check_all(e, &ref);
	}
	for (size_t i = 0; i < COUNT(buffer); i++)
		free(buffer[i]);
}
TEST(buffers_in_turn) { each(buffers_in_turn); }

/* Whole pages from the first to the last byte, and more than one group of checksums behind them. */
static void
long_blob_in_turn(struct env *e)
{
	const size_t len = 512 << 10, n = 40;
	AUTO(blob_abort) struct blob_writer *w = NULL;
	struct id id = id_new(7);
	char *buffer[BLOB_BEHIND + 1];
	struct blob_ref ref;

	for (size_t i = 0; i < COUNT(buffer); i++)
		buffer[i] = mem_alloc_aligned(BLOB_LEND, len);
	EXPECT_OK(blob_begin(e->s, id, n * len, &w));
	for (size_t i = 0; i < n; i++) {
		char *p = data_of(id, i * len, len);

		memcpy(buffer[i % COUNT(buffer)], p, len);
		EXPECT_OK(blob_append(w, str_n(buffer[i % COUNT(buffer)], len)));
		free(p);
	}
	EXPECT_OK(blob_commit(&w, &ref));
	check_all(e, &ref);
	for (size_t i = 0; i < COUNT(buffer); i++)
		free(buffer[i]);
}
TEST(long_blob_in_turn) { each(long_blob_in_turn); }

/* More than two groups of checksums in the file engine. */
static void
long_blob(struct env *e)
{
	const size_t size = (36u << 20) + 777;
	struct blob_ref ref;

	REQUIRE(err_ok(data_put(e->s, size, 0, 999999, &ref)));
	check_all(e, &ref);
	if (env_reopen(e))
		check_all(e, &ref);
	EXPECT_OK(blob_delete(e->s, &ref));
}
TEST(long_blob) { each(long_blob); }

static void
nothing_before_commit(struct env *e)
{
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct blob_writer *w;
		struct blob_reader *r = NULL;
		struct blob_ref ref = { .id = id_new(1), .size = sizes[i] };
		char *p = data_of(ref.id, 0, sizes[i] + 1);

		REQUIRE(err_ok(blob_begin(e->s, ref.id, i % 2 ? sizes[i] : 0, &w)));
		EXPECT_OK(blob_append(w, str_n(p, sizes[i])));
		EXPECT_EQ("listed", data_list(e->s, NULL, 0), 0);
		EXPECT_ERR("open", blob_open(e->s, &ref, &r), -ENOENT);
		blob_abort(&w);
		EXPECT(w == NULL);
		blob_abort(&w);
		EXPECT_EQ("listed", data_list(e->s, NULL, 0), 0);
		EXPECT_ERR("open", blob_open(e->s, &ref, &r), -ENOENT);
		free(p);
	}
	env_reopen(e);
	EXPECT_EQ("listed", data_list(e->s, NULL, 0), 0);
}
TEST(nothing_before_commit) { each(nothing_before_commit); }

static void
beyond_the_end(struct env *e)
{
	static const size_t some[] = { 1, 16384, 65536, 70000, 400000 };
	struct blob_reader *r;
	struct blob_ref ref, wrong;
	uint64_t pos;
	size_t len;
	char c[8];
	int fd;

	for (size_t i = 0; i < COUNT(some); i++) {
		REQUIRE(err_ok(data_put(e->s, some[i], 0, 70000, &ref)));
		REQUIRE(err_ok(blob_open(e->s, &ref, &r)));
		EXPECT_ERR("read", blob_read(r, some[i], c, 1), -EBADMSG);
		EXPECT_ERR("read", blob_read(r, some[i] - 1, c, 2), -EBADMSG);
		EXPECT_ERR("read", blob_read(r, UINT64_MAX, c, 2), -EBADMSG);
		EXPECT_OK(blob_read(r, some[i], c, 0));
		EXPECT_ERR("extent", blob_extent(r, some[i], 1, &fd, &pos, &len), -EBADMSG);
		blob_reader_close(&r);
		EXPECT(r == NULL);
		blob_reader_close(&r);
		/* A record that lies about the size. */
		wrong = ref;
		wrong.size++;
		EXPECT(!err_ok(blob_open(e->s, &wrong, &r)));
	}
}
TEST(beyond_the_end) { each(beyond_the_end); }

static void
strangers(struct env *e)
{
	struct blob_reader *r = NULL;
	struct blob_ref ref, other;
	uint64_t off;

	REQUIRE(err_ok(data_put(e->s, 1000, 0, 1000, &ref)));
	for (unsigned i = 0; i < 64; i++) {
		other = (struct blob_ref){ id_new(1), ref.place ^ UINT64_C(1) << i, 1000 };
		EXPECT_ERR("open", blob_open(e->s, &other, &r), -ENOENT);
		EXPECT_ERR("scrub", blob_scrub(e->s, &other, &off), -ENOENT);
		EXPECT_OK(blob_delete(e->s, &other));
	}
	other = ref;
	other.id = id_new(1);
	EXPECT_ERR("open", blob_open(e->s, &other, &r), -ENOENT);
	EXPECT_OK(blob_delete(e->s, &other));
	check_all(e, &ref);
}
TEST(strangers) { each(strangers); }

static void
read_while_deleted(struct env *e)
{
	static const size_t some[] = { 20000, 65536, 100000, 400000 };
	struct blob_reader *a, *b, *c = NULL;
	struct blob_ref ref;

	for (size_t i = 0; i < COUNT(some); i++) {
		REQUIRE(err_ok(data_put(e->s, some[i], 0, 70000, &ref)));
		REQUIRE(err_ok(blob_open(e->s, &ref, &a)));
		REQUIRE(err_ok(blob_open(e->s, &ref, &b)));
		EXPECT_OK(blob_delete(e->s, &ref));
		EXPECT_ERR("open", blob_open(e->s, &ref, &c), -ENOENT);
		data_check_reader(a, &ref);
		blob_reader_close(&a);
		EXPECT_OK(blob_delete(e->s, &ref));
		data_check_reader(b, &ref);
		blob_reader_close(&b);
		EXPECT_ERR("open", blob_open(e->s, &ref, &c), -ENOENT);
	}
	EXPECT_EQ("listed", data_list(e->s, NULL, 0), 0);
}
TEST(read_while_deleted) { each(read_while_deleted); }

/* Random puts, deletes, reads and reopens against a plain list of what should be there. */
static void
random_steps(struct env *e)
{
	struct blob_ref live[64], seen[80];
	uint64_t seed = 4242;
	size_t n = 0;

	for (int step = 0; step < 600; step++) {
		uint64_t x = data_random(&seed);
		size_t i = n > 0 ? x / 16 % n : 0;

		if (x % 16 < 8 && n < COUNT(live)) {
			size_t size = data_random(&seed) % (x % 5 == 0 ? 800000 : 50000);

			REQUIRE(err_ok(data_put(e->s, size, x % 3 ? size : 0, 1 + x % 90000, &live[n])));
			n++;
		} else if (x % 16 < 11 && n > 0) {
			EXPECT_OK(blob_delete(e->s, &live[i]));
			live[i] = live[--n];
		} else if (x % 16 < 15 && n > 0) {
			data_check_read(e->s, &live[i]);
			data_check_extents(e->s, &live[i]);
		} else if (step % 50 == 0 && env_reopen(e)) {
			EXPECT(data_same(live, n, seen, data_list(e->s, seen, COUNT(seen))));
		}
		if (step % 100 == 99)
			EXPECT(data_same(live, n, seen, data_list(e->s, seen, COUNT(seen))));
	}
	for (size_t i = 0; i < n; i++)
		check_all(e, &live[i]);
}
TEST(random_steps) { each(random_steps); }

struct crowd {
	struct blobs *s;
	unsigned number;
	int failed;
};

static void *
crowd_main(void *arg)
{
	struct crowd *c = arg;
	uint64_t seed = 77 + c->number;
	struct blob_ref ref[8];

	for (int round = 0; round < 12; round++) {
		for (size_t i = 0; i < COUNT(ref); i++) {
			size_t size = data_random(&seed) % (i == 0 ? 500000 : 30000);

			if (!err_ok(data_put(c->s, size, 0, 20000, &ref[i])))
				c->failed++;
		}
		for (size_t i = 0; i < COUNT(ref); i++) {
			data_check_read(c->s, &ref[i]);
			data_check_extents(c->s, &ref[i]);
			/* One in eight stays. */
			if (i != 3 && !err_ok(blob_delete(c->s, &ref[i])))
				c->failed++;
		}
	}
	return NULL;
}

static void
concurrent(struct env *e)
{
	struct crowd c[8];
	pthread_t t[COUNT(c)];
	struct blob_ref seen[200];
	struct blob_stats stats;
	size_t n;

	for (unsigned i = 0; i < COUNT(c); i++) {
		c[i] = (struct crowd){ e->s, i, 0 };
		REQUIRE(pthread_create(&t[i], NULL, crowd_main, &c[i]) == 0);
	}
	for (unsigned i = 0; i < COUNT(c); i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ("failed", c[i].failed, 0);
	}
	blob_stats(e->s, &stats);
	EXPECT_EQ("commits", stats.commits, 8 * 12 * 8);
	env_reopen(e);
	n = data_list(e->s, seen, COUNT(seen));
	EXPECT_EQ("left", n, 8 * 12);
	for (size_t i = 0; i < n && i < COUNT(seen); i++) {
		data_check_read(e->s, &seen[i]);
		EXPECT_OK(blob_delete(e->s, &seen[i]));
	}
	EXPECT_EQ("left", data_list(e->s, NULL, 0), 0);
}
TEST(concurrent) { each(concurrent); }

/* An engine that has descriptors gives them for every byte; one that has not says so. */
static void
extents_or_not(struct env *e)
{
	struct blob_reader *r;
	struct blob_ref ref;
	uint64_t pos;
	size_t len;
	int fd;

	REQUIRE(err_ok(data_put(e->s, 100, 0, 100, &ref)));
	REQUIRE(err_ok(blob_open(e->s, &ref, &r)));
	EXPECT_ERR("extent", blob_extent(r, 0, 100, &fd, &pos, &len), strcmp(e->engine, "memory") == 0 ? -ENOTSUP : 0);
	blob_reader_close(&r);
}
TEST(extents_or_not) { each(extents_or_not); }

/* Whatever bit flips: never a wrong byte is handed out, and scrub finds it. */
TEST(rot_in_memory)
{
	static const size_t some[] = { 1, 16384, 40000 };
	struct env e;

	env_start(&e, "memory");
	for (size_t i = 0; i < COUNT(some); i++) {
		struct blob_ref ref;

		REQUIRE(err_ok(data_put(e.s, some[i], 0, 50000, &ref)));
		for (uint64_t bit = 0; blob_mem_rot(e.s, &ref, bit); bit += some[i] > 16384 ? 401 : 13) {
			data_check_rotten(e.s, &ref);
			blob_mem_rot(e.s, &ref, bit);
		}
		data_check_read(e.s, &ref);
	}
	env_end(&e);
}

TEST(open_refuses)
{
	struct blobs *s = NULL;

	EXPECT_ERR("no scheme", blobs_open(str_c("nothing"), &small, &s), -EINVAL);
	EXPECT_ERR("unknown scheme", blobs_open(str_c("ftp:x"), &small, &s), -EINVAL);
	EXPECT_ERR("place for memory", blobs_open(str_c("memory:x"), &small, &s), -EINVAL);
	EXPECT_ERR("empty", blobs_open(STR_NONE, &small, &s), -EINVAL);
	EXPECT(s == NULL);
}
