/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/unix.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"

/* Clients that wait to be accepted. */
#define BACKLOG 8

int unix_address(const char *path, struct sockaddr_un *ret)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(ret->sun_path))
		return -EINVAL;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, len);
	if (path[0] == '@')
		ret->sun_path[0] = '\0';
	return (int)(offsetof(struct sockaddr_un, sun_path) + len);
}

int unix_listen(const char *path)
{
	struct sockaddr_un addr;
	int len = unix_address(path, &addr);
	AUTO_FD int fd = -1;

	if (len < 0)
		return len;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The file gets the socket's mode: it is never there with a wider one. */
	if (fchmod(fd, 0600) < 0 || (unlink(path) < 0 && errno != ENOENT) ||
	    bind(fd, (const struct sockaddr *)&addr, (socklen_t)len) < 0)
		return -errno;
	if (listen(fd, BACKLOG) < 0) {
		int err = errno;

		(void)unlink(path);
		return -err;
	}
	return fd_steal(&fd);
}

pid_t unix_listener(const char *path)
{
	struct sockaddr_un addr;
	int len = unix_address(path, &addr);
	AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (len < 0 || fd < 0 || connect(fd, (const struct sockaddr *)&addr, (socklen_t)len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return 0;
	return peer.pid;
}
