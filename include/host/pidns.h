/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Which process is pid 1 of a pid namespace. */
#include <sys/types.h>

struct host;

/*
 * The host pid of the init of the pid namespace @ns_fd, in which, or in one below it, @member is:
 * by ioctl NS_GET_TGID_FROM_PIDNS (Linux 6.11), before that by looking for it in /proc. No process
 * of ours goes there to ask: a container's may trace it. Returns 0, -ESRCH when it has none any
 * more, or -errno.
 */
int host_pidns_init(const struct host *host, int ns_fd, pid_t member, pid_t *ret);

/*
 * The second way, on every kernel. One whose first thread has ended, or that is in hundreds of
 * groups, is not found: -ESRCH, too.
 */
int host_pidns_init_by_search(const struct host *host, int ns_fd, pid_t member, pid_t *ret);

/* A descriptor of the parent namespace, or -errno (-EPERM: it is outside of our own). */
int host_pidns_parent(int ns_fd);
