/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* --pid-file: the host's pid of a container's pid 1, for as long as that is one. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Writes @pid to the file at @path, whole or not at all. Only a regular file is written over. */
bool pid_file_write(const char *path, uint64_t pid, GError **error);

/*
 * Removes it, if @path (NULL: none) is a file that still says @pid (0: none): another one is not
 * ours.
 */
void pid_file_remove(const char *path, uint64_t pid);
