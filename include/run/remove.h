/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Removing a tree that a container has filled: of any depth, with names of any kind. */

/*
 * Remove folder @name below @dirfd and all in it, following no symlink and going into no other
 * file system. Uses a handful of descriptors whatever the depth. 0, also when there is none, or
 * the first -errno (it goes on as far as it can).
 */
int remove_tree(int dirfd, const char *name);
