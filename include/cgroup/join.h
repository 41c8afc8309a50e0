/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A cgroup of the daemon's own. */
#include "cgroup/layout.h"

/*
 * Make cgroup @name (a single component) at the top of each hierarchy, unless it is there, and move
 * the calling process to it. Goes on with the others when one refuses. Returns 0, -EXDEV: what is
 * mounted is but a part of some hierarchy, so that the cgroup is below somebody else's, or the
 * first -errno.
 */
int cg_join(const struct cg_layout *layout, const char *name);

/*
 * Move the calling process to the top of each hierarchy and remove cgroup @name there, which others
 * may still be in: it stays then.
 */
void cg_leave(const struct cg_layout *layout, const char *name);

/*
 * On v1: what cpuset @dir has not yet (cpus, memory nodes), it gets from @above. Where the
 * hierarchy is not that of cpuset, nothing.
 */
void cg_cpuset_inherit(int above, int dir);
