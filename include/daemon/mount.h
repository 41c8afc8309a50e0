/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The mount point, and mounting there. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"

struct mountpoint {
	int lock;     /* below /run: says "in use" to a second instance; -1: not ours */
	bool made;    /* there was no such directory */
	bool made_id; /* it had no id since boot, see bind/instance.h */
};

/*
 * Take @mountpoint, which must be an empty directory unless @nonempty, for ourselves: locked, made
 * if it is missing, and what an instance that died left mounted there detached. @ret is to be given
 * to mount_give_up() also after a failure; it begins as { .lock = -1 }.
 */
bool mount_prepare(const struct host *host, const char *mountpoint, bool nonempty,
		   struct mountpoint *ret, GError **error);

/*
 * As mount_prepare(), where a mount of an earlier instance is to go on: takes the lock alone. Fails
 * also when there is no such mount; then as well @ret is to be given to mount_give_up().
 */
bool mount_resume(const struct host *host, const char *mountpoint, struct mountpoint *ret,
		  GError **error);

/* A directory or an id that was made is removed again unless something was @served there. */
void mount_give_up(const char *mountpoint, struct mountpoint *mp, bool served);

/*
 * Open /dev/fuse and mount it at the prepared @mountpoint, with @options (",…" or "") for the
 * kernel.
 */
bool mount_fuse(const char *mountpoint, const char *options, int *ret_fd, GError **error);

/*
 * Aborts and detaches what we mounted, if it is what lies there: once nobody is to serve it any
 * more. Files of it that are bound into containers say ENOTCONN from then on, and whoever waits for
 * an answer gets ECONNABORTED. Returns 0, -ESTALE: it is not what lies there, or -errno.
 */
int mount_end(const struct host *host, const char *mountpoint);
