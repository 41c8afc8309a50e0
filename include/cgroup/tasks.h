/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The threads of a cgroup and of all cgroups below it. */
#include <stdbool.h>
#include <sys/types.h>

#include "cgroup/node.h"

/*
 * Calls @fn with the host tid of each thread in the cgroup.threads (v1: tasks) files of @node and
 * all below it, @most cgroups in all (0: whatever there is). What vanishes meanwhile is skipped.
 * Returns 0, or -ENODEV when @node is gone.
 */
int cg_tasks_each(struct cg_node *node, unsigned most, void (*fn)(pid_t tid, void *arg), void *arg);

/* @node has been removed: nothing is or will be in it. */
bool cg_tasks_gone(const struct cg_node *node);
