/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/stat.h"

#include "golden.h"

static struct cpuset set(const char *list)
{
	struct cpuset s;

	assert_int_equal(cpuset_parse(list, &s), 0);
	return s;
}

static char *render(const struct stat_input *in)
{
	struct text t = output_begin();

	stat_render(in, &t);
	return output_end(&t);
}

static void test_lines_and_their_order(void **state)
{
	struct cpu_ticks cpu[] = {
		{ .user = 1, .nice = 2, .system = 3, .idle = 4, .steal = 5 },
		{ .user = 10, .nice = 20, .system = 30, .idle = 40, .steal = 50 },
	};
	struct cpu_counters counters = {
		.visible = set("3,511"),
		.sum = { .user = 11, .nice = 22, .system = 33, .idle = 44, .steal = 55 },
		.cpu = cpu,
	};
	const struct stat_input in = {
		.counters = &counters,
		.host = { .intr = 736708,
			  .softirq = 273007,
			  .ctxt = 1945291,
			  .btime = 1795403603,
			  .processes = 11022 },
		.running = 6,
		.blocked = 7,
	};
	g_autofree char *text = render(&in);

	(void)state;
	assert_string_equal(text, "cpu  11 22 33 44 0 0 0 55 0 0\n"
				  "cpu3 1 2 3 4 0 0 0 5 0 0\n"
				  "cpu511 10 20 30 40 0 0 0 50 0 0\n"
				  "intr 736708\n"
				  "ctxt 1945291\n"
				  "btime 1795403603\n"
				  "processes 11022\n"
				  "procs_running 6\n"
				  "procs_blocked 7\n"
				  "softirq 273007\n");
}

static void test_btime_is_moved_by_the_time_namespace(void **state)
{
	static const struct {
		int64_t offset_ns;
		uint64_t host, want;
	} rows[] = {
		{ 0, 1000000, 1000000 },
		/* a clock that runs ahead began earlier */
		{ INT64_C(86400000000000), 1000000, 913600 },
		{ INT64_C(-86400000000000), 1000000, 1086400 },
		{ INT64_C(1999999999), 1000, 999 },
		{ INT64_C(3000000000000), 1000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct cpu_counters none = { .visible = set("") };
		const struct stat_input in = { .counters = &none,
					       .host.btime = rows[i].host,
					       .timens_offset_ns = rows[i].offset_ns };
		g_autofree char *text = render(&in);
		g_autofree char *want =
			g_strdup_printf("\nbtime %llu\n", (unsigned long long)rows[i].want);

		assert_non_null(strstr(text, want));
	}
}

static void test_512_cpus(void **state)
{
	g_autofree struct cpu_ticks *cpu = g_new0(struct cpu_ticks, 512);
	struct cpu_counters counters = { .visible = set("0-511"), .cpu = cpu };
	const struct stat_input in = { .counters = &counters };
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	(void)state;
	for (unsigned i = 0; i < 512; i++)
		cpu[i].user = i;
	text = render(&in);
	lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; i < 512; i++) {
		g_autofree char *want = g_strdup_printf("cpu%u %u 0 0 0 0 0 0 0 0 0", i, i);

		assert_string_equal(lines[i + 1], want);
	}
	assert_string_equal(lines[513], "intr 0");
}

static char *render_host(const char *host_text, const char *visible, int want)
{
	struct cpuset v = set(visible);
	struct text t = output_begin();

	assert_int_equal(stat_render_host(host_text, &v, &t), want);
	return output_end(&t);
}

static void test_without_accounting_the_hosts_lines_of_visible_cpus(void **state)
{
	static const char host_text[] = "cpu  111 0 111 111 0 0 0 0 0 0\n"
					"cpu0 1 2 3 4 5 6 7 8 9 10\n"
					"cpu1 10 20 30 40 50 60 70 80 90 100\n"
					"cpu10 100 0 0 0 0 0 0 0 0 0\n"
					"intr 5 1 1 1\n"
					"ctxt 6\n"
					"softirq 7 0 0\n";
	g_autofree char *two = render_host(host_text, "0,10", 0);
	g_autofree char *absent = render_host(host_text, "1,5", 0);

	(void)state;
	assert_string_equal(two, "cpu  101 2 3 4 5 6 7 8 9 10\n"
				 "cpu0 1 2 3 4 5 6 7 8 9 10\n"
				 "cpu10 100 0 0 0 0 0 0 0 0 0\n"
				 "intr 5 1 1 1\n"
				 "ctxt 6\n"
				 "softirq 7 0 0\n");
	assert_true(g_str_has_prefix(absent, "cpu  10 20 30 40 50 60 70 80 90 100\n"
					     "cpu1 10 20 30 40 50 60 70 80 90 100\n"
					     "intr "));
}

static void test_recorded_host_without_accounting(void **state)
{
	g_autofree char *host_text = fixture_read("v1-6.1/proc/stat");
	g_autofree char *text = render_host(host_text, "1-2", 0);

	(void)state;
	assert_golden("golden/stat-host-v1-6.1", text);
}

static void test_text_without_interrupts_is_no_stat(void **state)
{
	(void)state;
	g_free(render_host("", "0", -EBADMSG));
	g_free(render_host("cpu  1\ncpu0 1\n", "0", -EBADMSG));
}

static void feed(const char *host_text, void *data)
{
	const struct cpuset *visible = data;
	struct text t = output_begin();

	(void)stat_render_host(host_text, visible, &t);
	g_free(t.buf);
}

static void test_hostile_texts(void **state)
{
	struct cpuset visible = set("0-1,700");

	(void)state;
	feed_hostile("cpu  1 2 3\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu1 1\nintr 1 2\nsoftirq 1 0\n", feed,
		     &visible);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_and_their_order),
		cmocka_unit_test(test_btime_is_moved_by_the_time_namespace),
		cmocka_unit_test(test_512_cpus),
		cmocka_unit_test(test_without_accounting_the_hosts_lines_of_visible_cpus),
		cmocka_unit_test(test_recorded_host_without_accounting),
		cmocka_unit_test(test_text_without_interrupts_is_no_stat),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
