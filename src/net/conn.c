/*
 * conn.c - reading, writing and waiting on one socket.
 */
#include "net/conn.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "net/tls_impl.h"

#define SLICE_BYTES (512u << 10)	/* sent between two looks at the clock */
#define TLS_COPY_BYTES (128u << 10)
#define TLS_GATHER_BYTES 16384u		/* one record */

static void
address_of(struct conn *c, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)ss;

	if (ss->ss_family == AF_INET6) {
		c->address = in6->sin6_addr;
	} else if (ss->ss_family == AF_INET) {
		c->address.s6_addr[10] = c->address.s6_addr[11] = 0xff;
		memcpy(&c->address.s6_addr[12], &in4->sin_addr, 4);
	}
	if (IN6_IS_ADDR_V4MAPPED(&c->address))
		inet_ntop(AF_INET, &c->address.s6_addr[12], c->peer, sizeof(c->peer));
	else
		inet_ntop(AF_INET6, &c->address, c->peer, sizeof(c->peer));
}

bool
conn_init(struct conn *c, int fd, struct tls *tls)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int on = 1;

	*c = (struct conn){ .magic = CONN_MAGIC, .fd = fd, .wait_for = POLLIN };
	if (getpeername(fd, (struct sockaddr *)&ss, &len) != 0)
		goto gone;
	address_of(c, &ss);
	/* Refused on sockets that are not TCP; those need it not. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (tls != NULL && (c->ssl = tls_session(tls, fd)) == NULL)
		goto gone;
	return true;
gone:
	close(fd);
	c->fd = -1;
	return false;
}

void
conn_done(struct conn *c)
{
	CHECK_OBJ(c, CONN_MAGIC);
	if (c->ssl != NULL) {
		conn_end(c);
		SSL_free(c->ssl);
		ERR_clear_error();
	}
	close(c->fd);
	c->magic = 0;
	c->fd = -1;
}

/* What a call of OpenSSL that gave rc < 1 means: 0 end of stream, or a negative errno. */
static int
tls_result(struct conn *c, int rc)
{
	int errnum = errno, why = SSL_get_error(c->ssl, rc);

	ERR_clear_error();
	switch (why) {
	case SSL_ERROR_WANT_READ:
		c->wait_for = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		c->wait_for = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		c->tls_dead = true;
		return errnum > 0 ? -errnum : -ECONNRESET;
	default:
		c->tls_dead = true;
		return -EPROTO;
	}
}

int
conn_handshake(struct conn *c)
{
	int rc, e;

	CHECK_OBJ(c, CONN_MAGIC);
	if (c->ssl == NULL)
		return 0;
	errno = 0;
	rc = SSL_do_handshake(c->ssl);
	if (rc == 1)
		return 0;
	e = tls_result(c, rc);
	return e == 0 ? -ECONNRESET : e;
}

ssize_t
conn_read(struct conn *c, void *p, size_t max)
{
	ssize_t n;
	size_t got;
	int rc;

	CHECK_OBJ(c, CONN_MAGIC);
	assert(max > 0);
	if (c->ssl != NULL) {
		errno = 0;
		rc = SSL_read_ex(c->ssl, p, max, &got);
		return rc == 1 ? (ssize_t)got : tls_result(c, rc);
	}
	do
		n = recv(c->fd, p, max, 0);
	while (n < 0 && errno == EINTR);
	c->wait_for = POLLIN;
	return n < 0 ? -errno : n;
}

bool
conn_pending(const struct conn *c)
{
	return c->ssl != NULL && SSL_has_pending(c->ssl);
}

bool
conn_arrived(const struct conn *c)
{
	char byte;

	CHECK_OBJ(c, CONN_MAGIC);
	return conn_pending(c) || recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Under TLS pieces are gathered into one record where they fit, as a packet each would cost more. */
static ssize_t
tls_write(struct conn *c, const struct iovec *v, int n)
{
	char record[TLS_GATHER_BYTES];
	const void *p = v[0].iov_base;
	size_t len = v[0].iov_len, put = 0;
	int rc;

	if (n > 1 && len < sizeof(record)) {
		len = 0;
		for (int i = 0; i < n && len < sizeof(record); i++) {
			size_t some = sizeof(record) - len < v[i].iov_len ? sizeof(record) - len : v[i].iov_len;

			if (some > 0)
				memcpy(record + len, v[i].iov_base, some);
			len += some;
		}
		p = record;
	}
	if (len == 0)
		return 0;
	errno = 0;
	rc = SSL_write_ex(c->ssl, p, len, &put);
	if (p == record)
		explicit_bzero(record, len);	/* it may have been a secret key on its way to its owner */
	c->wait_for = POLLOUT;
	if (rc == 1)
		return (ssize_t)put;
	rc = tls_result(c, rc);
	return rc == 0 ? -EPIPE : rc;
}

ssize_t
conn_write(struct conn *c, const struct iovec *v, int n, enum conn_more more)
{
	struct msghdr m = { .msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n };
	ssize_t put;

	CHECK_OBJ(c, CONN_MAGIC);
	assert(n > 0);
	if (c->ssl != NULL)
		return c->tls_dead ? -EPIPE : tls_write(c, v, n);
	do
		put = sendmsg(c->fd, &m, MSG_NOSIGNAL | (more == CONN_MORE ? MSG_MORE : 0));
	while (put < 0 && errno == EINTR);
	c->wait_for = POLLOUT;
	return put < 0 ? -errno : put;
}

ssize_t
conn_discard(struct conn *c, size_t max)
{
	ssize_t n;

	CHECK_OBJ(c, CONN_MAGIC);
	do
		n = recv(c->fd, NULL, max, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	c->wait_for = POLLIN;
	return n < 0 ? -errno : n;
}

void
conn_end(struct conn *c)
{
	CHECK_OBJ(c, CONN_MAGIC);
	if (c->ssl != NULL && !c->tls_dead && SSL_is_init_finished(c->ssl)) {
		(void)SSL_shutdown(c->ssl);	/* one attempt to say it; who is not listening is not waited for */
		ERR_clear_error();
		c->tls_dead = true;
	}
	(void)shutdown(c->fd, SHUT_WR);
}

/* Until the socket can go on (wait_for). -ETIMEDOUT: too slow. */
static err
conn_wait(struct conn *c, struct pace *pace)
{
	uint64_t began = clock_mono_ms(), left;
	struct pollfd p = { .fd = c->fd, .events = c->wait_for };
	int rc;

	assert(pace->interval_ms > 0);
	if (pace->waited_ms >= pace->interval_ms) {
		if (pace->bytes < pace->rate_min * pace->interval_ms / 1000 || pace->bytes == 0)
			return err_errno(ETIMEDOUT, "client below %llu bytes/s", (unsigned long long)pace->rate_min);
		pace->waited_ms = pace->bytes = 0;
	}
	left = pace->interval_ms - pace->waited_ms;
	rc = poll(&p, 1, left > 60000 ? 60000 : (int)left);
	pace->waited_ms += clock_mono_ms() - began;
	if (rc < 0 && errno != EINTR)
		return err_sys("poll");
	return ERR_OK;
}

err_v
conn_read_wait(struct conn *c, struct pace *pace, void *p, size_t max, size_t *ret_len)
{
	ssize_t n;

	while ((n = conn_read(c, p, max)) == -EAGAIN)
		TRY(conn_wait(c, pace));
	if (n < 0)
		return err_errno((int)-n, "read from client");
	pace->bytes += (uint64_t)n;
	*ret_len = (size_t)n;
	return ERR_OK;
}

void
iovec_advance(struct iovec **v, int *n, size_t done)
{
	while (*n > 0 && done >= (*v)[0].iov_len) {
		done -= (*v)[0].iov_len;
		(*v)++;
		(*n)--;
	}
	if (done > 0) {
		assert(*n > 0);
		(*v)[0].iov_base = (char *)(*v)[0].iov_base + done;
		(*v)[0].iov_len -= done;
	}
}

err_v
conn_write_all(struct conn *c, struct pace *pace, struct iovec *v, int n, enum conn_more more)
{
	ssize_t put;

	iovec_advance(&v, &n, 0);
	while (n > 0) {
		put = conn_write(c, v, n, more);
		if (put == -EAGAIN) {
			TRY(conn_wait(c, pace));
			continue;
		}
		if (put < 0)
			return err_errno((int)-put, "write to client");
		pace->bytes += (uint64_t)put;
		iovec_advance(&v, &n, (size_t)put);
	}
	return ERR_OK;
}

/* Kernel TLS: the pages go from the cache to the socket, encrypted on the way. */
static bool
has_kernel_tls(struct conn *c)
{
	return c->ssl != NULL && BIO_get_ktls_send(SSL_get_wbio(c->ssl));
}

static ssize_t
send_slice(struct conn *c, int fd, uint64_t pos, size_t len)
{
	off_t at = (off_t)pos;
	ssize_t n;

	if (c->ssl != NULL) {
		errno = 0;
		n = SSL_sendfile(c->ssl, fd, at, len, 0);
		return n >= 0 ? n : tls_result(c, (int)n);
	}
	do
		n = sendfile(c->fd, fd, &at, len);
	while (n < 0 && errno == EINTR);
	c->wait_for = POLLOUT;
	return n < 0 ? -errno : n;
}

static err
send_copied(struct conn *c, struct pace *pace, int fd, uint64_t pos, size_t len)
{
	AUTO(mem_free_p) char *copy = mem_alloc(TLS_COPY_BYTES);

	while (len > 0) {
		ssize_t n = pread(fd, copy, len < TLS_COPY_BYTES ? len : TLS_COPY_BYTES, (off_t)pos);
		struct iovec v = { copy, n > 0 ? (size_t)n : 0 };

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys("read what is to be sent");
		if (n == 0)
			return err_errno(EIO, "a file is shorter than its record says");
		TRY(conn_write_all(c, pace, &v, 1, CONN_LAST));
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return ERR_OK;
}

err_v
conn_send_file(struct conn *c, struct pace *pace, int fd, uint64_t pos, size_t len)
{
	CHECK_OBJ(c, CONN_MAGIC);
	if (c->tls_dead)
		return err_errno(EPIPE, "write to client");
	if (c->ssl != NULL && !has_kernel_tls(c))
		return send_copied(c, pace, fd, pos, len);
	while (len > 0) {
		ssize_t n = send_slice(c, fd, pos, len < SLICE_BYTES ? len : SLICE_BYTES);

		if (n == -EAGAIN) {
			TRY(conn_wait(c, pace));
			continue;
		}
		if (n < 0)
			return err_errno((int)-n, "sendfile to client");
		if (n == 0)
			return err_errno(EIO, "a file is shorter than its record says");
		pace->bytes += (uint64_t)n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return ERR_OK;
}
