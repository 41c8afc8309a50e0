/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What is kept open of a container that is read now and then: its cgroups and its namespace. */
#include <stdbool.h>

#include "cgroup/node.h"

struct held {
	/* The container's own cgroup, by controller; NULL: the root, or no such controller. */
	struct cg_node *nodes[CG_N_CONTROLLERS];
	struct cg_node *tasks; /* a cgroup that has, with those below it, the container's tasks */
	int ns_fd;             /* the namespace that is its key; -1: none */
};

/*
 * Opens the cgroups that @roots (in the form of /proc/PID/cgroup) names. @ret is cleared first.
 * Returns 0, -ENODEV when a cgroup is gone, -ENOENT: it is not below what is mounted, or -errno;
 * then @ret holds nothing.
 */
int held_open(struct cg_tree *tree, const struct cg_layout *layout, const char *roots,
	      struct held *ret);
/*
 * The cgroup that governs, borrowed; NULL: none below the root. On v2 that may be one above the
 * container's own, and another one the next time: parents hand controllers down and take them back.
 */
struct cg_node *held_node(const struct held *held, enum cg_controller controller);

/* Opens what held.tasks would be, alone. 0 with a reference (NULL: the root), or -errno. */
int held_open_tasks(struct cg_tree *tree, const struct cg_layout *layout, const char *roots,
		    struct cg_node **ret);

/* One of its own cgroups has been removed. */
bool held_is_gone(const struct held *held);

void held_clear(struct held *held);
