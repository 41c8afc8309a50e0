/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <unistd.h>

#include "cgroup/walk.h"
#include "util/fd.h"

static const char *const list_names[CG_N_VERSIONS] = {
	[CG_V1] = "tasks",
	[CG_V2] = "cgroup.threads",
};

bool cg_tasks_gone(const struct cg_node *node)
{
	return faccessat(cg_node_dir(node), "cgroup.procs", F_OK, 0) < 0;
}

struct tasks {
	const char *list;
	void (*fn)(pid_t tid, void *arg);
	void *arg;
	bool begun;
	int result; /* of the topmost list */
};

/* The kernel gives the list in pieces that end anywhere, within a number too. */
static int each_tid(const struct tasks *t, int dir)
{
	AUTO_FD int fd = openat(dir, t->list, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[4096];
	uint64_t tid = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				tid = tid * 10 + (uint64_t)(buf[i] - '0');
			} else {
				if (tid > 0 && tid <= G_MAXINT)
					t->fn((pid_t)tid, t->arg);
				tid = 0;
			}
		}
	}
	return n < 0 ? -errno : 0;
}

static void enter(int dir, void *arg)
{
	struct tasks *t = arg;
	int r = each_tid(t, dir);

	if (!t->begun)
		t->result = r;
	t->begun = true;
}

int cg_tasks_each(struct cg_node *node, unsigned most, void (*fn)(pid_t tid, void *arg), void *arg)
{
	struct tasks t = { .list = list_names[cg_node_version(node)], .fn = fn, .arg = arg };
	const struct cg_walk walk = { .enter = enter, .arg = &t, .most = most };
	int r = cg_walk(cg_node_dir(node), &walk);

	/* What vanishes on the way is no error. */
	if (t.begun)
		r = t.result;
	return r == -ENOENT ? -ENODEV : r;
}
