/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The CPU lines of a container's /proc/stat: what its cgroup used, spread over the cpus that it
 * sees, and the rest of the time as idle or stolen. Pure: no clock, no file, no lock.
 */
#include <stdbool.h>
#include <stdint.h>

#include "cgroup/cpu.h"
#include "container/state.h"
#include "util/cpuset.h"

struct cputime_input {
	uint64_t now_ns;   /* boottime */
	uint64_t start_ns; /* boottime at which the container began; for the first call */
	const struct cpuset *visible; /* at least one */
	unsigned n_cpus;              /* room in the state */
	struct cg_cpu_time total;
	const struct cg_cpu_time *per_cpu; /* n_per_cpu of them; 0: totals are all there is */
	unsigned n_per_cpu;
	uint64_t throttled_ns;
	uint64_t period_ns; /* of the quota; 0: none */
};

enum cputime_field {
	CPUTIME_USER,
	CPUTIME_NICE,
	CPUTIME_SYSTEM,
	CPUTIME_IDLE,
	CPUTIME_STEAL,
	CPUTIME_N_FIELDS,
};

/*
 * Bring @st up to in->now_ns. Afterwards no counter of any cpu is less than it was, whatever
 * became of quota and cpuset:
 *
 * - A visible cpu's counters grow by the time that passed; time used beyond that (accounted in
 *   ticks, or in a burst) is allowed, and held against its idle time of the next moments.
 * - What ran on cpus that are not visible is folded into those that are.
 * - A cpu that was not visible before begins with what it had (at first a tick of idle time, which
 *   is paid back: a line of zeros is that of a cpu that is off line) and counts from now on.
 * - One that is no longer visible keeps what it had. A sum over all cpus, visible or not, never
 * falls.
 */
void cputime_advance(struct cputime_state *st, const struct cputime_input *in);

/*
 * @st is less than @max_age_ns older than in->now_ns, and of the same visible cpus. All else in @in
 * may be unset.
 */
bool cputime_is_known(const struct cputime_state *st, const struct cputime_input *in,
		      uint64_t max_age_ns);

/* One counter of one cpu, in ticks. */
uint64_t cputime_ticks(const struct cputime_state *st, unsigned cpu, enum cputime_field field,
		       uint64_t ns_per_tick);
