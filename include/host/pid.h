/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What /proc/PID says of a process or thread. Every function: -ESRCH or -ENOENT when it is gone. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct host;

enum host_ns { HOST_NS_CGROUP, HOST_NS_PID, HOST_NS_TIME, HOST_N_NS };

/* From /proc/PID/stat (proc(5)). */
struct pidstat {
	char state; /* R, D, S, … */
	uint64_t ppid;
	bool exiting; /* as a first thread that has left others behind: v1 tells no cgroups of it */
	uint64_t start_ticks; /* since boot, in USER_HZ, of the boottime clock */
};

/* comm may hold anything, ") R 1 " too: all is taken from behind the last ')'. 0 or -EBADMSG. */
int pidstat_parse(const char *text, struct pidstat *ret);

/* The last number of the NSpid line of /proc/PID/status: the pid in its own namespace. */
int nspid_parse(const char *status, uint64_t *ret);

/* Whether SIGKILL is in the SigPnd line of /proc/PID/status. 0 or -EBADMSG. */
int sigpnd_parse(const char *status, bool *ret_killed);

/* Seconds and nanoseconds of the boottime line of /proc/PID/timens_offsets, as nanoseconds. */
int timens_parse(const char *text, int64_t *ret_ns);

int host_pid_stat(const struct host *host, pid_t pid, struct pidstat *ret);
/* The same of one thread alone (/proc/TID/task/TID/stat), which does not sum over its process. */
int host_task_stat(const struct host *host, pid_t tid, struct pidstat *ret);
int host_pid_nspid(const struct host *host, pid_t pid, uint64_t *ret);

/*
 * Whether @pid got SIGKILL and has not seen it yet: it is about to die, or, frozen on cgroup v1,
 * will when it is thawed; in between it does nothing any more.
 */
int host_pid_is_killed(const struct host *host, pid_t pid, bool *ret);
int host_pid_timens(const struct host *host, pid_t pid, int64_t *ret_ns);

/* /proc/PID/personality, see personality(2). */
int host_pid_personality(const struct host *host, pid_t pid, unsigned long *ret);

/* Text of /proc/PID/cgroup, as the calling thread's cgroup namespace shows it; see fd_read(). */
ssize_t host_pid_cgroup(const struct host *host, pid_t pid, char *buf, size_t size);
/* The same file (the calling thread's when @pid is 0) opened, for fd_read(). Or -errno. */
int host_pid_cgroup_open(const struct host *host, pid_t pid);

/* The inode number that names a namespace of @pid (of ourselves when 0). 0 or -errno. */
int host_pid_ns(const struct host *host, pid_t pid, enum host_ns ns, uint64_t *ret_ino);

/*
 * A directory descriptor of /proc/PID/ns, O_PATH. It stands for that very process or thread: when
 * that is gone, host_ns_at() says -ENOENT or -ESRCH, also if the pid is in use again.
 */
int host_pid_ns_dir(const struct host *host, pid_t pid);
int host_ns_at(int ns_dir, enum host_ns ns, uint64_t *ret_ino);

/* A descriptor of that namespace, which keeps it alive (and so its inode number in use). */
int host_pid_ns_open(const struct host *host, pid_t pid, enum host_ns ns);
