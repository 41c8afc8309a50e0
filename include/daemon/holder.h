/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The holder: a process that keeps /dev/fuse and the state while no instance lives, where systemd
 * does not (a pod, whose cgroup is killed as a whole). It is in a cgroup of its own at the top of
 * each hierarchy and in the mount namespace of the host's init, serves nothing, and is found by a
 * socket that has the mount point's name (instance_path()). When no instance comes for too long it
 * lets go, so that readers get an error instead of waiting for ever.
 *
 * An instance that mounted calls holder_start(), one that comes later holder_fetch(); each then
 * holder_attend(). An end that another instance follows leaves the holder alone. SIGTERM ends it,
 * as holder_quit() does.
 */
#include <glib.h>
#include <stdbool.h>

#include "daemon/handover.h"

#define HOLDER_DEFAULT_SECONDS 300

/*
 * Starts a holder of @fuse and @state, which stay the caller's too, for @mountpoint, whose lock we
 * must have. It waits @seconds for an instance (holder_attend()), now and whenever there is none.
 * What it could not leave (a mount namespace, a cgroup) it warns of in our log. Once it is out of
 * our cgroup *@ret_ready, the caller's, reads a byte; it reads as ended if the holder died. Who
 * closes it before has the holder let go. The caller has one thread, and does not ignore SIGCHLD.
 */
bool holder_start(const char *mountpoint, int fuse, int state, unsigned seconds, int *ret_ready,
		  GError **error);

/*
 * What the holder of @mountpoint has. Returns 0 with both descriptors, good and the caller's,
 * -ENOENT or -ECONNREFUSED: there is no holder, -ENOTCONN: what it has is of no use, or -errno.
 */
int holder_fetch(const char *mountpoint, struct handover *ret);

/*
 * Tells the holder that there is an instance, until the descriptor that is returned is closed (it
 * is close-on-exec), by our death at the latest. The holder never sends anything: it reads as ended
 * when the holder died. -errno as above.
 */
int holder_attend(const char *mountpoint);

/*
 * Has the holder let go, waits for its end, and removes the socket of one that was killed. Returns
 * 0, also when there is none, -ETIMEDOUT, or -errno.
 */
int holder_quit(const char *mountpoint);
