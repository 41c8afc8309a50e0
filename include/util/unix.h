/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Sockets that are found by a path. */
#include <sys/socket.h>
#include <sys/un.h>

/*
 * The address of the socket at @path; "@name" is an abstract one. Returns its length, or -EINVAL:
 * empty or too long.
 */
int unix_address(const char *path, struct sockaddr_un *ret);

/*
 * Listens for whole messages (SOCK_SEQPACKET) at @path, which our user alone may connect to; what
 * was there goes. Returns a descriptor, close-on-exec, whose accept never waits, or -errno.
 */
int unix_listen(const char *path);

/* The pid of the process that began to listen at @path; 0: nobody does, or we cannot tell who. */
pid_t unix_listener(const char *path);
