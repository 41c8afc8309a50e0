/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "run/fail.h"
#include "run/nodes.h"
#include "run/target.h"
#include "util/fd.h"
#include "util/sys.h"

#define BARE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct own {
	const char *type, *target, *options;
	unsigned long flags;
	bool make;
} own[] = {
	{ .type = "proc", .target = "proc", .flags = BARE },
	{ .type = "sysfs", .target = "sys", .flags = BARE | MS_RDONLY },
	{ .type = "tmpfs",
	  .target = "dev",
	  .options = "mode=755,size=65536k",
	  .flags = MS_NOSUID | MS_STRICTATIME },
	{ .type = "devpts",
	  .target = "dev/pts",
	  .options = "newinstance,ptmxmode=0666,mode=0620,gid=5",
	  .flags = MS_NOSUID | MS_NOEXEC,
	  .make = true },
	{ .type = "tmpfs",
	  .target = "dev/shm",
	  .options = "mode=1777,size=65536k",
	  .flags = BARE,
	  .make = true },
	{ .type = "mqueue", .target = "dev/mqueue", .flags = BARE, .make = true },
};

/* What docker hides from every container: what tells of the host, or lets it be changed. */
static const char *const masked[] = {
	"proc/acpi",
	"proc/asound",
	"proc/kcore",
	"proc/keys",
	"proc/latency_stats",
	"proc/sched_debug",
	"proc/scsi",
	"proc/timer_list",
	"proc/timer_stats",
	"sys/firmware",
	"sys/devices/virtual/powercap",
};

static const char *const read_only[] = {
	"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger",
};

/* A user namespace is shown no more of proc and sysfs than its maker sees. */
static const char *hint(const struct own *m, bool userns)
{
	return userns && errno == EPERM && m->flags & MS_NOEXEC
		       ? " (something is mounted over a part of the host's own)"
		       : "";
}

static bool mount_own(const struct own *m, bool userns, GError **error)
{
	if (m->make && mkdir(m->target, 0755) < 0)
		return run_fail(error, errno, "cannot make /%s", m->target);
	if (mount(m->type, m->target, m->type, m->flags, m->options) < 0)
		return run_fail(error, errno, "cannot mount %s on /%s%s", m->type, m->target,
				hint(m, userns));
	return true;
}

static bool mount_cgroup(const char *folder, const char *options, bool v2, GError **error)
{
	const char *type = v2 ? "cgroup2" : "cgroup";

	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return run_fail(error, errno, "cannot make /%s", folder);
	if (mount(type, folder, type, BARE | MS_RDONLY, options) < 0)
		return run_fail(error, errno, "cannot mount %s on /%s", type, folder);
	return true;
}

/* One that has two controllers, "cpu,cpuacct", is found by either name. */
static bool link_cgroup(const char *top, const char *name, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(name, ",", -1);

	for (char **part = parts; parts[1] && *part; part++) {
		g_autofree char *path = g_build_filename(top, *part, NULL);

		if (symlink(name, path) < 0)
			return run_fail(error, errno, "cannot make /%s", path);
	}
	return true;
}

/* The hierarchies as the host has them, a folder each, or v2's alone. */
static bool mount_cgroups(const struct mounts *mounts, GError **error)
{
	static const char top[] = "sys/fs/cgroup";

	if (!mounts->cgroups[0])
		return !mounts->has_cgroup2 || mount_cgroup(top, NULL, true, error);
	if (mount("tmpfs", top, "tmpfs", BARE, "mode=755,size=64k") < 0)
		return run_fail(error, errno, "cannot mount tmpfs on /%s", top);
	for (char **c = mounts->cgroups; *c; c++) {
		const char *name = g_str_has_prefix(*c, "name=") ? *c + strlen("name=") : *c;
		g_autofree char *folder = g_build_filename(top, name, NULL);

		if (!mount_cgroup(folder, *c, false, error) || !link_cgroup(top, name, error))
			return false;
	}
	if (mounts->has_cgroup2 && !mount_cgroup("sys/fs/cgroup/unified", NULL, true, error))
		return false;
	if (mount(NULL, top, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | BARE, NULL) < 0)
		return run_fail(error, errno, "cannot make /%s read-only", top);
	return true;
}

/* By its descriptor's name: what lies at its path may be a symlink. */
static int mount_tmpfs(int target, unsigned long flags, const char *options)
{
	int r = 0;

	if (fchdir(target) < 0 || mount("tmpfs", ".", "tmpfs", flags, options) < 0)
		r = -errno;
	if (chdir("/") < 0)
		r = -errno;
	return r;
}

static bool bind_one(const struct mounts_bind *b, GError **error)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int target = target_open(root, b->target, b->folder);
	int r = target;

	if (r >= 0)
		r = b->tree < 0 ? mount_tmpfs(target, BARE, "mode=1777")
				: sys_mount_onto(b->tree, target);
	return r >= 0 || run_fail(error, -r, "cannot mount on %s", b->target);
}

bool mounts_make(const struct spec *spec, const struct mounts *mounts, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
		if (!mount_own(&own[i], spec->userns, error))
			return false;
	for (guint i = 0; i < mounts->host->len; i++)
		if (!bind_one(&g_array_index(mounts->host, struct mounts_bind, i), error))
			return false;
	return nodes_make(spec->userns, error) && mount_cgroups(mounts, error);
}

bool mounts_add(const struct spec *spec, const struct mounts *mounts, GError **error)
{
	for (guint i = 0; !spec->userns && i < spec->devices->len; i++)
		if (!nodes_add(&g_array_index(spec->devices, struct spec_device, i), error))
			return false;
	for (guint i = 0; i < mounts->binds->len; i++)
		if (!bind_one(&g_array_index(mounts->binds, struct mounts_bind, i), error))
			return false;
	return true;
}

/*
 * Over a file lies /dev/null, if it is that: with -v over /dev another container may have made
 * something else of it, by which the command would reach what is hidden from it.
 */
static int mount_null(int target)
{
	AUTO_FD int null = open("dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FD int tree = -1;
	struct stat st;

	if (null < 0 || fstat(null, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return -ENODEV;
	tree = sys_clone_tree_at(null);
	return tree < 0 ? tree : sys_mount_onto(tree, target);
}

/* An empty folder, or /dev/null. */
static bool mask(const char *path, GError **error)
{
	AUTO_FD int target = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (target < 0)
		return errno == ENOENT || run_fail(error, errno, "cannot hide /%s", path);
	if (fstat(target, &st) < 0)
		return run_fail(error, errno, "cannot hide /%s", path);
	r = S_ISDIR(st.st_mode) ? mount_tmpfs(target, BARE | MS_RDONLY, "size=0,nr_inodes=2")
				: mount_null(target);
	return r == 0 ||
	       run_fail(error, -r, "cannot hide /%s by an empty folder or /dev/null", path);
}

static bool protect(const char *path, GError **error)
{
	AUTO_FD int target = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FD int tree = -1;
	int r;

	if (target < 0)
		return errno == ENOENT || run_fail(error, errno, "cannot protect /%s", path);
	tree = sys_clone_trees_at(target);
	r = tree < 0 ? tree : sys_mount_attr_set_all(tree, MOUNT_ATTR_RDONLY);
	if (r == 0)
		r = sys_mount_onto(tree, target);
	return r == 0 || run_fail(error, -r, "cannot protect /%s", path);
}

bool mounts_seal(const struct spec *spec, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(masked); i++)
		if (!mask(masked[i], error))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(read_only); i++)
		if (!protect(read_only[i], error))
			return false;
	if (spec->read_only) {
		AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		int r = sys_mount_attr_set(root, MOUNT_ATTR_RDONLY);

		if (r < 0)
			return run_fail(error, -r, "cannot make / read-only");
	}
	return true;
}
