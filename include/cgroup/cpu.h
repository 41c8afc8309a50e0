/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* CPU quota, CPU time and cpusets of a cgroup. */
#include <stdbool.h>
#include <stdint.h>

#include "cgroup/node.h"
#include "util/cpuset.h"

/* The tightest quota of a chain of cgroups. */
struct cg_quota {
	uint64_t cpus;      /* quota/period rounded up, at least 1; CG_UNLIMITED: no quota */
	uint64_t period_ns; /* the longest period of a level that has a quota; 0: none */
	uint64_t levels;    /* that have one: bit 0 is the lowest; a chain has at most 64 */
};

/*
 * Reads cpu.max (v1: cpu.cfs_quota_us, cpu.cfs_period_us) of @node and those above it. @node may be
 * NULL: no quota. Returns 0, -ENODEV or -errno.
 */
int cg_quota_read(struct cg_node *node, struct cg_quota *ret);

/* CPU time used since the cgroup was made, on one cpu or on all. Nanoseconds. */
struct cg_cpu_time {
	uint64_t user;
	uint64_t nice;
	uint64_t system;
};

struct cg_cpu {
	uint64_t throttled_ns; /* summed over the levels that have a quota */
	struct cg_cpu_time total;
	unsigned n_per_cpu; /* 0: the total is all there is */
};

/*
 * Throttled time (cpu.stat) of the levels of @cpu's chain that @quota names, and the time used by
 * @acct and all below it: v1 by cpu number in @per_cpu, which has room for CPUSET_MAX
 * (cpuacct.usage_all), older kernels (cpuacct.stat) and v2 (cpu.stat) in total.
 * Returns 0, -ENODEV or -errno.
 */
int cg_cpu_read(struct cg_node *cpu, const struct cg_quota *quota, struct cg_node *acct,
		struct cg_cpu_time *per_cpu, struct cg_cpu *ret);

/* Total CPU time alone, by the cheapest file that has it (cpuacct.usage, cpu.stat). */
int cg_cpu_usage_read(struct cg_node *node, uint64_t *ret_ns);

/* Positive: what was read is what was asked for, and may hold cpus that are offline. */
enum { CG_E_CONFIGURED = 1 };

/*
 * cpuset.cpus.effective and cpuset.mems.effective (v1: cpuset.effective_cpus, …_mems). Where a
 * kernel has none, cpuset.cpus and cpuset.mems and CG_E_CONFIGURED. Else 0, -ENODEV or -errno.
 */
int cg_cpus_read(struct cg_node *node, struct cpuset *ret);
int cg_mems_read(struct cg_node *node, struct cpuset *ret);

/* "MAX PERIOD" of v2's cpu.max: *@ret_quota_us is CG_UNLIMITED for "max". 0 or -EBADMSG. */
int cg_cpu_max_parse(const char *text, uint64_t *ret_quota_us, uint64_t *ret_period_us);

/* cpuacct.usage_all. Returns the number of cpus (one above the highest), or -EBADMSG. */
int cg_usage_all_parse(const char *text, struct cg_cpu_time *per_cpu, unsigned size);
