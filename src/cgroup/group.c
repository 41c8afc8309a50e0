/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/group.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup/join.h"
#include "cgroup/walk.h"
#include "util/fd.h"
#include "util/sys.h"

#define PROCS "cgroup.procs"

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

/* How often a cgroup above may be removed by others between its making and its use. */
#define MAKE_TRIES 16

/*
 * What a container's cgroup is to have on v2; a host without one of them is no failure yet. From a
 * cgroup with processes, which the root of a cgroup namespace may be, the kernel would hand down
 * some: and make it threaded, so that nothing could run below it.
 */
static void hand_down(int dir)
{
	static const char *const controllers[] = { "+cpu", "+cpuset", "+io", "+memory", "+pids" };
	char text[16];

	if (fd_read_at(dir, "cgroup.type", text, sizeof(text)) >= 0 &&
	    fd_read_at(dir, PROCS, text, sizeof(text)) != 0)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(controllers); i++)
		(void)fd_write_at(dir, "cgroup.subtree_control", controllers[i]);
}

static int make_one(int above, const char *name, enum cg_version version, int *ret)
{
	AUTO_FD int dir = -1;

	if (version == CG_V2)
		hand_down(above);
	if (mkdirat(above, name, 0755) < 0)
		return -errno;
	dir = openat(above, name, DIR_FLAGS);
	if (dir < 0)
		return -errno;
	if (version == CG_V1)
		cg_cpuset_inherit(above, dir);
	*ret = fd_steal(&dir);
	return 0;
}

static int open_above(const struct cg_hierarchy *h, const char *name)
{
	int fd = openat(h->dir, name, DIR_FLAGS);

	return fd < 0 ? -errno : fd;
}

static int remove_leaf(int above, const char *name, void *arg)
{
	(void)arg;
	return unlinkat(above, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_once(int above, const char *name)
{
	const struct cg_walk walk = { .leave = remove_leaf };
	AUTO_FD int dir = openat(above, name, DIR_FLAGS);
	int r = dir < 0 ? -errno : cg_walk(dir, &walk);

	return r < 0 ? r : remove_leaf(above, name, NULL);
}

/* A cgroup whose last process has been killed is busy for a moment still. */
static int remove_patiently(int above, const char *name, unsigned timeout_ms)
{
	uint64_t start = sys_coarse_ms();
	int r;

	while ((r = remove_once(above, name)) == -EBUSY && sys_coarse_ms() - start < timeout_ms)
		g_usleep(2000);
	return r;
}

static int make_in(const struct cg_hierarchy *h, const char *above, const char *name, int *ret)
{
	int r = -EBUSY;

	for (unsigned i = 0; i < MAKE_TRIES; i++) {
		AUTO_FD int made = -1, dir = -1;

		r = make_one(h->dir, above, h->version, &made);
		if (r < 0 && r != -EEXIST)
			return r;
		dir = open_above(h, above);
		if (dir >= 0 && h->version == CG_V1)
			cg_cpuset_inherit(h->dir, dir);
		r = dir < 0 ? dir : make_one(dir, name, h->version, ret);
		if (r == -EEXIST) {
			r = remove_once(dir, name);
			if (r < 0 && r != -ENOENT)
				return r;
			r = -ENOENT;
		}
		/* Removed by who had the last container in it. */
		if (r != -ENOENT)
			return r;
	}
	return r;
}

static void init(struct cg_group *g, const struct cg_layout *layout, const char *above,
		 const char *name)
{
	*g = (struct cg_group){ .layout = layout,
				.above = g_strdup(above),
				.name = g_strdup(name) };
	for (size_t i = 0; i < CG_MAX_HIERARCHIES; i++)
		g->dirs[i] = -1;
}

int cg_group_make(const struct cg_layout *layout, const char *above, const char *name,
		  struct cg_group *ret, size_t *ret_hierarchy)
{
	struct cg_group g;

	init(&g, layout, above, name);
	for (size_t i = 0; i < layout->n_hierarchies; i++) {
		int r = make_in(&layout->hierarchies[i], above, name, &g.dirs[i]);

		if (r < 0) {
			(void)cg_group_remove(&g, 0);
			cg_group_clear(&g);
			*ret_hierarchy = i;
			return r;
		}
	}
	*ret = g;
	return 0;
}

int cg_group_open(const struct cg_layout *layout, const char *above, const char *name,
		  struct cg_group *ret)
{
	struct cg_group g;
	bool any = false;

	init(&g, layout, above, name);
	for (size_t i = 0; i < layout->n_hierarchies; i++) {
		AUTO_FD int dir = open_above(&layout->hierarchies[i], above);

		g.dirs[i] = dir < 0 ? -1 : openat(dir, name, DIR_FLAGS);
		any = any || g.dirs[i] >= 0;
	}
	if (!any) {
		cg_group_clear(&g);
		return -ENOENT;
	}
	*ret = g;
	return 0;
}

void cg_group_clear(struct cg_group *g)
{
	for (size_t i = 0; i < CG_MAX_HIERARCHIES; i++)
		fd_close(&g->dirs[i]);
	g_clear_pointer(&g->above, g_free);
	g_clear_pointer(&g->name, g_free);
}

int cg_group_dir(const struct cg_group *g, enum cg_controller c)
{
	int i = g->layout->controllers[c];

	return i < 0 ? -1 : g->dirs[i];
}

enum cg_version cg_group_version(const struct cg_group *g, enum cg_controller c)
{
	int i = g->layout->controllers[c];

	return i < 0 ? CG_N_VERSIONS : g->layout->hierarchies[i].version;
}

int cg_group_v2_dir(const struct cg_group *g)
{
	for (size_t i = 0; i < g->layout->n_hierarchies; i++)
		if (g->layout->hierarchies[i].version == CG_V2)
			return g->dirs[i];
	return -1;
}

int cg_group_set(const struct cg_group *g, const struct cg_setting *s)
{
	int dir = cg_group_dir(g, s->controller);

	return dir < 0 ? -ENOENT : fd_write_at(dir, s->file, s->text);
}

int cg_group_allow_devices(const struct cg_group *g, const GPtrArray *rules)
{
	int dir = cg_group_dir(g, CG_DEVICES), r = fd_write_at(dir, "devices.deny", "a");

	for (guint i = 0; i < rules->len && r == 0; i++)
		r = fd_write_at(dir, "devices.allow", rules->pdata[i]);
	return r;
}

int cg_group_enter(const struct cg_group *g, pid_t pid, size_t *ret_hierarchy)
{
	g_autofree char *text = g_strdup_printf("%d", (int)pid);

	for (size_t i = 0; i < g->layout->n_hierarchies; i++) {
		int r = g->dirs[i] < 0 ? -ENOENT : fd_write_at(g->dirs[i], PROCS, text);

		if (r < 0) {
			*ret_hierarchy = i;
			return r;
		}
	}
	return 0;
}

static int descend(struct cg_group *g, size_t i, struct cg_place place)
{
	const char *root = g->layout->hierarchies[i].root;
	g_autofree char *top =
		g_strdup_printf("%s/%s/%s/", strcmp(root, "/") == 0 ? "" : root, g->above, g->name);
	size_t len = strlen(top);
	g_autofree char *below = NULL;
	char text[256];
	int fd;

	if (fd_read_at(g->dirs[i], "cgroup.subtree_control", text, sizeof(text)) <= 0 ||
	    text[0] == '\n' || place.len <= len || memcmp(place.path, top, len) != 0)
		return 0;
	below = g_strndup(place.path + len, place.len - len);
	fd = sys_open_beneath(g->dirs[i], below, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	fd_close(&g->dirs[i]);
	g->dirs[i] = fd;
	return 0;
}

int cg_group_descend(struct cg_group *g, const struct cg_place *places)
{
	int r = 0;

	for (size_t i = 0; i < g->layout->n_hierarchies && r == 0; i++)
		if (g->layout->hierarchies[i].version == CG_V2 && g->dirs[i] >= 0)
			r = descend(g, i, places[i]);
	return r;
}

int cg_group_remove(struct cg_group *g, unsigned timeout_ms)
{
	int first = 0;

	for (size_t i = 0; i < g->layout->n_hierarchies; i++) {
		const struct cg_hierarchy *h = &g->layout->hierarchies[i];
		AUTO_FD int above = g->dirs[i] < 0 ? -1 : open_above(h, g->above);
		int r = above < 0 ? 0 : remove_patiently(above, g->name, timeout_ms);

		if (r == 0 || r == -ENOENT)
			fd_close(&g->dirs[i]);
		else if (first == 0)
			first = r;
		/* Stays while others are in it. */
		(void)unlinkat(h->dir, g->above, AT_REMOVEDIR);
	}
	return first;
}
