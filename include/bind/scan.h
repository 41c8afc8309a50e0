/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Who may see mounts of ours: each pair of a mount namespace and a root directory once. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct host;

/* What one process of a pair cannot reach another one may, or the first one has ended. */
#define PLACE_PIDS_MAX 8u

struct place {
	uint64_t ns;                /* the number of the mount namespace */
	pid_t pids[PLACE_PIDS_MAX]; /* of the first ones found there, the lowest first */
	unsigned n_pids;
	bool more; /* there were others */
};

/*
 * @place is given away: to be freed with g_free(), but not before the scan is over. More pids may
 * be found until then. Returns whether to go on.
 */
typedef bool scan_fn(struct place *place, void *arg);

/*
 * Calls @fn for each pair. A root is known by its path alone; there may be two of one path, one
 * mounted over the other. Only links of procfs are read: no file system can make it wait, not by
 * its being the root of a process either. Processes that end meanwhile are passed over;
 * *@ret_unreadable: how many we were not let near. Returns 0, or what reading the list of processes
 * says.
 */
int scan_processes(const struct host *host, scan_fn *fn, void *arg, unsigned *ret_unreadable);
