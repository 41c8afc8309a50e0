/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/instance.h"
#include "bind/table.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* Who was killed lets go of its lock a moment after it is gone from sight. */
#define LOCK_MS 1000u

static bool lock_patiently(int fd)
{
	uint64_t start = sys_coarse_ms();

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || sys_coarse_ms() - start >= LOCK_MS)
			return false;
		g_usleep(10000);
	}
	return true;
}

/* One instance a mount point: the lock's name is the mount point's. */
static bool take_lock(const char *mountpoint, int *ret, GError **error)
{
	g_autofree char *path = instance_path(mountpoint, "lock");
	struct stat st;
	AUTO_FD int fd = -1;

	if (g_mkdir_with_parents(INSTANCE_RUN_DIR, 0755) < 0)
		return fail(error, errno, "cannot make " INSTANCE_RUN_DIR);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(error, errno, "cannot open %s", path);
	if (!lock_patiently(fd)) {
		if (errno != EWOULDBLOCK)
			return fail(error, errno, "cannot lock %s", path);
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
			    "another lxcfs-clone serves %s already", mountpoint);
		return false;
	}
	/* Taken from under us: who had it removed it before letting go. */
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return take_lock(mountpoint, ret, error);
	*ret = fd_steal(&fd);
	return true;
}

struct topmost {
	const char *mountpoint;
	bool ours;
};

static bool look_at(const struct mountinfo *m, void *arg)
{
	struct topmost *t = arg;

	if (strcmp(m->point, t->mountpoint) == 0)
		t->ours = strcmp(m->fstype, INSTANCE_FS_TYPE) == 0;
	return true;
}

/* Whether the topmost mount at @mountpoint is of an lxcfs-clone (by the last such line). */
static bool is_ours(const struct host *host, const char *mountpoint)
{
	struct topmost top = { .mountpoint = mountpoint };
	AUTO_FD int fd = openat(host_proc_dir(host), "self/mountinfo", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && table_each(fd, UINT64_MAX, look_at, &top) == 0 && top.ours;
}

static bool is_empty(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

	return dir && !g_dir_read_name(dir);
}

bool mount_prepare(const struct host *host, const char *mountpoint, bool nonempty,
		   struct mountpoint *ret, GError **error)
{
	g_autofree char *source = NULL;
	struct stat st;
	int r;

	if (!take_lock(mountpoint, &ret->lock, error))
		return false;
	r = instance_source_make(mountpoint, &source, &ret->made_id);
	if (r < 0)
		return fail(error, -r, "cannot make an id for the mount point %s", mountpoint);
	/* With the lock ours, a mount of ours there belongs to nobody: dead, or left behind. */
	while (is_ours(host, mountpoint)) {
		log_info("detaching what an earlier instance left at %s", mountpoint);
		if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return fail(error, errno, "cannot detach the old mount at %s", mountpoint);
	}
	ret->made = access(mountpoint, F_OK) < 0;
	if (g_mkdir_with_parents(mountpoint, 0755) < 0 && errno != EEXIST)
		return fail(error, errno, "cannot make the mount point %s", mountpoint);
	if (stat(mountpoint, &st) < 0)
		return fail(error, errno, "cannot use the mount point %s", mountpoint);
	if (!S_ISDIR(st.st_mode))
		return fail(error, ENOTDIR, "cannot mount at %s", mountpoint);
	/* /proc, say, by a slip. */
	if (!nonempty && !is_empty(mountpoint))
		return fail(error, ENOTEMPTY, "cannot mount at %s (-o nonempty would)", mountpoint);
	return true;
}

bool mount_resume(const struct host *host, const char *mountpoint, struct mountpoint *ret,
		  GError **error)
{
	if (!take_lock(mountpoint, &ret->lock, error))
		return false;
	return is_ours(host, mountpoint) ||
	       fail(error, ENOTCONN, "the earlier mount at %s is not there", mountpoint);
}

void mount_give_up(const char *mountpoint, struct mountpoint *mp, bool served)
{
	g_autofree char *path = instance_path(mountpoint, "lock");

	if (mp->made && !served)
		(void)rmdir(mountpoint);
	if (mp->made_id && !served)
		instance_forget(mountpoint);
	if (mp->lock >= 0)
		(void)unlink(path);
	fd_close(&mp->lock);
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

void mount_detach(const struct host *host, const char *mountpoint)
{
	if (!is_ours(host, mountpoint))
		log_warning("%s is not unmounted: something else is mounted there", mountpoint);
	else if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		log_warning("cannot unmount %s: %s", mountpoint, g_strerror(errno));
}
