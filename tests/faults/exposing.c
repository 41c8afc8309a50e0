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

/* The linker's names for what is called sys_…() and for the functions themselves. */
int __wrap_sys_open_in_root(int dirfd, const char *path, int flags);
int __real_sys_open_in_root(int dirfd, const char *path, int flags);
int __wrap_sys_mount_beneath(int tree, int target);

static char last[PATH_MAX]; /* opened in a container */

int __wrap_sys_open_in_root(int dirfd, const char *path, int flags)
{
	if (dirfd == AT_FDCWD)
		(void)snprintf(last, sizeof(last), "%s", path);
	return __real_sys_open_in_root(dirfd, path, flags);
}

int __wrap_sys_mount_beneath(int tree, int target)
{
	AUTO_FD int bare = -1;

	(void)target;
	(void)umount2(last, MNT_DETACH);
	(void)usleep(EXPOSED_US);
	bare = open(last, O_PATH | O_CLOEXEC);
	return sys_mount_onto(tree, bare);
}
