/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The container's cgroups: /lxcfs-clone-run/NAME in every hierarchy of the host, v1, v2 or both.
 *
 * In the launch: cgroups_make() before clone3; cgroups_clone_fd() for CLONE_INTO_CGROUP, if there
 * is one; cgroups_enter() by the parent, while the child waits for its word. A cgroup namespace has
 * for its root where its maker is, which for clone3's CLONE_NEWCGROUP is the parent: the child
 * unshares it after that word.
 */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host/host.h"
#include "run/spec.h"

struct cgroups;

/*
 * Make the cgroups of container @name with @limits and with @devices (of struct spec_device; NULL:
 * none) allowed beside the usual ones. A limit that this host cannot set is an error that names
 * controller and file. A dead container's of that name are made anew. Owned *@ret, or false with
 * @error set and nothing left behind.
 */
bool cgroups_make(const struct host *host, const char *name, const struct cg_limits *limits,
		  const GArray *devices, struct cgroups **ret, GError **error);

/* Those that there are, for the other commands. No cgroup at all is G_FILE_ERROR_NOENT. */
bool cgroups_open(const struct host *host, const char *name, struct cgroups **ret, GError **error);

/* Forgets them; what is in the hierarchies stays. NULL is fine. Returns NULL. */
struct cgroups *cgroups_free(struct cgroups *cgroups);

static inline void cgroups_cleanup(struct cgroups **cgroups)
{
	*cgroups = cgroups_free(*cgroups);
}
#define AUTO_CGROUPS __attribute__((cleanup(cgroups_cleanup)))

/*
 * For exec: where a container that has cgroups of its own (systemd) lets nobody into the topmost
 * one, that of its pid 1, @pid on the host, takes its place.
 */
bool cgroups_descend(struct cgroups *cgroups, const struct host *host, pid_t pid, GError **error);

/* Descriptor of the cgroup in the v2 hierarchy, borrowed; -1: this host has none. */
int cgroups_clone_fd(const struct cgroups *cgroups);

/* Move process @pid into all of them (also where it is already); also for exec. */
bool cgroups_enter(const struct cgroups *cgroups, pid_t pid, GError **error);

/* pause and resume: returns when the processes stand still, or go on. */
bool cgroups_freeze(const struct cgroups *cgroups, bool frozen, GError **error);
bool cgroups_is_frozen(const struct cgroups *cgroups);

/* Host pids of all processes, sorted; owned array of pid_t. */
GArray *cgroups_pids(const struct cgroups *cgroups);

/* Kill every process, paused or not, and wait until they are gone (10 s at most). */
bool cgroups_kill(const struct cgroups *cgroups, GError **error);

/*
 * Remove the cgroups and those that the container made below. Its processes must have been killed.
 */
bool cgroups_remove(struct cgroups *cgroups, GError **error);
