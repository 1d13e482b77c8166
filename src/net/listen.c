/*
 * listen.c - addresses as text, sockets bound to them.
 */
#include "net/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

#define BACKLOG 4096

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static err_v
address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in4 = (struct sockaddr_in *)ret;
	str s = str_c(text), host;
	char host_text[INET6_ADDRSTRLEN];
	size_t colon = s.len;
	uint64_t port;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !str_u64(str_skip(s, colon), &port) || port > 65535)
		return err_errno(EINVAL, "address \"%s\": want ADDRESS:PORT, [ADDRESS]:PORT or fd:N", text);
	host = str_sub(s, 0, colon - 1);
	*ret = (struct sockaddr_storage){ 0 };
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = str_sub(host, 1, host.len - 2);
	if (host.len >= sizeof(host_text))
		return err_errno(EINVAL, "address \"%s\": not an IP address", text);
	snprintf(host_text, sizeof(host_text), "%.*s", STR_FMT(host));
	if (inet_pton(AF_INET, host_text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)port);
		*ret_len = sizeof(*in4);
		return ERR_OK;
	}
	if (inet_pton(AF_INET6, host_text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*in6);
		return ERR_OK;
	}
	return err_errno(EINVAL, "address \"%s\": not an IP address", text);
}

static err_v
bind_new(const char *address, int *ret_fd)
{
	AUTO(fd_close) int fd = -1;
	struct sockaddr_storage ss;
	socklen_t len = 0;
	int on = 1;

	TRY(address_parse(address, &ss, &len));
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return err_sys("SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&ss, len) != 0)
		return err_errno(errno, "bind to %s", address);
	if (listen(fd, BACKLOG) != 0)
		return err_errno(errno, "listen on %s", address);
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

/* A descriptor that a supervisor has opened for us. */
static err_v
adopt(const char *address, int *ret_fd)
{
	uint64_t n;
	int yes = 0, fd;
	socklen_t len = sizeof(yes);

	if (!str_u64(str_skip(str_c(address), 3), &n) || n < 3 || n > 1u << 20)
		return err_errno(EINVAL, "address \"%s\": want fd:N, N from 3 on", address);
	fd = (int)n;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) != 0 || !yes)
		return err_errno(EINVAL, "address \"%s\": not a listening socket", address);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return err_sys("fcntl");
	*ret_fd = fd;
	return ERR_OK;
}

static void
describe(int fd, char ret_text[LISTEN_TEXT_MAX])
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	char host[INET6_ADDRSTRLEN] = "?";

	snprintf(ret_text, LISTEN_TEXT_MAX, "fd:%d", fd);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return;
	if (ss.ss_family == AF_INET) {
		const struct sockaddr_in *in4 = (const struct sockaddr_in *)&ss;

		inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
		snprintf(ret_text, LISTEN_TEXT_MAX, "%s:%u", host, ntohs(in4->sin_port));
	} else if (ss.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(ret_text, LISTEN_TEXT_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
	}
}

err_v
listen_open(const char *address, int *ret_fd, char ret_text[LISTEN_TEXT_MAX])
{
	int fd = -1;

	TRY(str_starts(str_c(address), STR("fd:")) ? adopt(address, &fd) : bind_new(address, &fd));
	describe(fd, ret_text);
	*ret_fd = fd;
	return ERR_OK;
}
