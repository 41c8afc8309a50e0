/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Files of a host by their paths from its root ("/etc/docker/daemon.json"), whose root directory is
 * open at @root: symlinks on the way are followed as the host itself would, none leads out. A file
 * is changed as a whole: who reads it sees the former or the new one. Every false comes with a
 * sentence that names the file.
 */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* No engine's configuration is nearly as long. */
#define PLACE_MAX ((size_t)1 << 20)

/* *@ret: an owned text, NULL where there is no file. Symlinks, folders, what has a NUL: refused. */
bool place_read(int root, const char *path, char **ret, GError **error);

/*
 * Becomes the file, in a folder that is made if need be; mode, owner and extended attributes stay,
 * or else @mode is root's. It is on the disk when this returns.
 */
bool place_write(int root, const char *path, const char *text, mode_t mode, GError **error);

/* Takes away what place_write() leaves when it is killed. */
void place_tidy(int root, const char *path);

/* The file goes, if there is one. */
bool place_remove(int root, const char *path, GError **error);

/* Something is there, whatever it is. */
bool place_exists(int root, const char *path);

/* A program that can be run is there. */
bool place_is_program(int root, const char *path);

/* The folders above @path that are missing, the deepest last: an owned array of owned paths. */
GPtrArray *place_missing(int root, const char *path);

/* The folder goes if it is empty. */
void place_remove_folder(int root, const char *path);

/* The folder, made if need be with @mode, those above it with 0755; O_PATH. A descriptor or -1. */
int place_folder(int root, const char *path, mode_t mode, GError **error);
