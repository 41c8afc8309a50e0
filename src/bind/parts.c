/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/fail.h"
#include "util/fd.h"
#include "util/sys.h"

static void clear_part(void *data)
{
	struct part *p = data;

	g_free(p->path);
	fd_close(&p->tree);
}

/* Nobody's peer: what is mounted over it in the container stays there. */
static int clone_part(int dir, const char *name)
{
	AUTO_FD int at = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FD int tree = at < 0 ? -errno : sys_clone_tree_at(at);
	int r = tree < 0 ? tree : sys_mount_attr_set(tree, 0);

	return r < 0 ? r : fd_steal(&tree);
}

bool part_is_called(const char *path, const char *name)
{
	const char *last = strrchr(path, '/');

	return strcmp(path, name) == 0 || (last && strcmp(last + 1, name) == 0);
}

static bool is_wanted(const char *const *wanted, const char *path)
{
	if (!wanted)
		return true;
	for (; *wanted; wanted++)
		if (part_is_called(path, *wanted))
			return true;
	return false;
}

static bool add_part(int dir, const char *name, const char *path, GArray *parts, GError **error)
{
	struct part part = { .tree = clone_part(dir, name) };

	if (part.tree < 0)
		return fail(error, -part.tree, "cannot copy the mount of '%s'", path);
	part.path = g_strdup(path);
	g_array_append_val(parts, part);
	return true;
}

static bool collect_below(int top, const char *folder, const char *const *wanted, GArray *parts,
			  GError **error)
{
	int fd = openat(top, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool ok = true;

	if (!dir) {
		int err = errno;

		fd_close(&fd);
		return fail(error, err, "cannot read '%s'", folder);
	}
	while (ok && (e = readdir(dir))) {
		g_autofree char *path = g_build_filename(folder, e->d_name, NULL);

		if (e->d_name[0] != '.' && is_wanted(wanted, path))
			ok = add_part(dirfd(dir), e->d_name, path, parts, error);
	}
	closedir(dir);
	return ok;
}

bool parts_collect(const char *mountpoint, const char *const *wanted, GArray **ret, GError **error)
{
	AUTO_FD int top = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(GArray) parts = NULL;
	struct statfs fs;

	if (top < 0 || fstatfs(top, &fs) < 0)
		return fail(error, errno, "no lxcfs-clone at %s", mountpoint);
	if (fs.f_type != FUSE_SUPER_MAGIC) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NXIO, "no lxcfs-clone runs at %s",
			    mountpoint);
		return false;
	}
	parts = g_array_new(FALSE, FALSE, sizeof(struct part));
	g_array_set_clear_func(parts, clear_part);
	if (!collect_below(top, "proc", wanted, parts, error) ||
	    !collect_below(top, "sys/devices/system", wanted, parts, error)) {
		g_prefix_error(error, "lxcfs-clone at %s: ", mountpoint);
		return false;
	}
	*ret = g_steal_pointer(&parts);
	return true;
}

int parts_bind(const GArray *parts, int root, const char **ret_path)
{
	for (guint i = 0; i < parts->len; i++) {
		const struct part *p = &g_array_index(parts, struct part, i);
		AUTO_FD int target = sys_open_beneath(root, p->path, O_PATH);
		int r = target;

		/* A kernel without such a file (no swap, say): nobody would look for it. */
		if (r == -ENOENT)
			continue;
		if (r >= 0)
			r = sys_mount_onto(p->tree, target);
		if (r < 0) {
			*ret_path = p->path;
			return r;
		}
	}
	return 0;
}
