/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/pid.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "util/fd.h"
#include "util/num.h"

/* "/proc/" is the directory; "4194304/task/4194304/stat" the longest name below it. */
#define PATH_SIZE 48

/* Of /proc/PID/stat's flags. It is set before v1 tells the root for a process's cgroups. */
#define PF_EXITING 0x4

static const char *const ns_names[HOST_N_NS] = {
	[HOST_NS_CGROUP] = "cgroup",
	[HOST_NS_PID] = "pid",
	[HOST_NS_TIME] = "time",
};

static const char *skip_fields(const char *p, unsigned n)
{
	while (n-- && p) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p;
}

int pidstat_parse(const char *text, struct pidstat *ret)
{
	struct pidstat st = { 0 };
	const char *p = strrchr(text, ')');
	uint64_t flags;

	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return -EBADMSG;
	st.state = p[2];
	p += 4; /* field 4, ppid */
	if (!num_take(&p, &st.ppid) || *p != ' ')
		return -EBADMSG;
	p = skip_fields(p + 1, 4); /* from field 5 to field 9, flags */
	if (!p || !num_take(&p, &flags) || *p != ' ')
		return -EBADMSG;
	st.exiting = flags & PF_EXITING;
	p = skip_fields(p + 1, 12); /* from field 10 to field 22, starttime */
	if (!p || !num_take(&p, &st.start_ticks) || *p != ' ')
		return -EBADMSG;
	*ret = st;
	return 0;
}

int nspid_parse(const char *status, uint64_t *ret)
{
	const char *p = strstr(status, "\nNSpid:");
	uint64_t pid = 0;

	if (!p)
		return -EBADMSG;
	p += strlen("\nNSpid:");
	while (num_take_field(&p, &pid))
		;
	if (pid == 0 || *p != '\n')
		return -EBADMSG;
	*ret = pid;
	return 0;
}

int sigpnd_parse(const char *status, bool *ret_killed)
{
	const char *p = strstr(status, "\nSigPnd:\t");

	if (!p)
		return -EBADMSG;
	p += strlen("\nSigPnd:\t");
	if (strspn(p, "0123456789abcdef") != 16 || p[16] != '\n')
		return -EBADMSG;
	*ret_killed = strtoull(p, NULL, 16) >> (SIGKILL - 1) & 1;
	return 0;
}

int timens_parse(const char *text, int64_t *ret_ns)
{
	const char *p = strstr(text, "boottime");
	uint64_t sec, nsec;
	bool negative;

	if (!p)
		return -EBADMSG;
	p += strlen("boottime");
	p += strspn(p, " \t");
	negative = *p == '-';
	p += negative;
	/* The kernel refuses offsets above KTIME_SEC_MAX / 2. */
	if (!num_take(&p, &sec) || !num_take_field(&p, &nsec) || sec > INT64_MAX / 2000000000 ||
	    nsec >= 1000000000)
		return -EBADMSG;
	*ret_ns = (negative ? -(int64_t)sec : (int64_t)sec) * 1000000000 + (int64_t)nsec;
	return 0;
}

static ssize_t read_pid(const struct host *host, pid_t pid, const char *name, char *buf,
			size_t size)
{
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%d/%s", pid, name);
	return fd_read_at(host_proc_dir(host), path, buf, size);
}

int host_pid_stat(const struct host *host, pid_t pid, struct pidstat *ret)
{
	char buf[2048];
	ssize_t n = read_pid(host, pid, "stat", buf, sizeof(buf));

	return n < 0 ? (int)n : pidstat_parse(buf, ret);
}

int host_task_stat(const struct host *host, pid_t tid, struct pidstat *ret)
{
	char name[32], buf[2048];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "task/%d/stat", tid);
	n = read_pid(host, tid, name, buf, sizeof(buf));
	return n < 0 ? (int)n : pidstat_parse(buf, ret);
}

int host_pid_nspid(const struct host *host, pid_t pid, uint64_t *ret)
{
	/* The Groups line may have 65536 numbers: who has that many is not told. */
	char buf[16384];
	ssize_t n = read_pid(host, pid, "status", buf, sizeof(buf));

	return n < 0 ? (int)n : nspid_parse(buf, ret);
}

int host_pid_is_killed(const struct host *host, pid_t pid, bool *ret)
{
	char buf[16384];
	ssize_t n = read_pid(host, pid, "status", buf, sizeof(buf));

	return n < 0 ? (int)n : sigpnd_parse(buf, ret);
}

int host_pid_timens(const struct host *host, pid_t pid, int64_t *ret_ns)
{
	char buf[256];
	ssize_t n = read_pid(host, pid, "timens_offsets", buf, sizeof(buf));

	return n < 0 ? (int)n : timens_parse(buf, ret_ns);
}

int host_pid_personality(const struct host *host, pid_t pid, unsigned long *ret)
{
	char buf[32], *end;
	ssize_t n = read_pid(host, pid, "personality", buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	*ret = strtoul(buf, &end, 16);
	return end == buf ? -EBADMSG : 0;
}

int host_pid_cgroup_open(const struct host *host, pid_t pid)
{
	char path[PATH_SIZE] = "thread-self/cgroup";
	int fd;

	if (pid)
		(void)snprintf(path, sizeof(path), "%d/cgroup", pid);
	fd = openat(host_proc_dir(host), path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

ssize_t host_pid_cgroup(const struct host *host, pid_t pid, char *buf, size_t size)
{
	AUTO_FD int fd = host_pid_cgroup_open(host, pid);

	return fd < 0 ? fd : fd_read_once(fd, buf, size);
}

static void ns_path(char path[PATH_SIZE], pid_t pid, enum host_ns ns)
{
	if (pid)
		(void)snprintf(path, PATH_SIZE, "%d/ns/%s", pid, ns_names[ns]);
	else
		(void)snprintf(path, PATH_SIZE, "thread-self/ns/%s", ns_names[ns]);
}

static int read_ns(int dir, const char *path, uint64_t *ret_ino)
{
	char link[64]; /* "pid:[4026531836]" */
	const char *p;
	ssize_t n = readlinkat(dir, path, link, sizeof(link) - 1);

	if (n < 0)
		return -errno;
	link[n] = '\0';
	p = strchr(link, '[');
	if (!p)
		return -EBADMSG;
	p++;
	return num_take(&p, ret_ino) && *p == ']' ? 0 : -EBADMSG;
}

int host_pid_ns(const struct host *host, pid_t pid, enum host_ns ns, uint64_t *ret_ino)
{
	char path[PATH_SIZE];

	ns_path(path, pid, ns);
	return read_ns(host_proc_dir(host), path, ret_ino);
}

int host_pid_ns_dir(const struct host *host, pid_t pid)
{
	char path[PATH_SIZE];
	int fd;

	(void)snprintf(path, sizeof(path), "%d/ns", pid);
	fd = openat(host_proc_dir(host), path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int host_ns_at(int ns_dir, enum host_ns ns, uint64_t *ret_ino)
{
	return read_ns(ns_dir, ns_names[ns], ret_ino);
}

int host_pid_ns_open(const struct host *host, pid_t pid, enum host_ns ns)
{
	char path[PATH_SIZE];
	int fd;

	ns_path(path, pid, ns);
	fd = openat(host_proc_dir(host), path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
