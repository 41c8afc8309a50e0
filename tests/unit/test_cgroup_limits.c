/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/limits.h"

#include "fixture.h"

/* "CONTROLLER FILE TEXT" a line, with a question mark before what nobody asked for. Owned. */
static char *settings_of(const struct cg_layout *layout, const struct cg_limits *limits)
{
	g_autoptr(GArray) settings = cg_limits_settings(layout, limits);
	GString *out = g_string_new(NULL);

	for (guint i = 0; i < settings->len; i++) {
		const struct cg_setting *s = &g_array_index(settings, struct cg_setting, i);

		g_string_append_printf(out, "%s%s %s %s\n", s->optional ? "?" : "",
				       cg_controller_name(layout, s->controller), s->file, s->text);
	}
	return g_string_free(out, FALSE);
}

static void assert_v1(const struct cg_limits *limits, const char *want)
{
	g_autofree char *got = NULL;
	struct lab lab;

	lab_make(&lab);
	lab_mkdir(&lab, "cg");
	lab_detect(&lab,
		   "30 1 0:26 / /cg rw - cgroup cgroup rw,cpu,cpuset,memory,blkio,pids,devices,"
		   "freezer\n",
		   "1:cpu,cpuset,memory,blkio,pids,devices,freezer:/\n");
	got = settings_of(lab.layout, limits);
	assert_string_equal(got, want);
	lab_end(&lab);
}

static void assert_v2(const struct cg_limits *limits, const char *want)
{
	g_autofree char *got = NULL;
	struct lab lab;

	lab_make(&lab);
	lab_write(&lab, "cg/cgroup.controllers", "cpuset cpu io memory pids\n");
	lab_detect(&lab, "30 1 0:26 / /cg rw - cgroup2 cgroup2 rw\n", "0::/\n");
	got = settings_of(lab.layout, limits);
	assert_string_equal(got, want);
	lab_end(&lab);
}

static void test_nothing_asked_nothing_written(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;

	(void)state;
	assert_v1(&l, "");
	assert_v2(&l, "");
}

static void test_everything(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;
	struct cg_io_limit read = { .major = 8, .minor = 16, .bytes_per_s = 1048576 };
	struct cg_io_limit written = { .major = 8, .write = true, .bytes_per_s = 2000 };
	char cpus[] = "0-3,8", mems[] = "0";

	(void)state;
	l.memory = 256 << 20;
	l.memory_swap = 384 << 20;
	l.cpu_quota = 150000;
	l.cpu_shares = 512;
	l.cpuset_cpus = cpus;
	l.cpuset_mems = mems;
	l.pids = 100;
	l.io = g_array_new(FALSE, FALSE, sizeof(struct cg_io_limit));
	g_array_append_val(l.io, read);
	g_array_append_val(l.io, written);
	assert_v1(&l, "memory memory.limit_in_bytes 268435456\n"
		      "memory memory.memsw.limit_in_bytes 402653184\n"
		      "cpu cpu.shares 512\n"
		      "cpu cpu.cfs_period_us 100000\n"
		      "cpu cpu.cfs_quota_us 150000\n"
		      "cpuset cpuset.mems 0\n"
		      "cpuset cpuset.cpus 0-3,8\n"
		      "pids pids.max 100\n"
		      "blkio blkio.throttle.read_bps_device 8:16 1048576\n"
		      "blkio blkio.throttle.write_bps_device 8:0 2000\n");
	assert_v2(&l, "memory memory.max 268435456\n"
		      "memory memory.swap.max 134217728\n"
		      "cpu cpu.weight 20\n"
		      "cpu cpu.max 150000 100000\n"
		      "cpuset cpuset.mems 0\n"
		      "cpuset cpuset.cpus 0-3,8\n"
		      "pids pids.max 100\n"
		      "io io.max 8:16 rbps=1048576\n"
		      "io io.max 8:0 wbps=2000\n");
	g_array_unref(l.io);
}

static void test_memory_alone_has_as_much_swap_where_swap_is_accounted(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;

	(void)state;
	l.memory = 1 << 20;
	assert_v1(&l, "memory memory.limit_in_bytes 1048576\n"
		      "?memory memory.memsw.limit_in_bytes 2097152\n");
	assert_v2(&l, "memory memory.max 1048576\n"
		      "?memory memory.swap.max 1048576\n");
}

static void test_no_swap(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;

	(void)state;
	l.memory = l.memory_swap = 1 << 20;
	assert_v1(&l, "memory memory.limit_in_bytes 1048576\n"
		      "memory memory.memsw.limit_in_bytes 1048576\n");
	assert_v2(&l, "memory memory.max 1048576\n"
		      "memory memory.swap.max 0\n");
}

static void test_unlimited_is_written_as_such(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;

	(void)state;
	l.memory = l.memory_swap = l.cpu_quota = l.pids = CG_LIMIT_NONE;
	assert_v1(&l, "memory memory.limit_in_bytes -1\n"
		      "memory memory.memsw.limit_in_bytes -1\n"
		      "cpu cpu.cfs_period_us 100000\n"
		      "cpu cpu.cfs_quota_us -1\n"
		      "pids pids.max max\n");
	assert_v2(&l, "memory memory.max max\n"
		      "memory memory.swap.max max\n"
		      "cpu cpu.max max 100000\n"
		      "pids pids.max max\n");
}

static void test_shares_keep_to_the_bounds_of_weights(void **state)
{
	static const struct {
		uint64_t shares;
		const char *want;
	} cases[] = {
		{ .shares = 0, .want = "cpu cpu.weight 1\n" },
		{ .shares = 2, .want = "cpu cpu.weight 1\n" },
		{ .shares = 1024, .want = "cpu cpu.weight 39\n" },
		{ .shares = 262144, .want = "cpu cpu.weight 10000\n" },
		{ .shares = 1 << 30, .want = "cpu cpu.weight 10000\n" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct cg_limits l = CG_LIMITS_INIT;

		l.cpu_shares = cases[i].shares;
		assert_v2(&l, cases[i].want);
	}
}

static void test_memory_near_the_top_does_not_wrap(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;

	(void)state;
	l.memory = UINT64_MAX - 2;
	assert_v1(&l, "memory memory.limit_in_bytes 18446744073709551613\n"
		      "?memory memory.memsw.limit_in_bytes -1\n");
}

static void test_hybrid_host_takes_each_controller_where_it_is(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;
	g_autofree char *got = NULL;
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "memory");
	lab_write(&lab, "unified/cgroup.controllers", "pids\n");
	lab_detect(&lab,
		   "30 1 0:26 / /memory rw - cgroup cgroup rw,memory\n"
		   "31 1 0:27 / /unified rw - cgroup2 cgroup2 rw\n",
		   "4:memory:/\n0::/\n");
	l.memory = 1 << 20;
	l.pids = 5;
	l.cpu_quota = 100000; /* the host has no such controller: v2's file is what is missing */
	got = settings_of(lab.layout, &l);
	assert_string_equal(got, "memory memory.limit_in_bytes 1048576\n"
				 "?memory memory.memsw.limit_in_bytes 2097152\n"
				 "cpu cpu.max 100000 100000\n"
				 "pids pids.max 5\n");
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked_nothing_written),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_memory_alone_has_as_much_swap_where_swap_is_accounted),
		cmocka_unit_test(test_no_swap),
		cmocka_unit_test(test_unlimited_is_written_as_such),
		cmocka_unit_test(test_shares_keep_to_the_bounds_of_weights),
		cmocka_unit_test(test_memory_near_the_top_does_not_wrap),
		cmocka_unit_test(test_hybrid_host_takes_each_controller_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
