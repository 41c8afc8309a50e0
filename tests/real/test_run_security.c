/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/security.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "host/host.h"
#include "real.h"
#include "run/caps.h"
#include "run/users.h"

struct act {
	struct security security;
	struct security_user user;
	const char *const *argv;
};

/* Confined, then the program. */
static int be_command(void *arg)
{
	const struct act *a = arg;
	const char *what;

	if (security_confine(&a->security, &a->user, &what) < 0)
		return 97;
	execv(a->argv[0], (char *const *)(uintptr_t)a->argv);
	return 96;
}

/* What grep says of its own status: 0, or 1 when @pattern is not in it. */
static int status_has(struct act *a, const char *pattern)
{
	const char *const argv[] = { "/bin/grep", "-qE", pattern, "/proc/self/status", NULL };
	struct real_child c;

	a->argv = argv;
	c = real_fork(0, be_command, a);
	real_go(&c);
	return WEXITSTATUS(real_wait(&c));
}

static void test_root_has_the_chosen_capabilities_after_exec(void **state)
{
	struct act a = { 0 };
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_done(security_make(&(struct security_choice){ 0 }, &a.security, &error), error);
	assert_int_equal(status_has(&a, "^CapEff:.00000000a80425fb$"), 0);
	assert_int_equal(status_has(&a, "^CapBnd:.00000000a80425fb$"), 0);
	assert_int_equal(status_has(&a, "^Cap(Inh|Amb):.*[1-9a-f]"), 1);
	assert_int_equal(status_has(&a, "^NoNewPrivs:.1$"), 0);
	assert_int_equal(status_has(&a, "^Seccomp:.2$"), 0);
	security_clear(&a.security);
}

static void test_user_has_none_and_the_groups_that_were_asked_for(void **state)
{
	gid_t groups[] = { 7, 8 };
	struct act a = { .user = { .uid = 1234, .gid = 56, .groups = groups, .n_groups = 2 } };
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_done(security_make(&(struct security_choice){ .seccomp = "unconfined" }, &a.security,
				  &error),
		    error);
	assert_int_equal(status_has(&a, "^CapEff:.0+$"), 0);
	assert_int_equal(status_has(&a, "^CapPrm:.0+$"), 0);
	assert_int_equal(status_has(&a, "^Uid:.1234.1234.1234.1234$"), 0);
	assert_int_equal(status_has(&a, "^Gid:.56.56.56.56$"), 0);
	assert_int_equal(status_has(&a, "^Groups:.7 8 *$"), 0);
	assert_int_equal(status_has(&a, "^Seccomp:.0$"), 0);
	security_clear(&a.security);
}

/*
 * Calls that root needs no capability for: only the filter says no. The first that does not fail
 * so.
 */
static int be_refused(void *arg)
{
	static const struct {
		long number, argument;
		int error;
	} calls[] = {
		{ .number = SYS_add_key, .error = EPERM },
		{ .number = SYS_keyctl, .error = EPERM },
		{ .number = SYS_io_uring_setup, .error = EPERM },
		{ .number = SYS_userfaultfd, .error = EPERM },
		{ .number = SYS_unshare, .error = EPERM },
		{ .number = SYS_socket, .argument = AF_ALG, .error = EPERM },
		{ .number = SYS_personality, .argument = ADDR_NO_RANDOMIZE, .error = EPERM },
		{ .number = SYS_clone3, .error = ENOSYS },
		{ .number = SYS_close, .argument = -1, .error = EBADF },
	};
	const struct act *a = arg;
	const char *what;

	if (security_confine(&a->security, &a->user, &what) < 0)
		return 97;
	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
		if (syscall(calls[i].number, calls[i].argument, 0, 0, 0, 0, 0) >= 0 ||
		    errno != calls[i].error)
			return (int)i + 1;
	return 0;
}

static void test_root_is_refused_what_the_filter_says(void **state)
{
	struct act a = { 0 };
	struct real_child c;
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_done(security_make(&(struct security_choice){ 0 }, &a.security, &error), error);
	c = real_fork(0, be_refused, &a);
	real_go(&c);
	assert_int_equal(WEXITSTATUS(real_wait(&c)), 0);
	security_clear(&a.security);
}

static int be_root_in_userns(void *arg)
{
	return setresuid(0, 0, 0) < 0 || setresgid(0, 0, 0) < 0 ? 97 : be_command(arg);
}

static void test_root_of_a_user_namespace_of_its_own(void **state)
{
	const char *const argv[] = { "/bin/grep", "-qE", "^CapEff:.00000000a80425fb$",
				     "/proc/self/status", NULL };
	g_autofree char *lock = NULL;
	g_autoptr(GError) error = NULL;
	struct act a = { .argv = argv };
	struct host *host = NULL;
	struct real_child c;
	char dir[] = "/tmp/lxcfs-clone-users-XXXXXX";
	struct users users;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(host_open("/", &host), 0);
	assert_done(users_take(host, dir, "a", &users, &error), error);
	assert_done(
		security_make(&(struct security_choice){ .own_userns = true }, &a.security, &error),
		error);
	c = real_fork(CLONE_NEWUSER, be_root_in_userns, &a);
	assert_done(users_map(host, c.pid, &users, &error), error);
	real_go(&c);
	assert_int_equal(WEXITSTATUS(real_wait(&c)), 0);
	assert_true(users_drop(dir, "a", NULL));
	lock = g_build_filename(dir, "lock,users", NULL);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(dir), 0);
	security_clear(&a.security);
	host_free(host);
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* As when another program has taken what /etc/subuid has for root, or what is nobody's. */
static void test_range_of_ids_that_a_stranger_uses_is_not_taken(void **state)
{
	g_autofree char *lock = NULL;
	g_autoptr(GError) error = NULL;
	struct host *host = NULL;
	struct real_child c;
	char dir[] = "/tmp/lxcfs-clone-users-XXXXXX";
	struct users first, second;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(host_open("/", &host), 0);
	assert_done(users_take(host, dir, "a", &first, &error), error);
	assert_true(users_drop(dir, "a", NULL));
	c = real_fork(CLONE_NEWUSER, do_nothing, NULL);
	assert_done(users_map(host, c.pid, &first, &error), error);
	assert_done(users_take(host, dir, "b", &second, &error), error);
	assert_int_not_equal(first.uid, second.uid);
	assert_true(users_drop(dir, "b", NULL));
	real_go(&c);
	real_wait(&c);
	lock = g_build_filename(dir, "lock,users", NULL);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(dir), 0);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_has_the_chosen_capabilities_after_exec),
		cmocka_unit_test(test_user_has_none_and_the_groups_that_were_asked_for),
		cmocka_unit_test(test_root_is_refused_what_the_filter_says),
		cmocka_unit_test(test_root_of_a_user_namespace_of_its_own),
		cmocka_unit_test(test_range_of_ids_that_a_stranger_uses_is_not_taken),
	};

	return cmocka_run_group_tests(tests, real_need_root, NULL);
}
