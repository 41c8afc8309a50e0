/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/pid.h"

#include "fixture.h"
#include "host/host.h"

#define BEHIND_COMM                                                                                \
	" S 176 170 170 0 -1 4194560 36497 267 276 12 59 297 453 698 20 0 1 0 459 154869760 "      \
	"29136 "                                                                                   \
	"18446744073709551615\n"

static void assert_stat(const char *text, char state, uint64_t ppid, uint64_t start)
{
	struct pidstat st;

	assert_int_equal(pidstat_parse(text, &st), 0);
	assert_int_equal(st.state, state);
	assert_int_equal(st.ppid, ppid);
	assert_int_equal(st.start_ticks, start);
}

static void test_stat_of_a_plain_process(void **state)
{
	(void)state;
	assert_stat("178 (program)" BEHIND_COMM, 'S', 176, 459);
}

static void test_stat_of_one_that_ends(void **state)
{
	struct pidstat st;

	(void)state;
	assert_int_equal(pidstat_parse("178 (program)" BEHIND_COMM, &st), 0);
	assert_false(st.exiting);
	assert_int_equal(
		pidstat_parse("9 (a) Z 1 9 9 0 -1 4228100 5 0 0 0 0 0 0 0 20 0 2 0 7 0\n", &st), 0);
	assert_true(st.exiting);
	assert_int_equal(st.start_ticks, 7);
}

static void test_comm_with_parenthesis_and_state(void **state)
{
	(void)state;
	assert_stat("12 (a) R 1) S 1)" BEHIND_COMM, 'S', 176, 459);
	assert_stat("12 (a) R 1) S 1 2 3 (x)" BEHIND_COMM, 'S', 176, 459);
	assert_stat("12 ())))" BEHIND_COMM, 'S', 176, 459);
	assert_stat("12 ()" BEHIND_COMM, 'S', 176, 459);
	assert_stat("12 ( )" BEHIND_COMM, 'S', 176, 459);
}

static void test_comm_with_newlines(void **state)
{
	(void)state;
	assert_stat("12 (a\nb\n) R 1\n)" BEHIND_COMM, 'S', 176, 459);
	assert_stat("12 (\n13 (b) R 1 2 3\n)" BEHIND_COMM, 'S', 176, 459);
}

static void test_comm_that_is_not_utf8(void **state)
{
	(void)state;
	assert_stat("12 (\xff\xfe\x80)" BEHIND_COMM, 'S', 176, 459);
}

static void test_negative_fields_are_passed_over(void **state)
{
	(void)state;
	assert_stat("1 (init) D 0 -1 -1 0 -1 0 0 0 0 0 0 0 -5 -5 -100 -20 1 0 7 0 0\n", 'D', 0, 7);
}

static void test_stat_cut_anywhere_before_the_start_time_ends_is_refused(void **state)
{
	const char *text = "178 (pro)" BEHIND_COMM;
	size_t need = (size_t)(strstr(text, " 459 ") - text) + strlen(" 459");

	(void)state;
	for (size_t n = 0; n <= need; n++) {
		g_autofree char *cut = g_strndup(text, n);
		struct pidstat st = { .state = 'x' };

		assert_int_equal(pidstat_parse(cut, &st), -EBADMSG);
		assert_int_equal(st.state, 'x');
	}
}

static void test_stat_with_odd_numbers_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1 (a",
		")",
		") ",
		") S",
		") S ",
		") S x",
		"1 (a) S -1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5 0\n",
		"1 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -5 0\n",
		"1 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 18446744073709551616 0\n",
		"1 (a) S 1\n",
		"1 (a)S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5 0\n",
		"1 (a) SS 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5 0\n",
	};
	struct pidstat st;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(pidstat_parse(bad[i], &st), -EBADMSG);
}

static void test_nspid_is_the_innermost(void **state)
{
	uint64_t pid = 0;

	(void)state;
	assert_int_equal(nspid_parse("Name:\ta\nPid:\t7\nNSpid:\t7\nNSpgid:\t9\n", &pid), 0);
	assert_int_equal(pid, 7);
	assert_int_equal(
		nspid_parse("Name:\ta\nNStgid:\t8\t9\nNSpid:\t4194304\t178\t12\t1\nNSpgid:\t5\n",
			    &pid),
		0);
	assert_int_equal(pid, 1);
}

/* The kernel writes a newline of the name as \n, so the name can begin no line. */
static void test_nspid_in_a_name_is_not_taken(void **state)
{
	uint64_t pid = 0;

	(void)state;
	assert_int_equal(nspid_parse("Name:\tNSpid:\t66\\nNSpid:\t67\nNSpid:\t7\t2\n", &pid), 0);
	assert_int_equal(pid, 2);
}

static void test_bad_nspid_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "Name:\ta\n",
					   "Name:\ta\nNSpid:\n",
					   "Name:\ta\nNSpid:\t1\t2",
					   "Name:\ta\nNSpid:\t1\t-2\n",
					   "Name:\ta\nNSpid:\tx\n",
					   "Name:\ta\nNSpid:\t7\t0\n",
					   "Name:\ta\nNSpid:\t7 x\n",
					   "Name:\ta\nNSpid:\t18446744073709551616\n",
					   "Name:\ta\nNSpid 7\n" };
	uint64_t pid = 5;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(nspid_parse(bad[i], &pid), -EBADMSG);
	assert_int_equal(pid, 5);
}

static void test_who_was_killed(void **state)
{
	bool killed = false;

	(void)state;
	assert_int_equal(sigpnd_parse("Name:\ta\nSigPnd:\t0000000000000100\nShdPnd:\t0\n", &killed),
			 0);
	assert_true(killed);
	assert_int_equal(sigpnd_parse("Name:\ta\nSigPnd:\tfffffffffffffeff\n", &killed), 0);
	assert_false(killed);
}

static void test_bad_sigpnd_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "Name:\tSigPnd:\t0000000000000100\n",
					   "Name:\ta\nSigPnd:\t100\n",
					   "Name:\ta\nSigPnd:\t0000000000000100",
					   "Name:\ta\nSigPnd:\t-000000000000100\n",
					   "Name:\ta\nSigPnd:\t00000000000000100\n" };
	bool killed = true;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(sigpnd_parse(bad[i], &killed), -EBADMSG);
	assert_true(killed);
}

static void test_boottime_offset(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{ "monotonic           0         0\nboottime            0         0\n", 0 },
		{ "monotonic           5         0\nboottime         3600 500000000\n",
		  3600500000000 },
		{ "monotonic  -7  1\nboottime          -86400         0\n", -86400000000000 },
		/* nanoseconds always count upwards: -1.5 s are -2 s and half a second */
		{ "monotonic  0  0\nboottime           -2 500000000\n", -1500000000 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		int64_t ns = 1;

		assert_int_equal(timens_parse(rows[i].text, &ns), 0);
		assert_true(ns == rows[i].want);
	}
}

static void test_bad_boottime_offset_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "monotonic 0 0\n",
					   "boottime\n",
					   "boottime 1\n",
					   "boottime 1 1000000000\n",
					   "boottime 1 -1\n",
					   "boottime --1 0\n",
					   "boottime 9223372036 0\n",
					   "boottime -9223372036854775808 0\n",
					   "boottime 99999999999999999999 0\n" };
	int64_t ns = 5;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(timens_parse(bad[i], &ns), -EBADMSG);
	assert_int_equal(ns, 5);
}

static void feed_all(const char *text, void *data)
{
	struct pidstat st;
	uint64_t pid;
	int64_t ns;
	bool killed;

	(void)data;
	(void)pidstat_parse(text, &st);
	(void)nspid_parse(text, &pid);
	(void)timens_parse(text, &ns);
	(void)sigpnd_parse(text, &killed);
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("178 (pro)" BEHIND_COMM, feed_all, NULL);
	feed_hostile("Name:\ta\nNSpid:\t7\t12\t1\nNSpgid:\t5\n", feed_all, NULL);
	feed_hostile("monotonic 5 0\nboottime -3611 511111111\n", feed_all, NULL);
}

static void test_process_of_a_recorded_host(void **state)
{
	g_autofree char *root = fixture_path("v2-6.1");
	struct host *host = NULL;
	struct pidstat st;
	char buf[256];
	uint64_t pid;
	int64_t ns;

	(void)state;
	assert_int_equal(host_open(root, &host), 0);
	assert_int_equal(host_pid_stat(host, 1000, &st), 0);
	assert_int_equal(st.state, 'S');
	assert_true(st.start_ticks > 0);
	assert_int_equal(host_pid_nspid(host, 1000, &pid), 0);
	assert_int_equal(pid, 1);
	assert_int_equal(host_pid_timens(host, 1000, &ns), 0);
	assert_int_equal(ns, 0);
	assert_true(host_pid_cgroup(host, 1000, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "0::/level1/level2\n");
	host_free(host);
}

static void test_process_that_is_gone(void **state)
{
	g_autofree char *root = fixture_path("v2-6.1");
	struct host *host = NULL;
	struct pidstat st;
	char buf[256];
	uint64_t v;
	int64_t ns;

	(void)state;
	assert_int_equal(host_open(root, &host), 0);
	assert_int_equal(host_pid_stat(host, 1001, &st), -ENOENT);
	assert_int_equal(host_pid_nspid(host, 1001, &v), -ENOENT);
	assert_int_equal(host_pid_timens(host, 1001, &ns), -ENOENT);
	assert_int_equal(host_pid_cgroup(host, 1001, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(host_pid_cgroup_open(host, 1001), -ENOENT);
	assert_int_equal(host_pid_ns(host, 1001, HOST_NS_PID, &v), -ENOENT);
	assert_int_equal(host_pid_ns_open(host, 1001, HOST_NS_PID), -ENOENT);
	host_free(host);
}

static void test_namespace_is_the_number_in_the_link(void **state)
{
	static const struct {
		const char *link;
		int want;
	} rows[] = { { "pid:[4026531836]", 0 }, { "pid:[]", -EBADMSG },
		     { "pid:[12", -EBADMSG },   { "elsewhere", -EBADMSG },
		     { "pid:[1]]", 0 },         { "pid:[99999999999999999999]", -EBADMSG } };
	struct host *host = NULL;
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "sys");
	lab_mkdir(&lab, "proc/7/ns");
	lab_mkdir(&lab, "proc/thread-self/ns");
	assert_int_equal(host_open(lab.dir, &host), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint64_t ino = 0;

		assert_int_equal(symlinkat(rows[i].link, host_proc_dir(host), "7/ns/pid"), 0);
		assert_int_equal(host_pid_ns(host, 7, HOST_NS_PID, &ino), rows[i].want);
		assert_true(rows[i].want < 0 || ino == (i == 0 ? 4026531836 : 1));
		assert_int_equal(unlinkat(host_proc_dir(host), "7/ns/pid", 0), 0);
	}
	assert_int_equal(symlinkat("time:[5]", host_proc_dir(host), "thread-self/ns/time"), 0);
	uint64_t own = 0;

	assert_int_equal(host_pid_ns(host, 0, HOST_NS_TIME, &own), 0);
	assert_int_equal(own, 5);
	host_free(host);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_of_a_plain_process),
		cmocka_unit_test(test_stat_of_one_that_ends),
		cmocka_unit_test(test_comm_with_parenthesis_and_state),
		cmocka_unit_test(test_comm_with_newlines),
		cmocka_unit_test(test_comm_that_is_not_utf8),
		cmocka_unit_test(test_negative_fields_are_passed_over),
		cmocka_unit_test(test_stat_cut_anywhere_before_the_start_time_ends_is_refused),
		cmocka_unit_test(test_stat_with_odd_numbers_is_refused),
		cmocka_unit_test(test_nspid_is_the_innermost),
		cmocka_unit_test(test_nspid_in_a_name_is_not_taken),
		cmocka_unit_test(test_bad_nspid_is_refused),
		cmocka_unit_test(test_who_was_killed),
		cmocka_unit_test(test_bad_sigpnd_is_refused),
		cmocka_unit_test(test_boottime_offset),
		cmocka_unit_test(test_bad_boottime_offset_is_refused),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_process_of_a_recorded_host),
		cmocka_unit_test(test_process_that_is_gone),
		cmocka_unit_test(test_namespace_is_the_number_in_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
