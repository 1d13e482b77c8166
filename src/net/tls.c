/*
 * tls.c - contexts of OpenSSL: made from files, replaced whole on reload.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/str.h"
#include "net/tls_impl.h"

/*
 * OpenSSL's heap for private keys: locked, left out of core files. Each connection keeps the one of its handshake, 32 to 72 bytes, until it
 * ends, and a handshake that finds no room fails.
 */
#define SECURE_HEAP (256u << 10)
#define SECURE_CONNECTION 256u		/* two of them: there are two listeners */
#define SECURE_PIECE 32u

struct tls {
	unsigned magic;
#define TLS_MAGIC 0x2b90c1e6u
	char *cert_file, *key_file;
	struct lock lock;
	SSL_CTX *ctx;		/* GUARDED_BY(lock); sessions hold references of their own */
};

/* The newest failure of OpenSSL in this thread, as an err. */
static err
ssl_failure(const char *what, const char *file)
{
	unsigned long code = ERR_get_error();
	char reason[160] = "unknown";

	if (code != 0)
		ERR_error_string_n(code, reason, sizeof(reason));
	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(code) && ERR_GET_REASON(code) > 0)
		return err_errno(ERR_GET_REASON(code), "%s %s", what, file);
	return err_errno(EINVAL, "%s %s (%s)", what, file, reason);
}

/* Of the protocols offered take HTTP/1.1; without it go on as if none had been offered. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	str rest = str_n(in, in_len);

	while (rest.len > 0) {
		size_t n = (unsigned char)rest.p[0];
		str name = str_sub(rest, 1, n);

		if (str_eq(name, STR("http/1.1"))) {
			*out = (const unsigned char *)name.p;
			*out_len = (unsigned char)name.len;
			return SSL_TLSEXT_ERR_OK;
		}
		rest = str_skip(rest, n + 1);
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static void
context_free(SSL_CTX **ctx)
{
	SSL_CTX_free(*ctx);
	*ctx = NULL;
}

static err
context_load(const char *cert_file, const char *key_file, SSL_CTX **ret)
{
	AUTO(context_free) SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return ssl_failure("cannot set up TLS for", cert_file);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		return ssl_failure("cannot ask for TLS 1.2 for", cert_file);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		return ssl_failure("cannot use the certificate file", cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
		return ssl_failure("cannot use the key file", key_file);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return ssl_failure("the key does not belong to the certificate: key file", key_file);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_ENABLE_KTLS | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	/* Sessions go on by tickets, which the clients keep: strangers cannot fill a cache of ours. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	*ret = ctx;
	ctx = NULL;
	return ERR_OK;
}

/* Once a process. If it fails: private keys are in core files, as ever. */
static void
secure_heap_open(uint64_t connections)
{
	size_t size = SECURE_HEAP;		/* a power of two */

	while (size < connections * SECURE_CONNECTION)
		size *= 2;
	(void)CRYPTO_secure_malloc_init(size, SECURE_PIECE);
}

err_v
tls_open(const char *cert_file, const char *key_file, uint64_t connections, struct tls **ret)
{
	struct tls *t;
	SSL_CTX *ctx;

	secure_heap_open(connections);
	TRY(context_load(cert_file, key_file, &ctx));
	t = MEM_NEW(struct tls);
	t->magic = TLS_MAGIC;
	t->cert_file = mem_strdup(cert_file);
	t->key_file = mem_strdup(key_file);
	lock_init(&t->lock, LOCK_TLS);
	t->ctx = ctx;
	*ret = t;
	return ERR_OK;
}

err_v
tls_reload(struct tls *t)
{
	SSL_CTX *fresh, *old;

	CHECK_OBJ(t, TLS_MAGIC);
	TRY(context_load(t->cert_file, t->key_file, &fresh));
	lock_take(&t->lock);
	old = t->ctx;
	t->ctx = fresh;
	lock_drop(&t->lock);
	SSL_CTX_free(old);
	return ERR_OK;
}

void
tls_close(struct tls **tp)
{
	struct tls *t = *tp;

	if (t == NULL)
		return;
	CHECK_OBJ(t, TLS_MAGIC);
	SSL_CTX_free(t->ctx);
	lock_done(&t->lock);
	free(t->cert_file);
	free(t->key_file);
	t->magic = 0;
	free(t);
	*tp = NULL;
}

SSL *
tls_session(struct tls *t, int fd)
{
	SSL *ssl;

	CHECK_OBJ(t, TLS_MAGIC);
	lock_take(&t->lock);
	ssl = SSL_new(t->ctx);
	lock_drop(&t->lock);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
		ERR_clear_error();
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}
