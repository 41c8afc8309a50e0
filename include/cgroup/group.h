/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A cgroup of our own, the same path in each hierarchy: made, limited, frozen, emptied, removed. */
#include <stdbool.h>
#include <sys/types.h>

#include "cgroup/layout.h"
#include "cgroup/limits.h"

struct cg_group {
	const struct cg_layout *layout;
	char *above, *name;           /* "/ABOVE/NAME", from the root of what is mounted */
	int dirs[CG_MAX_HIERARCHIES]; /* O_PATH, by hierarchy; -1: there is none */
};

/*
 * Make "/@above/@name" (single components) in each hierarchy of @layout, which is borrowed and
 * outlives the group. What is there of that name must be empty and is made anew. On v1 its cpuset
 * is that of the cgroup above; on v2 the controllers of struct cg_limits are handed down to it
 * where that is possible. *@ret_hierarchy is the one that refused.
 *
 * Returns 0, or -EBUSY: processes are in it, or -errno; then nothing is left behind.
 */
int cg_group_make(const struct cg_layout *layout, const char *above, const char *name,
		  struct cg_group *ret, size_t *ret_hierarchy);

/* What there is of it, whoever made it. 0, -ENOENT: in no hierarchy, or -errno. */
int cg_group_open(const struct cg_layout *layout, const char *above, const char *name,
		  struct cg_group *ret);

/* Forget it; the cgroups stay. */
void cg_group_clear(struct cg_group *group);

/* O_PATH, borrowed, in the hierarchy of @controller; -1: none. */
int cg_group_dir(const struct cg_group *group, enum cg_controller controller);

/* The version of the hierarchy that has @controller; CG_N_VERSIONS: this host has none. */
enum cg_version cg_group_version(const struct cg_group *group, enum cg_controller controller);

/* The directory in the v2 hierarchy (clone3's CLONE_INTO_CGROUP), borrowed; -1: none. */
int cg_group_v2_dir(const struct cg_group *group);

/* Write one setting. 0, -ENOENT: no such controller or file, or -errno. */
int cg_group_set(const struct cg_group *group, const struct cg_setting *setting);

/* On v1: all devices are denied but @rules, texts as "c 1:3 rwm". 0 or -errno. */
int cg_group_allow_devices(const struct cg_group *group, const GPtrArray *rules);

/*
 * Move process @pid (0: the caller) to it in each hierarchy. 0 or -errno; *@ret_hierarchy as above.
 */
int cg_group_enter(const struct cg_group *group, pid_t pid, size_t *ret_hierarchy);

/*
 * On v2 a cgroup that hands controllers down takes no process. If it does, the group stands from
 * here on for the one below it that somebody is in: @places, of cg_places_parse(). 0 or -errno.
 */
int cg_group_descend(struct cg_group *group, const struct cg_place *places);

/* Stop its processes, or let them go on, and wait until they have. 0, -ETIMEDOUT or -errno. */
int cg_group_freeze(const struct cg_group *group, bool frozen);

/* 1: frozen (asked for, maybe not reached yet), 0: not, or -errno. */
int cg_group_is_frozen(const struct cg_group *group);

/* Owned array of pid_t: its processes and those of the cgroups below it, sorted. */
GArray *cg_group_pids(const struct cg_group *group);

/*
 * SIGKILL to all of them, frozen or not, and wait until none is left. 0, or -EBUSY: something does
 * not die within @timeout_ms, or -errno.
 */
int cg_group_kill(const struct cg_group *group, unsigned timeout_ms);

/*
 * Remove it with what is below it; the one above goes too if it is empty. Waits for what is dying.
 * 0, or -EBUSY: processes are in it after @timeout_ms, or -errno.
 */
int cg_group_remove(struct cg_group *group, unsigned timeout_ms);
