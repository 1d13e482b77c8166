/*
 * blob_file_impl.h - what the files of the file engine share: forms on disk, and the store.
 *
 *     DIR/lock           held while a process has the store open
 *     DIR/format         which form this store has
 *     DIR/copying        a copy into this store (blob_copy_begin) has not come to its end
 *     DIR/vouched        blobs in folders and volumes below these two numbers are known to the index
 *     DIR/tmp/ID         being written; swept at start
 *     DIR/own/FOLDER/ID  a blob in a file of its own
 *     DIR/volume/NUMBER  small blobs, one behind the other
 *
 * Folders and volumes are numbered in the order of their making, and each start begins new ones. So what a crash may have left
 * without an owner lies in the numbers from the vouched ones up to those of this start, and nothing else need be looked at.
 * docs/disk-format.md describes the forms for readers of disks.
 */
#pragma once

#include "base/lock.h"
#include "base/panic.h"
#include "blob/blob_impl.h"

#define PAGE 4096u		/* unit of direct writes; what was flushed once shares no page with what is written later */
#define UNIT 64u		/* records in a volume begin at multiples of this */
#define GROUP 1023u		/* checksums in a page of them */
#define RECORD_MAX (GROUP * (uint64_t)BLOB_BLOCK)	/* largest blob in a volume: one page of checksums */

#define VOLUME_HEAD_MAGIC UINT64_C(0x316c6f5663636361)
#define OWN_TAIL_MAGIC UINT64_C(0x316e774f63636361)
#define FORM_VERSION 1u

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers on disk are little-endian");

/* The first page of a volume holds this twice, in two sectors. marker: random; scans know records by it, and no client does. */
struct volume_head {
	uint64_t magic;
	uint64_t number;
	uint64_t marker;
	uint32_t version;
	uint32_t crc;		/* of this struct with crc zero */
	uint8_t zero[32];
};
#define VOLUME_HEAD_COPY 512u

/* A blob in a volume: this, one CRC32C for each block, zeros up to a multiple of UNIT, the data. All zero: deleted. */
struct record_head {
	uint64_t marker;
	uint64_t place;
	uint64_t size;
	uint8_t id[ID_LEN];
	uint32_t version;
	uint32_t crc;		/* of this struct with crc zero, and of the checksums */
	uint8_t zero[16];
};

/*
 * A blob in a file of its own: the data, zeros up to a multiple of PAGE, pages of checksums, a page whose last bytes are this. So
 * the data is one run for sendfile, and the end of a file says whether it is whole.
 */
struct own_tail {
	uint64_t magic;
	uint64_t size;
	uint8_t id[ID_LEN];
	uint32_t version;
	uint32_t crc;		/* of this struct with crc zero */
	uint8_t zero[24];
};

struct crc_page {
	uint32_t crc[GROUP];
	uint32_t self;		/* of crc, seeded with the blob's id and the number of the page */
};

static_assert(sizeof(struct volume_head) == 64, "on disk");
static_assert(sizeof(struct record_head) == UNIT, "on disk");
static_assert(sizeof(struct own_tail) == 64, "on disk");
static_assert(sizeof(struct crc_page) == PAGE, "on disk");

/* place: a folder's number; or, with the top bit, a volume's number and where in it. */
#define PLACE_IN_VOLUME (UINT64_C(1) << 63)
#define NUMBER_MAX UINT64_C(0x7fffffff)
static inline uint64_t place_of(uint64_t volume, uint64_t pos) { return PLACE_IN_VOLUME | volume << 32 | pos / UNIT; }
static inline uint64_t place_volume(uint64_t place) { return place >> 32 & NUMBER_MAX; }
static inline uint64_t place_pos(uint64_t place) { return (place & UINT32_MAX) * UNIT; }

static inline uint64_t round_up(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }
static inline uint64_t blocks_of(uint64_t size) { return (size + BLOB_BLOCK - 1) / BLOB_BLOCK; }
/* From the beginning of a record to its data. */
static inline uint64_t record_data(uint64_t size) { return round_up(sizeof(struct record_head) + 4 * blocks_of(size), UNIT); }
static inline uint64_t record_len(uint64_t size) { return round_up(record_data(size) + size, UNIT); }

/*
 * Flushes shared by those who come together. Whoever changes the file enters the open round, changes it, leaves and waits; the first
 * to wait leads: it closes the round, waits for those still inside, flushes once for all of them. After a
 * failed flush that round and all later ones fail.
 */
struct flush {
	int (*sync)(int fd);
	int fd;
	struct cond left;	/* the leader waits for those inside */
	struct cond over[2];	/* the others, by parity of their round: so nobody is woken for another's */
	uint64_t round;		/* open to newcomers; the first is 1 */
	uint64_t done;		/* rounds up to this one have been flushed, or failed */
	uint64_t good;		/* up to this one they were flushed */
	unsigned inside[2];	/* by parity of their round */
	bool running;
	int failed;		/* errno, or 0 */
};

/* A volume or a folder that is being filled. Lives until it is not the current one and nobody writes in it. */
struct volume {
	struct volume *next;	/* in store->writing */
	unsigned refs;
	uint64_t number;
	uint64_t marker;
	uint64_t tail;		/* where the next record begins ... */
	uint64_t tail_round;	/* ... if it is of this round; else at the next page */
	struct flush flush;
};

struct folder {
	unsigned refs;
	uint64_t number;
	unsigned files;
	struct flush flush;
};

/* An open volume, for readers: kept open while there is room. */
struct volume_file {
	uint64_t number;
	int fd;
	unsigned refs;		/* the table's is one of them */
};
#define VOLUMES_OPEN 256u

/* A blob in a volume that is being read or deleted. */
struct record {
	struct record *next;
	uint64_t place;
	unsigned readers;
	bool doomed;		/* to be freed once nobody reads it; it cannot be opened any more */
};
#define RECORD_SLOTS 1024u

#define FILE_STORE_MAGIC 0x464c5354u
struct file_store {
	struct blobs base;
	int dir, tmp, own, volumes;	/* directories */
	int lock_fd;
	bool no_volumes;	/* the file system cannot punch holes */
	uint64_t start_folder, start_volume;	/* the first numbers of this start */

	struct lock lock;		/* VOLUME */
	struct volume *volume;		/* GUARDED_BY(lock), as all up to the next lock; NULL: none yet */
	struct volume *writing;		/* it, and older ones in which somebody still writes */
	struct folder *folder;
	uint64_t next_volume, next_folder;
	struct blob_stats stats;

	struct lock files;		/* FILES */
	struct { struct volume_file *file; uint64_t used; } open[VOLUMES_OPEN];	/* GUARDED_BY(files), as all below */
	uint64_t clock;
	struct record *record[RECORD_SLOTS];
};

/* blob_file.c */
/* Is the store in this directory of a form that we know? -ENOENT: a new one; ensure says so in it. */
err_v file_format_check(int dir);
err_v file_format_ensure(int dir);
/* Nobody else may have the store open. flags: of open(). -EBUSY. */
err_v file_lock(int dir, int flags, int *ret);
struct file_store *file_store_of(struct blobs *);
void file_counted(struct file_store *, int64_t files, int64_t bytes);

/* blob_file_io.c: whole reads and writes; EINTR and short counts are gone on with. */
err_v io_read(int fd, void *p, size_t n, uint64_t pos);		/* ERR_DAMAGED: the file ends before */
err_v io_write(int fd, const void *p, size_t n, uint64_t pos);
err_v io_allocate(int fd, int mode, uint64_t pos, uint64_t len);	/* fallocate */
/* Call visit with each entry of a directory whose name is a number (hex, 8 digits). */
typedef err_v io_number_f(void *arg, uint64_t number);
err_v io_numbers(int dir, io_number_f *, void *arg);
#define NUMBER_TEXT 9
void io_number_text(uint64_t number, char ret[NUMBER_TEXT]);
/* Write a small file so that after a crash it holds either what it held before, or this. */
err_v io_replace(int dir, const char *name, str text);
/* Copy a file into another directory; the copy is flushed, its name is not. */
err_v io_copy(int from_dir, const char *from, int to_dir, const char *to);

/* blob_file_flush.c: all REQUIRES(s->lock) */
void flush_init(struct flush *, int fd, int (*sync)(int));
void flush_done(struct flush *);
uint64_t flush_enter(struct file_store *s, struct flush *) REQUIRES(s->lock);
void flush_leave(struct file_store *s, struct flush *, uint64_t round) REQUIRES(s->lock);
err_v flush_wait(struct file_store *s, struct flush *, uint64_t round, const char *what) REQUIRES(s->lock);

/* blob_file_volume.c */
/* Append a blob: data stands at p, and before it record_data(size) bytes are free for the head. OK: durable. */
err_v volume_append(struct file_store *, struct id, uint8_t *p, uint64_t size, uint64_t *ret_place);
void volume_close(struct file_store *);		/* the current one, at the end */
/* Free a blob's space. ret_size: what it had, 0 if it was not there. */
err_v record_erase(struct file_store *, const struct blob_ref *, uint64_t *ret_size);
/* Head and checksums of the record at pos. ERR_NOT_FOUND: there is none of this id. crc: GROUP of them. */
err_v record_load(int fd, uint64_t place, struct id, struct record_head *ret, uint32_t *ret_crc);
uint32_t record_crc(const struct record_head *, const uint32_t *crc);

/* blob_file_scan.c */
enum scan { SCAN_LIST, SCAN_SUSPECTS };
/* Every record of a volume. SUSPECTS: afterwards a volume without any is removed. *stop: a visit returned false. */
err_v volume_scan(struct file_store *, uint64_t number, enum scan, blob_visit_f *, void *arg, bool *stop);
/* Remove the volume if nothing is left in it and nobody writes there. */
void volume_sweep(struct file_store *, uint64_t number, int fd);

/* blob_file_table.c: open volumes, and the records that are being read or deleted */
err_v volume_file_get(struct file_store *, uint64_t number, struct volume_file **ret);
void volume_file_put(struct file_store *, struct volume_file **);
void volume_files_close(struct file_store *);
err_v record_hold(struct file_store *, uint64_t place, struct record **ret);	/* ERR_NOT_FOUND: doomed */
/* true: it was doomed, and this was the last reader: free its space, then record_gone(). */
bool record_release(struct file_store *, struct record *);
/* true: nobody reads it: free its space now, then record_gone(). ret NULL: someone else has doomed it. */
bool record_doom(struct file_store *, uint64_t place, struct record **ret);
void record_gone(struct file_store *, struct record *);

/* blob_file_own.c */
struct own_writer;
err_v own_begin(struct file_store *, struct id, uint64_t size_hint, struct own_writer **ret);
err_v own_add(struct own_writer *, str bytes);		/* may keep them in its hands, as blob_append() says */
err_v own_settle(struct own_writer *);			/* nothing of the caller's is in its hands any more */
err_v own_commit(struct own_writer *, uint64_t *ret_place);
void own_free(struct own_writer **);		/* removes the file unless it was committed */
void folder_close(struct file_store *);
err_v own_delete(struct file_store *, const struct blob_ref *);
#define OWN_NAME (NUMBER_TEXT + ID_TEXT_LEN + 1)
void own_name(uint64_t folder, struct id, char ret[OWN_NAME]);		/* "FOLDER/ID" */
uint32_t own_tail_crc(const struct own_tail *);
uint32_t crc_page_self(const struct crc_page *, struct id, uint64_t number);

/* blob_file_read.c */
err_v file_reader_open(struct blobs *, const struct blob_ref *, struct blob_reader **ret);
void file_reader_close(struct blob_reader *);
err_v file_read(struct blob_reader *, uint64_t off, void *p, size_t len);
err_v file_extent(struct blob_reader *, uint64_t off, size_t max, int *ret_fd, uint64_t *ret_pos, size_t *ret_len);
err_v file_scrub(struct blobs *, const struct blob_ref *, uint64_t *ret_off);

/* blob_file_list.c */
err_v file_list(struct blobs *, blob_visit_f *, void *arg);
err_v file_list_suspects(struct blobs *, blob_visit_f *, void *arg);
err_v file_flush(struct blobs *);
/* The numbers below which all is vouched for; zeros if nothing is. */
err_v vouched_read(int dir, uint64_t *ret_folder, uint64_t *ret_volume);
err_v vouched_write(int dir, uint64_t folder, uint64_t volume);

/* blob_file_copy.c */
err_v file_copy_begin(struct blobs *, const char *dir, struct blob_copy **ret);
err_v file_copy_add(struct blob_copy *, const struct blob_ref *, uint64_t *ret_bytes);
err_v file_copy_end(struct blob_copy *);
void file_copy_drop(struct blob_copy *);
/* The directories of a store, made if they are not there, or opened as they are. */
err_v file_layout(const char *dir, int ret[4]);
err_v file_layout_open(const char *dir, int ret[4]);
