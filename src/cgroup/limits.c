/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/limits.h"

#include "util/sat.h"

void cg_setting_clear(struct cg_setting *s)
{
	g_clear_pointer(&s->text, g_free);
}

static void clear(gpointer p)
{
	cg_setting_clear(p);
}

/* Appends to @out, whose element's controller is filled in by who knows it. */
static void add(GArray *out, const char *file, char *text)
{
	struct cg_setting s = { .file = file, .text = text };

	g_array_append_val(out, s);
}

static char *number(uint64_t v, const char *none)
{
	return v == CG_LIMIT_NONE ? g_strdup(none) : g_strdup_printf("%" G_GUINT64_FORMAT, v);
}

/*
 * Memory and swap together. When only memory was asked for, twice that, as docker has it: a default
 * that a host without swap accounting does without.
 */
static uint64_t swap_of(const struct cg_limits *l, bool *ret_default)
{
	*ret_default = l->memory_swap == CG_LIMIT_UNSET;
	if (!*ret_default || l->memory == CG_LIMIT_UNSET || l->memory == CG_LIMIT_NONE)
		return l->memory_swap;
	return min_u64(sat_mul(l->memory, 2), CG_LIMIT_NONE);
}

static void add_swap(GArray *out, const char *file, char *text, bool is_default)
{
	add(out, file, text);
	g_array_index(out, struct cg_setting, out->len - 1).optional = is_default;
}

/* memsw may not be below memory: memory is made smaller first. */
static void memory_v1(GArray *out, const struct cg_limits *l)
{
	bool is_default;
	uint64_t swap = swap_of(l, &is_default);

	if (l->memory != CG_LIMIT_UNSET)
		add(out, "memory.limit_in_bytes", number(l->memory, "-1"));
	if (swap != CG_LIMIT_UNSET)
		add_swap(out, "memory.memsw.limit_in_bytes", number(swap, "-1"), is_default);
}

/* v2 limits swap alone. */
static void memory_v2(GArray *out, const struct cg_limits *l)
{
	bool is_default;
	uint64_t swap = swap_of(l, &is_default);

	if (l->memory != CG_LIMIT_UNSET)
		add(out, "memory.max", number(l->memory, "max"));
	if (swap == CG_LIMIT_UNSET)
		return;
	if (swap != CG_LIMIT_NONE)
		swap = sat_sub(swap, l->memory);
	add_swap(out, "memory.swap.max", number(swap, "max"), is_default);
}

static void cpu_v1(GArray *out, const struct cg_limits *l)
{
	if (l->cpu_shares != CG_LIMIT_UNSET)
		add(out, "cpu.shares", number(l->cpu_shares, "1024"));
	if (l->cpu_quota == CG_LIMIT_UNSET)
		return;
	add(out, "cpu.cfs_period_us", number(CG_CPU_PERIOD_US, NULL));
	add(out, "cpu.cfs_quota_us", number(l->cpu_quota, "-1"));
}

/* 2 to 262144 become 1 to 10000, as OCI runtimes have it; no more, no less. */
static uint64_t weight(uint64_t shares)
{
	uint64_t s = max_u64(2, min_u64(shares, 262144));

	return 1 + (s - 2) * 9999 / 262142;
}

static void cpu_v2(GArray *out, const struct cg_limits *l)
{
	if (l->cpu_shares == CG_LIMIT_NONE)
		add(out, "cpu.weight", g_strdup("100"));
	else if (l->cpu_shares != CG_LIMIT_UNSET)
		add(out, "cpu.weight", number(weight(l->cpu_shares), NULL));
	if (l->cpu_quota != CG_LIMIT_UNSET) {
		g_autofree char *quota = number(l->cpu_quota, "max");

		add(out, "cpu.max", g_strdup_printf("%s %d", quota, CG_CPU_PERIOD_US));
	}
}

static void cpuset(GArray *out, const struct cg_limits *l)
{
	if (l->cpuset_mems)
		add(out, "cpuset.mems", g_strdup(l->cpuset_mems));
	if (l->cpuset_cpus)
		add(out, "cpuset.cpus", g_strdup(l->cpuset_cpus));
}

static void pids(GArray *out, const struct cg_limits *l)
{
	if (l->pids != CG_LIMIT_UNSET)
		add(out, "pids.max", number(l->pids, "max"));
}

static void io_v1(GArray *out, const struct cg_limits *l)
{
	for (guint i = 0; l->io && i < l->io->len; i++) {
		const struct cg_io_limit *io = &g_array_index(l->io, struct cg_io_limit, i);

		add(out,
		    io->write ? "blkio.throttle.write_bps_device"
			      : "blkio.throttle.read_bps_device",
		    g_strdup_printf("%u:%u %" G_GUINT64_FORMAT, io->major, io->minor,
				    io->bytes_per_s));
	}
}

static void io_v2(GArray *out, const struct cg_limits *l)
{
	for (guint i = 0; l->io && i < l->io->len; i++) {
		const struct cg_io_limit *io = &g_array_index(l->io, struct cg_io_limit, i);

		add(out, "io.max",
		    g_strdup_printf("%u:%u %s=%" G_GUINT64_FORMAT, io->major, io->minor,
				    io->write ? "wbps" : "rbps", io->bytes_per_s));
	}
}

static const struct {
	enum cg_controller controller;
	void (*add[CG_N_VERSIONS])(GArray *out, const struct cg_limits *l);
} rows[] = {
	{ .controller = CG_MEMORY, .add = { [CG_V1] = memory_v1, [CG_V2] = memory_v2 } },
	{ .controller = CG_CPU, .add = { [CG_V1] = cpu_v1, [CG_V2] = cpu_v2 } },
	{ .controller = CG_CPUSET, .add = { [CG_V1] = cpuset, [CG_V2] = cpuset } },
	{ .controller = CG_PIDS, .add = { [CG_V1] = pids, [CG_V2] = pids } },
	{ .controller = CG_IO, .add = { [CG_V1] = io_v1, [CG_V2] = io_v2 } },
};

GArray *cg_limits_settings(const struct cg_layout *layout, const struct cg_limits *limits)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(struct cg_setting));

	g_array_set_clear_func(out, clear);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		int hierarchy = layout->controllers[rows[i].controller];
		guint from = out->len;

		rows[i].add[hierarchy < 0 ? CG_V2 : layout->hierarchies[hierarchy].version](out,
											    limits);
		for (guint k = from; k < out->len; k++)
			g_array_index(out, struct cg_setting, k).controller = rows[i].controller;
	}
	return out;
}
