/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cgroup/group.h"
#include "cgroup/walk.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/sys.h"

#define PROCS "cgroup.procs"

/* v1 says FREEZING until all stand still; and what was asked for in self_freezing. */
static const struct freezer {
	const char *file, *freeze, *thaw;
	const char *state, *frozen, *thawed; /* a file, and what stands in it when it is so */
	const char *asked;
} freezers[CG_N_VERSIONS] = {
	[CG_V1] = { .file = "freezer.state",
		    .freeze = "FROZEN",
		    .thaw = "THAWED",
		    .state = "freezer.state",
		    .frozen = "FROZEN\n",
		    .thawed = "THAWED\n",
		    .asked = "freezer.self_freezing" },
	[CG_V2] = { .file = "cgroup.freeze",
		    .freeze = "1",
		    .thaw = "0",
		    .state = "cgroup.events",
		    .frozen = "frozen 1\n",
		    .thawed = "frozen 0\n",
		    .asked = "cgroup.freeze" },
};

#define FREEZE_TIMEOUT_MS 2000

static bool has(int dir, const char *file, const char *line)
{
	char text[256];

	return fd_read_at(dir, file, text, sizeof(text)) >= 0 && strstr(text, line);
}

int cg_group_freeze(const struct cg_group *g, bool frozen)
{
	enum cg_version version = cg_group_version(g, CG_FREEZER);
	int dir = cg_group_dir(g, CG_FREEZER), r;
	uint64_t start = sys_coarse_ms();
	const struct freezer *f;

	if (dir < 0)
		return -ENOENT;
	f = &freezers[version];
	for (;;) {
		/* Again and again: v1 may miss who was just being forked. */
		r = fd_write_at(dir, f->file, frozen ? f->freeze : f->thaw);
		if (r < 0 || has(dir, f->state, frozen ? f->frozen : f->thawed))
			return r;
		if (sys_coarse_ms() - start >= FREEZE_TIMEOUT_MS)
			break;
		g_usleep(2000);
	}
	if (frozen)
		(void)fd_write_at(dir, f->file, f->thaw);
	return -ETIMEDOUT;
}

int cg_group_is_frozen(const struct cg_group *g)
{
	enum cg_version version = cg_group_version(g, CG_FREEZER);
	int dir = cg_group_dir(g, CG_FREEZER);
	char text[16];
	ssize_t n;

	if (dir < 0)
		return -ENOENT;
	n = fd_read_at(dir, freezers[version].asked, text, sizeof(text));
	return n < 0 ? (int)n : text[0] == '1';
}

static void take_pids(int dir, void *arg)
{
	AUTO_FD int fd = openat(dir, PROCS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	g_autoptr(GString) text = g_string_new(NULL);
	GArray *pids = arg;
	const char *p;
	char buf[4096];
	ssize_t n;
	uint64_t pid;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		g_string_append_len(text, buf, n);
	/* 0 is one that our pid namespace does not have. */
	for (p = text->str; num_take(&p, &pid) && *p == '\n'; p++)
		if (pid > 0 && pid <= G_MAXINT) {
			pid_t v = (pid_t)pid;

			g_array_append_val(pids, v);
		}
}

static gint by_number(gconstpointer a, gconstpointer b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

GArray *cg_group_pids(const struct cg_group *g)
{
	GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	const struct cg_walk walk = { .enter = take_pids, .arg = pids };
	guint n = 0;

	/* In every hierarchy: a process may have been moved in some of them alone. */
	for (size_t i = 0; i < g->layout->n_hierarchies; i++)
		if (g->dirs[i] >= 0)
			(void)cg_walk(g->dirs[i], &walk);
	g_array_sort(pids, by_number);
	for (guint i = 0; i < pids->len; i++) {
		pid_t v = g_array_index(pids, pid_t, i);

		if (n == 0 || g_array_index(pids, pid_t, n - 1) != v)
			g_array_index(pids, pid_t, n++) = v;
	}
	g_array_set_size(pids, n);
	return pids;
}

static void thaw(int dir, void *arg)
{
	const struct freezer *f = arg;

	(void)fd_write_at(dir, f->file, f->thaw);
}

/* A cgroup below may be frozen by itself: it does not go on with the one above. */
static void thaw_all(const struct cg_group *g)
{
	int dir = cg_group_dir(g, CG_FREEZER);
	struct freezer f;
	const struct cg_walk walk = { .enter = thaw, .arg = &f };

	if (dir < 0)
		return;
	f = freezers[cg_group_version(g, CG_FREEZER)];
	(void)cg_walk(dir, &walk);
}

/*
 * Frozen meanwhile, nobody forks away, nor ends and leaves its pid to a stranger. On v1 a frozen
 * process dies when it is thawed.
 */
static void kill_once(const struct cg_group *g)
{
	int v2 = cg_group_v2_dir(g);
	g_autoptr(GArray) pids = NULL;

	(void)cg_group_freeze(g, true);
	pids = cg_group_pids(g);
	/* Linux 5.14; all that is below, too. */
	if (v2 >= 0)
		(void)fd_write_at(v2, "cgroup.kill", "1");
	for (guint i = 0; i < pids->len; i++)
		(void)kill(g_array_index(pids, pid_t, i), SIGKILL);
	thaw_all(g);
}

int cg_group_kill(const struct cg_group *g, unsigned timeout_ms)
{
	uint64_t start = sys_coarse_ms();

	for (;;) {
		g_autoptr(GArray) pids = cg_group_pids(g);

		if (pids->len == 0)
			return 0;
		if (sys_coarse_ms() - start >= timeout_ms)
			return -EBUSY;
		kill_once(g);
		g_usleep(2000);
	}
}
