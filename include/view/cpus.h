/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Which cpus a container sees, and what they did: shared by every file that has a line a cpu. */
#include "cgroup/cpu.h"
#include "util/cpuset.h"
#include "view/request.h"

/*
 * The first N of the container's cpuset that are online, with their real numbers; N is the quota
 * rounded up, if quotas count. Pure. Never empty, unless @online is.
 */
void cpus_compute(const struct cpuset *online, const struct cpuset *cpuset, uint64_t quota_cpus,
		  struct cpuset *ret);

/* The cpus that the request's container sees. 0, -ENODEV or -errno. */
int cpus_visible(const struct request *req, struct cpuset *ret);

/* The same, with the quota read already. */
int cpus_visible_with(const struct request *req, const struct cg_quota *quota, struct cpuset *ret);

/* The host's online cpus. 0 or -errno. */
int cpus_online(const struct request *req, struct cpuset *ret);

/* Counters of one cpu or all, in ticks; as in cputime.h. */
struct cpu_ticks {
	uint64_t user, nice, system, idle, steal;
};

struct cpu_counters {
	struct cpuset visible;
	struct cpu_ticks sum;
	struct cpu_ticks *cpu; /* in the order of .visible; g_free()d by the caller */
};

/*
 * Bring the container's CPU counters up to date and copy them. Returns 0, VIEW_E_PASSTHROUGH when
 * no cgroup accounts its CPU time, -ENODEV or -errno.
 */
int cpu_counters_read(const struct request *req, struct cpu_counters *ret);
