/*
 * test_blob_file.c - what is particular to the file engine: its files, starts, holes, rot.
 */
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/panic.h"
#include "blob/blob_file_impl.h"
#include "blob_data.h"

static const struct blob_options small = {
	.volume_max = 65536, .volume_bytes = 1 << 20, .direct_min = 300000,
};

static char dir[64], url[80];
static struct blobs *store;

static void
reopen(void)
{
	blobs_close(&store);
	EXPECT_OK(blobs_open(str_c(url), &small, &store));
	if (store == NULL)
		abort();
}

static void
begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test_blob_file.XXXXXX");
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(url, sizeof(url), "file:%s", dir);
	reopen();
}

static void
end(void)
{
	blobs_close(&store);
	EXPECT_OK(file_remove_tree(dir));
}

static struct blob_ref
put(size_t size)
{
	struct blob_ref ref = { 0 };

	EXPECT_OK(data_put(store, size, 0, 100000, &ref));
	return ref;
}

/* The file that a blob is in, in this store and in another. */
static char *
path_in(const char *where, const struct blob_ref *ref, char path[256])
{
	char name[OWN_NAME];

	if (ref->place & PLACE_IN_VOLUME)
		io_number_text(place_volume(ref->place), name);
	else
		own_name(ref->place, ref->id, name);
	snprintf(path, 256, "%s/%s/%s", where, ref->place & PLACE_IN_VOLUME ? "volume" : "own", name);
	return path;
}

static char *
path_of(const struct blob_ref *ref, char path[256])
{
	return path_in(dir, ref, path);
}

static uint64_t
disk_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : UINT64_MAX;
}

static void
flip(const char *path, uint64_t bit)
{
	int fd = open(path, O_RDWR);
	uint8_t c;

	EXPECT(fd >= 0);
	EXPECT(pread(fd, &c, 1, (off_t)(bit / 8)) == 1);
	c ^= (uint8_t)(1u << bit % 8);
	EXPECT(pwrite(fd, &c, 1, (off_t)(bit / 8)) == 1);
	close(fd);
}

static unsigned
entries(const char *sub)
{
	char path[128];
	unsigned n = 0;
	struct dirent *d;
	DIR *list;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	list = opendir(path);
	if (list == NULL)
		return 999;
	while ((d = readdir(list)) != NULL)
		n += d->d_name[0] != '.';
	closedir(list);
	return n;
}

TEST(one_process_only)
{
	struct blobs *other = NULL;

	begin();
	EXPECT_ERR("second", blobs_open(str_c(url), &small, &other), -EBUSY);
	EXPECT(other == NULL);
	end();
}

TEST(another_format_is_refused)
{
	char path[128];
	FILE *f;

	begin();
	blobs_close(&store);
	snprintf(path, sizeof(path), "%s/format", dir);
	f = fopen(path, "w");
	fputs("caisson blobs 2\n", f);
	fclose(f);
	EXPECT_ERR("format 2", blobs_open(str_c(url), &small, &store), -ENOTSUP);
	EXPECT(store == NULL);
	EXPECT_OK(file_remove_tree(dir));
}

TEST(temporary_files_are_swept)
{
	struct blob_writer *w;

	begin();
	EXPECT_OK(blob_begin(store, id_new(1), 400000, &w));
	EXPECT_OK(blob_append(w, STR("some")));
	EXPECT_EQ("files", entries("tmp"), 1);
	blob_abort(&w);
	EXPECT_EQ("files", entries("tmp"), 0);
	for (int i = 0; i < 3; i++) {
		char path[256], text[ID_TEXT_LEN + 1] = { 0 };

		id_text(id_new(1), text);
		snprintf(path, sizeof(path), "%s/tmp/%s", dir, text);
		fclose(fopen(path, "w"));
	}
	EXPECT_EQ("files", entries("tmp"), 3);
	reopen();
	EXPECT_EQ("files", entries("tmp"), 0);
	end();
}

static bool
delete_nothing(void *arg, const struct blob_ref *ref)
{
	return true;
}

static bool
stop_at_once(void *arg, const struct blob_ref *ref)
{
	return false;
}

TEST(suspects)
{
	static const size_t some[] = { 0, 20000, 65536, 100000, 400000 };
	struct blob_ref first[COUNT(some)], second[COUNT(some)], seen[64];

	begin();
	for (size_t i = 0; i < COUNT(some); i++)
		first[i] = put(some[i]);
	EXPECT_EQ("while they are new", data_suspects(store, NULL, 0), 0);
	reopen();
	for (size_t i = 0; i < COUNT(some); i++)
		second[i] = put(some[i]);
	EXPECT_OK(blob_list_suspects(store, stop_at_once, NULL));
	EXPECT(data_same(first, COUNT(first), seen, data_suspects(store, seen, COUNT(seen))));
	EXPECT_EQ("once visited", data_suspects(store, seen, COUNT(seen)), 0);
	reopen();
	EXPECT(data_same(second, COUNT(second), seen, data_suspects(store, seen, COUNT(seen))));
	reopen();
	EXPECT_EQ("nothing written since", data_suspects(store, seen, COUNT(seen)), 0);
	for (size_t i = 0; i < COUNT(some); i++) {
		data_check_read(store, &first[i]);
		data_check_read(store, &second[i]);
	}
	end();
}

static bool
delete_it(void *arg, const struct blob_ref *ref)
{
	EXPECT_OK(blob_delete(store, ref));
	return true;
}

TEST(deleting_suspects_leaves_nothing)
{
	begin();
	for (int i = 0; i < 60; i++)
		put(i % 9 == 0 ? 100000 : 50000);
	reopen();
	EXPECT_OK(blob_list_suspects(store, delete_it, NULL));
	EXPECT_EQ("volumes", entries("volume"), 0);
	EXPECT_EQ("folders", entries("own"), 0);
	EXPECT_EQ("listed", data_list(store, NULL, 0), 0);
	end();
}

/* Deleted blobs give their space back, also that of pages which they shared; entirely dead volumes go. */
TEST(holes)
{
	struct blob_ref ref[64];
	char path[256];

	begin();
	for (size_t i = 0; i < COUNT(ref); i++)
		ref[i] = put(1000 + i * 900);
	for (size_t i = 0; i < COUNT(ref); i += 2)
		EXPECT_OK(blob_delete(store, &ref[i]));
	EXPECT(disk_bytes(path_of(&ref[1], path)) < (1 << 20) * 2 / 3);
	for (size_t i = 1; i < COUNT(ref); i += 2) {
		data_check_read(store, &ref[i]);
		EXPECT_OK(blob_delete(store, &ref[i]));
	}
	EXPECT(entries("volume") <= 1);
	if (entries("volume") == 1)
		EXPECT(disk_bytes(path_of(&ref[COUNT(ref) - 1], path)) <= 2 * PAGE);	/* its head; a block of the file's map */
	EXPECT_OK(data_put(store, 50000, 0, 50000, &ref[0]));
	data_check_read(store, &ref[0]);
	EXPECT_OK(blob_delete(store, &ref[0]));
	blobs_close(&store);
	EXPECT_EQ("volumes", entries("volume"), 0);
	reopen();
	end();
}

static void *
put_small(void *arg)
{
	struct blob_ref *ref = arg;

	for (int i = 0; i < 40; i++)
		EXPECT_OK(data_put(store, (size_t)(100 + i * 10), 0, 50000, &ref[i]));
	return NULL;
}

/* Records written together share pages; each of those goes with the last that lies in it. */
TEST(shared_pages)
{
	struct blob_ref ref[8][40];
	pthread_t t[COUNT(ref)];
	struct blob_stats stats;

	begin();
	for (size_t i = 0; i < COUNT(ref); i++)
		EXPECT(pthread_create(&t[i], NULL, put_small, ref[i]) == 0);
	for (size_t i = 0; i < COUNT(ref); i++)
		pthread_join(t[i], NULL);
	blob_stats(store, &stats);
	EXPECT_EQ("commits", stats.commits, 320);
	EXPECT(stats.flushes < stats.commits);
	reopen();
	EXPECT_EQ("listed", data_list(store, NULL, 0), 320);
	for (size_t i = 0; i < COUNT(ref); i++)
		for (size_t k = 0; k < COUNT(ref[0]); k++)
			data_check_read(store, &ref[i][(k * 7) % 40]);
	for (size_t k = 0; k < COUNT(ref[0]); k++)
		for (size_t i = 0; i < COUNT(ref); i++)
			EXPECT_OK(blob_delete(store, &ref[i][(k * 7) % 40]));
	EXPECT_EQ("volumes", entries("volume"), 0);
	end();
}

/* In place of the C library's, for the store under test too: where holes are punched. */
static uint64_t hole_from, hole_to;
static unsigned holes_made;
static const struct blob_ref *hole_neighbours;	/* NULL: nobody looks */
static size_t hole_neighbours_n;

int
fallocate(int fd, int mode, off_t off, off_t len)
{
	if (hole_neighbours != NULL && (mode & FALLOC_FL_PUNCH_HOLE) != 0) {
		hole_from = (uint64_t)off;
		hole_to = (uint64_t)(off + len);
		holes_made++;
		EXPECT_EQ("a hole begins within a page", hole_from % PAGE, 0);
		EXPECT_EQ("a hole ends within a page", hole_to % PAGE, 0);
		for (size_t i = 0; i < hole_neighbours_n; i++) {
			uint64_t from = place_pos(hole_neighbours[i].place), to = from + record_len(hole_neighbours[i].size);

			if (from / PAGE * PAGE < hole_to && hole_from < round_up(to, PAGE))
				TEST_FAIL("hole %" PRIu64 "..%" PRIu64 " in pages of a neighbour at %" PRIu64, hole_from, hole_to, from);
		}
	}
	return (int)syscall(SYS_fallocate, fd, mode, off, len);
}

static void *
put_mixed(void *arg)
{
	struct blob_ref *ref = arg;

	for (unsigned i = 0; i < 15; i++)
		EXPECT_OK(data_put(store, 100 + i * 7919 % 12000, 0, 50000, &ref[i]));
	return NULL;
}

/*
 * No hole touches a page in which a neighbour lies: the kernel may zero all of such a page in memory, and a download sends its bytes from
 * there, verified a moment before. (Wrong bytes, seen once in some hundred power cuts.)
 */
TEST(holes_spare_neighbours)
{
	struct blob_ref ref[8 * 15];
	pthread_t t[8];
	uint64_t seed = 5;

	begin();
	for (size_t i = 0; i < COUNT(t); i++)
		EXPECT(pthread_create(&t[i], NULL, put_mixed, &ref[i * 15]) == 0);
	for (size_t i = 0; i < COUNT(t); i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ("volumes", entries("volume"), 1);
	for (size_t n = COUNT(ref); n > 0; n--) {
		size_t k = data_random(&seed) % n;
		struct blob_ref gone = ref[k];

		ref[k] = ref[n - 1];
		hole_neighbours = ref;
		hole_neighbours_n = n - 1;
		EXPECT_OK(blob_delete(store, &gone));
		hole_neighbours = NULL;
	}
	EXPECT(holes_made > 10);
	end();
}

TEST(more_volumes_than_stay_open)
{
	enum { N = 2 * VOLUMES_OPEN + 10 };
	static const struct blob_options tiny = { .volume_max = 4096, .volume_bytes = 4096, .direct_min = 1 << 20 };
	struct blob_ref ref[N];
	struct blob_reader *r[N];

	begin();
	blobs_close(&store);
	EXPECT_OK(blobs_open(str_c(url), &tiny, &store));
	for (size_t i = 0; i < N; i++)
		ref[i] = put(100 + i);
	EXPECT_EQ("volumes", entries("volume"), N);
	for (size_t i = 0; i < N; i++)
		EXPECT_OK(blob_open(store, &ref[i], &r[i]));
	for (size_t i = 0; i < N; i++)
		EXPECT_OK(blob_delete(store, &ref[i]));
	for (size_t i = 0; i < N; i++) {
		data_check_reader(r[i], &ref[i]);
		blob_reader_close(&r[i]);
	}
	EXPECT(entries("volume") <= 1);
	end();
}

/* Any bit of any file: never a wrong byte, scrub finds it, and the others stay readable. */
TEST(rot)
{
	static const size_t some[] = { 1, 5000, 40000, 70000, 300001 };
	struct blob_ref ref[COUNT(some)];
	char path[256];

	begin();
	for (size_t i = 0; i < COUNT(some); i++)
		ref[i] = put(some[i]);
	for (size_t i = 0; i < COUNT(some); i++) {
		bool in_volume = ref[i].place & PLACE_IN_VOLUME;
		uint64_t from = in_volume ? place_pos(ref[i].place) : 0, data = in_volume ? record_data(some[i]) : 0;
		uint64_t to = in_volume ? from + data + some[i] : some[i];
		struct stat st;

		path_of(&ref[i], path);
		EXPECT(stat(path, &st) == 0);
		for (uint64_t byte = from; byte < to; byte += byte < from + 100 ? 3 : 1009) {
			/* Between the checksums of a record and its data lie zeros that nobody reads. */
			if (in_volume && byte >= from + sizeof(struct record_head) + 4 * blocks_of(some[i]) && byte < from + data)
				continue;
			flip(path, 8 * byte + byte % 8);
			data_check_rotten(store, &ref[i]);
			data_check_read(store, &ref[(i + 1) % COUNT(ref)]);
			flip(path, 8 * byte + byte % 8);
		}
		for (uint64_t byte = round_up(some[i], PAGE); !in_volume && byte < (uint64_t)st.st_size; byte += 13) {
			if (byte >= (uint64_t)st.st_size - PAGE && byte < (uint64_t)st.st_size - sizeof(struct own_tail))
				continue;
			flip(path, 8 * byte + byte % 8);
			data_check_rotten(store, &ref[i]);
			flip(path, 8 * byte + byte % 8);
		}
		data_check_read(store, &ref[i]);
	}
	end();
}

TEST(one_rotten_volume_head_is_survived_two_are_named)
{
	struct blob_ref ref, other;
	struct blob_ref seen[4];
	char path[256];

	begin();
	ref = put(20000);
	other = put(100000);
	path_of(&ref, path);
	for (uint64_t byte = 0; byte < sizeof(struct volume_head); byte += 5) {
		flip(path, 8 * byte);
		EXPECT_EQ("listed", data_list(store, seen, 4), 2);
		flip(path, 8 * (byte + VOLUME_HEAD_COPY));
		EXPECT_ERR("both", blob_list(store, stop_at_once, NULL), 0);
		EXPECT_ERR("both", blob_list(store, delete_nothing, NULL), -EBADMSG);
		data_check_read(store, &ref);
		data_check_read(store, &other);
		flip(path, 8 * byte);
		EXPECT_EQ("listed", data_list(store, seen, 4), 2);
		flip(path, 8 * (byte + VOLUME_HEAD_COPY));
	}
	end();
}

/* What a crash in the middle of an append leaves: the records around it are found, it is not. */
TEST(torn_records)
{
	struct blob_ref ref[5], seen[8];
	char path[256];
	uint64_t pos;
	int fd;

	begin();
	for (size_t i = 0; i < COUNT(ref); i++)
		ref[i] = put(9000);
	path_of(&ref[0], path);
	fd = open(path, O_RDWR);
	pos = place_pos(ref[2].place);
	EXPECT(pwrite(fd, "\0\0\0\0", 4, (off_t)(pos + 40)) == 4);
	EXPECT(ftruncate(fd, (off_t)(place_pos(ref[4].place) + 30)) == 0);
	close(fd);
	reopen();
	EXPECT_EQ("listed", data_list(store, seen, COUNT(seen)), 3);
	EXPECT(!data_has(seen, 3, &ref[2]) && !data_has(seen, 3, &ref[4]));
	EXPECT_EQ("suspects", data_suspects(store, seen, COUNT(seen)), 3);
	end();
}

/* An object whose bytes look like a record: without the volume's marker it is not one. */
TEST(forged_records)
{
	struct record_head h = { .marker = 0x1234567, .size = 5000, .version = FORM_VERSION };
	struct blob_writer *w;
	struct blob_ref ref, seen[4];
	char bytes[20000] = { 0 }, path[256];

	begin();
	EXPECT_OK(blob_begin(store, id_new(1), 0, &w));
	h.place = place_of(0, PAGE + 128 + 64);
	memset(h.id, 7, ID_LEN);
	h.crc = record_crc(&h, (uint32_t[]){ 0 });
	memcpy(bytes + 64, &h, sizeof(h));
	EXPECT_OK(blob_append(w, str_n(bytes, sizeof(bytes))));
	EXPECT_OK(blob_commit(&w, &ref));
	EXPECT_EQ("listed", data_list(store, seen, 4), 1);
	flip(path_of(&ref, path), 8 * place_pos(ref.place));
	EXPECT_EQ("listed without its head", data_list(store, seen, 4), 0);
	end();
}

TEST(copy)
{
	static const size_t some[] = { 0, 300, 20000, 65536, 100000, 400000, 2 << 20 };
	struct blob_ref ref[COUNT(some)], seen[16];
	char to[80], to_url[96], path[256];
	struct blobs *copy = NULL;
	struct blob_copy *c;
	uint64_t bytes;

	begin();
	for (size_t i = 0; i < COUNT(some); i++)
		ref[i] = put(some[i]);
	put(30000);
	snprintf(to, sizeof(to), "%s.copy", dir);
	snprintf(to_url, sizeof(to_url), "file:%s", to);
	/* Cut off: the next one writes all that may be broken anew. */
	EXPECT_OK(blob_copy_begin(store, to, &c));
	for (size_t i = 0; i < 3; i++)
		EXPECT_OK(blob_copy_add(c, &ref[i], &bytes));
	blob_copy_drop(&c);
	flip(path_in(to, &ref[1], path), 8 * (place_pos(ref[1].place) + record_data(some[1])));
	EXPECT_OK(blob_copy_begin(store, to, &c));
	for (size_t i = 0; i < COUNT(some); i++) {
		EXPECT_OK(blob_copy_add(c, &ref[i], &bytes));
		EXPECT(bytes >= some[i]);
	}
	EXPECT_OK(blob_copy_end(&c));
	/* What is there is not copied again. */
	EXPECT_OK(blob_copy_begin(store, to, &c));
	for (size_t i = 0; i < COUNT(some); i++) {
		struct blob_ref gone = ref[i];

		EXPECT_OK(blob_copy_add(c, &ref[i], &bytes));
		EXPECT_EQ("again", bytes, 0);
		EXPECT_OK(blob_delete(store, &ref[i]));
		EXPECT_ERR("gone", blob_copy_add(c, &gone, &bytes), -ENOENT);
	}
	EXPECT_OK(blob_copy_end(&c));
	EXPECT_OK(blobs_open(str_c(to_url), &small, &copy));
	REQUIRE(copy != NULL);
	for (size_t i = 0; i < COUNT(some); i++) {
		data_check_read(copy, &ref[i]);
		data_check_extents(copy, &ref[i]);
	}
	EXPECT(data_same(ref, COUNT(ref), seen, data_list(copy, seen, COUNT(seen))));
	EXPECT_EQ("suspects", data_suspects(copy, seen, COUNT(seen)), 0);
	blobs_close(&copy);
	EXPECT_OK(file_remove_tree(to));
	end();
}
