/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sample/loadavg.h"

#include <errno.h>
#include <glib.h>
#include <math.h>

#include "cgroup/cpu.h"
#include "cgroup/tasks.h"
#include "host/pid.h"
#include "util/sat.h"

/* The kernel's EXP_1, EXP_5, EXP_15: 2048 / exp(5 s / 1, 5, 15 min). */
static const uint32_t decay[3] = { 1884, 2014, 2037 };
static const double minutes[3] = { 1, 5, 15 };

/* After an hour without a step nothing is left of what was before. */
#define MAX_STEPS 720u

/* The kernel's calc_load(). */
static uint32_t step_one(uint32_t load, uint32_t exp, uint64_t active)
{
	uint64_t next = (uint64_t)load * exp + active * (LOADAVG_ONE - exp);

	if (active >= load)
		next += LOADAVG_ONE - 1;
	return (uint32_t)min_u64(next / LOADAVG_ONE, UINT32_MAX);
}

void loadavg_step(uint32_t fixed[3], unsigned active, unsigned steps)
{
	for (unsigned n = 0; n < steps && n < MAX_STEPS; n++)
		for (int i = 0; i < 3; i++)
			fixed[i] = step_one(fixed[i], decay[i], (uint64_t)active * LOADAVG_ONE);
}

void loadavg_first(uint32_t fixed[3], unsigned active, uint64_t age_ns)
{
	double age = (double)age_ns / 1e9;

	for (int i = 0; i < 3; i++)
		fixed[i] = (uint32_t)(active * (1 - exp(-age / (60 * minutes[i]))) * LOADAVG_ONE);
}

/*
 * Of more cgroups the first ones count. A container may make as many as it likes: some ten
 * microseconds each, of the 5 s between two steps.
 */
#define MAX_CGROUPS 8192u

struct count {
	const struct host *host;
	uint32_t max; /* tasks to be looked at */
	uint32_t running, blocked, total;
	uint64_t newest_start;
	pid_t newest;
};

static void count_task(pid_t tid, void *arg)
{
	struct count *c = arg;
	struct pidstat st;

	if (c->total >= c->max) {
		c->total++; /* counted, but not looked at */
		return;
	}
	if (host_task_stat(c->host, tid, &st) < 0 || st.state == 'Z' || st.state == 'X')
		return;
	c->total++;
	c->running += st.state == 'R';
	c->blocked += st.state == 'D';
	if (st.start_ticks > c->newest_start ||
	    (st.start_ticks == c->newest_start && tid > c->newest)) {
		c->newest_start = st.start_ticks;
		c->newest = tid;
	}
}

static int count_tasks(const struct host *host, struct cg_node *tasks, uint32_t max,
		       struct load_state *ret)
{
	struct count c = { .host = host, .max = max };
	uint64_t newest = 0;
	/* Who looks at few tasks has no time for many empty cgroups either. */
	int r = cg_tasks_each(tasks, MIN(max, MAX_CGROUPS), count_task, &c);

	if (r < 0)
		return r;
	if (c.newest && host_pid_nspid(host, c.newest, &newest) < 0)
		newest = ret->newest;
	ret->running = c.running;
	ret->blocked = c.blocked;
	ret->total = c.total;
	ret->newest = newest ? (uint32_t)newest : ret->newest;
	return 0;
}

int loadavg_sample(const struct host *host, struct container *ct, struct cg_node *tasks,
		   bool always, uint32_t max_tasks, uint64_t now_ns)
{
	struct load_state *load = state_load(ct->state), next;
	uint64_t usage = 0;
	bool first, moved;
	int r;

	pthread_mutex_lock(state_lock(ct->state));
	next = *load;
	pthread_mutex_unlock(state_lock(ct->state));
	first = next.sampled_ns == 0;
	moved = cg_cpu_usage_read(tasks, &usage) < 0 || usage != next.usage_ns;
	if (first || moved || always) {
		r = count_tasks(host, tasks, max_tasks, &next);
		if (r < 0)
			return r;
	} else {
		next.running = 0; /* what is runnable would have run */
	}
	if (first) {
		loadavg_first(next.fixed, next.running + next.blocked,
			      sat_sub(now_ns, ct->start_ns));
		next.sampled_ns = now_ns;
	} else {
		uint64_t steps = sat_sub(now_ns, next.sampled_ns) / LOADAVG_STEP_NS;

		loadavg_step(next.fixed, next.running + next.blocked,
			     (unsigned)min_u64(steps, MAX_STEPS));
		next.sampled_ns += steps * LOADAVG_STEP_NS;
	}
	next.usage_ns = usage;
	pthread_mutex_lock(state_lock(ct->state));
	/* Two samplers at once (a first read, and the thread): the earlier one counts. */
	if (!first || load->sampled_ns == 0)
		*load = next;
	pthread_mutex_unlock(state_lock(ct->state));
	return 0;
}
