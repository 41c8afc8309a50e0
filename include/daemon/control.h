/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The keeper's socket, for root alone: who connects sends one line, gets one answer, and is hung
 * up on. SOCK_SEQPACKET: a message each.
 */
#include <stddef.h>

#include "daemon/status.h"

enum control_request {
	CONTROL_UNKNOWN,
	CONTROL_STATUS, /* "status" */
};

/* What the @len bytes of a message ask for: a word, and a newline if it pleases. */
enum control_request control_parse(const char *bytes, size_t len);

/* Listens at the place that belongs to @mountpoint, whose lock is ours. As unix_listen(). */
int control_listen(const char *mountpoint);

/*
 * When @listen_fd is readable: takes one client, waits at most 100 ms for its line, answers with
 * @status (or "error ..."), and closes. Nothing that a client does makes it wait longer.
 */
void control_serve(int listen_fd, const struct status *status);

/* Closes *@listen_fd, makes it -1, and removes the socket of @mountpoint. */
void control_close(const char *mountpoint, int *listen_fd);
