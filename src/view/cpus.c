/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/cpus.h"

#include <errno.h>
#include <glib.h>
#include <unistd.h>

#include "sample/cputime.h"
#include "util/sat.h"
#include "util/scratch.h"
#include "util/sys.h"

/* cpus come and go by hand; effective cpusets follow at once. */
#define ONLINE_MAX_AGE_MS 1000

void cpus_compute(const struct cpuset *online, const struct cpuset *cpuset, uint64_t quota_cpus,
		  struct cpuset *ret)
{
	*ret = *cpuset;
	cpuset_intersect(ret, online);
	/* A cpuset not set up yet (v1), or all of its cpus gone meanwhile. */
	if (cpuset_count(ret) == 0)
		*ret = *online;
	if (quota_cpus < CPUSET_MAX)
		cpuset_keep_first(ret, (unsigned)max_u64(quota_cpus, 1));
}

int cpus_online(const struct request *req, struct cpuset *ret)
{
	AUTO_HOST_TEXT struct host_text *t = NULL;
	int r = host_text_get(req->host, HOST_CPU_ONLINE, ONLINE_MAX_AGE_MS, &t);

	if (r == 0)
		r = cpuset_parse(t->str, ret);
	return r == 0 && cpuset_count(ret) == 0 ? -EBADMSG : r;
}

int cpus_visible_with(const struct request *req, const struct cg_quota *quota, struct cpuset *ret)
{
	uint64_t quota_cpus = req->options->cpu_quota ? quota->cpus : CG_UNLIMITED;
	struct cg_node *node = held_node(&req->ct->held, CG_CPUSET);
	struct cpuset online, cpuset;
	int r = node ? cg_cpus_read(node, &cpuset) : -ENOENT;

	/* Effective cpus are online ones: the host needs not be asked. */
	if (r == 0 && cpuset_count(&cpuset) > 0) {
		cpus_compute(&cpuset, &cpuset, quota_cpus, ret);
		return 0;
	}
	if (r == 0 || r == CG_E_CONFIGURED || r == -ENOENT) {
		bool known = r != -ENOENT;

		r = cpus_online(req, &online);
		if (r == 0)
			cpus_compute(&online, known ? &cpuset : &online, quota_cpus, ret);
	}
	return r;
}

int cpus_visible(const struct request *req, struct cpuset *ret)
{
	struct cg_quota quota = { .cpus = CG_UNLIMITED };
	int r = req->options->cpu_quota ? cg_quota_read(held_node(&req->ct->held, CG_CPU), &quota)
					: 0;

	return r < 0 ? r : cpus_visible_with(req, &quota, ret);
}

static struct cpu_ticks ticks_of(const struct cputime_state *st, unsigned cpu, uint64_t per_tick)
{
	return (struct cpu_ticks){
		.user = cputime_ticks(st, cpu, CPUTIME_USER, per_tick),
		.nice = cputime_ticks(st, cpu, CPUTIME_NICE, per_tick),
		.system = cputime_ticks(st, cpu, CPUTIME_SYSTEM, per_tick),
		.idle = cputime_ticks(st, cpu, CPUTIME_IDLE, per_tick),
		.steal = cputime_ticks(st, cpu, CPUTIME_STEAL, per_tick),
	};
}

static void copy_counters(const struct cputime_state *st, unsigned n_cpus, uint64_t per_tick,
			  struct cpu_counters *c)
{
	unsigned n = 0;

	c->cpu = g_new(struct cpu_ticks, cpuset_count(&c->visible) + 1);
	c->sum = (struct cpu_ticks){ 0 };
	/* As the kernel's own sum has the cpus that are offline: it goes on when one is hidden. */
	for (unsigned i = 0; i < n_cpus; i++) {
		struct cpu_ticks t = ticks_of(st, i, per_tick);

		c->sum.user += t.user;
		c->sum.nice += t.nice;
		c->sum.system += t.system;
		c->sum.idle += t.idle;
		c->sum.steal += t.steal;
		if (cpuset_has(&c->visible, i))
			c->cpu[n++] = t;
	}
}

/* Asks the cgroup what it used, and books it. */
static int advance(const struct request *req, const struct cg_quota *quota,
		   struct cputime_input *in)
{
	static _Thread_local char *thread_buf;
	struct cg_cpu_time *per_cpu =
		(void *)scratch(&thread_buf, CPUSET_MAX * sizeof(struct cg_cpu_time));
	const struct held *held = &req->ct->held;
	struct cg_cpu cpu;
	int r = cg_cpu_read(held_node(held, CG_CPU), quota, held_node(held, CG_CPUACCT), per_cpu,
			    &cpu);

	if (r < 0)
		return r;
	in->now_ns = sys_boottime_ns();
	in->total = cpu.total;
	in->per_cpu = per_cpu;
	in->n_per_cpu = cpu.n_per_cpu;
	in->throttled_ns = cpu.throttled_ns;
	cputime_advance(state_cputime_begin(req->ct->state), in);
	state_cputime_commit(req->ct->state);
	return 0;
}

/* The part under the container's lock: what is read later must not be booked earlier. */
static int read_locked(const struct request *req, struct cpu_counters *ret)
{
	uint64_t ns_per_tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
	struct cputime_input in = { .start_ns = req->ct->start_ns,
				    .visible = &ret->visible,
				    .n_cpus = container_table_cpus(req->containers) };
	struct cg_quota quota;
	int r = cg_quota_read(held_node(&req->ct->held, CG_CPU), &quota);

	if (r == 0)
		r = cpus_visible_with(req, &quota, &ret->visible);
	if (r < 0)
		return r;
	in.now_ns = sys_boottime_ns();
	in.period_ns = quota.period_ns;
	/* Within a tick there is nothing to be told, and v2's kernel sums over all cpus each time. */
	if (!cputime_is_known(state_cputime(req->ct->state), &in, ns_per_tick))
		r = advance(req, &quota, &in);
	if (r == 0)
		copy_counters(state_cputime(req->ct->state), in.n_cpus, ns_per_tick, ret);
	return r;
}

int cpu_counters_read(const struct request *req, struct cpu_counters *ret)
{
	int r;

	if (!held_node(&req->ct->held, CG_CPUACCT))
		return VIEW_E_PASSTHROUGH;
	pthread_mutex_lock(state_lock(req->ct->state));
	r = read_locked(req, ret);
	pthread_mutex_unlock(state_lock(req->ct->state));
	return r;
}
