/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/session.h"

#include "fixture.h"
#include "run/channel.h"
#include "util/fd.h"

/* What becomes of the message of one who says that he is ready and gives us @fd (-1: nothing). */
static bool is_ready(bool tty, int fd)
{
	AUTO_SESSION struct session s = SESSION_INIT;

	assert_true(session_open(tty, false, &s, NULL));
	assert_true(channel_say(s.theirs, CHANNEL_READY, fd, NULL));
	return session_expect_ready(&s, NULL);
}

static void test_terminal_is_taken_where_one_is_due(void **state)
{
	AUTO_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)state;
	assert_true(master >= 0);
	assert_true(is_ready(true, master));
	assert_true(is_ready(false, -1));
	assert_false(is_ready(false, master));
	assert_false(is_ready(true, -1));
}

static void test_what_is_no_terminal_is_not_taken(void **state)
{
	AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO_FD int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	AUTO_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	AUTO_FD int slave = -1;
	int pipe[2];

	(void)state;
	assert_int_equal(grantpt(master) | unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	assert_true(null >= 0 && file >= 0 && slave >= 0);
	assert_false(is_ready(true, null));
	assert_false(is_ready(true, file));
	assert_false(is_ready(true, slave));
	assert_false(is_ready(true, pipe[0]));
	assert_false(is_ready(false, file));
	close(pipe[0]);
	close(pipe[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminal_is_taken_where_one_is_due),
		cmocka_unit_test(test_what_is_no_terminal_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
