/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Which process is pid 1 of a pid namespace. */
#include <sys/types.h>

/*
 * The host pid of the init of the pid namespace @ns_fd: by ioctl NS_GET_TGID_FROM_PIDNS
 * (Linux 6.11), before that by a child that enters the namespace and sends the credentials of "pid
 * 1" over a socket, where the kernel translates them. Returns 0, -ESRCH when it has none any more,
 * or -errno.
 */
int host_pidns_init(int ns_fd, pid_t *ret);

/* The second way, on every kernel. */
int host_pidns_init_by_credentials(int ns_fd, pid_t *ret);

/* A descriptor of the parent namespace, or -errno (-EPERM: it is outside of our own). */
int host_pidns_parent(int ns_fd);
