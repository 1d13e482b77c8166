/*
 * master_key.c - where the master key comes from, and how it is replaced.
 *
 * Rotation: (1) the new key goes to "path.new", flushed; (2) one batch re-encrypts all secrets and says in row AM which key they are
 * under; (3) path.new replaces path. A crash before (2) leaves a file that means nothing and is removed at the next start;
 * between (2) and (3) the row AM tells that path.new is the key, and the next start does (3).
 */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/access_impl.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define KEY_TEXT_LEN 64u

static err
key_parse(const char *where, str text, uint8_t ret[32])
{
	while (text.len > 0 && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
		text.len--;
	if (text.len != KEY_TEXT_LEN || !hex_decode(text, ret))
		return err_errno(EINVAL, "%s is not a master key: want 64 hex digits", where);
	return ERR_OK;
}

/* ERR_NOT_FOUND if there is no such file. */
static err
key_read(const char *path, uint8_t ret[32])
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[KEY_TEXT_LEN + 8];
	struct stat st;
	ssize_t n;
	err_v e;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_errno(errno, "open the master key %s", path);
	if (fstat(fd, &st) != 0)
		return err_sys("stat of the master key");
	if ((st.st_mode & 077) != 0)
		return err_errno(EACCES, "the master key %s must be readable by its owner only (mode 0600)", path);
	n = file_read_head(fd, text, sizeof(text));
	if (n < 0)
		return err_sys("read the master key");
	e = key_parse(path, str_n(text, (size_t)n), ret);
	OPENSSL_cleanse(text, sizeof(text));
	return e;
}

static err
key_write(const char *path, const uint8_t key[32])
{
	char text[KEY_TEXT_LEN + 1];
	err_v e;

	hex_encode(str_n(key, 32), text);
	text[KEY_TEXT_LEN] = '\n';
	e = file_write(path, str_n(text, sizeof(text)));
	OPENSSL_cleanse(text, sizeof(text));
	return e;
}

static void
key_make(uint8_t ret[32])
{
	if (RAND_bytes(ret, 32) != 1)
		PANIC("no random bytes");
}

/* Is the index under this key? also_if_none: true if it is under none yet. */
enum index_key { INDEX_NEW, INDEX_THIS, INDEX_OTHER };

static err
index_key(struct kv *kv, const uint8_t key[32], enum index_key *ret)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	AUTO(json_free) json_t *record = NULL;
	char check[64];
	str value;
	err_v e;

	e = kv_get(kv, KV_SYSTEM_SPACE, STR("AM"), KV_MAY_BLOCK, mem, &value);
	if (err_is(e, ERR_NOT_FOUND.code)) {
		*ret = INDEX_NEW;
		return ERR_OK;
	}
	TRY(e);
	TRY(record_parse(value, &record));
	master_check(key, check);
	*ret = str_eq(record_str(record, "check", mem), str_n(check, sizeof(check))) ? INDEX_THIS : INDEX_OTHER;
	return ERR_OK;
}

/* ---- re-encryption ---- */

struct reseal { const uint8_t *from, *to; struct kv_batch *batch; struct arena *mem; };

static err
reseal_key(void *arg, str org, str id, str value)
{
	struct reseal *s = arg;
	AUTO(json_free) json_t *r = NULL;
	char secret[VAULT_SLOT];
	str row, sealed;
	size_t len;
	err_v e;

	arena_reset(s->mem);
	row = row_key(s->mem, "AK", org, id);
	TRY(record_parse(value, &r));
	TRY(unseal(s->from, id, record_str(r, "secret", s->mem), secret, sizeof(secret), &len));
	e = seal(s->to, id, str_n(secret, len), s->mem, &sealed);
	OPENSSL_cleanse(secret, sizeof(secret));
	TRY(e);
	record_set_str(r, "secret", sealed);
	kv_expect_value(s->batch, row, value);
	record_put(s->batch, row, &r);
	return ERR_OK;
}

/* Adds the rows of all keys and AM to the batch. */
static err
master_reseal(struct kv *kv, const uint8_t from[32], const uint8_t to[32], struct kv_batch *b)
{
	AUTO(arena_free) struct arena *mem = arena_new(4096, 4 << 20);
	struct reseal s = { from, to, b, mem };

	TRY(rows_each(kv, "AK", STR_NONE, reseal_key, &s));
	master_put(b, to);
	return ERR_OK;
}

/* ---- from the environment ---- */

static err
key_from_env(struct kv *kv, const char *text, uint8_t ret[32])
{
	AUTO(kv_batch_free) struct kv_batch *b = NULL;
	const char *old_text = getenv("CAISSON_MASTER_KEY_OLD");
	enum index_key which;
	uint8_t old[32];

	TRY(key_parse("CAISSON_MASTER_KEY", str_c(text), ret));
	TRY(index_key(kv, ret, &which));
	if (which != INDEX_OTHER)
		return ERR_OK;
	if (old_text == NULL)
		return err_errno(EKEYREJECTED, "the index is under another master key than CAISSON_MASTER_KEY");
	TRY(key_parse("CAISSON_MASTER_KEY_OLD", str_c(old_text), old));
	TRY(index_key(kv, old, &which));
	if (which != INDEX_THIS)
		return err_errno(EKEYREJECTED, "the index is under neither CAISSON_MASTER_KEY nor CAISSON_MASTER_KEY_OLD");
	b = kv_batch_new(KV_SYSTEM_SPACE);
	TRY(master_reseal(kv, old, ret, b));
	OPENSSL_cleanse(old, sizeof(old));
	return kv_commit(kv, b);
}

/* ---- from the file ---- */

static err
key_first(struct kv *kv, const char *path, const char *path_new, uint8_t ret[32])
{
	enum index_key which;

	key_make(ret);
	TRY(index_key(kv, ret, &which));
	if (which != INDEX_NEW)
		return err_errno(EKEYREJECTED, "the index is under a master key, but there is no file %s", path);
	TRY(key_write(path_new, ret));
	return file_rename(path_new, path);
}

static err
key_from_file(struct kv *kv, const char *path, const char *path_new, uint8_t ret[32])
{
	enum index_key which;
	err_v e = key_read(path, ret);

	if (err_is(e, ERR_NOT_FOUND.code))
		return key_first(kv, path, path_new, ret);
	TRY(e);
	TRY(index_key(kv, ret, &which));
	if (which != INDEX_OTHER) {
		if (unlink(path_new) != 0 && errno != ENOENT)		/* of a rotation that never happened */
			return err_errno(errno, "remove %s", path_new);
		return ERR_OK;
	}
	e = key_read(path_new, ret);
	if (err_is(e, ERR_NOT_FOUND.code))
		return err_errno(EKEYREJECTED, "the index is under another master key than %s", path);
	TRY(e);
	TRY(index_key(kv, ret, &which));
	if (which != INDEX_THIS)
		return err_errno(EKEYREJECTED, "the index is under another master key than %s and %s", path, path_new);
	return file_rename(path_new, path);
}

/* What was read does not stay in the environment, which core files and children have. That there was a key can still be seen. */
static void
env_hide(const char *name)
{
	char *text = getenv(name);

	if (text != NULL)
		memset(text, '*', strlen(text));
}

err_v
access_master_key(struct kv *kv, const char *path, uint8_t ret[32])
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	const char *text = getenv("CAISSON_MASTER_KEY");
	uint8_t key[32];

	if (text != NULL && text[0] != '\0')
		TRY(key_from_env(kv, text, key));
	else
		TRY(key_from_file(kv, path, arena_fmt(mem, "%s.new", path).p, key));
	env_hide("CAISSON_MASTER_KEY");
	env_hide("CAISSON_MASTER_KEY_OLD");
	memcpy(ret, key, 32);
	OPENSSL_cleanse(key, sizeof(key));
	return ERR_OK;
}

static void
key_wipe(uint8_t (*key)[32])
{
	OPENSSL_cleanse(*key, sizeof(*key));
}

/* A rotation that could not do its last step left the present key in path_new only: do that step before the file is written over. */
static err
rotation_end(const uint8_t now[32], const char *path, const char *path_new)
{
	AUTO(key_wipe) uint8_t key[32];

	TRY(key_read(path, key));
	if (memcmp(key, now, sizeof(key)) == 0)
		return ERR_OK;
	TRY(key_read(path_new, key));
	if (memcmp(key, now, sizeof(key)) != 0)
		return err_errno(EKEYREJECTED, "neither %s nor %s holds the present master key", path, path_new);
	return file_rename(path_new, path);
}

err_v
access_master_rotate(struct access *a, const char *path)
{
	AUTO(arena_free) struct arena *mem = arena_new(1024, 1 << 20);
	AUTO(locked_done) struct locked l = locked_begin(a);
	AUTO(kv_batch_free) struct kv_batch *b = kv_batch_new(KV_SYSTEM_SPACE);
	AUTO(key_wipe) uint8_t key[32];
	const char *from_env = getenv("CAISSON_MASTER_KEY"), *path_new = arena_fmt(mem, "%s.new", path).p;

	(void)l;
	key_make(key);
	if (from_env != NULL && from_env[0] != '\0')
		return err_errno(ENOTSUP, "the master key comes from the environment: start with a new one and CAISSON_MASTER_KEY_OLD");
	TRY(rotation_end(a->master, path, path_new));
	TRY(key_write(path_new, key));
	TRY(file_flush_parent(path_new));
	CRASH_POINT(master_written);
	TRY(master_reseal(a->kv, a->master, key, b));
	TRY(change_commit(a, b));
	CRASH_POINT(master_resealed);
	memcpy(a->master, key, sizeof(key));
	return file_rename(path_new, path);
}
