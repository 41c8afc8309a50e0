/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What tells an instance from others: its files below /run, and the id in the source of its mount.
 * The id is random, made once for a mount point and kept until the host is booted anew, so that
 * what a dead daemon left in containers is known by the next one, and what another daemon serves
 * (one that runs in a container at the same path, say) is not taken for it.
 */
#include <stdbool.h>

#define INSTANCE_RUN_DIR "/run/lxcfs-clone"
#define INSTANCE_FS_TYPE "fuse.lxcfs-clone"

#define DEFAULT_MOUNTPOINT "/var/lib/lxcfs-clone"

/*
 * The owned absolute path of the mount point @given, without symlinks on the way, as the kernel's
 * table of mounts has it. The last name is taken as it is: it may be missing, or a dead mount that
 * nothing can be asked about.
 */
char *instance_mountpoint(const char *given);

/* The owned path of the file of @mountpoint that ends in @suffix: "lock", "id", "sock". */
char *instance_path(const char *mountpoint, const char *suffix);

/*
 * The owned source of the mount at @mountpoint, "lxcfs-clone@MOUNTPOINT#ID". Returns 0, or -ENOENT
 * when there is no id yet, -EBADMSG when its file is not one that we wrote, or -errno.
 */
int instance_source(const char *mountpoint, char **ret);

/*
 * The same, with an id that is made when there is none, or none that can be read; *@ret_made says
 * whether. For who has the mount point's lock.
 */
int instance_source_make(const char *mountpoint, char **ret, bool *ret_made);

/* The id goes: nothing was ever served with it. */
void instance_forget(const char *mountpoint);
