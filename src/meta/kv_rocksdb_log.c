/*
 * kv_rocksdb_log.c - is the log torn, or rotten?
 *
 * RocksDB cannot tell the two apart. Of its recovery modes the strict ones refuse to open after an ordinary power cut,
 * the others silently forget whatever lies behind the first bad byte, which may be commits that were acknowledged. We
 * can tell, because every commit is flushed: RocksDB writes one record for each group of commits and flushes it before
 * it begins the next. So only the very last record may be incomplete, in any part of it, and a record that begins
 * behind bad bytes proves that they were flushed once, and have rotted since.
 *
 * A crash while RocksDB recovers may leave the torn log, and behind it a new one in which there is only an empty batch, as RocksDB begins
 * them: so the last record is that of the newest log that holds a commit.
 *
 * What remains undetected is rot in that last record of a store that was not stopped cleanly: it looks like a torn one.
 *
 * The form: blocks of 32 KiB; in a block, fragments of 4 bytes masked CRC32C (of type and data), 2 bytes length, 1 byte
 * type (whole, first, middle, last), data; no fragment begins in the last 6 bytes. A record begins with its sequence number,
 * 8 bytes little-endian, and the number of its changes, 4 bytes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "meta/kv_rocksdb.h"

#define BLOCK 32768u
#define HEADER 7u
#define SEQUENCE_LEN 8u
#define COUNT_LEN 4u
#define MASK_DELTA 0xa282ead8u

enum fragment { FRAGMENT_WHOLE = 1, FRAGMENT_FIRST, FRAGMENT_MIDDLE, FRAGMENT_LAST };

/* How far the look through one file has come. */
struct log_walk {
	bool bad;			/* something unreadable has been met ... */
	uint64_t bad_off;		/* ... here first */
	bool inside;			/* a record has begun and not ended */
	bool any;			/* a record has begun: the last sound one ... */
	uint64_t begin_off;		/* ... here ... */
	uint64_t sequence;		/* ... with this number */
	bool commits;			/* not only empty batches */
	bool rotten;
};

static uint64_t
little_endian(const char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (uint8_t)p[n];
	return v;
}

/* A sound fragment at the beginning of s? Its type, else 0. */
static unsigned
fragment_at(str s, size_t *ret_len)
{
	uint32_t crc, masked;
	size_t len;
	unsigned type;

	if (s.len < HEADER)
		return 0;
	len = little_endian(s.p + 4, 2);
	type = (uint8_t)s.p[6];
	if (type < FRAGMENT_WHOLE || type > FRAGMENT_LAST || len > s.len - HEADER)
		return 0;
	crc = crc32c(0, str_sub(s, HEADER - 1, 1 + len));
	masked = (crc >> 15 | crc << 17) + MASK_DELTA;
	if (little_endian(s.p, 4) != masked)
		return 0;
	*ret_len = HEADER + len;
	return type;
}

static void
met_bad(struct log_walk *w, uint64_t off)
{
	if (!w->bad)
		w->bad_off = off;
	w->bad = true;
}

/*
 * Does a record begin here that can only have been written after the bad bytes? Values are what clients sent and may
 * look like records: so its number must also be one that the log was about to reach.
 */
static bool
begins_later(const struct log_walk *w, str s, uint64_t off)
{
	size_t len;
	unsigned type = fragment_at(s, &len);
	uint64_t sequence;

	if ((type != FRAGMENT_WHOLE && type != FRAGMENT_FIRST) || len < HEADER + SEQUENCE_LEN)
		return false;
	sequence = little_endian(s.p + HEADER, SEQUENCE_LEN);
	return !w->any || (sequence > w->sequence && sequence - w->sequence <= off - w->begin_off);
}

static void
step(struct log_walk *w, unsigned type, str fragment, uint64_t off)
{
	bool begins = type == FRAGMENT_WHOLE || type == FRAGMENT_FIRST;

	if (begins && w->inside)
		met_bad(w, w->begin_off);
	if (!begins && !w->inside)
		met_bad(w, off);
	if (begins && w->bad && begins_later(w, fragment, off))
		w->rotten = true;
	if (begins)
		w->commits |= fragment.len < HEADER + SEQUENCE_LEN + COUNT_LEN ||
		    little_endian(fragment.p + HEADER + SEQUENCE_LEN, COUNT_LEN) > 0;
	if (begins && !w->bad && fragment.len >= HEADER + SEQUENCE_LEN) {
		w->any = true;
		w->begin_off = off;
		w->sequence = little_endian(fragment.p + HEADER, SEQUENCE_LEN);
	}
	w->inside = type == FRAGMENT_FIRST || (type == FRAGMENT_MIDDLE && w->inside);
}

static void
walk_block(struct log_walk *w, str block, uint64_t off)
{
	size_t at = 0, len;
	unsigned type;

	while (block.len - at >= HEADER && (type = fragment_at(str_skip(block, at), &len)) != 0) {
		step(w, type, str_sub(block, at, len), off + at);
		at += len;
	}
	if (block.len - at < HEADER && block.len == BLOCK)
		return;			/* the trailer */
	if (at == block.len)
		return;			/* the end of the file, between two records */
	/* The length itself may be what has rotted: look at every byte. */
	met_bad(w, w->inside ? w->begin_off : off + at);
	w->inside = false;
	for (at++; at < block.len && !w->rotten; at++)
		w->rotten = begins_later(w, str_skip(block, at), off + at);
}

static err
walk_file(int fd, const char *name, struct log_walk *w)
{
	AUTO(mem_free_p) char *block = mem_alloc(BLOCK);
	uint64_t off = 0;
	ssize_t n;

	while ((n = pread(fd, block, BLOCK, (off_t)off)) > 0 && !w->rotten) {
		walk_block(w, str_n(block, (size_t)n), off);
		off += (uint64_t)n;
		if ((size_t)n < BLOCK)
			break;
	}
	if (n < 0)
		return err_sys("read the index's log");
	if (w->inside)
		met_bad(w, w->begin_off);
	if (w->rotten)
		return err_errno(EBADMSG, "index log %s is damaged at byte %llu: whole records follow", name,
		    (unsigned long long)w->bad_off);
	return ERR_OK;
}

/* "000123.log" */
static bool
log_number(const char *name, uint64_t *ret)
{
	str s = str_c(name);

	return str_ends(s, STR(".log")) && str_u64(str_sub(s, 0, s.len - 4), ret);
}

/* ret_commits: it holds something, or is torn. */
static err
check_one(const char *dir, const char *name, bool *ret_commits, bool *ret_torn)
{
	char path[ROCKS_DIR_MAX + 256];
	AUTO(fd_close) int fd = -1;
	struct log_walk w = { 0 };

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys("open the index's log");
	TRY(walk_file(fd, name, &w));
	*ret_torn = w.bad;
	*ret_commits = w.bad || w.commits;
	return ERR_OK;
}

err_v
rocks_log_check(const char *dir, bool *ret_torn)
{
	uint64_t newest = 0, number;
	struct dirent *entry;
	bool torn = false;
	err_v e = ERR_OK;
	DIR *d = opendir(dir);

	if (d == NULL)
		return err_sys("open the index's directory");
	while (err_ok(e) && (entry = readdir(d)) != NULL) {
		struct stat st;
		bool commits, one;

		if (!log_number(entry->d_name, &number) || fstatat(dirfd(d), entry->d_name, &st, 0) != 0 || st.st_size == 0)
			continue;
		e = check_one(dir, entry->d_name, &commits, &one);
		if (err_ok(e) && commits && number >= newest) {
			newest = number;
			torn = one;
		}
	}
	closedir(d);
	if (err_ok(e))
		*ret_torn = torn;
	return e;
}
