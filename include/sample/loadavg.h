/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Load averages of a container: the kernel's own formula over the container's tasks. */
#include <stdint.h>

#include "cgroup/node.h"
#include "container/container.h"

/* As the kernel's LOAD_FREQ. */
#define LOADAVG_STEP_NS UINT64_C(5000000000)

/* 1.0 in fixed point (FSHIFT 11), as in struct load_state.fixed. */
#define LOADAVG_ONE 2048u

/* @steps steps of 5 s with @active tasks running or blocked. Pure. */
void loadavg_step(uint32_t fixed[3], unsigned active, unsigned steps);

/* A container first seen at age @age_ns, taken to have been as active all the time. Pure. */
void loadavg_first(uint32_t fixed[3], unsigned active, uint64_t age_ns);

/*
 * Count the container's tasks as they are now and step its load averages to @now_ns (boottime).
 * @tasks is a cgroup that has them all. Tasks are only looked at when @always, or when CPU time was
 * used since the last time: what did not run is as it was. Beyond @max_tasks they are counted as
 * sleeping; of more cgroups than that (or 8192) the rest is left out. 0, -ENODEV or -errno.
 */
int loadavg_sample(const struct host *host, struct container *ct, struct cg_node *tasks,
		   bool always, uint32_t max_tasks, uint64_t now_ns);
