/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/instance.h"
#include "bind/table.h"
#include "daemon/lock.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/log.h"

/* What is mounted on top at the mount point. */
enum whose {
	OTHERS,
	STRANGERS, /* an lxcfs-clone's, with an id that is not ours */
	OURS,
};

struct topmost {
	const char *mountpoint, *source;
	enum whose whose;
};

static bool look_at(const struct mountinfo *m, void *arg)
{
	struct topmost *t = arg;

	if (strcmp(m->point, t->mountpoint) != 0)
		return true;
	if (strcmp(m->fstype, INSTANCE_FS_TYPE) != 0)
		t->whose = OTHERS;
	else
		t->whose = strcmp(m->source, t->source) == 0 ? OURS : STRANGERS;
	return true;
}

/* By the last line of @mountpoint. @source: what ours has. */
static enum whose look(const struct host *host, const char *mountpoint, const char *source)
{
	struct topmost top = { .mountpoint = mountpoint, .source = source };
	AUTO_FD int fd = openat(host_proc_dir(host), "self/mountinfo", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && table_each(fd, UINT64_MAX, look_at, &top) == 0 ? top.whose : OTHERS;
}

/*
 * Nobody will serve it any more. Ours is aborted first, so that no reader waits for a process that
 * cannot die (frozen on cgroup v1) and has /dev/fuse.
 */
static int end(const char *mountpoint, enum whose whose)
{
	int flags = MNT_DETACH | UMOUNT_NOFOLLOW | (whose == OURS ? MNT_FORCE : 0);

	return umount2(mountpoint, flags) < 0 ? -errno : 0;
}

/* How deep the folders go that an engine makes for a file of ours, and many times as many. */
#define SKELETON_DEPTH 8u
#define SKELETON_MAX   1000u

/*
 * Whether @dir has nothing but folders in it, at most @n: some engines make an empty folder where a
 * container's file should come from while nobody serves (docker run -v). Closes @dir.
 */
static bool is_skeleton(int dir, unsigned depth, unsigned *n)
{
	DIR *d = fdopendir(dir);
	const struct dirent *entry;
	bool ok = d;

	while (ok && (entry = readdir(d))) {
		int fd;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		fd = openat(dirfd(d), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		ok = fd >= 0 && depth > 0 && (*n)-- > 0;
		if (ok)
			ok = is_skeleton(fd, depth - 1, n);
		else
			fd_close(&fd);
	}
	if (d)
		closedir(d);
	else
		fd_close(&dir);
	return ok;
}

static bool is_empty(const char *path)
{
	unsigned n = SKELETON_MAX;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && is_skeleton(fd, SKELETON_DEPTH, &n);
}

bool mount_prepare(const struct host *host, const char *mountpoint, bool nonempty,
		   struct mountpoint *ret, GError **error)
{
	g_autofree char *source = NULL;
	enum whose whose;
	struct stat st;
	int r;

	if (!lock_take(host, mountpoint, &ret->lock, error))
		return false;
	r = instance_source_make(mountpoint, &source, &ret->made_id);
	if (r < 0)
		return fail(error, -r, "cannot make an id for the mount point %s", mountpoint);
	/* With the lock ours, a mount of ours there belongs to nobody: dead, or left behind. */
	while ((whose = look(host, mountpoint, source)) != OTHERS) {
		log_info("detaching what an earlier instance left at %s", mountpoint);
		r = end(mountpoint, whose);
		if (r < 0)
			return fail(error, -r, "cannot detach the old mount at %s", mountpoint);
	}
	ret->made = access(mountpoint, F_OK) < 0;
	/* Whatever is there, and be it a link that leads nowhere, is told of below. */
	if (g_mkdir_with_parents(mountpoint, 0755) < 0) {
		int err = errno;

		if (faccessat(AT_FDCWD, mountpoint, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(error, err, "cannot make the mount point %s", mountpoint);
	}
	if (stat(mountpoint, &st) < 0)
		return fail(error, errno, "cannot use the mount point %s", mountpoint);
	if (!S_ISDIR(st.st_mode))
		return fail(error, ENOTDIR, "cannot mount at %s", mountpoint);
	/* /proc, say, by a slip. */
	if (!nonempty && !is_empty(mountpoint))
		return fail(error, ENOTEMPTY, "cannot mount at %s (-o nonempty mounts over it)",
			    mountpoint);
	return true;
}

bool mount_resume(const struct host *host, const char *mountpoint, struct mountpoint *ret,
		  GError **error)
{
	g_autofree char *source = NULL;

	if (!lock_take(host, mountpoint, &ret->lock, error))
		return false;
	return (instance_source(mountpoint, &source) == 0 &&
		look(host, mountpoint, source) == OURS) ||
	       fail(error, ENOTCONN, "the earlier mount at %s is not there", mountpoint);
}

void mount_give_up(const char *mountpoint, struct mountpoint *mp, bool served)
{
	if (mp->made && !served)
		(void)rmdir(mountpoint);
	if (mp->made_id && !served)
		instance_forget(mountpoint);
	lock_give_up(mountpoint, &mp->lock);
}

bool mount_fuse(const char *mountpoint, const char *options, int *ret_fd, GError **error)
{
	AUTO_FD int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	g_autofree char *data = NULL;
	g_autofree char *source = NULL;
	int r;

	if (fd < 0)
		return fail(error, errno,
			    "cannot open /dev/fuse (is the kernel module fuse loaded?)");
	r = instance_source(mountpoint, &source);
	if (r < 0)
		return fail(error, -r, "cannot read the id of the mount point %s", mountpoint);
	data = g_strdup_printf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,"
			       "default_permissions%s",
			       fd, options);
	if (mount(source, mountpoint, INSTANCE_FS_TYPE,
		  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, data) < 0)
		return fail(error, errno, "cannot mount at %s", mountpoint);
	*ret_fd = fd_steal(&fd);
	return true;
}

int mount_end(const struct host *host, const char *mountpoint)
{
	g_autofree char *source = NULL;
	int r = instance_source(mountpoint, &source);

	if (r == 0 && look(host, mountpoint, source) != OURS)
		r = -ESTALE;
	return r < 0 ? r : end(mountpoint, OURS);
}
