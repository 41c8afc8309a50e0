/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/instance.h"
#include "host/pid.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/num.h"
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

static DIR *open_dir(int dirfd, const char *path)
{
	AUTO_FD int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)fd_steal(&fd);
	return dir;
}

/* The next entry that is a number, or -1. */
static int next_number(DIR *dir)
{
	const struct dirent *e;
	uint64_t n;

	while ((e = readdir(dir)))
		if (num_parse(e->d_name, &n) && n <= INT_MAX)
			return (int)n;
	return -1;
}

struct file {
	const char *name; /* without directories */
	struct stat st;
};

/*
 * By its name, whatever the mount namespace, first: the files that a process has open may be on a
 * file system that does not answer.
 */
static bool is_file(int fds, int fd, const struct file *file)
{
	char number[16], path[PATH_MAX];
	const char *name;
	struct stat st;
	ssize_t n;

	(void)snprintf(number, sizeof(number), "%d", fd);
	n = readlinkat(fds, number, path, sizeof(path) - 1);
	path[MAX(n, 0)] = '\0';
	name = strrchr(path, '/');
	return name && strcmp(name + 1, file->name) == 0 && fstatat(fds, number, &st, 0) == 0 &&
	       st.st_dev == file->st.st_dev && st.st_ino == file->st.st_ino;
}

/* The number of a descriptor that @pid has of @file, or -1. */
static int find_open(const struct host *host, pid_t pid, const struct file *file)
{
	char path[32];
	DIR *dir;
	int fd = -1;

	(void)snprintf(path, sizeof(path), "%d/fd", pid);
	dir = open_dir(host_proc_dir(host), path);
	if (!dir)
		return -1;
	do
		fd = next_number(dir);
	while (fd >= 0 && !is_file(dirfd(dir), fd, file));
	closedir(dir);
	return fd;
}

/* The lock is that of all who have this same descriptor. */
static void unlock_of(pid_t pid, int fd)
{
	AUTO_FD int process = sys_pidfd_open(pid);
	AUTO_FD int lock = process < 0 ? -1 : sys_pidfd_getfd(process, fd);

	if (lock >= 0)
		(void)flock(lock, LOCK_UN);
}

/*
 * Calls unlock_of() for each that has @file, if @unlock. Returns whether all of them were killed.
 */
static bool are_killed(const struct host *host, const struct file *file, bool unlock)
{
	DIR *dir = open_dir(host_proc_dir(host), ".");
	bool killed = dir;
	pid_t pid;

	while (killed && (pid = next_number(dir)) >= 0) {
		int fd = pid == getpid() ? -1 : find_open(host, pid, file);

		if (fd >= 0 && host_pid_is_killed(host, pid, &killed) == 0 && killed && unlock)
			unlock_of(pid, fd);
	}
	if (dir)
		closedir(dir);
	return killed;
}

/*
 * A worker that was killed while its cgroup was frozen (v1) has the lock until it is thawed. It
 * does nothing before it is dead; but others may have the lock, too.
 */
static bool take_from_killed(const struct host *host, int fd, const char *path)
{
	g_autofree char *name = g_path_get_basename(path);
	struct file file = { .name = name };

	if (fstat(fd, &file.st) < 0 || !are_killed(host, &file, false))
		return false;
	(void)are_killed(host, &file, true);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	log_warning("a process of an earlier instance was killed and does not die: is it frozen?");
	return true;
}

bool lock_take(const struct host *host, const char *mountpoint, int *ret, GError **error)
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
		if (!take_from_killed(host, fd, path)) {
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
				    "another lxcfs-clone serves %s already", mountpoint);
			return false;
		}
	}
	/* Taken from under us: who had it removed it before letting go. */
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return lock_take(host, mountpoint, ret, error);
	*ret = fd_steal(&fd);
	return true;
}

void lock_give_up(const char *mountpoint, int *lock)
{
	g_autofree char *path = instance_path(mountpoint, "lock");

	if (*lock >= 0)
		(void)unlink(path);
	fd_close(lock);
}
