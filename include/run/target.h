/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Where something is to be mounted in a container that may have been made to mislead. */
#include <stdbool.h>

/*
 * An O_PATH descriptor of @path (absolute) below the root directory @root, which no symlink leads
 * out of. Folders on the way, and a folder or an empty file at its end, are made when missing. Or
 * -errno.
 */
int target_open(int root, const char *path, bool folder);

/* Only the folder that @path is in. */
int target_open_parent(int root, const char *path);
