/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* sd_notify(3): a datagram to the socket that systemd names in the environment. */

/*
 * The text is "READY=1", "MAINPID=1234" and the like, several on a line each. Nothing happens when
 * nobody asked for it. Returns 0 when it was sent, -ENOTCONN: nobody asked, or -errno.
 */
int notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a descriptor, which stays the caller's. */
int notify_fd(int fd, const char *text);
