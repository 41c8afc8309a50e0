/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The mount point, and mounting there. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"

/*
 * Take @mountpoint, which must be an empty directory unless @nonempty, for ourselves: a lock below /run that says "in use" to a second instance, the
 * directory made if it is missing, and what an instance that died left mounted there detached.
 * *@ret_lock is a descriptor to be kept for as long as the mount point is ours.
 */
bool mount_prepare(const struct host *host, const char *mountpoint, bool nonempty, int *ret_lock,
		   GError **error);

/* Gives the mount point up; the lock's file is removed. */
void mount_unlock(const char *mountpoint, int *lock);

/* Open /dev/fuse and mount it at @mountpoint, with @options (",…" or "") for the kernel. */
bool mount_fuse(const char *mountpoint, const char *options, int *ret_fd, GError **error);

/* Detach what we mounted. Files of it that are bound into containers stay until our end. */
void mount_detach(const char *mountpoint);
