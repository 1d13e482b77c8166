/*
 * sse_c.c - encryption with keys that clients bring along.
 *
 * Data key = HMAC-SHA256(client key, "caisson sse-c data 1" | salt), check = HMAC-SHA256(client key,
 * "caisson sse-c check 1" | salt): the HMAC of a uniform key is a key derivation function (the expand step of HKDF,
 * RFC 5869). A data key seals one text once, so the block number is a nonce that never comes twice.
 * AES-256-GCM tags are over each block; order and number of blocks follow from the nonce and the size in the record.
 */
#include "s3/sse_c.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"
#include "s3/store.h"

struct sse_cipher {
	unsigned magic;
#define SSE_CIPHER_MAGIC 0x3c0f6e11
	enum sse_direction direction;
	EVP_CIPHER_CTX *context;
};

static_assert(sizeof((struct sse_c){ 0 }.salt) == 16, "the salt is one AES block");

void
sse_key_wipe(struct sse_key *k)
{
	if (k->key != NULL)
		OPENSSL_cleanse(k->key, SSE_KEY_LEN);
	*k = (struct sse_key){ 0 };
}

static bool
peer_is_local(const struct http_req *http)
{
	return str_starts(http->peer, STR("127.")) || str_eq(http->peer, STR("::1")) ||
	    str_starts(http->peer, STR("::ffff:127."));
}

static err
key_decode(str key, str md5, struct sse_key *k)
{
	uint8_t sent[16];
	size_t len;

	if (!base64_decode(key, k->key, SSE_KEY_LEN, &len) || len != SSE_KEY_LEN)
		return err_s3f(S3_InvalidArgument, "The customer key must be the base64 of 32 bytes.");
	digest_once(DIGEST_MD5, str_n(k->key, SSE_KEY_LEN), k->md5);
	if (!base64_decode(md5, sent, sizeof(sent), &len) || len != sizeof(sent) ||
	    !str_eq_secret(str_n(sent, len), str_n(k->md5, sizeof(k->md5))))
		return err_s3f(S3_InvalidRequest, "The MD5 that came with the customer key is not that of the key.");
	k->on = true;
	return ERR_OK;
}

err_v
sse_key_read(const struct s3_req *rq, enum sse_from from, struct sse_key *ret)
{
	static const str names[2][3] = {
		{ STR("x-amz-server-side-encryption-customer-algorithm"),
		  STR("x-amz-server-side-encryption-customer-key"),
		  STR("x-amz-server-side-encryption-customer-key-md5") },
		{ STR("x-amz-copy-source-server-side-encryption-customer-algorithm"),
		  STR("x-amz-copy-source-server-side-encryption-customer-key"),
		  STR("x-amz-copy-source-server-side-encryption-customer-key-md5") },
	};
	str algorithm = s3_header(rq, names[from][0]);
	str key = s3_header(rq, names[from][1]), md5 = s3_header(rq, names[from][2]);
	AUTO(sse_key_wipe) struct sse_key k = { 0 };

	if (algorithm.p == NULL && key.p == NULL && md5.p == NULL) {
		*ret = (struct sse_key){ 0 };
		return ERR_OK;
	}
	if (algorithm.p == NULL)
		return err_s3f(S3_InvalidArgument, "Send %s: AES256 with a customer key.", names[from][0].p);
	if (!str_eq(algorithm, STR("AES256")))
		return err_s3f(S3_InvalidEncryptionAlgorithmError, "The value of %s must be AES256.", names[from][0].p);
	if (key.p == NULL)
		return err_s3f(S3_InvalidArgument, "Send the customer key in %s.", names[from][1].p);
	if (md5.p == NULL)
		return err_s3f(S3_InvalidArgument, "Send the MD5 of the customer key in %s.", names[from][2].p);
	if (!rq->http->tls && !rq->store->sse_c_plain_http && !peer_is_local(rq->http))
		return err_s3f(S3_InvalidRequest, "A customer key is taken over TLS only. Use https.");
	k.key = arena_alloc(rq->arena, SSE_KEY_LEN);
	TRY(key_decode(key, md5, &k));
	*ret = k;
	k.key = NULL;		/* the caller's now */
	return ERR_OK;
}

static void
derive(const struct sse_key *k, const char *purpose, const uint8_t salt[16], uint8_t ret[32])
{
	char text[64];
	size_t n = strlen(purpose);

	assert(n + 16 <= sizeof(text));
	memcpy(text, purpose, n);
	memcpy(text + n, salt, 16);
	hmac_sha256(str_n(k->key, SSE_KEY_LEN), str_n(text, n + 16), ret);
}

static void
check_value(const struct sse_key *k, const uint8_t salt[16], uint8_t ret[32])
{
	derive(k, "caisson sse-c check 1", salt, ret);
}

void
sse_c_new(const struct sse_key *k, struct sse_c *ret)
{
	*ret = (struct sse_c){ .on = k->on };
	if (!k->on)
		return;
	if (RAND_bytes(ret->salt, sizeof(ret->salt)) != 1)
		PANIC("no randomness for a salt");
	memcpy(ret->key_md5, k->md5, sizeof(ret->key_md5));
	check_value(k, ret->salt, ret->check);
}

err_v
sse_c_check(const struct sse_key *k, const struct sse_c *sse)
{
	uint8_t check[32];

	if (!k->on && !sse->on)
		return ERR_OK;
	if (!sse->on)
		return err_s3f(S3_InvalidRequest, "The object is not encrypted with a customer key. Send none.");
	if (!k->on)
		return err_s3f(S3_InvalidRequest, "The object is encrypted with a customer key. Send the key that it was stored with.");
	check_value(k, sse->salt, check);
	if (!str_eq_secret(str_n(check, sizeof(check)), str_n(sse->check, sizeof(sse->check))))
		return err_s3f(S3_AccessDenied, "The encryption key is not the one that the object was stored with.");
	return ERR_OK;
}

void
sse_c_headers(struct s3_req *rq, const struct sse_c *sse)
{
	if (!sse->on)
		return;
	resp_header(rq->resp, STR("x-amz-server-side-encryption-customer-algorithm"), STR("AES256"));
	resp_header(rq->resp, STR("x-amz-server-side-encryption-customer-key-MD5"),
	    base64_encode(rq->arena, str_n(sse->key_md5, sizeof(sse->key_md5))));
}

uint64_t
sse_stored_size(uint64_t plain)
{
	uint64_t blocks = plain / SSE_C_BLOCK + (plain % SSE_C_BLOCK != 0);

	return plain + blocks * SSE_C_TAG;
}

struct sse_span
sse_span(uint64_t size, uint64_t off, uint64_t len)
{
	uint64_t last = (off + len - 1) / SSE_C_BLOCK;
	struct sse_span s = { .block = off / SSE_C_BLOCK, .skip = (uint32_t)(off % SSE_C_BLOCK) };
	uint64_t end = (last + 1) * SSE_C_BLOCK;

	assert(len > 0);
	assert(off + len <= size);
	s.off = s.block * (SSE_C_BLOCK + SSE_C_TAG);
	s.len = sse_stored_size(end < size ? end : size) - s.off;
	return s;
}

struct sse_cipher *
sse_cipher_new(const struct sse_key *k, const struct sse_c *sse, enum sse_direction direction)
{
	struct sse_cipher *c = MEM_NEW(struct sse_cipher);
	uint8_t key[32];
	int good;

	assert(k->on);
	assert(sse->on);
	c->magic = SSE_CIPHER_MAGIC;
	c->direction = direction;
	c->context = EVP_CIPHER_CTX_new();
	assert(c->context != NULL);
	derive(k, "caisson sse-c data 1", sse->salt, key);
	good = EVP_CipherInit_ex(c->context, EVP_aes_256_gcm(), NULL, key, NULL, direction == SSE_SEAL);
	OPENSSL_cleanse(key, sizeof(key));
	if (good != 1)
		PANIC("AES-256-GCM is not there");
	return c;
}

void
sse_cipher_free(struct sse_cipher **cp)
{
	if (*cp == NULL)
		return;
	CHECK_OBJ(*cp, SSE_CIPHER_MAGIC);
	EVP_CIPHER_CTX_free((*cp)->context);
	free(*cp);
	*cp = NULL;
}

/* Nonce of a block: 4 zero bytes, then the number, big-endian. */
static void
set_nonce(struct sse_cipher *c, uint64_t block)
{
	uint8_t nonce[12] = { 0 };

	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(block >> (56 - 8 * i));
	if (EVP_CipherInit_ex(c->context, NULL, NULL, NULL, nonce, -1) != 1)
		PANIC("a nonce was refused");
}

void
sse_seal(struct sse_cipher *c, uint64_t block, str plain, void *ret)
{
	uint8_t *to = ret;
	int n = 0, m = 0;

	CHECK_OBJ(c, SSE_CIPHER_MAGIC);
	assert(c->direction == SSE_SEAL);
	assert(plain.len > 0 && plain.len <= SSE_C_BLOCK);
	set_nonce(c, block);
	if (EVP_EncryptUpdate(c->context, to, &n, (const uint8_t *)plain.p, (int)plain.len) != 1 ||
	    EVP_EncryptFinal_ex(c->context, to + n, &m) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c->context, EVP_CTRL_GCM_GET_TAG, SSE_C_TAG, to + plain.len) != 1)
		PANIC("sealing failed");
}

err_v
sse_open(struct sse_cipher *c, uint64_t block, str sealed, void *ret)
{
	uint8_t *to = ret, tag[SSE_C_TAG];
	size_t len;
	int n = 0, m = 0;

	CHECK_OBJ(c, SSE_CIPHER_MAGIC);
	assert(c->direction == SSE_OPEN);
	if (sealed.len <= SSE_C_TAG || sealed.len > SSE_C_BLOCK + SSE_C_TAG)
		return ERR_DAMAGED;
	len = sealed.len - SSE_C_TAG;
	memcpy(tag, sealed.p + len, SSE_C_TAG);
	set_nonce(c, block);
	if (EVP_DecryptUpdate(c->context, to, &n, (const uint8_t *)sealed.p, (int)len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c->context, EVP_CTRL_GCM_SET_TAG, SSE_C_TAG, tag) != 1 ||
	    EVP_DecryptFinal_ex(c->context, to + n, &m) != 1)
		return err_errno(EBADMSG, "an encrypted block is not what was stored");
	return ERR_OK;
}
