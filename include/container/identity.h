/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The slow half of container_lookup(): what makes a process's container, and where its cgroups are.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup/layout.h"
#include "host/host.h"
#include "host/pid.h"

/* What tells one container from another, tried in this order. */
enum identity_kind {
	IDENTITY_CGROUPNS, /* the reader's cgroup namespace is not the host's: its root */
	IDENTITY_PIDNS,    /* its pid namespace is not: the cgroup of that namespace's init */
	IDENTITY_CGROUP,   /* the reader's own cgroup */
};

/* The host's own, as our process has them (those of pid 1 may be unreadable). */
struct identity_source {
	const struct host *host;
	const struct cg_layout *layout;
	uint64_t own_ns[HOST_N_NS];
	int own_cgroupns; /* descriptor */
};

struct identity {
	enum identity_kind kind;
	uint64_t ns_ino;   /* of the cgroup or pid namespace; 0: none */
	int ns_fd;         /* keeps that namespace, and so its number; -1: none */
	char *roots;       /* the root cgroups, in the form of /proc/PID/cgroup */
	pid_t init;        /* 0: none of its own */
	int init_pidfd;    /* -1: none */
	uint64_t start_ns; /* boottime at which init started; 0: none */
};

int identity_source_init(struct identity_source *src, const struct host *host,
			 const struct cg_layout *layout);
void identity_source_clear(struct identity_source *src);

/*
 * Fills @ret for the container of @pid, which is in the cgroup namespace @ns_ino (@kind
 * IDENTITY_CGROUPNS), else in the cgroups of the text @own and, when that is not the host's, in the
 * pid namespace @ns_ino. In such a pid namespace .kind tells what counts: IDENTITY_PIDNS when the
 * process is in a cgroup at or below that of init, else IDENTITY_CGROUP, its own.
 *
 * Returns 0, or -ESRCH when a process is gone, or -errno.
 */
int identity_resolve(const struct identity_source *src, pid_t pid, enum identity_kind kind,
		     uint64_t ns_ino, const char *own, struct identity *ret);
void identity_clear(struct identity *id);

/*
 * What /proc/PID/cgroup says of a process and of ourselves, as the host's cgroup namespace shows it
 * and as that of the process does.
 */
struct identity_look {
	char *host, *inside;
	char *own_host, *own_inside;
};

/*
 * The roots of that cgroup namespace. One outside of it ("/../x") was moved there by the host: what
 * counts is where it is now. Any of the texts may be of another moment: who moves about between
 * them is below the root in each, and so it is never said to be above. Owned.
 */
char *identity_roots(const struct cg_layout *layout, const struct identity_look *look);

/* Every hierarchy that a controller lives in: @below is at or below @above. */
bool identity_is_below(const struct cg_layout *layout, const char *below, const char *above);

/* @text names the root in every hierarchy that a controller lives in. */
bool identity_at_root(const struct cg_layout *layout, const char *text);
