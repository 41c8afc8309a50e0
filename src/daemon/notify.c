/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/notify.h"

#include <errno.h>
#include <glib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "util/fd.h"
#include "util/fdpass.h"
#include "util/unix.h"

/* A manager that does not read for so long (it reloads, or was stopped) must not hold us up. */
static const struct timeval patience = { .tv_sec = 1 };

static int say(const char *text, const int *fds, size_t n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr;
	AUTO_FD int sock = -1;
	int len;

	if (!path)
		return -ENOTCONN;
	len = unix_address(path, &addr);
	if (len < 0)
		return -ENOTCONN;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	(void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fdpass_send(sock, &addr, (socklen_t)len, text, fds, n, 0);
}

int notify(const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = g_strdup_vprintf(format, ap);
	va_end(ap);
	return say(text, NULL, 0);
}

int notify_fd(int fd, const char *text)
{
	return say(text, &fd, 1);
}
