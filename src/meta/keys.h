/*
 * keys.h - names of rows: bytes whose memcmp order is the order that S3 wants.
 *
 * A row's name is one byte that says its kind, then what it is about. Object keys are escaped (00 becomes 00 FF) and
 * end with 00 01, so that they sort as they are and nothing can follow within another key. Ids are complemented where
 * the newest comes first. Writing never fails: lengths are checked before. Reading checks everything: it is disk input.
 */
#pragma once

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

#define OBJECT_KEY_MAX 1024u			/* S3: bytes of UTF-8 */
#define BUCKET_NAME_MAX 255u
#define ORG_MAX 255u
#define PART_NUMBER_MAX 10000u
#define PART_TABLE 0u				/* the P row that says which parts an object consists of */
#define ROW_KEY_MAX (1 + 2 * OBJECT_KEY_MAX + 2 + ID_LEN + ID_LEN)

enum row_kind {
	ROW_HEAD = 'H', ROW_CONFIG = 'C', ROW_OBJECT = 'O', ROW_VERSION = 'V', ROW_UPLOAD = 'U', ROW_PART = 'P', ROW_BLOB = 'B',
	ROW_LINK = 'L', ROW_PENDING = 'J', ROW_TOKEN = 'T', ROW_DEAD = 'D', ROW_COUNTERS = 'N', ROW_TOUCH = 'A', ROW_AGES = 'G',
	ROW_SYSTEM = 'B',			/* all the catalog's rows in the system space */
};

/* A name under construction: by value, on the stack. */
struct row_key {
	size_t len;
	char bytes[ROW_KEY_MAX];
};

static inline str row_str(const struct row_key *k) { return str_n(k->bytes, k->len); }

/* S3_KeyTooLongError; S3_InvalidURI if it is empty. To be asked of every key before it is made into a row. */
err key_check(str object_key);

struct row_key row_head(void);
struct row_key row_counters(void);
struct row_key row_config(str name);
struct row_key row_object(str object_key);
struct row_key row_version(str object_key, struct id version);
struct row_key row_upload(str object_key, struct id upload);
struct row_key row_part(struct id body, uint32_t number);
struct row_key row_blob(struct id blob);
struct row_key row_link(struct id body);
struct row_key row_owner(struct id body, struct id owner);
struct row_key row_pending(struct id owner);
struct row_key row_token(const uint8_t digest[32]);
struct row_key row_dead(uint64_t when_ms, struct id);

/* System space. */
struct row_key row_bucket_name(str name);
struct row_key row_bucket_of(str org, str name);
struct row_key row_space(uint32_t space);
struct row_key row_next_space(void);
struct row_key row_memo(str name);		/* what a job remembers */

/* All rows of one kind; all below a prefix of object keys; all of one object key (V, U); of one body (P, L). */
struct row_key row_kind_from(enum row_kind);
struct row_key row_prefix(enum row_kind, str key_prefix);
struct row_key row_of_key(enum row_kind, str object_key);
struct row_key row_of_body(enum row_kind, struct id body);
struct row_key row_bucket_names(str name_prefix);
struct row_key row_buckets_of(str org, str name_prefix);
struct row_key row_spaces(void);
/* The first name behind all that begin with k: the end of its range. */
struct row_key row_behind(struct row_key k);
/* The first name behind k itself. */
struct row_key row_next(struct row_key k);

/*
 * Back from rows. false: not such a name. ret_key: room for OBJECT_KEY_MAX bytes, *ret_len of them used. Versions come
 * out uncomplemented.
 */
bool row_object_key(str row, enum row_kind, char *ret_key, size_t *ret_len, str *ret_rest);
bool row_version_id(str rest, struct id *ret);
bool row_upload_id(str rest, struct id *ret);
bool row_part_parse(str row, struct id *ret_body, uint32_t *ret_number);
bool row_link_parse(str row, struct id *ret_body, bool *ret_is_owner, struct id *ret_owner);
bool row_dead_parse(str row, uint64_t *ret_when_ms, struct id *ret);
bool row_id_parse(str row, enum row_kind, struct id *ret);	/* B, J */
bool row_space_parse(str row, uint32_t *ret);
/* The name of the bucket in a row of row_bucket_names() or row_buckets_of(); borrowed. */
bool row_bucket_parse(str row, str *ret_name);
