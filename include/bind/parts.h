/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a daemon serves, to be bound over what a new container has of the same name. */
#include <glib.h>
#include <stdbool.h>

/* A part of the daemon's tree and where it goes. */
struct part {
	char *path; /* below the root: "proc/meminfo", "sys/devices/system/cpu" */
	int tree;   /* a copy of its mount, mounted nowhere */
};

/*
 * All that the daemon at @mountpoint serves: each entry of its proc and of its sys/devices/system;
 * with @wanted, a NULL-terminated list, those alone whose path or last name is in it. False and a
 * sentence when no daemon answers there. Owned *@ret of struct part, which closes what it holds.
 */
bool parts_collect(const char *mountpoint, const char *const *wanted, GArray **ret, GError **error);

/* Whether @path is meant by @name: "proc/meminfo" or "meminfo". */
bool part_is_called(const char *path, const char *name);

/* In the container: over what its own proc and sys have of that name. 0 or -errno. */
int parts_bind(const GArray *parts, int root, const char **ret_path);
