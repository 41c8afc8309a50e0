/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/cpu.h"

#include "fixture.h"

static const struct cg_quota none = { .cpus = CG_UNLIMITED };
static struct cg_cpu_time per_cpu[CPUSET_MAX];

static struct cg_quota quota_at(struct lab *lab, const char *path)
{
	struct cg_node *node = lab_node(lab, CG_CPU, path);
	struct cg_quota q;

	memset(&q, 0xa5, sizeof(q));
	assert_int_equal(cg_quota_read(node, &q), 0);
	cg_node_unref(node);
	return q;
}

static struct cg_cpu cpu_at(struct lab *lab, const char *path)
{
	struct cg_node *cpu = lab_node(lab, CG_CPU, path), *acct = lab_node(lab, CG_CPUACCT, path);
	struct cg_quota quota;
	struct cg_cpu c;

	memset(&c, 0xa5, sizeof(c));
	memset(per_cpu, 0xa5, sizeof(per_cpu));
	assert_int_equal(cg_quota_read(cpu, &quota), 0);
	assert_int_equal(cg_cpu_read(cpu, &quota, acct, per_cpu, &c), 0);
	cg_node_unref(cpu);
	cg_node_unref(acct);
	return c;
}

static void test_quota_is_rounded_up_to_whole_cpus(void **state)
{
	static const struct {
		const char *max;
		uint64_t cpus, period_ns;
	} rows[] = {
		{ "100000 100000\n", 1, 100000000 },
		{ "150000 100000\n", 2, 100000000 },
		{ "100001 100000\n", 2, 100000000 },
		{ "200000 100000\n", 2, 100000000 },
		{ "1000 1000000\n", 1, 1000000000 },
		{ "99999 100000\n", 1, 100000000 },
		{ "50000 10000\n", 5, 10000000 },
		{ "max 100000\n", CG_UNLIMITED, 0 },
		{ "18446744073709551614 1000\n", UINT64_C(18446744073709552), 1000000 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct cg_quota q;
		struct lab lab;

		lab_make_v2(&lab);
		lab_write(&lab, "cg/a/cpu.max", rows[i].max);
		q = quota_at(&lab, "/a");
		assert_true(q.cpus == rows[i].cpus);
		assert_true(q.period_ns == rows[i].period_ns);
		lab_end(&lab);
	}
}

static void test_tightest_quota_of_the_chain(void **state)
{
	struct cg_quota q;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cpu.max", "300000 200000\n"); /* 1.5, the longest period */
	lab_write(&lab, "cg/a/b/cpu.max", "max 1000000\n");
	lab_write(&lab, "cg/a/b/c/cpu.max", "400000 100000\n"); /* 4 */
	q = quota_at(&lab, "/a/b/c");
	assert_int_equal(q.cpus, 2);
	assert_int_equal(q.period_ns, 200000000);
	lab_end(&lab);
}

static void test_level_without_the_controller_has_no_quota(void **state)
{
	struct cg_quota q;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cpu.max", "100000 100000\n");
	lab_mkdir(&lab, "cg/a/b");
	q = quota_at(&lab, "/a/b");
	assert_int_equal(q.cpus, 1);
	assert_int_equal(cg_quota_read(NULL, &q), 0);
	assert_true(q.cpus == CG_UNLIMITED && q.period_ns == 0);
	lab_end(&lab);
}

static void test_throttled_time_is_summed_over_the_levels_with_a_quota(void **state)
{
	struct cg_node *acct;
	struct cg_cpu c;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cpu.max", "100000 100000\n");
	lab_write(&lab, "cg/a/cpu.stat", "usage_usec 9\nthrottled_usec 5\n");
	lab_write(&lab, "cg/a/b/cpu.max", "max 100000\n");
	lab_write(&lab, "cg/a/b/cpu.stat", "throttled_usec 1000000\n"); /* from a former quota */
	lab_write(&lab, "cg/a/b/c/cpu.max", "200000 100000\n");
	lab_write(&lab, "cg/a/b/c/cpu.stat", "user_usec 3\nthrottled_usec 7\nnr_bursts 0\n");
	c = cpu_at(&lab, "/a/b/c");
	assert_int_equal(c.throttled_ns, 12000);
	assert_int_equal(quota_at(&lab, "/a/b/c").cpus, 1);
	assert_int_equal(c.total.user, 3000);
	assert_int_equal(cpu_at(&lab, "/a/b").throttled_ns,
			 5000); /* its own file's time is not a quota's */
	acct = lab_node(&lab, CG_CPUACCT, "/a/b/c");
	assert_int_equal(cg_cpu_read(NULL, &none, acct, per_cpu, &c), 0);
	assert_int_equal(c.throttled_ns, 0);
	cg_node_unref(acct);
	lab_end(&lab);
}

static void test_quota_without_cpu_stat_was_never_throttled(void **state)
{
	struct cg_cpu c;
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cpu.max", "100000 100000\n");
	lab_write(&lab, "cg/a/b/cpu.stat", "user_usec 3\n");
	assert_int_equal(quota_at(&lab, "/a/b").cpus, 1);
	assert_int_equal(quota_at(&lab, "/a/b").levels, 2);
	c = cpu_at(&lab, "/a/b");
	assert_int_equal(c.throttled_ns, 0);
	lab_end(&lab);
}

static void test_v1_quota(void **state)
{
	struct cg_quota q;
	struct cg_cpu c;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/cpu.cfs_quota_us", "250000\n");
	lab_write(&lab, "cg/a/cpu.cfs_period_us", "100000\n");
	lab_write(&lab, "cg/a/cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 1234\n");
	lab_write(&lab, "cg/a/b/cpu.cfs_quota_us", "100000\n");
	lab_write(&lab, "cg/a/b/cpu.cfs_period_us", "500000\n");
	lab_write(&lab, "cg/a/b/cpu.stat", "throttled_time 1000\n");
	lab_write(&lab, "cg/a/b/c/cpu.cfs_quota_us", "-1\n");
	lab_write(&lab, "cg/a/b/c/cpu.cfs_period_us", "900000\n");
	lab_write(&lab, "cg/a/b/c/cpuacct.usage_all", "cpu user system\n0 1 2\n");
	lab_write(&lab, "cg/a/b/cpuacct.usage_all", "cpu user system\n0 1 2\n");
	q = quota_at(&lab, "/a/b/c");
	assert_int_equal(q.cpus, 1);
	assert_int_equal(q.period_ns, 500000000);
	assert_int_equal(q.levels, 6);
	c = cpu_at(&lab, "/a/b/c");
	assert_int_equal(c.throttled_ns, 2234);
	c = cpu_at(&lab, "/a/b");
	assert_int_equal(c.throttled_ns, 2234); /* cpuacct tells nothing of throttling */
	assert_int_equal(quota_at(&lab, "/a").cpus, 3);
	lab_end(&lab);
}

static void test_bad_quota_is_an_error(void **state)
{
	static const char *const bad[] = {
		"",         "max\n",      "max",
		"100000\n", "100000 0\n", "x 100000\n",
		"-1 5\n",   "max 0\n",    "maximum 5\n",
		" 1 5\n",   "1 x\n",      "18446744073709551616 100000\n"
	};
	uint64_t quota = 5, period = 6;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(cg_cpu_max_parse(bad[i], &quota, &period), -EBADMSG);
	assert_true(quota == 5 && period == 6);
	struct lab lab;

	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/cpu.cfs_quota_us", "250000\n");
	lab_write(&lab, "cg/a/cpu.cfs_period_us", "0\n");
	struct cg_node *node = lab_node(&lab, CG_CPU, "/a");
	struct cg_quota q = { .cpus = 77 };

	assert_int_equal(cg_quota_read(node, &q), -EBADMSG);
	assert_int_equal(q.cpus, 77);
	cg_node_unref(node);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota_is_rounded_up_to_whole_cpus),
		cmocka_unit_test(test_tightest_quota_of_the_chain),
		cmocka_unit_test(test_level_without_the_controller_has_no_quota),
		cmocka_unit_test(test_throttled_time_is_summed_over_the_levels_with_a_quota),
		cmocka_unit_test(test_quota_without_cpu_stat_was_never_throttled),
		cmocka_unit_test(test_v1_quota),
		cmocka_unit_test(test_bad_quota_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
