/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/cpu.h"

#include "fixture.h"

static const struct cg_quota none = { .cpus = CG_UNLIMITED };
static struct cg_cpu_time per_cpu[CPUSET_MAX];
static struct cg_quota quota; /* of the last cpu_at() */

static struct cg_cpu cpu_at(struct lab *lab, const char *path)
{
	struct cg_node *cpu = lab_node(lab, CG_CPU, path), *acct = lab_node(lab, CG_CPUACCT, path);
	struct cg_cpu c;

	memset(&c, 0xa5, sizeof(c));
	memset(per_cpu, 0xa5, sizeof(per_cpu));
	assert_int_equal(cg_quota_read(cpu, &quota), 0);
	assert_int_equal(cg_cpu_read(cpu, &quota, acct, per_cpu, &c), 0);
	cg_node_unref(cpu);
	cg_node_unref(acct);
	return c;
}

static void assert_time(const struct cg_cpu_time *t, uint64_t user, uint64_t nice, uint64_t system)
{
	assert_true(t->user == user);
	assert_true(t->nice == nice);
	assert_true(t->system == system);
}

static void test_v1_time_is_told_for_each_cpu(void **state)
{
	struct cg_cpu c;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/cpuacct.usage_all",
		  "cpu user system\n0 10 1\n1 20 2\n3 40 4\n"); /* no 2 */
	c = cpu_at(&lab, "/a");
	assert_int_equal(c.n_per_cpu, 4);
	assert_time(&per_cpu[0], 10, 0, 1);
	assert_time(&per_cpu[1], 20, 0, 2);
	assert_time(&per_cpu[2], 0, 0, 0);
	assert_time(&per_cpu[3], 40, 0, 4);
	assert_time(&c.total, 70, 0, 7);
	lab_end(&lab);
}

static void test_v1_without_usage_all_has_totals_in_ticks(void **state)
{
	struct cg_node *node;
	struct cg_cpu c;
	uint64_t usage;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/cpuacct.stat", "user 253\nsystem 769\n");
	lab_write(&lab, "cg/a/cpuacct.usage", "10222669856\n");
	assert_int_equal(sysconf(_SC_CLK_TCK), 100);
	c = cpu_at(&lab, "/a");
	assert_int_equal(c.n_per_cpu, 0);
	assert_time(&c.total, 2530000000, 0, 7690000000);
	node = lab_node(&lab, CG_CPUACCT, "/a");
	assert_int_equal(cg_cpu_usage_read(node, &usage), 0);
	assert_true(usage == 10222669856);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_bad_usage_all_is_an_error(void **state)
{
	static const char *const bad[] = {
		"cpu user system\n0 1\n",      "cpu user system\n0 1 2",
		"cpu user system\n8192 1 2\n", "cpu user system\n-1 1 2\n",
		"cpu user system\n0 1 2 3\n",  "cpu user system\n0 x 2\n",
		"cpu user system\n\n",         "cpu user system\n0 1 18446744073709551616\n",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(cg_usage_all_parse(bad[i], per_cpu, CPUSET_MAX), -EBADMSG);
	assert_int_equal(cg_usage_all_parse("cpu user system\n8191 1 2\n", per_cpu, CPUSET_MAX),
			 8192);
	assert_int_equal(cg_usage_all_parse("cpu user system\n2 1 2\n", per_cpu, 2), -EBADMSG);
	assert_int_equal(cg_usage_all_parse("cpu user system\n", per_cpu, CPUSET_MAX), 0);
}

static void test_v2_time_has_nice_apart_from_user(void **state)
{
	struct cg_node *node;
	struct cg_cpu c;
	struct lab lab;
	uint64_t usage;

	(void)state;
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cpu.stat",
		  "usage_usec 100\nuser_usec 60\nsystem_usec 40\nnice_usec 15\n");
	lab_write(&lab, "cg/b/cpu.stat",
		  "usage_usec 100\nuser_usec 60\nsystem_usec 40\n"); /* before 6.13 */
	c = cpu_at(&lab, "/a");
	assert_int_equal(c.n_per_cpu, 0);
	assert_time(&c.total, 45000, 15000, 40000);
	c = cpu_at(&lab, "/b");
	assert_time(&c.total, 60000, 0, 40000);
	node = lab_node(&lab, CG_CPUACCT, "/a");
	assert_int_equal(cg_cpu_usage_read(node, &usage), 0);
	assert_int_equal(usage, 100000);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_absent_and_bad_times_are_errors(void **state)
{
	struct cg_cpu c = { .n_per_cpu = 77 };
	struct cg_node *node;
	struct lab lab;
	uint64_t usage;

	(void)state;
	lab_make_v2(&lab);
	lab_mkdir(&lab, "cg/a");
	node = lab_node(&lab, CG_CPUACCT, "/a");
	assert_int_equal(cg_cpu_read(NULL, &none, node, per_cpu, &c), -ENOENT);
	assert_int_equal(cg_cpu_usage_read(node, &usage), -ENOENT);
	lab_write(&lab, "cg/a/cpu.stat", "user_usec x\n");
	assert_int_equal(cg_cpu_read(NULL, &none, node, per_cpu, &c), -EBADMSG);
	assert_int_equal(cg_cpu_usage_read(node, &usage), -EBADMSG);
	assert_int_equal(c.n_per_cpu, 77);
	cg_node_unref(node);
	lab_end(&lab);
}

static void assert_cpus(struct cg_node *node, int mems_status, const char *cpus, const char *mems)
{
	struct cpuset set, want;

	assert_int_equal(cpuset_parse(cpus, &want), 0);
	assert_int_equal(cg_cpus_read(node, &set), 0);
	assert_true(cpuset_equal(&set, &want));
	assert_int_equal(cpuset_parse(mems, &want), 0);
	assert_int_equal(cg_mems_read(node, &set), mems_status);
	assert_true(cpuset_equal(&set, &want));
	cg_node_unref(node);
}

static void test_effective_cpuset_comes_first(void **state)
{
	struct cpuset set;
	struct cg_node *node;
	struct lab lab;

	(void)state;
	lab_make_v1(&lab);
	lab_write(&lab, "cg/a/cpuset.effective_cpus", "1-2\n");
	lab_write(&lab, "cg/a/cpuset.cpus", "0-3\n");
	lab_write(&lab, "cg/a/cpuset.mems", "0-1\n"); /* older kernels have this alone */
	assert_cpus(lab_node(&lab, CG_CPUSET, "/a"), CG_E_CONFIGURED, "1-2", "0-1");
	lab_write(&lab, "cg/b/cgroup.procs", "");
	node = lab_node(&lab, CG_CPUSET, "/b");
	assert_int_equal(cg_cpus_read(node, &set), -ENOENT);
	cg_node_unref(node);
	lab_end(&lab);
}

/* Every second of 8192 cpus: 20 KiB of text. */
static void test_longest_list_of_cpus(void **state)
{
	g_autoptr(GString) list = g_string_new("1");
	struct cpuset set;
	struct cg_node *node;
	struct lab lab;

	(void)state;
	for (unsigned i = 3; i < CPUSET_MAX; i += 2)
		g_string_append_printf(list, ",%u", i);
	g_string_append_c(list, '\n');
	lab_make_v2(&lab);
	lab_write(&lab, "cg/a/cpuset.cpus.effective", list->str);
	node = lab_node(&lab, CG_CPUSET, "/a");
	assert_int_equal(cg_cpus_read(node, &set), 0);
	assert_int_equal(cpuset_count(&set), CPUSET_MAX / 2);
	cg_node_unref(node);
	lab_end(&lab);
}

static void test_recorded_hosts(void **state)
{
	static const struct {
		const char *host, *cpus;
		unsigned n_per_cpu;
		uint64_t throttled_ns, user_ns, system_ns;
	} rows[] = { { "v2-6.1", "1-3", 0, 5675669000, 3048091000, 7215481000 },
		     { "v1-6.1", "1-3", 4, 5602123314, 1744000000, 5300000000 },
		     { "hybrid-6.18", "1", 2, 0, 1011988713, 147984718 } };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct lab lab;
		struct cg_cpu c;

		lab_open(&lab, rows[i].host);
		c = cpu_at(&lab, "/level1/level2");
		assert_int_equal(quota.cpus, 2);
		assert_int_equal(quota.period_ns, 100000000);
		assert_true(c.throttled_ns == rows[i].throttled_ns);
		assert_true(c.n_per_cpu == rows[i].n_per_cpu);
		assert_time(&c.total, rows[i].user_ns, 0, rows[i].system_ns);
		assert_cpus(lab_node(&lab, CG_CPUSET, "/level1/level2"), 0, rows[i].cpus, "0");
		lab_end(&lab);
	}
}

static void test_v1_and_v2_of_one_container_are_equal(void **state)
{
	struct cg_quota v1_quota;
	struct cg_cpu a, b;
	struct lab v1, v2;

	(void)state;
	lab_open(&v1, "v1-6.1");
	lab_open(&v2, "same-as-v1-6.1");
	a = cpu_at(&v1, "/level1/level2");
	v1_quota = quota;
	b = cpu_at(&v2, "/level1/level2");
	assert_memory_equal(&v1_quota, &quota, sizeof(quota));
	assert_memory_equal(&a.total, &b.total, sizeof(a.total));
	assert_true(a.throttled_ns / 1000 * 1000 == b.throttled_ns); /* v2 counts microseconds */
	lab_end(&v1);
	lab_end(&v2);
}

static void feed_cpu(const char *text, void *data)
{
	uint64_t quota_us = 1, period_us = 1;
	int n = cg_usage_all_parse(text, data, 64);

	assert_true(n == -EBADMSG || (n >= 0 && n <= 64));
	if (cg_cpu_max_parse(text, &quota_us, &period_us) == 0)
		assert_true(period_us > 0);
}

static void test_hostile_text(void **state)
{
	struct cg_cpu_time *few = g_new(struct cg_cpu_time, 64); /* its exact size */

	(void)state;
	feed_hostile("cpu user system\n0 1000 11\n1 2111 22\n63 1 1\n", feed_cpu, few);
	feed_hostile("150000 100000\n", feed_cpu, few);
	g_free(few);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1_time_is_told_for_each_cpu),
		cmocka_unit_test(test_v1_without_usage_all_has_totals_in_ticks),
		cmocka_unit_test(test_bad_usage_all_is_an_error),
		cmocka_unit_test(test_v2_time_has_nice_apart_from_user),
		cmocka_unit_test(test_absent_and_bad_times_are_errors),
		cmocka_unit_test(test_effective_cpuset_comes_first),
		cmocka_unit_test(test_longest_list_of_cpus),
		cmocka_unit_test(test_recorded_hosts),
		cmocka_unit_test(test_v1_and_v2_of_one_container_are_equal),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
