/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/fd.h"

#include "fixture.h"

#include <sys/wait.h>

#include "util/scratch.h"
#include "util/sys.h"

static int lab_fd(const struct lab *lab)
{
	int fd = open(lab->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_close_keeps_errno_and_forgets_the_descriptor(void **state)
{
	int fd = open("/", O_PATH | O_CLOEXEC), copy = fd;

	(void)state;
	errno = EPIPE;
	fd_close(&fd);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	fd_close(&fd);
}

static void test_stolen_descriptor_outlives_its_scope(void **state)
{
	int kept;

	(void)state;
	{
		AUTO_FD int fd = open("/", O_PATH | O_CLOEXEC);

		kept = fd_steal(&fd);
		assert_int_equal(fd, -1);
	}
	assert_true(fcntl(kept, F_GETFD) >= 0);
	fd_close(&kept);
}

static void test_whole_file_is_read_again_and_again(void **state)
{
	struct lab lab;
	char buf[16];

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "f", "one\n");
	AUTO_FD int dir = lab_fd(&lab);
	AUTO_FD int fd = openat(dir, "f", O_RDONLY | O_CLOEXEC);

	for (unsigned i = 0; i < 2; i++) {
		memset(buf, 'x', sizeof(buf));
		assert_int_equal(fd_read(fd, buf, sizeof(buf)), 4);
		assert_string_equal(buf, "one\n");
		memset(buf, 'x', sizeof(buf));
		assert_int_equal(fd_read_once(fd, buf, sizeof(buf)), 4);
		assert_string_equal(buf, "one\n");
	}
	assert_int_equal(fd_read_at(dir, "f", buf, sizeof(buf)), 4);
	lab_end(&lab);
}

static void test_file_that_does_not_fit_is_refused(void **state)
{
	struct lab lab;
	char buf[8];

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "six", "123456");
	lab_write(&lab, "nine", "123456789");
	AUTO_FD int dir = lab_fd(&lab);
	AUTO_FD int nine = openat(dir, "nine", O_RDONLY | O_CLOEXEC);

	assert_int_equal(fd_read_at(dir, "six", buf, sizeof(buf)), 6);
	assert_string_equal(buf, "123456");
	assert_int_equal(fd_read_at(dir, "nine", buf, sizeof(buf)), -EFBIG);
	assert_int_equal(fd_read_once(nine, buf, sizeof(buf)), -EFBIG);
	lab_end(&lab);
}

static void test_empty_file_is_an_empty_text(void **state)
{
	struct lab lab;
	char buf[8] = "xxxxxxx";

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "f", "");
	AUTO_FD int dir = lab_fd(&lab);

	assert_int_equal(fd_read_at(dir, "f", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	lab_end(&lab);
}

static void test_errors_are_told(void **state)
{
	struct lab lab;
	char buf[8];

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "d");
	lab_write(&lab, "f", "secret");
	AUTO_FD int dir = lab_fd(&lab);

	assert_int_equal(symlinkat("f", dir, "link"), 0);
	assert_int_equal(fd_read_at(dir, "absent", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(fd_read_at(dir, "d", buf, sizeof(buf)), -EISDIR);
	assert_int_equal(fd_read_at(dir, "link", buf, sizeof(buf)), -ELOOP);
	assert_int_equal(fd_read_once(-1, buf, sizeof(buf)), -EBADF);
	lab_end(&lab);
}

static void test_open_beneath_goes_down_alone(void **state)
{
	static const struct {
		const char *path;
		int want; /* 0: opens */
	} rows[] = {
		{ "a", 0 },           { "a/b", 0 },          { ".", 0 },
		{ "..", -EXDEV },     { "a/../..", -EXDEV }, { "/", -EXDEV },
		{ "/etc", -EXDEV },   { "absent", -ENOENT }, { "link", -ELOOP },
		{ "link/b", -ELOOP }, { "out", -ELOOP },
	};
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "a/b");
	AUTO_FD int dir = lab_fd(&lab);

	assert_int_equal(symlinkat("a", dir, "link"), 0);
	assert_int_equal(symlinkat("/", dir, "out"), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		AUTO_FD int fd = sys_open_beneath(dir, rows[i].path, O_PATH | O_DIRECTORY);

		assert_int_equal(fd < 0 ? fd : 0, rows[i].want);
		if (fd >= 0)
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	lab_end(&lab);
}

static void test_pidfd_of_a_process_and_of_none(void **state)
{
	AUTO_FD int fd = sys_pidfd_open(getpid());

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(sys_pidfd_open(INT32_MAX), -ESRCH);
}

static void test_clocks_go_on(void **state)
{
	uint64_t ns = sys_boottime_ns(), ms = sys_coarse_ms();

	(void)state;
	g_usleep(20000);
	assert_true(sys_boottime_ns() >= ns + 20000000);
	assert_true(sys_coarse_ms() > ms);
}

static void test_scratch_is_made_once(void **state)
{
	char *buf = NULL, *made = scratch(&buf, 1 << 20);

	(void)state;
	made[0] = made[(1 << 20) - 1] = 'x';
	assert_ptr_equal(scratch(&buf, 1 << 20), made);
	assert_ptr_equal(buf, made);
}

/* In a child: whether exactly those of 3 to 99 that are in @keep are open. */
static void close_all_but(int *keep, size_t n)
{
	bool good = true;

	for (int fd = 3; fd < 100; fd += 2)
		dup2(STDERR_FILENO, fd);
	fd_close_others(keep, n);
	for (int fd = 3; fd < 100; fd++) {
		bool kept = false;

		for (size_t i = 0; i < n; i++)
			kept |= keep[i] == fd;
		good &= kept == (fcntl(fd, F_GETFD) >= 0);
	}
	_exit(good && fcntl(STDERR_FILENO, F_GETFD) >= 0 ? 0 : 1);
}

static void test_others_are_closed(void **state)
{
	int lists[][4] = { { 99, 3, 51, 5 }, { 3, 3, 0, 2 }, { -1, 7, 9, 11 } };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lists) * 2; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			close_all_but(lists[i / 2], i % 2 ? 4 : 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static uint64_t size_of_table(void)
{
	char status[8192];
	const char *size = NULL;

	if (fd_read_at(AT_FDCWD, "/proc/self/status", status, sizeof(status)) > 0)
		size = strstr(status, "\nFDSize:");
	return size ? g_ascii_strtoull(size + strlen("\nFDSize:"), NULL, 10) : 0;
}

static bool room_is_made(void)
{
	int fd, next;
	uint64_t before;

	fd_close_others(NULL, 0);
	fd = open("/", O_PATH | O_CLOEXEC);
	before = size_of_table();
	fd_make_room(fd, 512);
	if (before == 0 || before >= 512 || size_of_table() < 512)
		return false;
	fd_make_room(fd, G_MAXINT); /* more than may be */
	next = open("/", O_PATH | O_CLOEXEC);
	return next == fd + 1;
}

static void test_room_is_made_and_nothing_left_open(void **state)
{
	pid_t pid = fork(); /* whose table has room for what is open, no more */
	int status;

	(void)state;
	if (pid == 0)
		_exit(room_is_made() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_keeps_errno_and_forgets_the_descriptor),
		cmocka_unit_test(test_stolen_descriptor_outlives_its_scope),
		cmocka_unit_test(test_whole_file_is_read_again_and_again),
		cmocka_unit_test(test_file_that_does_not_fit_is_refused),
		cmocka_unit_test(test_empty_file_is_an_empty_text),
		cmocka_unit_test(test_errors_are_told),
		cmocka_unit_test(test_open_beneath_goes_down_alone),
		cmocka_unit_test(test_pidfd_of_a_process_and_of_none),
		cmocka_unit_test(test_clocks_go_on),
		cmocka_unit_test(test_scratch_is_made_once),
		cmocka_unit_test(test_others_are_closed),
		cmocka_unit_test(test_room_is_made_and_nothing_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
