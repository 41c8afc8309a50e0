/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* lxcfs-clone's files over the container's own. */
#include <glib.h>
#include <stdbool.h>

#define LXCFS_DEFAULT "/var/lib/lxcfs-clone"

/* A part of the daemon's tree and where it goes. */
struct lxcfs_part {
	char *path; /* below the root, "proc/meminfo" */
	int tree;   /* a copy of its mount, mounted nowhere */
};

/*
 * All that the daemon at @mountpoint serves: each entry of its proc and of its
 * sys/devices/system. False and a sentence when no daemon answers there. Owned *@ret of struct
 * lxcfs_part, which closes what it holds.
 */
bool lxcfs_collect(const char *mountpoint, GArray **ret, GError **error);

/* In the container: over what its own proc and sys have of that name. 0 or -errno. */
int lxcfs_bind(const GArray *parts, int root, const char **ret_path);
