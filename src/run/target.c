/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/target.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/fd.h"
#include "util/sys.h"

/* The folder @name of what lies at @path, made when missing. */
static int open_folder(int root, const char *path)
{
	int fd = sys_open_rooted(root, path, O_PATH | O_DIRECTORY);
	g_autofree char *name = NULL, *above = NULL;
	AUTO_FD int dir = -1;

	if (fd != -ENOENT)
		return fd;
	above = g_path_get_dirname(path);
	name = g_path_get_basename(path);
	dir = sys_open_rooted(root, above, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return dir;
	/* A symlink to nowhere is in the way (EEXIST): the next look at it says so. */
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	return sys_open_rooted(root, path, O_PATH | O_DIRECTORY);
}

static int open_folders(int root, const char *path)
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		g_autofree char *part = g_strndup(path, (gsize)(slash - path));
		AUTO_FD int fd = open_folder(root, part);

		if (fd < 0)
			return fd;
	}
	return open_folder(root, path);
}

int target_open_parent(int root, const char *path)
{
	g_autofree char *above = g_path_get_dirname(path);

	return open_folders(root, above);
}

int target_open(int root, const char *path, bool folder)
{
	g_autofree char *name = g_path_get_basename(path);
	AUTO_FD int dir = -1;
	AUTO_FD int made = -1;
	int fd;

	if (folder)
		return open_folders(root, path);
	fd = sys_open_rooted(root, path, O_PATH);
	if (fd != -ENOENT)
		return fd;
	dir = target_open_parent(root, path);
	if (dir < 0)
		return dir;
	made = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (made < 0)
		return errno == EEXIST ? -ENOENT : -errno;
	return sys_open_rooted(root, path, O_PATH);
}
