/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"

/* A container with a cgroup tree of its own can nest it as it likes; each level costs us one fd. */
#define MAX_DEPTH 256

static const char *const list_names[CG_N_VERSIONS] = {
	[CG_V1] = "tasks",
	[CG_V2] = "cgroup.threads",
};

struct walk {
	const char *list;
	void (*fn)(pid_t tid, void *arg);
	void *arg;
};

/* The kernel gives the list in pieces that end anywhere, within a number too. */
static int each_tid(const struct walk *w, int dir)
{
	AUTO_FD int fd = openat(dir, w->list, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
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
					w->fn((pid_t)tid, w->arg);
				tid = 0;
			}
		}
	}
	return n < 0 ? -errno : 0;
}

/* The names of the directories in @dir, so that no directory stream is open on the way down. */
static GPtrArray *children(int dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	AUTO_FD int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!stream)
		return names;
	(void)fd_steal(&fd);
	while ((e = readdir(stream)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			g_ptr_array_add(names, g_strdup(e->d_name));
	closedir(stream);
	return names;
}

static void walk(const struct walk *w, int dir, unsigned depth)
{
	g_autoptr(GPtrArray) names = children(dir);

	for (guint i = 0; i < names->len && depth < MAX_DEPTH; i++) {
		AUTO_FD int child = openat(dir, g_ptr_array_index(names, i),
					   O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (child < 0)
			continue;
		(void)each_tid(w, child);
		walk(w, child, depth + 1);
	}
}

int cg_tasks_each(struct cg_node *node, void (*fn)(pid_t tid, void *arg), void *arg)
{
	struct walk w = { .list = list_names[cg_node_version(node)], .fn = fn, .arg = arg };
	int r = each_tid(&w, cg_node_dir(node));

	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	walk(&w, cg_node_dir(node), 0);
	return 0;
}
