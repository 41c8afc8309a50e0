/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/join.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"

/* v1's cpusets begin empty, and nothing can run in an empty one. Both are lists. */
static const char *const inherited[] = { "cpuset.cpus", "cpuset.mems" };

#define PROCS "cgroup.procs"

/* The caller's pid is 0, in any pid namespace. */
static int move_to(int dir)
{
	return fd_write_at(dir, PROCS, "0");
}

void cg_cpuset_inherit(int above, int dir)
{
	char text[4096];

	for (size_t i = 0; i < sizeof(inherited) / sizeof(*inherited); i++)
		if (fd_read_at(dir, inherited[i], text, sizeof(text)) >= 0 &&
		    strspn(text, "\n") == strlen(text) &&
		    fd_read_at(above, inherited[i], text, sizeof(text)) > 0)
			(void)fd_write_at(dir, inherited[i], text);
}

static int join(const struct cg_hierarchy *h, const char *name)
{
	AUTO_FD int dir = -1;

	if (mkdirat(h->dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	dir = openat(h->dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return -errno;
	if (h->version == CG_V1)
		cg_cpuset_inherit(h->dir, dir);
	return move_to(dir);
}

int cg_join(const struct cg_layout *layout, const char *name)
{
	int first = 0;

	for (size_t i = 0; i < layout->n_hierarchies; i++) {
		const struct cg_hierarchy *h = &layout->hierarchies[i];
		int r = join(h, name);

		if (r == 0 && strcmp(h->root, "/") != 0)
			r = -EXDEV;
		if (first == 0)
			first = r;
	}
	return first;
}

void cg_leave(const struct cg_layout *layout, const char *name)
{
	for (size_t i = 0; i < layout->n_hierarchies; i++) {
		int dir = layout->hierarchies[i].dir;

		(void)move_to(dir);
		(void)unlinkat(dir, name, AT_REMOVEDIR);
	}
}
