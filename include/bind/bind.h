/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Our files in containers' mount namespaces: put back where a dead instance left them, or taken
 * away. The work in containers is done by a few processes of their own (envoys.h), and one that
 * takes too long is given up: no container can keep the others waiting for ever.
 */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct host;

enum bind_outcome {
	BIND_BENEATH,   /* put below the dead mount, which was then taken away */
	BIND_STACKED,   /* put on top of the dead mount, which stays (old kernel, or locked) */
	BIND_UNCOVERED, /* a live mount lay below already; the dead ones were taken away */
	BIND_DETACHED,  /* taken away: the container sees the host's file */
	BIND_LOCKED,    /* not taken away: it belongs to an outer namespace */
	BIND_FOUND,     /* nothing was done, as asked */
	BIND_COVERED,   /* nothing was done: something of the container's is mounted on top */
	BIND_GONE,      /* the container, or the mount, went away meanwhile */
	BIND_FAILED,    /* .error says why */
	BIND_TIMEOUT,   /* given up */
	BIND_N_OUTCOMES
};

struct bind_event {
	pid_t pid;        /* of a process that sees the mount */
	const char *path; /* of the mount, as that process sees it; may hold anything, or be "" */
	enum bind_outcome outcome;
	int error; /* a positive errno, else 0 */
};

/* Called for everything that is done, and for everything that fails. */
typedef void bind_fn(const struct bind_event *event, void *arg);

struct bind_report {
	unsigned counts[BIND_N_OUTCOMES];
	unsigned containers; /* pairs of a mount namespace and a root where something was done */
	unsigned looked_at;  /* such pairs */
	unsigned unreadable; /* processes that we were not let near */
	bool incomplete;     /* some were not looked at in time, or changed whenever they were */
};

/*
 * Every mount of an instance that served @mountpoint before and is dead becomes one of the instance
 * that serves it now, with its read-only attribute; with @dry_run it is only told. Containers never
 * see the host's file in between. A minute and some seconds at most, and one more for another
 * repair to end.
 * Returns false with a sentence in *@error when nothing serves @mountpoint. @fn may be NULL.
 */
bool bind_repair(const struct host *host, const char *mountpoint, bool dry_run, bind_fn *fn,
		 void *arg, struct bind_report *ret, GError **error);

/*
 * Every mount of ours is taken away, dead or alive, but the one at @mountpoint itself: containers
 * see the host's files. Nor is the whole tree at that path in another namespace: a service's copy
 * of the mount point is like that, and would take the host's along where they are peers. Returns
 * false with a sentence in *@error when nothing ever served there.
 */
bool bind_detach(const struct host *host, const char *mountpoint, bool dry_run, bind_fn *fn,
		 void *arg, struct bind_report *ret, GError **error);

/* Files that are in order again. */
unsigned bind_report_repaired(const struct bind_report *report);
