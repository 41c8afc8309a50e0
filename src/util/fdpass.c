/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/fdpass.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

int fdpass_send(int sock, const struct sockaddr_un *to, socklen_t to_len, const char *text,
		const int *fds, size_t n, int flags)
{
	struct sockaddr_un addr = to ? *to : (struct sockaddr_un){ 0 };
	struct iovec iov = { .iov_base = g_strdup(text), .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };
	ssize_t r;

	if (to) {
		msg.msg_name = &addr;
		msg.msg_namelen = to_len;
	}
	if (n > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	do
		r = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	r = r < 0 ? -errno : 0;
	g_free(iov.iov_base);
	return (int)r;
}

/* Hands over as many as there is room for. */
static void take(const struct cmsghdr *c, int *ret_fds, size_t room, size_t *n)
{
	size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	const unsigned char *data = CMSG_DATA(c);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		if (*n < room)
			ret_fds[(*n)++] = fd;
		else
			close(fd);
	}
}

ssize_t fdpass_recv(int sock, char *text, size_t size, int *ret_fds, size_t *n, int flags)
{
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	size_t room = *n;
	ssize_t r;

	do
		r = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	*n = 0;
	if (r < 0)
		return -errno;
	text[r] = '\0';
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take(c, ret_fds, room, n);
	return r;
}
