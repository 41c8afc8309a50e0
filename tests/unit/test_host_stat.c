/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/stat.h"

#include "fixture.h"

static void test_recorded_host(void **state)
{
	g_autofree char *text = fixture_read("hybrid-6.18/proc/stat");
	struct host_stat st;

	(void)state;
	assert_int_equal(host_stat_parse(text, &st), 0);
	assert_int_equal(st.intr, 736708);
	assert_int_equal(st.softirq, 273007);
	assert_int_equal(st.ctxt, 1945291);
	assert_int_equal(st.btime, 1795403603);
	assert_int_equal(st.processes, 11022);
}

static void test_absent_lines_are_0_and_odd_ones_are_told(void **state)
{
	struct host_stat st = { .ctxt = 7 };

	(void)state;
	assert_int_equal(host_stat_parse("ctxt many\n", &st), -EBADMSG);
	assert_int_equal(host_stat_parse("btime -1\n", &st), -EBADMSG);
	assert_int_equal(st.ctxt, 7);
	assert_int_equal(host_stat_parse("ctxtra 3\nintr 5", &st), 0);
	assert_int_equal(st.ctxt, 0);
	assert_int_equal(st.intr, 5);
	assert_int_equal(host_stat_parse("", &st), 0);
	assert_int_equal(st.intr, 0);
}

static void assert_line(const char *text, unsigned cpu, const char *want)
{
	uint64_t len = 77;
	const char *line = host_stat_cpu_line(text, cpu, &len);

	if (!want) {
		assert_null(line);
		return;
	}
	assert_non_null(line);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
}

static void test_line_of_a_cpu(void **state)
{
	static const char text[] = "cpu  1 2 3\n"
				   "cpu1 10 20\n"
				   "cpu10 30 40\n"
				   "cpu11x 1\n"
				   "cpu12";

	(void)state;
	assert_line(text, 1, "cpu1 10 20\n");
	assert_line(text, 10, "cpu10 30 40\n");
	assert_line(text, 0, NULL);
	assert_line(text, 11, NULL);
	assert_line(text, 12, NULL); /* cut off */
	assert_line("", 0, NULL);
	assert_line("intr 1\ncpu0 1\n", 0, NULL); /* cpus come first */
	assert_line("cpu  1\ncpu0 5", 0, "cpu0 5");
}

static void feed(const char *text, void *data)
{
	struct host_stat st;
	uint64_t len;

	(void)data;
	(void)host_stat_parse(text, &st);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		(void)host_stat_cpu_line(text, cpu, &len);
}

static void test_hostile_texts(void **state)
{
	(void)state;
	feed_hostile("cpu  1 2\ncpu0 1 2\ncpu1 3 4\nintr 1 2 3\nctxt 5\nbtime 1\nsoftirq 1\n", feed,
		     NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_host),
		cmocka_unit_test(test_absent_lines_are_0_and_odd_ones_are_told),
		cmocka_unit_test(test_line_of_a_cpu),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
