/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/channel.h"
#include "run/fail.h"
#include "run/root.h"
#include "util/fd.h"
#include "util/sys.h"

#define NS_PER_S 1000000000u

int apart_open_mounts(const struct host *host)
{
	return openat(host_proc_dir(host), "self/ns/mnt", O_RDONLY | O_CLOEXEC);
}

/* Our own again, which may be that of a chroot. */
static int go_to_root(int root)
{
	return fchdir(root) < 0 || chroot(".") < 0 ? -errno : 0;
}

bool apart_mounts(const struct host *host, GError **error)
{
	int r = unshare(CLONE_NEWNS) < 0 ? -errno : 0;
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (r == 0)
		r = root_leave_chroot(host);
	/* Slaves: what the host unmounts does not stay busy because of us. */
	if (r == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		r = -errno;
	if (r == 0)
		r = go_to_root(root);
	return r == 0 || run_fail(error, -r, "cannot make a mount namespace");
}

void apart_leave_mounts(int mounts, int root)
{
	/* Without it we are where we are, and it ends with us. */
	if (mounts >= 0 && setns(mounts, CLONE_NEWNS) == 0 && go_to_root(root) < 0)
		return;
}

bool apart_time(const struct host *host, bool wanted, GError **error)
{
	AUTO_FD int fd = -1;
	uint64_t now = sys_boottime_ns();
	char text[64];
	int n;

	if (!wanted)
		return true;
	if (unshare(CLONE_NEWTIME) < 0)
		return run_fail(error, errno,
				"cannot make a time namespace (--no-time-ns does without)");
	/* The kernel takes no negative nanoseconds: a second more is taken away, and the rest of
	 * it given back, as its largest part if there is none. */
	n = snprintf(text, sizeof(text), "boottime -%llu %llu",
		     (unsigned long long)(now / NS_PER_S + 1),
		     (unsigned long long)MIN(NS_PER_S - now % NS_PER_S, NS_PER_S - 1));
	fd = openat(host_proc_dir(host), "self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return run_fail(error, errno, "cannot set the clock of a time namespace");
	return true;
}

void apart_leave_time(const struct host *host)
{
	AUTO_FD int own = openat(host_proc_dir(host), "self/ns/time", O_RDONLY | O_CLOEXEC);

	/* Where it cannot be had there are no such namespaces. */
	if (own >= 0)
		(void)setns(own, CLONE_NEWTIME);
}

void apart_terminal(void)
{
	AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
}

/* Stays in it until the other end of the socket is gone, whatever ends that. */
_Noreturn static void hold_userns(int channel)
{
	char c = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';

	if (write(channel, &c, 1) == 1)
		while (read(channel, &c, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

static bool map_holder(const struct host *host, pid_t pid, int channel, const struct users *users,
		       int *ret, GError **error)
{
	char path[32], c = 0;
	int fd;

	if (read(channel, &c, 1) != 1 || c != 'y')
		return run_fail(error, 0, "cannot make a user namespace");
	if (!users_map(host, pid, users, error))
		return false;
	(void)snprintf(path, sizeof(path), "%d/ns/user", pid);
	fd = openat(host_proc_dir(host), path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return run_fail(error, errno, "cannot open a user namespace");
	*ret = fd;
	return true;
}

bool apart_open_userns(const struct host *host, const struct users *users, int *ret, GError **error)
{
	int ends[2];
	pid_t pid;
	bool ok;

	if (!channel_make(ends, error))
		return false;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		hold_userns(ends[1]);
	}
	close(ends[1]);
	ok = pid > 0 ? map_holder(host, pid, ends[0], users, ret, error)
		     : run_fail(error, errno, "cannot start a process");
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return ok;
}
