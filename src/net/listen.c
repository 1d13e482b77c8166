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

#include "base/address.h"
#include "base/file.h"

#define BACKLOG 4096

static err
bind_failure(int errnum, const char *address)
{
	const char *hint = errnum == EADDRINUSE ? " (is another server running there? stop it, or choose another address)" :
	    errnum == EADDRNOTAVAIL ? " (this machine has no such address)" :
	    errnum == EACCES ? " (ports below 1024 need CAP_NET_BIND_SERVICE, which the systemd unit gives)" : "";

	return err_errno(errnum, "cannot listen on %s%s", address, hint);
}

static err
bind_new(const char *address, int *ret_fd)
{
	AUTO(fd_close) int fd = -1;
	struct sockaddr_storage ss;
	socklen_t len = 0;
	int on = 1;
	const char *wrong = address_parse(str_c(address), &ss, &len);

	if (wrong != NULL)
		return err_errno(EINVAL, "address \"%s\": %s", address, wrong);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return err_sys("SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&ss, len) != 0 || listen(fd, BACKLOG) != 0)
		return bind_failure(errno, address);
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

/* A descriptor that a supervisor has opened for us. */
static err
adopt(const char *address, int *ret_fd)
{
	const char *wrong = address_check_listen(str_c(address));
	uint64_t n = 0;
	int yes = 0, fd;
	socklen_t len = sizeof(yes);

	if (wrong != NULL || !str_u64(str_skip(str_c(address), 3), &n))
		return err_errno(EINVAL, "address \"%s\": %s", address, wrong);
	fd = (int)n;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) != 0 || !yes)
		return err_errno(EBADF, "address \"%s\": no listening socket was passed there (is caisson.socket started?)", address);
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
listen_open(const char *address, struct listener *ret)
{
	bool passed = str_starts(str_c(address), STR("fd:"));
	int fd = -1;

	TRY(passed ? adopt(address, &fd) : bind_new(address, &fd));
	*ret = (struct listener){ .fd = fd, .passed = passed };
	describe(fd, ret->text);
	return ERR_OK;
}

err_v
listen_copy(const struct listener *l, struct listener *ret)
{
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return err_sys("copy a listening socket");
	*ret = *l;
	ret->fd = fd;
	return ERR_OK;
}

void
listen_close(struct listener *l)
{
	fd_close(&l->fd);
}
