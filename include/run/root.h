/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The root of the container's mount namespace: what the host had there goes. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"

/* What was the root. */
struct root_old {
	int dir;          /* -1: none */
	GPtrArray *below; /* on a ramfs, which stays: what is mounted there, relative paths */
};
#define ROOT_OLD_INIT                                                                              \
	{                                                                                          \
		.dir = -1                                                                          \
	}
void root_old_clear(struct root_old *old);
#define AUTO_ROOT_OLD __attribute__((cleanup(root_old_clear)))

/*
 * From a chroot, if we are in one, to the root of our mount namespace: it is there that mounts are
 * changed, and that setns(2) leads. The working folder stays. 0 or -errno.
 */
int root_leave_chroot(const struct host *host);

/* In the container, in a mount namespace of its own: the mount at @folder becomes the root. */
bool root_enter(const struct host *host, const char *folder, struct root_old *ret, GError **error);

/* And the old one goes. */
bool root_leave_old(const struct root_old *old, GError **error);
