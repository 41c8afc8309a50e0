/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The container's root file system: an overlay of its own upper folder, a layer of ours with what
 * every container needs (/etc/hosts, the folders for /proc, /sys, /dev), and the given layers.
 */
#include <glib.h>
#include <stdbool.h>

#include "run/spec.h"
#include "run/users.h"

/*
 * The folder for the own files of container @name, owned; not made yet. In memory where it could be
 * no upper layer: the disk's root is an overlay itself, or it lies in one of @layers.
 */
char *rootfs_data(const char *name, const GPtrArray *layers);

/*
 * Makes @data and mounts the overlay at @data/merged, in a mount namespace that the caller has made
 * for itself: nobody else sees it, and it is gone with its last process. @address, of the
 * container, may be NULL. With @users (else NULL) and @userns, which maps them, files of the
 * layers that are root's are the container's root's.
 */
bool rootfs_make(const struct spec *spec, const char *data, const char *address,
		 const struct users *users, int userns, GError **error);

/* The folders in which those of all containers lie: NULL-terminated, static. */
const char *const *rootfs_places(void);

/* Container @name has own files. */
bool rootfs_is_there(const char *name);

/* Removes the own files of container @name, wherever they are and however deep; none is fine. */
bool rootfs_remove(const char *name, GError **error);
