/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/cpus.h"

#include "golden.h"
#include "view/views.h"

static char *computed(const char *online, const char *cpuset, uint64_t quota)
{
	struct cpuset on, set, visible;
	struct text t = output_begin();

	assert_int_equal(cpuset_parse(online, &on), 0);
	assert_int_equal(cpuset_parse(cpuset, &set), 0);
	cpus_compute(&on, &set, quota, &visible);
	cpuset_format(&visible, &t);
	return output_end(&t);
}

static void test_visible_cpus(void **state)
{
	static const struct {
		const char *online, *cpuset;
		uint64_t quota;
		const char *want;
	} rows[] = {
		{ "0-7", "0-7", CG_UNLIMITED, "0-7" },
		/* the first of the cpuset, with their real numbers */
		{ "0-7", "2-4,6", CG_UNLIMITED, "2-4,6" },
		{ "0-7", "2-4,6", 2, "2-3" },
		{ "0-7", "1,3,5,7", 3, "1,3,5" },
		{ "0-7", "5", 4, "5" },
		/* never none */
		{ "0-7", "2-4", 0, "2" },
		{ "0-7", "", 2, "0-1" },
		{ "0-3", "4-7", CG_UNLIMITED, "0-3" },
		{ "1-3", "0", 1, "1" },
		/* cpus that are offline are not shown */
		{ "0-1,4-5", "0-7", CG_UNLIMITED, "0-1,4-5" },
		{ "0-1,4-5", "1-4", 2, "1,4" },
		/* big hosts and absurd quotas */
		{ "0-511", "0-511", 300, "0-299" },
		{ "0-8191", "8191", 1, "8191" },
		{ "0-3", "0-3", UINT64_MAX - 1, "0-3" },
		{ "0-3", "0-3", UINT64_C(1) << 32, "0-3" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *got = computed(rows[i].online, rows[i].cpuset, rows[i].quota);

		assert_string_equal(got, rows[i].want);
	}
}

static char *generated(int (*fn)(const struct request *req, struct text *out), struct scene *s)
{
	struct text t = output_begin();

	assert_int_equal(fn(&s->req, &t), 0);
	return output_end(&t);
}

static void assert_online(const char *host, bool quota, const char *want)
{
	g_autofree char *text = NULL;
	struct scene s;

	scene_open(&s, host);
	s.options.cpu_quota = quota;
	text = generated(cpu_online_generate, &s);
	assert_string_equal(text, want);
	scene_end(&s);
}

static void test_recorded_hosts(void **state)
{
	(void)state;
	/* a cpuset of one cpu; two of three cpus by quota */
	assert_online("hybrid-6.18", true, "1\n");
	assert_online("v1-6.1", true, "1-2\n");
	assert_online("v2-6.1", true, "1-2\n");
}

static void test_quotas_need_not_count(void **state)
{
	(void)state;
	assert_online("v2-6.1", false, "1-3\n");
	assert_online("v1-6.1", false, "1-3\n");
}

static void test_each_cpus_own_online_file(void **state)
{
	static const char *const want[] = { "0\n", "1\n", "1\n", "0\n", "0\n" };
	struct scene s;

	(void)state;
	scene_open(&s, "v2-6.1");
	for (unsigned cpu = 0; cpu < G_N_ELEMENTS(want); cpu++) {
		g_autofree char *text = NULL;

		s.req.number = cpu;
		text = generated(cpu_is_online_generate, &s);
		assert_string_equal(text, want[cpu]);
	}
	scene_end(&s);
}

static void test_without_a_cpuset_all_online_cpus(void **state)
{
	g_autofree char *text = NULL;
	struct scene s;

	(void)state;
	scene_open(&s, "v1-6.1");
	cg_node_unref(s.ct.held.nodes[CG_CPUSET]);
	s.ct.held.nodes[CG_CPUSET] = NULL;
	s.options.cpu_quota = false;
	text = generated(cpu_online_generate, &s);
	assert_string_equal(text, "0-3\n");
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_visible_cpus),
		cmocka_unit_test(test_recorded_hosts),
		cmocka_unit_test(test_quotas_need_not_count),
		cmocka_unit_test(test_each_cpus_own_online_file),
		cmocka_unit_test(test_without_a_cpuset_all_online_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
