/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/cgroups.h"

#include <errno.h>
#include <fcntl.h>

#include "cgroup/group.h"
#include "run/devices.h"
#include "util/fail.h"
#include "util/fd.h"

/* Where the containers' cgroups are, in each hierarchy. */
#define ABOVE "lxcfs-clone-run"

#define CGROUP_TEXT_SIZE (1 << 16)

/* A process in the middle of a system call that cannot be interrupted dies at its end. */
#define KILL_TIMEOUT_MS   10000
#define REMOVE_TIMEOUT_MS 2000

struct cgroups {
	struct cg_layout *layout;
	struct cg_group group;
};

static int find_hierarchies(const struct host *host, struct cg_layout **ret)
{
	g_autofree char *mountinfo = g_malloc(MOUNTINFO_SIZE);
	g_autofree char *cgroup = g_malloc(CGROUP_TEXT_SIZE);
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n = host_read_self(host, "mountinfo", mountinfo, MOUNTINFO_SIZE);

	if (n >= 0)
		n = host_read_self(host, "cgroup", cgroup, CGROUP_TEXT_SIZE);
	return n < 0 ? (int)n : cg_layout_detect(mountinfo, cgroup, root, true, ret);
}

/* "the v2 hierarchy", "the hierarchy of memory", for a sentence. Owned. */
static char *hierarchy_name(const struct cg_layout *l, size_t hierarchy)
{
	if (l->hierarchies[hierarchy].version == CG_V2)
		return g_strdup("the v2 hierarchy");
	for (int c = 0; c < CG_N_ALL_CONTROLLERS; c++)
		if (l->controllers[c] == (int)hierarchy)
			return g_strdup_printf("the hierarchy of %s", cg_controller_name(l, c));
	return g_strdup_printf("hierarchy %u", l->hierarchies[hierarchy].id);
}

static bool write_setting(const struct cg_group *g, const struct cg_setting *s, GError **error)
{
	const char *controller = cg_controller_name(g->layout, s->controller);
	int r = cg_group_set(g, s);

	if (r == 0 || (r == -ENOENT && s->optional))
		return true;
	if (r == -ENOENT) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
			    "cannot limit container %s: controller %s has no file %s on this host",
			    g->name, controller, s->file);
		return false;
	}
	return fail(error, -r, "cannot limit container %s: \"%s\" to %s (controller %s)", g->name,
		    s->text, s->file, controller);
}

static bool write_limits(const struct cg_group *g, const struct cg_limits *limits, GError **error)
{
	g_autoptr(GArray) settings = cg_limits_settings(g->layout, limits);

	for (guint i = 0; i < settings->len; i++)
		if (!write_setting(g, &g_array_index(settings, struct cg_setting, i), error))
			return false;
	return true;
}

static bool limit_devices(const struct cg_group *g, const GArray *devices, GError **error)
{
	g_autoptr(GArray) rules = devices_rules(devices);

	return devices_limit(g, rules, error);
}

static struct cgroups *cgroups_new(const struct host *host, GError **error)
{
	struct cg_layout *layout = NULL;
	int r = find_hierarchies(host, &layout);
	struct cgroups *c;

	if (r < 0) {
		fail(error, -r, "cannot read which cgroup hierarchies there are");
		return NULL;
	}
	if (layout->n_hierarchies == 0) {
		cg_layout_free(layout);
		fail(error, ENOENT, "no cgroup hierarchy is mounted");
		return NULL;
	}
	c = g_new0(struct cgroups, 1);
	c->layout = layout;
	for (size_t i = 0; i < CG_MAX_HIERARCHIES; i++)
		c->group.dirs[i] = -1;
	return c;
}

struct cgroups *cgroups_free(struct cgroups *c)
{
	if (!c)
		return NULL;
	cg_group_clear(&c->group);
	cg_layout_free(c->layout);
	g_free(c);
	return NULL;
}

bool cgroups_make(const struct host *host, const char *name, const struct cg_limits *limits,
		  const GArray *devices, struct cgroups **ret, GError **error)
{
	AUTO_CGROUPS struct cgroups *c = cgroups_new(host, error);
	size_t at = 0;
	int r;

	if (!c)
		return false;
	r = cg_group_make(c->layout, ABOVE, name, &c->group, &at);
	if (r < 0) {
		g_autofree char *where = hierarchy_name(c->layout, at);

		return fail(error, -r, "cannot make the cgroup of container %s in %s", name, where);
	}
	if (!write_limits(&c->group, limits, error) || !limit_devices(&c->group, devices, error)) {
		(void)cg_group_remove(&c->group, REMOVE_TIMEOUT_MS);
		return false;
	}
	*ret = g_steal_pointer(&c);
	return true;
}

bool cgroups_open(const struct host *host, const char *name, struct cgroups **ret, GError **error)
{
	AUTO_CGROUPS struct cgroups *c = cgroups_new(host, error);
	int r;

	if (!c)
		return false;
	r = cg_group_open(c->layout, ABOVE, name, &c->group);
	if (r < 0)
		return fail(error, -r, "cannot open the cgroups of container %s", name);
	*ret = g_steal_pointer(&c);
	return true;
}

bool cgroups_descend(struct cgroups *c, const struct host *host, pid_t pid, GError **error)
{
	g_autofree char *path = g_strdup_printf("%d/cgroup", (int)pid);
	g_autofree char *text = g_malloc(CGROUP_TEXT_SIZE);
	struct cg_place places[CG_MAX_HIERARCHIES] = { 0 };
	ssize_t n = fd_read_at(host_proc_dir(host), path, text, CGROUP_TEXT_SIZE);
	int r = (int)MIN(n, 0);

	if (r == 0) {
		cg_places_parse(c->layout, text, places);
		r = cg_group_descend(&c->group, places);
	}
	return r == 0 ||
	       fail(error, -r, "cannot find the cgroup of pid 1 of container %s", c->group.name);
}

int cgroups_clone_fd(const struct cgroups *c)
{
	return cg_group_v2_dir(&c->group);
}

bool cgroups_enter(const struct cgroups *c, pid_t pid, GError **error)
{
	g_autofree char *where = NULL;
	size_t at = 0;
	int r = cg_group_enter(&c->group, pid, &at);

	if (r == 0)
		return true;
	where = hierarchy_name(c->layout, at);
	return fail(error, -r, "cannot move process %d to the cgroup of container %s in %s",
		    (int)pid, c->group.name, where);
}

bool cgroups_freeze(const struct cgroups *c, bool frozen, GError **error)
{
	int r = cg_group_freeze(&c->group, frozen);

	return r == 0 || fail(error, -r, "cannot %s container %s by its cgroup (controller %s)",
			      frozen ? "pause" : "resume", c->group.name,
			      cg_controller_name(c->layout, CG_FREEZER));
}

bool cgroups_is_frozen(const struct cgroups *c)
{
	return cg_group_is_frozen(&c->group) == 1;
}

GArray *cgroups_pids(const struct cgroups *c)
{
	return cg_group_pids(&c->group);
}

bool cgroups_kill(const struct cgroups *c, GError **error)
{
	int r = cg_group_kill(&c->group, KILL_TIMEOUT_MS);

	return r == 0 ||
	       fail(error, -r, "cannot kill the processes of container %s", c->group.name);
}

bool cgroups_remove(struct cgroups *c, GError **error)
{
	int r = cg_group_remove(&c->group, REMOVE_TIMEOUT_MS);

	return r == 0 ||
	       fail(error, -r, "cannot remove the cgroups of container %s", c->group.name);
}
