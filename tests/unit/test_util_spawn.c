/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/spawn.h"

#include "fixture.h"

#include <signal.h>

static ssize_t shell(const char *script, unsigned timeout_ms, char *buf, size_t size)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	return spawn_read(argv, timeout_ms, buf, size);
}

static void test_output_is_read_whole(void **state)
{
	char buf[64];

	(void)state;
	assert_int_equal(shell("printf 'one\\ntwo'; sleep 0.1; echo; cat", 5000, buf, sizeof(buf)),
			 8);
	assert_string_equal(buf, "one\ntwo\n");
}

static void test_failure_and_too_much_are_told(void **state)
{
	const char *const missing[] = { "/nonexistent/program", NULL };
	char buf[8];

	(void)state;
	assert_int_equal(shell("echo x; exit 3", 5000, buf, sizeof(buf)), -EIO);
	assert_int_equal(shell("kill -KILL $$", 5000, buf, sizeof(buf)), -EIO);
	assert_int_equal(shell("echo 12345678", 5000, buf, sizeof(buf)), -EFBIG);
	assert_int_equal(spawn_read(missing, 5000, buf, sizeof(buf)), -ENOENT);
}

static void test_slow_programs_are_given_up(void **state)
{
	char buf[8];
	gint64 start = g_get_monotonic_time();

	(void)state;
	assert_int_equal(shell("exec sleep 100", 100, buf, sizeof(buf)), -ETIMEDOUT);
	/* its output closed, but not at its end */
	assert_int_equal(shell("exec >&-; exec sleep 100", 100, buf, sizeof(buf)), -ETIMEDOUT);
	assert_true(g_get_monotonic_time() - start < 10 * G_USEC_PER_SEC);
}

static void test_signals_are_as_usual_in_the_child(void **state)
{
	sigset_t term, before;
	char buf[8];

	(void)state;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	assert_int_equal(shell("kill -TERM $$; echo x", 5000, buf, sizeof(buf)), -EIO);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_is_read_whole),
		cmocka_unit_test(test_failure_and_too_much_are_told),
		cmocka_unit_test(test_slow_programs_are_given_up),
		cmocka_unit_test(test_signals_are_as_usual_in_the_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
