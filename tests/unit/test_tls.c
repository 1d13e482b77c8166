/* TLS over real sockets: versions, reload while serving, answers in pieces, bytes that no poll tells of, peers that misbehave. */
#include "server_toy.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define CONNECTIONS 16384u

struct files {
	char cert[64], key[64];
};

static void
files_make(struct files *f)
{
	snprintf(f->cert, sizeof(f->cert), "/tmp/caisson-cert-XXXXXX");
	snprintf(f->key, sizeof(f->key), "/tmp/caisson-key-XXXXXX");
	close(mkstemp(f->cert));
	close(mkstemp(f->key));
}

static void
files_remove(struct files *f)
{
	unlink(f->cert);
	unlink(f->key);
}

/* A self-signed certificate for this name. */
static void
files_write(const struct files *f, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *out;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, key, EVP_sha256());
	out = fopen(f->cert, "w");
	PEM_write_X509(out, x);
	fclose(out);
	out = fopen(f->key, "w");
	PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	fclose(out);
	X509_free(x);
	EVP_PKEY_free(key);
}

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool up;
	char name[64];	/* of the server's certificate */
};

static struct peer
peer_dial(const struct toy *t, int version)
{
	struct peer p = { .ctx = SSL_CTX_new(TLS_client_method()), .fd = dial(t) };
	static const unsigned char alpn[] = "\x02h2\x08http/1.1";
	X509 *cert;

	SSL_CTX_set_security_level(p.ctx, 0);
	if (version != 0) {
		SSL_CTX_set_min_proto_version(p.ctx, version);
		SSL_CTX_set_max_proto_version(p.ctx, version);
	}
	SSL_CTX_set_alpn_protos(p.ctx, alpn, sizeof(alpn) - 1);
	p.ssl = SSL_new(p.ctx);
	SSL_set_fd(p.ssl, p.fd);
	p.up = SSL_connect(p.ssl) == 1;
	if (p.up && (cert = SSL_get1_peer_certificate(p.ssl)) != NULL) {
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, p.name, sizeof(p.name));
		X509_free(cert);
	}
	ERR_clear_error();
	return p;
}

static void
peer_hang_up(struct peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	close(p->fd);
	ERR_clear_error();
}

static struct answer
peer_hear(struct peer *p)
{
	struct answer a = { 0 };
	size_t n = 0, r = 0;
	char piece[65536];
	uint64_t got = 0;

	while (n < sizeof(a.head) - 1 && (n < 4 || memcmp(a.head + n - 4, "\r\n\r\n", 4) != 0)) {
		if (SSL_read_ex(p->ssl, a.head + n, 1, &r) != 1) {
			a.closed = true;
			return a;
		}
		n++;
	}
	sscanf(a.head, "HTTP/1.1 %d", &a.status);
	a.length = answer_header(&a, "\r\nContent-Length:");
	while (got < a.length) {
		size_t want = a.length - got < sizeof(piece) ? (size_t)(a.length - got) : sizeof(piece);

		if (SSL_read_ex(p->ssl, piece, want, &r) != 1) {
			a.closed = true;
			return a;
		}
		for (size_t i = 0; i < r; i++)
			if (piece[i] != (char)('a' + (got + i) % 23) && a.length > 1000)
				a.status = -1;
		if (got < sizeof(a.body))
			memcpy(a.body + got, piece, sizeof(a.body) - 1 - got < r ? sizeof(a.body) - 1 - got : r);
		got += r;
	}
	return a;
}

static struct answer
peer_ask(struct peer *p, const char *text)
{
	struct answer none = { .closed = true };
	size_t put;

	if (!p->up || SSL_write_ex(p->ssl, text, strlen(text), &put) != 1)
		return none;
	return peer_hear(p);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

TEST(tls_versions)
{
	static const struct { int version; bool ok; } cases[] = {
		{ TLS1_3_VERSION, true }, { TLS1_2_VERSION, true }, { TLS1_1_VERSION, false }, { TLS1_VERSION, false },
	};
	struct files f;
	struct tls *tls;
	struct toy t;

	files_make(&f);
	files_write(&f, "one");
	EXPECT_OK(tls_open(f.cert, f.key, CONNECTIONS, &tls));
	toy_start(&t, &toy_limits, 2, 16, 0, tls);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct peer p = peer_dial(&t, cases[i].version);
		const unsigned char *proto;
		unsigned len;

		EXPECT_EQ("version", p.up, cases[i].ok);
		if (cases[i].ok) {
			SSL_get0_alpn_selected(p.ssl, &proto, &len);
			EXPECT_STR("protocol", str_n(proto, len), STR("http/1.1"));
			EXPECT_STR("loop", str_c(peer_ask(&p, GET("/quick")).body), STR("quick"));
			EXPECT_STR("worker", str_c(peer_ask(&p, GET("/full")).body), STR("full"));
		}
		peer_hang_up(&p);
	}
	toy_stop(&t, 1000);
	files_remove(&f);
}

TEST(tls_reload)
{
	struct peer before, after;
	struct files f;
	struct tls *tls;
	struct toy t;

	files_make(&f);
	EXPECT_ERR("empty files", tls_open(f.cert, f.key, CONNECTIONS, &tls), -EINVAL);
	EXPECT(strstr(err_context(), f.cert) != NULL);
	files_write(&f, "one");
	EXPECT_OK(tls_open(f.cert, f.key, CONNECTIONS, &tls));
	toy_start(&t, &toy_limits, 2, 16, 0, tls);
	before = peer_dial(&t, 0);
	EXPECT_STR("name", str_c(before.name), STR("one"));
	files_write(&f, "two");
	EXPECT_OK(tls_reload(tls));
	after = peer_dial(&t, 0);
	EXPECT_STR("name", str_c(after.name), STR("two"));
	EXPECT_EQ("old connection", peer_ask(&before, GET("/full")).status, 200);
	peer_hang_up(&before);
	peer_hang_up(&after);
	/* What cannot be read changes nothing. */
	EXPECT(truncate(f.cert, 10) == 0);
	EXPECT_ERR("broken", tls_reload(tls), -EINVAL);
	after = peer_dial(&t, 0);
	EXPECT_STR("name", str_c(after.name), STR("two"));
	peer_hang_up(&after);
	toy_stop(&t, 1000);
	files_remove(&f);
}

/* Each connection keeps a private key in a heap of its own, which is as large as it was made: once it was full from 8,192 on. */
TEST(tls_keys_of_all)
{
	struct files f;
	struct tls *tls;
	void **key = mem_alloc(2 * CONNECTIONS * sizeof(*key));
	size_t n = 0;

	files_make(&f);
	files_write(&f, "keys.example");
	EXPECT_OK(tls_open(f.cert, f.key, CONNECTIONS, &tls));
	while (n < 2 * CONNECTIONS - 64 && (key[n] = OPENSSL_secure_malloc(72)) != NULL)
		n++;
	EXPECT(n == 2 * CONNECTIONS - 64);
	while (n > 0)
		OPENSSL_secure_free(key[--n]);
	free(key);
	tls_close(&tls);
	files_remove(&f);
}

TEST(tls_sizes)
{
	static char text[100000];
	struct files f;
	struct tls *tls;
	struct answer a;
	struct peer p;
	struct toy t;
	size_t n, put;

	files_make(&f);
	files_write(&f, "one");
	EXPECT_OK(tls_open(f.cert, f.key, CONNECTIONS, &tls));
	toy_start(&t, &toy_limits, 2, 16, 0, tls);
	p = peer_dial(&t, 0);
	EXPECT_EQ("pieces", peer_ask(&p, GET("/big/5000000")).status, 200);
	EXPECT_EQ("file", peer_ask(&p, GET("/file/5000000")).status, 200);
	EXPECT_EQ("from the loop", peer_ask(&p, GET("/quickbig/5000000")).status, 200);
	/* Several requests in one record, and a body that fills many. */
	EXPECT(SSL_write_ex(p.ssl, GET("/quick") GET("/full") GET("/quick") GET("/full"), 4 * strlen(GET("/full")) + 2, &put) == 1);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ("pipelined", peer_hear(&p).status, 200);
	n = (size_t)snprintf(text, sizeof(text), "POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n");
	memset(text + n, 'x', sizeof(text) - n - 1);
	text[n + 90000] = '\0';
	a = peer_ask(&p, text);
	EXPECT_STR("body", str_c(a.body), STR("90000"));
	a = peer_ask(&p, "PUT /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GET("/quick"));
	EXPECT_STR("unread body", str_c(a.body), STR("full"));
	EXPECT_STR("behind it", str_c(peer_hear(&p).body), STR("quick"));
	a = peer_ask(&p, "GET /full HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	EXPECT_EQ("last", a.status, 200);
	EXPECT(SSL_read_ex(p.ssl, text, 1, &n) == 0 && SSL_get_error(p.ssl, 0) == SSL_ERROR_ZERO_RETURN);
	peer_hang_up(&p);
	toy_stop(&t, 1000);
	files_remove(&f);
}

TEST(tls_strangers)
{
	struct http_limits lim = toy_limits;
	struct files f;
	struct tls *tls;
	struct peer p;
	struct toy t;
	int silent, plain, half;

	files_make(&f);
	files_write(&f, "one");
	EXPECT_OK(tls_open(f.cert, f.key, CONNECTIONS, &tls));
	lim.head_timeout_ms = 500;
	toy_start(&t, &lim, 1, 16, 0, tls);
	silent = dial(&t);
	plain = dial(&t);
	half = dial(&t);
	EXPECT(say(plain, GET("/quick")));
	EXPECT(say(half, "\x16\x03\x01\x02"));
	/* None of them holds up anybody. */
	p = peer_dial(&t, 0);
	EXPECT_EQ("meanwhile", peer_ask(&p, GET("/full")).status, 200);
	peer_hang_up(&p);
	EXPECT_EQ("plain", hear(plain, WITH_BODY).status, 0);
	EXPECT(is_closed(silent, 3000) && is_closed(half, 3000));
	close(silent);
	close(plain);
	close(half);
	/* Gone in the middle of an answer, without a goodbye. */
	p = peer_dial(&t, 0);
	EXPECT(SSL_write(p.ssl, GET("/big/50000000"), (int)strlen(GET("/big/50000000"))) > 0);
	usleep(50000);
	close(p.fd);
	p.fd = dial(&t);
	peer_hang_up(&p);
	p = peer_dial(&t, 0);
	EXPECT_EQ("then", peer_ask(&p, GET("/full")).status, 200);
	peer_hang_up(&p);
	toy_stop(&t, 1000);
	files_remove(&f);
}
