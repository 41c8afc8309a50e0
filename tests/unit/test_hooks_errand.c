/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/errand.h"

#include <signal.h>
#include <sys/wait.h>

#include "fixture.h"

static int tell(void *arg, int say)
{
	dprintf(say, "%s", (const char *)arg);
	return 3;
}

static int hang(void *arg, int say)
{
	(void)arg;
	dprintf(say, "so far");
	return pause();
}

/* It has said all, and does not end. */
static int linger(void *arg, int say)
{
	(void)arg;
	close(say);
	return pause();
}

static int die(void *arg, int say)
{
	(void)say;
	(void)arg;
	return raise(SIGKILL);
}

/* Whoever waits for the end of our output is not to wait for the child. */
static int count_pipes(void *arg, int say)
{
	struct stat ours, its;
	const int *write_end = arg;
	unsigned n = 0;

	assert_int_equal(fstat(*write_end, &ours), 0);
	for (int fd = 0; fd <= 2; fd++)
		n += fstat(fd, &its) == 0 && its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
	dprintf(say, "%u", n);
	return 0;
}

static void test_what_it_says_and_its_status(void **state)
{
	char text[] = "a\nb\n";
	struct errand_report report = { 0 };

	(void)state;
	assert_int_equal(errand_run(tell, text, 5000, &report), 0);
	assert_int_equal(report.status, 3);
	assert_string_equal(report.said, text);
	g_free(report.said);
}

static void test_much_of_it(void **state)
{
	g_autofree char *much = g_strnfill(100000, 'x');
	struct errand_report report = { 0 };

	(void)state;
	assert_int_equal(errand_run(tell, much, 5000, &report), 0);
	assert_in_range(strlen(report.said), 4096, 5000);
	g_free(report.said);
}

static void gives_up(errand_work *work)
{
	struct errand_report report = { 0 };
	gint64 start = g_get_monotonic_time();

	assert_int_equal(errand_run(work, NULL, 100, &report), -ETIMEDOUT);
	assert_null(report.said);
	assert_true(g_get_monotonic_time() - start < 3 * G_TIME_SPAN_SECOND);
	/* It was killed, or this would take for ever. */
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void test_one_that_hangs_is_given_up(void **state)
{
	(void)state;
	gives_up(hang);
	gives_up(linger);
}

static void test_one_that_dies(void **state)
{
	struct errand_report report = { 0 };

	(void)state;
	assert_int_equal(errand_run(die, NULL, 5000, &report), 0);
	assert_int_equal(report.status, -1);
	assert_string_equal(report.said, "");
	g_free(report.said);
}

static void test_it_lets_go_of_our_output(void **state)
{
	struct errand_report report = { 0 };
	int fds[2], saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	assert_int_equal(errand_run(count_pipes, &fds[1], 5000, &report), 0);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_string_equal(report.said, "0");
	g_free(report.said);
	close(fds[0]);
	close(fds[1]);
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_says_and_its_status),
		cmocka_unit_test(test_much_of_it),
		cmocka_unit_test(test_one_that_hangs_is_given_up),
		cmocka_unit_test(test_one_that_dies),
		cmocka_unit_test(test_it_lets_go_of_our_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
