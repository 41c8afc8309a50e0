/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The launcher's own steps out of the host's namespaces, for its child to inherit. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"
#include "run/users.h"

/* Our mount namespace, to come back to. -1 when it cannot be had. */
int apart_open_mounts(const struct host *host);

/* A mount namespace of our own: nothing that is mounted from here on is seen by the host. */
bool apart_mounts(const struct host *host, GError **error);

/* Back again, where @root was our root. */
void apart_leave_mounts(int mounts, int root);

/*
 * Children are born into a time namespace whose boottime clock starts at 0, if @wanted. It cannot
 * be done by clone3, whose child is in the new namespace before its clocks could be set.
 */
bool apart_time(const struct host *host, bool wanted, GError **error);

/*
 * From now on they are born into ours again: Linux before 6.3 refuses posix_spawn to who has one
 * waiting for its children.
 */
void apart_leave_time(const struct host *host);

/* A user namespace that maps @users, without anybody in it. */
bool apart_open_userns(const struct host *host, const struct users *users, int *ret,
		       GError **error);

/* A monitor in the background keeps nothing of the terminal that it was started from. */
void apart_terminal(void);
