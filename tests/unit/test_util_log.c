/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/log.h"

#include "fixture.h"

#define BURST 20u

static void test_a_burst_and_then_one_each_half_second(void **state)
{
	unsigned long long last = 1000000;
	unsigned tokens = BURST, n = 0;

	(void)state;
	while (log_admit(&tokens, &last, 1000000))
		n++;
	assert_int_equal(n, BURST);
	assert_false(log_admit(&tokens, &last, 1000499));
	assert_true(log_admit(&tokens, &last, 1000500));
	assert_false(log_admit(&tokens, &last, 1000500));
	assert_true(log_admit(&tokens, &last, 1002000)); /* three were earned */
	assert_true(log_admit(&tokens, &last, 1002000));
	assert_true(log_admit(&tokens, &last, 1002000));
	assert_false(log_admit(&tokens, &last, 1002000));
}

static void test_silence_earns_no_more_than_a_burst(void **state)
{
	unsigned long long last = 0;
	unsigned tokens = 0, n = 0;

	(void)state;
	while (log_admit(&tokens, &last, UINT64_C(1) << 50))
		n++;
	assert_int_equal(n, BURST);
}

static void test_a_flood_for_an_hour_is_bounded(void **state)
{
	unsigned long long last = 5000;
	unsigned tokens = BURST, n = 0;

	(void)state;
	for (unsigned long long ms = 0; ms < 3600000; ms += 3)
		n += log_admit(&tokens, &last, 5000 + ms);
	assert_in_range(n, 7000, BURST + 7200);
}

/* What @say writes to stderr. */
static char *said(void (*say)(void))
{
	g_autofree char *path = g_build_filename(g_get_tmp_dir(), "lxcfs-clone-log-XXXXXX", NULL);
	int file = g_mkstemp(path), kept = dup(STDERR_FILENO);
	char *text = NULL;

	assert_true(file >= 0 && kept >= 0);
	dup2(file, STDERR_FILENO);
	say();
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(file);
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	unlink(path);
	return text;
}

static void say_one_of_each(void)
{
	log_error("no %s", "way");
	log_warning("odd");
	log_info("fine");
	log_debug("detail");
}

static void test_lines_for_a_terminal_and_for_journald(void **state)
{
	g_autofree char *plain = NULL;
	g_autofree char *journald = NULL;

	(void)state;
	g_unsetenv("JOURNAL_STREAM");
	log_init(LOG_LEVEL_INFO);
	plain = said(say_one_of_each);
	assert_string_equal(plain, "lxcfs-clone: error: no way\n"
				   "lxcfs-clone: warning: odd\n"
				   "lxcfs-clone: fine\n");
	g_setenv("JOURNAL_STREAM", "8:1234", TRUE);
	log_init(LOG_LEVEL_DEBUG);
	journald = said(say_one_of_each);
	assert_string_equal(journald, "<3>no way\n<4>odd\n<6>fine\n<7>detail\n");
}

static void say_very_often(void)
{
	g_autofree char *longest = g_strnfill(5000, 'x');

	for (unsigned i = 0; i < 1000; i++)
		log_error("%s", longest);
}

static void test_flood_and_long_lines_are_cut(void **state)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	(void)state;
	g_unsetenv("JOURNAL_STREAM");
	log_init(LOG_LEVEL_INFO);
	text = said(say_very_often);
	lines = g_strsplit(text, "\n", -1);
	assert_in_range(g_strv_length(lines), 2, BURST + 5);
	for (char **l = lines; *l; l++)
		assert_true(strlen(*l) <= 1100);
	assert_true(g_str_has_suffix(text, "\n"));
}

static void say_once(void)
{
	log_error("again");
}

static void test_what_was_left_out_is_told(void **state)
{
	g_autofree char *text = NULL;

	(void)state;
	g_free(said(say_very_often));
	g_usleep(1200000);
	text = said(say_once);
	assert_non_null(strstr(text, " messages were left out\n"));
	assert_true(g_str_has_suffix(text, "lxcfs-clone: error: again\n"));
}

/* Else containers' reads would wait for whoever reads our log. */
static void test_log_that_nobody_reads_holds_nobody_up(void **state)
{
	int saved = dup(STDERR_FILENO), fds[2];
	char block[4096] = { 0 };

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	while (write(fds[1], block, sizeof(block)) > 0)
		;
	assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0); /* from here a write would block */
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	log_error("lost");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_and_then_one_each_half_second),
		cmocka_unit_test(test_silence_earns_no_more_than_a_burst),
		cmocka_unit_test(test_a_flood_for_an_hour_is_bounded),
		cmocka_unit_test(test_lines_for_a_terminal_and_for_journald),
		cmocka_unit_test(test_flood_and_long_lines_are_cut),
		cmocka_unit_test(test_what_was_left_out_is_told),
		cmocka_unit_test(test_log_that_nobody_reads_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
