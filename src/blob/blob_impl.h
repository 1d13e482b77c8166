/*
 * blob_impl.h - what every blob engine provides. Included by src/blob only.
 *
 * An engine embeds struct blobs, blob_writer, blob_reader and blob_copy as the first
 * member of its own, and fills in ops. blob.c checks arguments and states that
 * are the same for all, so that engines need not.
 */
#pragma once

#include "blob/blob.h"

#define BLOBS_MAGIC 0x424c4f53u
#define BLOB_WRITER_MAGIC 0x424c4f57u
#define BLOB_READER_MAGIC 0x424c4f52u
#define BLOB_COPY_MAGIC 0x424c4f43u

struct blob_ops {
	const char *scheme;		/* "file": url is "file:PLACE" */
	err_v (*open)(str place, const struct blob_options *, struct blobs **ret);
	void (*close)(struct blobs *);

	err_v (*begin)(struct blobs *, struct id, uint64_t size_hint, struct blob_writer **ret);
	/* bytes.len > 0 */
	err_v (*append)(struct blob_writer *, str bytes);
	/* Fills in ret->place. Success or not, the writer stays until forget. */
	err_v (*commit)(struct blob_writer *, struct blob_ref *ret);
	/* Frees the writer; removes what it has written unless it was committed. */
	void (*forget)(struct blob_writer *);

	err_v (*reader_open)(struct blobs *, const struct blob_ref *, struct blob_reader **ret);
	void (*reader_close)(struct blob_reader *);
	/* Both inside the blob; len and max > 0. */
	err_v (*read)(struct blob_reader *, uint64_t off, void *p, size_t len);
	err_v (*extent)(struct blob_reader *, uint64_t off, size_t max, int *ret_fd, uint64_t *ret_pos, size_t *ret_len);

	err_v (*delete)(struct blobs *, const struct blob_ref *);
	err_v (*flush)(struct blobs *);
	err_v (*list)(struct blobs *, blob_visit_f *, void *arg);
	err_v (*list_suspects)(struct blobs *, blob_visit_f *, void *arg);
	err_v (*scrub)(struct blobs *, const struct blob_ref *, uint64_t *ret_off);
	err_v (*copy_begin)(struct blobs *, const char *dir, struct blob_copy **ret);
	err_v (*copy_add)(struct blob_copy *, const struct blob_ref *, uint64_t *ret_bytes);
	err_v (*copy_end)(struct blob_copy *);		/* the copy stays until drop */
	void (*copy_drop)(struct blob_copy *);
	void (*stats)(struct blobs *, struct blob_stats *ret);
};

extern const struct blob_ops blob_mem_ops, blob_file_ops;

struct blobs {
	unsigned magic;
	const struct blob_ops *ops;
	struct blob_options options;
};

enum writer_state { WRITER_OPEN, WRITER_FAILED, WRITER_COMMITTED };

struct blob_writer {
	unsigned magic;
	struct blobs *store;
	struct id id;
	uint64_t size;			/* bytes appended */
	enum writer_state state;
};

struct blob_reader {
	unsigned magic;
	struct blobs *store;
	uint64_t size;			/* bytes of the blob, filled in by the engine */
	bool verify;
};

struct blob_copy {
	unsigned magic;
	struct blobs *store;
};

/* For tests: flip one bit of a blob in the memory engine. bit: data first, then checksums. false: beyond the end. */
bool blob_mem_rot(struct blobs *, const struct blob_ref *, uint64_t bit);
