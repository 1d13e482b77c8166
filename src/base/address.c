/* address.c - addresses as text. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define FORM "want ADDRESS:PORT, such as 127.0.0.1:9000, 0.0.0.0:9000 (all of IPv4) or [::]:9000 (all)"

/* "127.0.0.1" or "::1" */
static bool
ip_parse(str host, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in4 = (struct sockaddr_in *)ret;
	char text[INET6_ADDRSTRLEN];

	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	*ret = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		*ret_len = sizeof(*in4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		*ret_len = sizeof(*in6);
		return true;
	}
	return false;
}

const char *
address_parse(str text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	size_t colon = text.len;
	uint64_t port;
	str host;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return FORM;
	if (!str_u64(str_skip(text, colon), &port) || port > 65535)
		return "its port is not a number from 0 to 65535; " FORM;
	host = str_sub(text, 0, colon - 1);
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = str_sub(host, 1, host.len - 2);
	if (!ip_parse(host, ret, ret_len))
		return "not an IP address (names are not looked up); " FORM;
	/* The port lies at the same place in both. */
	((struct sockaddr_in *)ret)->sin_port = htons((uint16_t)port);
	return NULL;
}

const char *
address_check_listen(str text)
{
	struct sockaddr_storage address;
	socklen_t len;
	uint64_t n;

	if (!str_starts(text, STR("fd:")))
		return address_parse(text, &address, &len);
	return str_u64(str_skip(text, 3), &n) && n >= 3 && n <= 1u << 20 ? NULL : "want fd:N, N from 3 on";
}
