/*
 * seal.c - random names, and secrets under the master key.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "access/access_impl.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define NONCE_LEN 12u
#define TAG_LEN 16u
#define SEALED_MAX (NONCE_LEN + VAULT_SLOT + TAG_LEN)

void
random_text(const char *alphabet, size_t n, char *ret)
{
	size_t letters = strlen(alphabet), limit = 256 - 256 % letters;
	uint8_t byte;

	for (size_t i = 0; i < n;) {
		if (RAND_bytes(&byte, 1) != 1)
			PANIC("no random bytes");
		if (byte < limit)		/* else some letters would be likelier than others */
			ret[i++] = alphabet[byte % letters];
	}
}

static void
cipher_free(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
	*c = NULL;
}

err_v
seal(const uint8_t master[32], str owner, str secret, struct arena *a, str *ret)
{
	AUTO(cipher_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t out[SEALED_MAX];
	int n = 0, last = 0, ignored;
	size_t len;

	assert(secret.len > 0 && secret.len <= VAULT_SLOT);
	if (c == NULL || RAND_bytes(out, NONCE_LEN) != 1 ||
	    EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, master, out) != 1 ||
	    EVP_EncryptUpdate(c, NULL, &ignored, (const uint8_t *)owner.p, (int)owner.len) != 1 ||
	    EVP_EncryptUpdate(c, out + NONCE_LEN, &n, (const uint8_t *)secret.p, (int)secret.len) != 1 ||
	    EVP_EncryptFinal_ex(c, out + NONCE_LEN + n, &last) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, (int)TAG_LEN, out + NONCE_LEN + n + last) != 1)
		return err_errno(EIO, "encrypt a secret");
	len = NONCE_LEN + (size_t)n + (size_t)last + TAG_LEN;
	*ret = base64_encode(a, str_n(out, len));
	return ERR_OK;
}

err_v
unseal(const uint8_t master[32], str owner, str sealed, char *ret, size_t max, size_t *ret_len)
{
	AUTO(cipher_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t in[SEALED_MAX], out[VAULT_SLOT];
	int n = 0, last = 0, ignored;
	size_t len, text_len;
	bool ok;

	if (!base64_decode(sealed, in, sizeof(in), &len) || len <= NONCE_LEN + TAG_LEN)
		return ERR_DAMAGED;
	text_len = len - NONCE_LEN - TAG_LEN;
	if (text_len > max)
		return ERR_DAMAGED;
	ok = c != NULL && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, master, in) == 1 &&
	    EVP_DecryptUpdate(c, NULL, &ignored, (const uint8_t *)owner.p, (int)owner.len) == 1 &&
	    EVP_DecryptUpdate(c, out, &n, in + NONCE_LEN, (int)text_len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, (int)TAG_LEN, in + NONCE_LEN + text_len) == 1 &&
	    EVP_DecryptFinal_ex(c, out + n, &last) == 1;
	if (ok) {
		memcpy(ret, out, text_len);
		*ret_len = text_len;
	}
	OPENSSL_cleanse(out, sizeof(out));
	return ok ? ERR_OK : ERR_DAMAGED;
}

void
master_check(const uint8_t master[32], char ret[64])
{
	uint8_t mac[32];

	hmac_sha256(str_n(master, 32), STR("caisson: which master key"), mac);
	hex_encode(str_n(mac, sizeof(mac)), ret);
}

void
master_put(struct kv_batch *b, const uint8_t master[32])
{
	json_t *record = record_new();
	char check[64];

	master_check(master, check);
	record_set_str(record, "check", str_n(check, sizeof(check)));
	record_put(b, STR("AM"), &record);
}

void
secret_wipe(struct secret *s)
{
	OPENSSL_cleanse(s, sizeof(*s));
}
