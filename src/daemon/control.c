/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bind/instance.h"
#include "util/fd.h"
#include "util/unix.h"

#define WAIT_MS      100
#define REQUEST_SIZE 64

static const struct {
	const char *word;
	enum control_request request;
} requests[] = {
	{ .word = "status", .request = CONTROL_STATUS },
};

enum control_request control_parse(const char *bytes, size_t len)
{
	if (len > 0 && bytes[len - 1] == '\n')
		len--;
	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++)
		if (strlen(requests[i].word) == len && memcmp(requests[i].word, bytes, len) == 0)
			return requests[i].request;
	return CONTROL_UNKNOWN;
}

int control_listen(const char *mountpoint)
{
	g_autofree char *path = instance_path(mountpoint, "sock");

	return unix_listen(path);
}

/* The file's mode says so, too; but a descriptor may be handed on, or the mode be changed. */
static bool may_ask(int client)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void answer(int client, const struct status *status)
{
	static const char unknown[] = "error this request is not known\n";
	static const char too_long[] = "error the answer is too long\n";
	struct pollfd p = { .fd = client, .events = POLLIN };
	g_autofree char *text = g_malloc(STATUS_TEXT_SIZE);
	const char *reply = unknown;
	char request[REQUEST_SIZE];
	ssize_t n, len = sizeof(unknown) - 1;

	if (poll(&p, 1, WAIT_MS) != 1)
		return;
	/* Descriptors that are sent along are not taken. */
	n = recv(client, request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
	if (n <= 0)
		return;
	if ((size_t)n <= sizeof(request) && control_parse(request, (size_t)n) == CONTROL_STATUS) {
		reply = text;
		len = status_render(status, text, STATUS_TEXT_SIZE);
		if (len < 0) {
			reply = too_long;
			len = sizeof(too_long) - 1;
		}
	}
	(void)send(client, reply, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void control_serve(int listen_fd, const struct status *status)
{
	/* cppcheck-suppress nullPointer ; who it is says SO_PEERCRED */
	AUTO_FD int client = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client >= 0 && may_ask(client))
		answer(client, status);
}

void control_close(const char *mountpoint, int *listen_fd)
{
	g_autofree char *path = instance_path(mountpoint, "sock");

	if (*listen_fd >= 0)
		(void)unlink(path);
	fd_close(listen_fd);
}
