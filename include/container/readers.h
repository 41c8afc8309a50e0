/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Threads that read again and again (agents, top): what tells their container is kept open, which
 * spares most of the cost of asking for it. The pid namespace that a thread is in never changes. Of
 * the rest this much is taken to be as it was a tenth of a second ago: that a thread is in a cgroup
 * at or below its init's, and its time namespace.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/pid.h"

struct readers;

struct readers *readers_new(const struct host *host);
struct readers *readers_free(struct readers *all);

/* What a thread is in. */
struct reader_place {
	uint64_t cgroupns, pidns; /* inode numbers */
	char *cgroups; /* text of /proc/TID/cgroup, in the caller's buffer; NULL: see below */
};

/*
 * Fills @ret for the thread @tid. .pidns and .cgroups (in @buf) only if its cgroup namespace is
 * @own_cgroupns, the host's: else that one tells all. No .cgroups either for a thread that
 * readers_settle() spoke of lately. 0, -ESRCH or -ENOENT when it is gone, or -errno.
 */
int readers_place(struct readers *all, pid_t tid, uint64_t own_cgroupns, char *buf, size_t size,
		  struct reader_place *ret);

/* The thread @tid, just asked for, is in a cgroup at or below that of its pid namespace's init. */
void readers_settle(struct readers *all, pid_t tid);
void readers_unsettle(struct readers *all, pid_t tid);

/* The inode number of its time namespace. 0, -ESRCH, -ENOENT or -errno. */
int readers_timens(struct readers *all, pid_t tid, uint64_t *ret_ino);

/* Close what belongs to threads that did not read for @idle_ms. */
void readers_sweep(struct readers *all, uint64_t idle_ms);
