/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/pidns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "host/pid.h"
#include "util/fd.h"
#include "util/num.h"

/* Linux 6.11; Debian 12's headers are older. */
#ifndef NS_GET_TGID_FROM_PIDNS
#define NS_GET_TGID_FROM_PIDNS _IOR(NSIO, 0x7, int)
#endif

/* From a process to the init above it; shells and the like are few. */
#define MAX_ANCESTORS 64u

static bool is_init(const struct host *host, pid_t pid, uint64_t ns_ino)
{
	uint64_t ino, inner;

	return host_pid_ns(host, pid, HOST_NS_PID, &ino) == 0 && ino == ns_ino &&
	       host_pid_nspid(host, pid, &inner) == 0 && inner == 1;
}

/* All that was not brought there from outside descends from it. */
static pid_t find_above(const struct host *host, pid_t pid, uint64_t ns_ino)
{
	struct pidstat st;

	for (unsigned i = 0; i < MAX_ANCESTORS && pid > 0; i++) {
		if (is_init(host, pid, ns_ino))
			return pid;
		if (host_pid_stat(host, pid, &st) < 0 || st.ppid > INT_MAX)
			break;
		pid = (pid_t)st.ppid;
	}
	return 0;
}

static pid_t find_anywhere(const struct host *host, uint64_t ns_ino)
{
	int fd = openat(host_proc_dir(host), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	pid_t found = 0;
	uint64_t pid;

	if (!dir) {
		fd_close(&fd);
		return 0;
	}
	while (!found && (entry = readdir(dir)))
		if (num_parse(entry->d_name, &pid) && pid <= INT_MAX &&
		    is_init(host, (pid_t)pid, ns_ino))
			found = (pid_t)pid;
	closedir(dir);
	return found;
}

int host_pidns_init_by_search(const struct host *host, int ns_fd, pid_t member, pid_t *ret)
{
	struct stat st;
	pid_t pid;

	if (fstat(ns_fd, &st) < 0)
		return -errno;
	pid = find_above(host, member, st.st_ino);
	if (!pid)
		pid = find_anywhere(host, st.st_ino);
	if (!pid)
		return -ESRCH;
	*ret = pid;
	return 0;
}

int host_pidns_init(const struct host *host, int ns_fd, pid_t member, pid_t *ret)
{
	int pid = ioctl(ns_fd, NS_GET_TGID_FROM_PIDNS, 1);

	if (pid > 0) {
		*ret = pid;
		return 0;
	}
	return errno == ENOTTY ? host_pidns_init_by_search(host, ns_fd, member, ret) : -errno;
}

int host_pidns_parent(int ns_fd)
{
	int fd = ioctl(ns_fd, NS_GET_PARENT);

	return fd < 0 ? -errno : fd;
}
