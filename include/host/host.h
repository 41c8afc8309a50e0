/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The host's /proc and /sys: the only module that knows those paths. In production the root is "/"
 * and procfs is a private mount, so that no file bound over the host's /proc (ours, say) can turn a
 * read back on us; tests open a fixture tree.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Files that are kept open. The kernel makes their text anew for each read at offset 0. */
enum host_file {
	HOST_MEMINFO,           /* proc/meminfo */
	HOST_STAT,              /* proc/stat */
	HOST_CPUINFO,           /* proc/cpuinfo */
	HOST_UPTIME,            /* proc/uptime */
	HOST_LOADAVG,           /* proc/loadavg */
	HOST_DISKSTATS,         /* proc/diskstats */
	HOST_SWAPS,             /* proc/swaps */
	HOST_OVERCOMMIT_RATIO,  /* proc/sys/vm/overcommit_ratio, percent */
	HOST_OVERCOMMIT_KBYTES, /* proc/sys/vm/overcommit_kbytes, 0: the ratio counts */
	HOST_CPU_ONLINE,        /* sys/devices/system/cpu/online */
	HOST_N_FILES,
};

struct host;
struct host_text;

/* Opens @root ("/" or a fixture tree). Returns 0 with an owned *@ret, or -errno. */
int host_open(const char *root, struct host **ret);
struct host *host_free(struct host *host);

/*
 * @fn is called by a thread before it asks the kernel for what may take milliseconds: by
 * host_text_get(), and by those who know of other such things, with host_slow().
 */
void host_on_slow(struct host *host, void (*fn)(void *arg), void *arg);
void host_slow(const struct host *host);

/*
 * The procfs at its usual place and nothing else, O_PATH, for programs that live for a moment. Its
 * pids may be those of a namespace above ours. A descriptor, or -errno; -ENOENT: no procfs lies
 * there.
 */
int host_open_mounted_proc(void);

/* Directory descriptors of procfs and sysfs, borrowed. */
int host_proc_dir(const struct host *host);
int host_sys_dir(const struct host *host);

/* Whole text of a kept file, see fd_read(). -ENOENT: this host has no such file. */
ssize_t host_read(const struct host *host, enum host_file file, char *buf, size_t size);

/* Text of /proc/self/@name: "mountinfo", "cgroup". As fd_read_at(). */
ssize_t host_read_self(const struct host *host, const char *name, char *buf, size_t size);

/* A node with thousands of containers has some 100,000 mounts, of 200 bytes each. */
#define MOUNTINFO_SIZE ((size_t)32 << 20)

/* The executable that we run, O_PATH: the same file, whatever lies at its path by now. */
int host_open_self_exe(const struct host *host);

/* The path at which it lay when it was started. 0, -ENAMETOOLONG or -errno. */
int host_self_exe_path(const struct host *host, char *buf, size_t size);

/*
 * Seconds after which the kernel aborts a FUSE connection that has not answered a request: the
 * smaller one of fs.fuse.default_request_timeout and max_request_timeout; 0: never.
 */
unsigned host_fuse_timeout(const struct host *host);

/* The mount namespace of the first process that we see. A descriptor or -errno. */
int host_open_init_mounts(const struct host *host);

/* We are in a pid namespace below another one: its processes have no pid that we could see. */
bool host_is_nested(const struct host *host);

/* One above the highest cpu that this host may ever have (/sys/devices/system/cpu/possible). */
int host_possible_cpus(const struct host *host, unsigned *ret);

/*
 * The text of a kept file as it was at most @max_age_ms ago, shared by all readers: for files whose
 * making costs the kernel milliseconds on a big host. One reader at a time makes it anew; meanwhile
 * the others get the former one, if that is not older by more than half a second. Returns 0 with a
 * reference in *@ret, or -errno.
 */
int host_text_get(struct host *host, enum host_file file, unsigned max_age_ms,
		  struct host_text **ret);

struct host_text {
	atomic_uint refs;
	size_t len;
	char str[]; /* NUL-terminated */
};

/* The same as it is now, made for this reader alone. */
int host_text_make(const struct host *host, enum host_file file, struct host_text **ret);

void host_text_unref(struct host_text *text);

static inline void host_text_cleanup(struct host_text **text)
{
	if (*text)
		host_text_unref(*text);
}
#define AUTO_HOST_TEXT __attribute__((cleanup(host_text_cleanup)))

/* The biggest text that any kept file may have: 8192 cpus of x86's cpuinfo. */
#define HOST_TEXT_MAX ((size_t)16 << 20)
