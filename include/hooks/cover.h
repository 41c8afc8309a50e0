/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Files of the daemon over those of a container's procfs and sysfs. */
#include <glib.h>
#include <stdbool.h>

struct covered {
	unsigned
		there; /* files that lie where they belong, now or since before; somebody else's FUSE is not told apart */
	unsigned
		proc; /* those of a /proc that lie there, or on a procfs: 0 where it is something else */
	unsigned shared; /* those that were left as they are since the host would see it, too */
};

/*
 * Each of @parts (struct part) over what the container with the root directory @root has of that
 * name, if that lies on a procfs or sysfs; what is there already stays, be it ours or not. We are
 * in the container's mount namespace, since @here: from the start, else our parent process is
 * outside; @proc is the host's procfs. All or nothing: false and a sentence when one cannot be
 * mounted.
 */
bool cover(const GArray *parts, int root, int proc, bool here, struct covered *ret, GError **error);
