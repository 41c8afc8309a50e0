/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Descriptors that travel with a message of a Unix socket (SCM_RIGHTS). */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define FDPASS_MAX 8

/*
 * Send @text, without a NUL, with @n of @fds (at most FDPASS_MAX, may be 0) as one message. @to is
 * for a socket that is not connected, else NULL. @flags as sendmsg(2). Returns 0 or -errno.
 */
int fdpass_send(int sock, const struct sockaddr_un *to, socklen_t to_len, const char *text,
		const int *fds, size_t n, int flags);

/*
 * Receive one message into @text, ended with a NUL, and its descriptors, close-on-exec, into
 * @ret_fds: *@n is how many that has room for, then how many came, those being the caller's; any
 * beyond are closed. Returns the text's length (0: the end), or -errno, with no descriptor then.
 */
ssize_t fdpass_recv(int sock, char *text, size_t size, int *ret_fds, size_t *n, int flags);
