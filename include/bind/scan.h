/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Who sees mounts of ours: processes, each pair of a mount namespace and a root directory once. */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "bind/table.h"

struct host;

struct view_of {
	pid_t pid;               /* the first process found with it */
	int ns;                  /* its mount namespace */
	const GPtrArray *bounds; /* what it has of ours: struct bound, at least one */
};

struct scan_counts {
	unsigned looked_at;  /* pairs */
	unsigned unreadable; /* processes that we were not let near */
	unsigned late;       /* whose table was not read to its end */
	bool incomplete;     /* the time was up */
};

/*
 * All is borrowed for the call. Returns whether the pair is done with; else the next process that
 * has the same gets its turn, a few times. A root is known by its path alone, and there may be two
 * of one path, one mounted over the other.
 */
typedef bool scan_fn(const struct view_of *view, void *arg);

/*
 * Calls @fn for each pair that has mounts of @ours, until @deadline_ms (sys_coarse_ms()), but for those
 * whose table takes longer than @patience_ms. The table is read just before: what an earlier call
 * changed in a namespace that shares its mounts shows. Only tables and links of procfs are read: no file
 * system can make it wait, not by its being the root of a process either. Processes that end meanwhile
 * are passed over. Returns 0, or what reading the list of processes says.
 */
int scan_processes(const struct host *host, const struct ours *ours, uint64_t deadline_ms,
		   unsigned patience_ms, scan_fn *fn, void *arg, struct scan_counts *ret);
