/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "fixture.h"
#include "util/unix.h"

struct stage {
	char *dir, *path;
	int listen_fd;
};

static const struct status calm = {
	.version = "1", .mountpoint = "/m", .keeper = 12, .repair = "done"
};

static int set_up(void **state)
{
	struct stage *s = g_new0(struct stage, 1);

	s->dir = g_dir_make_tmp("lxcfs-clone-test-XXXXXX", NULL);
	assert_non_null(s->dir);
	s->path = g_build_filename(s->dir, "sock", NULL);
	s->listen_fd = unix_listen(s->path);
	assert_true(s->listen_fd >= 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	close(s->listen_fd);
	(void)unlink(s->path);
	(void)rmdir(s->dir);
	g_free(s->dir);
	g_free(s->path);
	g_free(s);
	return 0;
}

static int connect_to(const struct stage *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)g_strlcpy(address.sun_path, s->path, sizeof(address.sun_path));
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What the daemon says to a message; "" when it hangs up. */
static char *answer_to(const struct stage *s, const char *bytes, size_t len)
{
	char buf[STATUS_TEXT_SIZE];
	int fd = connect_to(s);
	ssize_t n;

	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
	control_serve(s->listen_fd, &calm);
	n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	buf[n > 0 ? n : 0] = '\0';
	close(fd);
	return g_strdup(buf);
}

static void test_status_is_answered(void **state)
{
	g_autofree char *got = answer_to(*state, "status\n", 7);
	g_autofree char *bare = answer_to(*state, "status", 6);

	assert_true(g_str_has_prefix(got, "version 1\nmountpoint /m\n"));
	assert_non_null(strstr(got, "\nkeeper_pid 12\n"));
	assert_string_equal(bare, got);
}

static void test_what_is_not_known_is_refused(void **state)
{
	static const char *const words[] = {
		"\n", "statu", "status\n\n", "statusx", "STATUS", "x"
	};
	g_autofree char *big = g_strnfill(100000, 's');
	g_autofree char *got = answer_to(*state, big, 100000);

	assert_true(g_str_has_prefix(got, "error "));
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		g_autofree char *said = answer_to(*state, words[i], strlen(words[i]));

		assert_true(g_str_has_prefix(said, "error "));
	}
}

static void test_a_silent_client_costs_a_moment(void **state)
{
	const struct stage *s = *state;
	int fd = connect_to(s);
	gint64 start = g_get_monotonic_time();
	char byte;

	control_serve(s->listen_fd, &calm);
	assert_true(g_get_monotonic_time() - start < 1000 * G_TIME_SPAN_MILLISECOND);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static void test_a_client_that_left(void **state)
{
	const struct stage *s = *state;
	int fd = connect_to(s);

	assert_int_equal(send(fd, "status", 6, 0), 6);
	close(fd);
	control_serve(s->listen_fd, &calm);
	fd = connect_to(s);
	close(fd);
	control_serve(s->listen_fd, &calm);
}

static void test_nobody_there(void **state)
{
	const struct stage *s = *state;

	control_serve(s->listen_fd, &calm);
}

static void test_one_client_at_a_time(void **state)
{
	const struct stage *s = *state;
	int first = connect_to(s), second = connect_to(s);
	char buf[STATUS_TEXT_SIZE];

	assert_int_equal(send(first, "status", 6, 0), 6);
	assert_int_equal(send(second, "status", 6, 0), 6);
	control_serve(s->listen_fd, &calm);
	assert_true(recv(first, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	assert_true(recv(second, buf, sizeof(buf), MSG_DONTWAIT) < 0);
	control_serve(s->listen_fd, &calm);
	assert_true(recv(second, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	close(first);
	close(second);
}

static void test_for_root_alone_and_over_what_was_left(void **state)
{
	struct stage *s = *state;
	struct stat st;

	close(s->listen_fd);
	s->listen_fd = unix_listen(s->path);
	assert_true(s->listen_fd >= 0);
	assert_int_equal(stat(s->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_no_such_directory_and_too_long_a_path(void **state)
{
	g_autofree char *deep = g_strnfill(200, 'x');

	(void)state;
	assert_int_equal(unix_listen("/no/such/directory/sock"), -ENOENT);
	assert_int_equal(unix_listen(deep), -EINVAL);
}

/* In memory of its exact size, which has no NUL. */
static enum control_request parse_exactly(const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);
	enum control_request r;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	r = control_parse(copy, len);
	free(copy);
	return r;
}

static void test_200000_mutated_requests(void **state)
{
	static const char text[] = "status\n";
	g_autoptr(GRand) rand = g_rand_new_with_seed(815);

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		char bytes[16];
		size_t len = sizeof(text) - 1;
		bool good;

		memcpy(bytes, text, sizeof(text));
		for (int left = g_rand_int_range(rand, 0, 4); left > 0; left--) {
			size_t at = (size_t)g_rand_int_range(rand, 0, sizeof(bytes));

			if (left == 3)
				len = at;
			bytes[at] = (char)g_rand_int_range(rand, 0, 256);
		}
		good = len >= 6 && memcmp(bytes, "status", 6) == 0 &&
		       (len == 6 || (len == 7 && bytes[6] == '\n'));
		assert_int_equal(parse_exactly(bytes, len),
				 good ? CONTROL_STATUS : CONTROL_UNKNOWN);
	}
}

static void test_every_value_of_the_status(void **state)
{
	const struct status s = {
		.version = "2.0",
		.mountpoint = "/a b\nc",
		.keeper = 1,
		.worker = 2,
		.standby = 3,
		.holder = true,
		.uptime_ms = 5,
		.restarts = 6,
		.upgrades = 7,
		.keepers = 4,
		.recent = { { .reason = "killed by signal 9", .age_ms = 8 },
			    { .reason = "status 1", .age_ms = 9 } },
		.n_recent = 2,
		.resend = true,
		.stored_fds = 10,
		.repair = "done",
		.containers = 11,
		.requests = 12,
		.requests_per_second = 13,
	};
	char buf[STATUS_TEXT_SIZE];
	ssize_t n = status_render(&s, buf, sizeof(buf) - 1);

	(void)state;
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, "version 2.0\n"
				 "mountpoint /a\\040b\\012c\n"
				 "uptime_ms 5\n"
				 "keeper_pid 1\n"
				 "worker_pid 2\n"
				 "standby_pid 3\n"
				 "restarts 6\n"
				 "keepers 4\n"
				 "upgrades 7\n"
				 "resend yes\n"
				 "beneath no\n"
				 "stored_fds 10\n"
				 "holder yes\n"
				 "repair done\n"
				 "containers 11\n"
				 "requests 12\n"
				 "requests_per_second 13\n"
				 "restart 8 killed\\040by\\040signal\\0409\n"
				 "restart 9 status\\0401\n");
	assert_int_equal(status_render(&s, buf, 20), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_status_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_known_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_silent_client_costs_a_moment, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_client_that_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_client_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_for_root_alone_and_over_what_was_left, set_up,
						tear_down),
		cmocka_unit_test(test_no_such_directory_and_too_long_a_path),
		cmocka_unit_test(test_200000_mutated_requests),
		cmocka_unit_test(test_every_value_of_the_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
