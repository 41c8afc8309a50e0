/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/cpu.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "util/keyed.h"
#include "util/num.h"
#include "util/sat.h"
#include "util/scratch.h"

#define NS_PER_US 1000u
#define NS_PER_S  1000000000u

/* cpuacct.usage_all: a line of three numbers for each possible cpu. */
#define USAGE_ALL_SIZE (CPUSET_MAX * 48u)

/* Every second cpu of CPUSET_MAX, "8190," and so on. */
#define LIST_SIZE (CPUSET_MAX * 3u)

struct quota_level {
	uint64_t quota_us; /* CG_UNLIMITED: none */
	uint64_t period_us;
};

int cg_cpu_max_parse(const char *text, uint64_t *ret_quota_us, uint64_t *ret_period_us)
{
	uint64_t quota, period;

	if (strncmp(text, "max", 3) == 0) {
		quota = CG_UNLIMITED;
		text += 3;
	} else if (!num_take(&text, &quota)) {
		return -EBADMSG;
	}
	if (*text != ' ' || !num_take_field(&text, &period) || period == 0)
		return -EBADMSG;
	*ret_quota_us = quota;
	*ret_period_us = period;
	return 0;
}

static int level_read_v2(struct cg_node *node, struct quota_level *ret)
{
	char buf[64];
	ssize_t n = cg_node_read(node, CG_FILE_CPU_MAX, buf, sizeof(buf));

	return n < 0 ? (int)n : cg_cpu_max_parse(buf, &ret->quota_us, &ret->period_us);
}

static int level_read_v1(struct cg_node *node, struct quota_level *ret)
{
	int r = cg_node_read_u64(node, CG_FILE_CPU_MAX, &ret->quota_us);

	if (r < 0 || ret->quota_us == CG_UNLIMITED)
		return r;
	r = cg_node_read_u64(node, CG_FILE_CPU_PERIOD, &ret->period_us);
	return r == 0 && ret->period_us == 0 ? -EBADMSG : r;
}

/* cpu.stat's throttled time, in the unit that the version has. */
struct cpu_stat {
	uint64_t throttled_ns, throttled_us;
	uint64_t usage_us, user_us, system_us, nice_us;
};

static const struct keyed_field cpu_stat_fields[] = {
	{ .key = KEY("usage_usec"), .offset = offsetof(struct cpu_stat, usage_us) },
	{ .key = KEY("user_usec"), .offset = offsetof(struct cpu_stat, user_us) },
	{ .key = KEY("system_usec"), .offset = offsetof(struct cpu_stat, system_us) },
	{ .key = KEY("nice_usec"), .offset = offsetof(struct cpu_stat, nice_us) },
	{ .key = KEY("throttled_usec"), .offset = offsetof(struct cpu_stat, throttled_us) },
	{ .key = KEY("throttled_time"), .offset = offsetof(struct cpu_stat, throttled_ns) },
};

static int cpu_stat_read(struct cg_node *node, struct cpu_stat *ret)
{
	char buf[2048];
	ssize_t n = cg_node_read(node, CG_FILE_CPU_STAT, buf, sizeof(buf));

	*ret = (struct cpu_stat){ 0 };
	return n < 0 ? (int)n
		     : keyed_parse(buf, ' ', cpu_stat_fields, G_N_ELEMENTS(cpu_stat_fields), ret);
}

/* Total time; nice is a part of v2's user time. */
static int time_read_v2(struct cg_node *node, struct cg_cpu_time *total,
			struct cg_cpu_time *per_cpu, unsigned *ret_n, uint64_t *ret_throttled)
{
	struct cpu_stat st;
	int r = cpu_stat_read(node, &st);

	(void)per_cpu;
	if (r < 0)
		return r;
	*ret_throttled = sat_mul(st.throttled_us, NS_PER_US);
	*total = (struct cg_cpu_time){
		.user = sat_mul(sat_sub(st.user_us, st.nice_us), NS_PER_US),
		.nice = sat_mul(st.nice_us, NS_PER_US),
		.system = sat_mul(st.system_us, NS_PER_US),
	};
	*ret_n = 0;
	return 0;
}

int cg_usage_all_parse(const char *text, struct cg_cpu_time *per_cpu, unsigned size)
{
	const char *line = strchr(text, '\n'); /* "cpu user system" */
	unsigned n = 0;

	while (line && *++line) {
		uint64_t cpu, user, system;

		if (!num_take(&line, &cpu) || !num_take_field(&line, &user) ||
		    !num_take_field(&line, &system) || *line != '\n' || cpu >= size)
			return -EBADMSG;
		while (n <= cpu)
			per_cpu[n++] = (struct cg_cpu_time){ 0 };
		per_cpu[cpu] = (struct cg_cpu_time){ .user = user, .system = system };
	}
	return (int)n;
}

static const struct keyed_field cpuacct_stat_fields[] = {
	{ .key = KEY("user"), .offset = offsetof(struct cg_cpu_time, user) },
	{ .key = KEY("system"), .offset = offsetof(struct cg_cpu_time, system) },
};

/* cpuacct.stat is in USER_HZ, the only unit in which kernels before 4.8 have it. */
static int time_read_cpuacct_stat(struct cg_node *node, struct cg_cpu_time *total)
{
	uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	char buf[128];
	ssize_t n = cg_node_read(node, CG_FILE_CPUACCT_STAT, buf, sizeof(buf));
	int r;

	if (n < 0)
		return (int)n;
	*total = (struct cg_cpu_time){ 0 };
	r = keyed_parse(buf, ' ', cpuacct_stat_fields, G_N_ELEMENTS(cpuacct_stat_fields), total);
	total->user = sat_mul(total->user, ns_per_tick);
	total->system = sat_mul(total->system, ns_per_tick);
	return r;
}

static int time_read_v1(struct cg_node *node, struct cg_cpu_time *total,
			struct cg_cpu_time *per_cpu, unsigned *ret_n, uint64_t *ret_throttled)
{
	static _Thread_local char *thread_buf;
	char *buf = scratch(&thread_buf, USAGE_ALL_SIZE);
	ssize_t len = cg_node_read(node, CG_FILE_CPUACCT_ALL, buf, USAGE_ALL_SIZE);
	int n;

	*ret_n = 0;
	*ret_throttled = CG_UNLIMITED; /* the cpu controller has it, elsewhere */
	if (len == -ENOENT)
		return time_read_cpuacct_stat(node, total);
	if (len < 0)
		return (int)len;
	n = cg_usage_all_parse(buf, per_cpu, CPUSET_MAX);
	if (n < 0)
		return n;
	*total = (struct cg_cpu_time){ 0 };
	for (int i = 0; i < n; i++) {
		total->user += per_cpu[i].user;
		total->system += per_cpu[i].system;
	}
	*ret_n = (unsigned)n;
	return 0;
}

static int usage_read_v1(struct cg_node *node, uint64_t *ret_ns)
{
	return cg_node_read_u64(node, CG_FILE_CPUACCT_USAGE, ret_ns);
}

static int usage_read_v2(struct cg_node *node, uint64_t *ret_ns)
{
	struct cpu_stat st;
	int r = cpu_stat_read(node, &st);

	if (r == 0)
		*ret_ns = sat_mul(st.usage_us, NS_PER_US);
	return r;
}

static const struct {
	int (*level)(struct cg_node *node, struct quota_level *ret);
	/* *@ret_throttled: what the same file says of throttling; CG_UNLIMITED: nothing */
	int (*time)(struct cg_node *node, struct cg_cpu_time *total, struct cg_cpu_time *per_cpu,
		    unsigned *ret_n, uint64_t *ret_throttled);
	int (*usage)(struct cg_node *node, uint64_t *ret_ns);
	enum cg_file cpus[2], mems[2]; /* the second where the first is missing */
} backends[CG_N_VERSIONS] = {
	[CG_V1] = {
		.level = level_read_v1,
		.time = time_read_v1,
		.usage = usage_read_v1,
		.cpus = { CG_FILE_CPUS_EFFECTIVE, CG_FILE_CPUS },
		.mems = { CG_FILE_MEMS_EFFECTIVE, CG_FILE_MEMS },
	},
	[CG_V2] = {
		.level = level_read_v2,
		.time = time_read_v2,
		.usage = usage_read_v2,
		.cpus = { CG_FILE_CPUS_EFFECTIVE, CG_FILE_CPUS_EFFECTIVE },
		.mems = { CG_FILE_MEMS_EFFECTIVE, CG_FILE_MEMS_EFFECTIVE },
	},
};

/* Rounded up; the kernel's least is 1 ms in 1 s, never nothing. */
static uint64_t cpus_of(const struct quota_level *l)
{
	return max_u64(1, l->quota_us / l->period_us + (l->quota_us % l->period_us != 0));
}

int cg_quota_read(struct cg_node *node, struct cg_quota *ret)
{
	struct cg_quota quota = { .cpus = CG_UNLIMITED };

	for (uint64_t bit = 1; node; node = cg_node_parent(node), bit <<= 1) {
		struct quota_level level;
		int r = backends[cg_node_version(node)].level(node, &level);

		if (r == -ENOENT || (r == 0 && level.quota_us == CG_UNLIMITED))
			continue;
		if (r < 0)
			return r;
		quota.cpus = min_u64(quota.cpus, cpus_of(&level));
		quota.period_ns = max_u64(quota.period_ns, sat_mul(level.period_us, NS_PER_US));
		quota.levels |= bit;
	}
	*ret = quota;
	return 0;
}

/* What the quotas of the chain have cost; @known is what is known already of @of. */
static int throttled_read(struct cg_node *node, uint64_t levels, const struct cg_node *of,
			  uint64_t known, uint64_t *ret)
{
	*ret = 0;
	for (; node && levels; node = cg_node_parent(node), levels >>= 1) {
		struct cpu_stat st;
		int r;

		if (!(levels & 1))
			continue;
		if (node == of && known != CG_UNLIMITED) {
			*ret = sat_add(*ret, known);
			continue;
		}
		r = cpu_stat_read(node, &st);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		*ret = sat_add(*ret, sat_add(st.throttled_ns, sat_mul(st.throttled_us, NS_PER_US)));
	}
	return 0;
}

int cg_cpu_read(struct cg_node *cpu, const struct cg_quota *quota, struct cg_node *acct,
		struct cg_cpu_time *per_cpu, struct cg_cpu *ret)
{
	struct cg_cpu c = { 0 };
	uint64_t known;
	int r = backends[cg_node_version(acct)].time(acct, &c.total, per_cpu, &c.n_per_cpu, &known);

	if (r == 0)
		r = throttled_read(cpu, quota->levels, acct, known, &c.throttled_ns);
	if (r == 0)
		*ret = c;
	return r;
}

int cg_cpu_usage_read(struct cg_node *node, uint64_t *ret_ns)
{
	return backends[cg_node_version(node)].usage(node, ret_ns);
}

static int set_read(struct cg_node *node, const enum cg_file files[2], struct cpuset *ret)
{
	static _Thread_local char *thread_buf;
	char *buf = scratch(&thread_buf, LIST_SIZE);
	ssize_t n = cg_node_read(node, files[0], buf, LIST_SIZE);
	bool configured = n == -ENOENT && files[1] != files[0];
	int r;

	if (configured)
		n = cg_node_read(node, files[1], buf, LIST_SIZE);
	r = n < 0 ? (int)n : cpuset_parse(buf, ret);
	return r == 0 && configured ? CG_E_CONFIGURED : r;
}

int cg_cpus_read(struct cg_node *node, struct cpuset *ret)
{
	return set_read(node, backends[cg_node_version(node)].cpus, ret);
}

int cg_mems_read(struct cg_node *node, struct cpuset *ret)
{
	return set_read(node, backends[cg_node_version(node)].mems, ret);
}
