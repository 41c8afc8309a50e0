/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * systemd's file descriptor store (FileDescriptorStoreMax=): the manager keeps our two descriptors
 * while no process of ours lives and gives them to the next instance. Nothing of this does anything
 * unless systemd started us.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/handover.h"
#include "host/host.h"

/*
 * Takes what the former instance stored: both descriptors, good (handover_is_good()) and numbered
 * from HANDOVER_MIN_FD on, or none. One without the other, and a connection that is gone, is closed
 * and removed from the store. All other descriptors that systemd passed are closed, and the
 * variables LISTEN_* removed from the environment. Before anything else opens files.
 *
 * Returns whether *@ret has both; they are still in the store then.
 */
bool store_take(struct handover *ret);

/*
 * Stores both, which stay the caller's, instead of what was stored before: for a new mount, and
 * once FUSE_INIT is answered (systemd drops a descriptor that polls POLLERR). Returns how many were
 * sent: 2, or 0 when nobody keeps any.
 */
unsigned store_put(int fuse, int state);

/* Has the store drop both. */
void store_remove(void);

/* Why SIGTERM came. */
enum store_fate {
	STORE_NO_JOB,  /* sent by hand: whether another instance follows is Restart='s to say */
	STORE_STOP,    /* by "systemctl stop" or a shutdown: no next instance */
	STORE_RESTART, /* another instance follows at once */
};

/*
 * Whether another instance is to follow this one, which was told to end, and will find what
 * systemd keeps. Asks systemctl, for at most 20 s. @host: to learn our unit's name.
 */
bool store_has_heir(const struct host *host);

/* The parts that do no I/O. */

/* Which of the passed descriptors, counted from 0, has a name; those of each are in order. */
struct store_list {
	size_t n;     /* how many were passed */
	char **names; /* n of them, "" when it has none; owned */
};

/*
 * The three variables, each of which may be NULL. Returns false, with nothing in *@ret, when they
 * are not for process @self, or are no numbers.
 */
bool store_list_parse(const char *pid, const char *fds, const char *names, pid_t self,
		      struct store_list *ret);
void store_list_clear(struct store_list *list);

/*
 * The name of the service in the text of /proc/PID/cgroup, owned, NULL: in none. On v1 systemd's
 * own hierarchy tells it, on v2 the only one.
 */
char *store_unit_parse(const char *cgroup);

/* What the output of "systemctl list-jobs --no-legend" has in store for @unit; never unknown. */
enum store_fate store_jobs_parse(const char *jobs, const char *unit);
