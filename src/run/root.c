/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "run/fail.h"
#include "util/fd.h"
#include "util/octal.h"
#include "util/sys.h"

void root_old_clear(struct root_old *old)
{
	fd_close(&old->dir);
	if (old->below)
		g_ptr_array_unref(old->below);
	old->below = NULL;
}

int root_leave_chroot(const struct host *host)
{
	AUTO_FD int own = openat(host_proc_dir(host), "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	AUTO_FD int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return own < 0 || here < 0 || setns(own, CLONE_NEWNS) < 0 || fchdir(here) < 0 ? -errno : 0;
}

/* Of all mounts but the root, whatever is mounted first first: paths from the root on; owned. */
static int list_mounts(const struct host *host, GPtrArray **ret)
{
	g_autofree char *text = g_malloc(MOUNTINFO_SIZE);
	ssize_t n = host_read_self(host, "mountinfo", text, MOUNTINFO_SIZE);
	g_auto(GStrv) lines = n < 0 ? NULL : g_strsplit(text, "\n", -1);
	GPtrArray *paths;

	if (n < 0)
		return (int)n;
	paths = g_ptr_array_new_with_free_func(g_free);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, " ", 6);

		if (g_strv_length(fields) == 6 && strcmp(fields[4], "/") != 0)
			g_ptr_array_add(paths, g_strdup(octal_unescape(fields[4]) + 1));
	}
	*ret = paths;
	return 0;
}

/* A ramfs is the root of all mounts and cannot be pivoted away: the new root lies over it. */
static int cover_root(const struct host *host, struct root_old *old)
{
	int r = list_mounts(host, &old->below);

	if (r == 0 && (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0))
		r = -errno;
	return r;
}

bool root_enter(const struct host *host, const char *folder, struct root_old *ret, GError **error)
{
	int r;

	/* The new root must be a mount of this namespace's own user namespace. */
	if (mount(folder, folder, NULL, MS_BIND, NULL) < 0 || chdir(folder) < 0)
		return run_fail(error, errno, "cannot go to %s", folder);
	r = root_leave_chroot(host);
	if (r < 0)
		return run_fail(error, -r, "cannot go to the root of the mount namespace");
	ret->dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return run_fail(error, errno, "cannot make the mounts private");
	r = sys_pivot_root(".", ".");
	if (r == -EINVAL)
		r = cover_root(host, ret);
	if (r < 0 || chdir("/") < 0)
		return run_fail(error, r < 0 ? -r : errno, "cannot make %s the root", folder);
	return true;
}

/* Whoever may unmount what covers them would find the host's files. */
static void unmount_below(const GPtrArray *below)
{
	for (guint i = below->len; i > 0; i--)
		(void)umount2(below->pdata[i - 1], MNT_DETACH | UMOUNT_NOFOLLOW);
}

bool root_leave_old(const struct root_old *old, GError **error)
{
	if (fchdir(old->dir) < 0)
		return run_fail(error, errno, "cannot go to the host's root");
	if (old->below)
		unmount_below(old->below);
	else if (umount2(".", MNT_DETACH) < 0)
		return run_fail(error, errno, "cannot leave the host's root");
	return chdir("/") == 0 || run_fail(error, errno, "cannot go to the root");
}
