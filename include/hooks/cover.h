/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Files of the daemon over those of a container's procfs and sysfs. */
#include <glib.h>
#include <stdbool.h>

/*
 * Each of @parts (struct part) over what the container with the root directory @root has of that name,
 * if that lies on a procfs or sysfs; what is there already stays, be it ours or not. *@ret_shared: how
 * many were left as they are since the host would see it, too. We are in the container's mount namespace,
 * since @here: from the start, else our parent process is in the host's; @proc is the host's procfs. All
 * or nothing: false and a sentence when one cannot be mounted.
 */
bool cover(const GArray *parts, int root, int proc, bool here, unsigned *ret_shared,
	   GError **error);
