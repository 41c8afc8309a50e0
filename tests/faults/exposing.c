/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has repair take a dead file away before it mounts a live one: the host's shows meanwhile. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

#define EXPOSED_US 1000

/* The linker's name for what is called sys_mount_beneath(). */
int __wrap_sys_mount_beneath(int tree, int target);

/* Repair is in the host's procfs, with the container's root for its own. */
int __wrap_sys_mount_beneath(int tree, int target)
{
	char link[32], path[PATH_MAX];
	AUTO_FD int bare = -1;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "self/fd/%d", target);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -1;
	path[n] = '\0';
	(void)umount2(link, MNT_DETACH);
	(void)usleep(EXPOSED_US);
	bare = open(path, O_PATH | O_CLOEXEC);
	return sys_mount_onto(tree, bare);
}
