/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bind/instance.h"
#include "util/fd.h"
#include "util/unix.h"

#define REPLY_SIZE 65536u
#define WAIT_S     5

static int ask(const char *path, char *reply, size_t size)
{
	static const char request[] = "status\n";
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_un address;
	int len = unix_address(path, &address);
	AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ssize_t n;

	if (len < 0 || fd < 0)
		return len < 0 ? len : -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)&address, (socklen_t)len) < 0 ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	n = recv(fd, reply, size - 1, 0);
	if (n <= 0)
		return n < 0 && errno != EAGAIN ? -errno : -ETIMEDOUT;
	reply[n] = '\0';
	return 0;
}

int ask_daemon(const char *mountpoint, GStrv *ret_lines)
{
	g_autofree char *path = instance_path(mountpoint, "sock");
	g_autofree char *reply = g_malloc(REPLY_SIZE);
	int r = ask(path, reply, REPLY_SIZE);

	if (r == 0)
		*ret_lines = g_strsplit(reply, "\n", -1);
	return r;
}

const char *ask_value(GStrv lines, const char *key)
{
	size_t len = strlen(key);

	for (char **l = lines; *l; l++)
		if (strncmp(*l, key, len) == 0 && (*l)[len] == ' ')
			return *l + len + 1;
	return NULL;
}
