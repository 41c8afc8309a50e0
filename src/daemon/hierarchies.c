/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/hierarchies.h"

#include <fcntl.h>
#include <glib.h>

#include "util/fd.h"

int hierarchies_detect(const struct host *host, struct cg_layout **ret)
{
	g_autofree char *mountinfo = g_malloc(MOUNTINFO_SIZE);
	g_autofree char *cgroup = g_malloc(1 << 16);
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n = host_read_self(host, "mountinfo", mountinfo, MOUNTINFO_SIZE);

	if (n >= 0)
		n = host_read_self(host, "cgroup", cgroup, 1 << 16);
	return n < 0 ? (int)n : cg_layout_detect(mountinfo, cgroup, root, true, ret);
}
