/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/seccomp.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fixture.h"
#include "run/caps.h"

/* What a system call fails with under @filter, 0 when it does not; asked in a child. */
static int errno_of(const struct seccomp_filter *filter, long number, long a, long b)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_filter_load(filter) < 0)
			_exit(255);
		_exit(syscall(number, a, b, 0, 0, 0, 0) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

static void test_default_refuses_what_dockers_does(void **state)
{
	struct seccomp_filter f;
	g_autoptr(GError) error = NULL;

	(void)state;
	if (!seccomp_filter_make(NULL, NULL, caps_default(), &f, &error))
		fail_msg("%s", error->message);
	assert_int_equal(errno_of(&f, SYS_getppid, 0, 0), 0);
	assert_int_equal(errno_of(&f, SYS_close, 99, 0), EBADF);
	assert_int_equal(errno_of(&f, SYS_mount, 0, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_unshare, 0, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_bpf, 0, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_keyctl, 0, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_clone, CLONE_NEWUSER | SIGCHLD, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_clone3, 0, 0), ENOSYS);
	assert_int_equal(errno_of(&f, 999, 0, 0), ENOSYS);
	/* open_tree_attr: nobody has looked at it */
	assert_int_equal(errno_of(&f, 467, 0, 0), ENOSYS);
	assert_int_equal(errno_of(&f, SYS_process_vm_readv, 0, 0), 0);
	assert_int_equal(errno_of(&f, SYS_pidfd_getfd, 0, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_socket, AF_ALG, SOCK_SEQPACKET), EPERM);
	assert_int_equal(errno_of(&f, SYS_socket, AF_MAX + 100, SOCK_STREAM), EPERM);
	assert_int_equal(errno_of(&f, SYS_socket, AF_MCTP, SOCK_SEQPACKET) == EPERM, false);
	assert_int_equal(errno_of(&f, SYS_socket, AF_VSOCK, SOCK_STREAM), EPERM);
	assert_int_equal(errno_of(&f, SYS_socket, AF_UNIX, SOCK_STREAM), 0);
	assert_int_equal(errno_of(&f, SYS_personality, 0xffffffff, 0), 0);
	assert_int_equal(errno_of(&f, SYS_personality, ADDR_NO_RANDOMIZE, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_chroot, 0, 0), EFAULT); /* has CAP_SYS_CHROOT */
	seccomp_filter_clear(&f);
}

static void test_capability_brings_its_calls(void **state)
{
	struct seccomp_filter f;
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_true(seccomp_filter_make(NULL, NULL, CAPS_BIT(CAP_SYS_ADMIN), &f, &error));
	assert_int_equal(errno_of(&f, SYS_unshare, 0, 0), 0);
	assert_int_equal(errno_of(&f, SYS_clone3, 0, 0), EINVAL);
	assert_int_equal(errno_of(&f, SYS_chroot, 0, 0), EPERM);
	seccomp_filter_clear(&f);
}

static void test_unconfined_is_no_filter(void **state)
{
	struct seccomp_filter f;
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_true(seccomp_filter_make("unconfined", NULL, 0, &f, &error));
	assert_null(f.code);
	assert_int_equal(errno_of(&f, SYS_unshare, 0, 0), 0);
}

/* Owned by the test: made of @json for who has CAP_CHOWN. */
static struct seccomp_filter profile(const char *json)
{
	struct seccomp_filter f = { 0 };
	g_autoptr(GError) error = NULL;

	if (!seccomp_filter_profile(json, "p.json", CAPS_BIT(CAP_CHOWN), &f, &error))
		fail_msg("%s", error->message);
	return f;
}

static void test_profile_of_docker(void **state)
{
	struct seccomp_filter f = profile(
		"{\"defaultAction\": \"SCMP_ACT_ALLOW\","
		" \"archMap\": [{\"architecture\": \"SCMP_ARCH_X86_64\","
		"                \"subArchitectures\": [\"SCMP_ARCH_X86\"]}],"
		" \"syscalls\": ["
		"  {\"names\": [\"getppid\", \"no_such_call\"], \"action\": \"SCMP_ACT_ERRNO\","
		"   \"errnoRet\": 7, \"args\": null, \"includes\": {}, \"excludes\": {}},"
		"  {\"names\": [\"getuid\"], \"action\": \"SCMP_ACT_ERRNO\","
		"   \"includes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}},"
		"  {\"names\": [\"getgid\"], \"action\": \"SCMP_ACT_ERRNO\","
		"   \"excludes\": {\"caps\": [\"CAP_CHOWN\"]}},"
		"  {\"names\": [\"geteuid\"], \"action\": \"SCMP_ACT_ERRNO\","
		"   \"includes\": {\"minKernel\": \"3.17\"}},"
		"  {\"names\": [\"getegid\"], \"action\": \"SCMP_ACT_ERRNO\","
		"   \"includes\": {\"minKernel\": \"999.0\"}},"
		"  {\"name\": \"close\", \"action\": \"SCMP_ACT_ERRNO\","
		"   \"args\": [{\"index\": 0, \"value\": 77, \"op\": \"SCMP_CMP_EQ\"}]}]}");

	(void)state;
	assert_int_equal(errno_of(&f, SYS_getppid, 0, 0), 7);
	assert_int_equal(errno_of(&f, SYS_getuid, 0, 0), 0);
	assert_int_equal(errno_of(&f, SYS_getgid, 0, 0), 0);
	assert_int_equal(errno_of(&f, SYS_geteuid, 0, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_getegid, 0, 0), 0);
	assert_int_equal(errno_of(&f, SYS_close, 77, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_close, 78, 0), EBADF);
	seccomp_filter_clear(&f);
}

/* As runc has it: two conditions for one argument are alternatives. */
static void test_two_conditions_for_one_argument(void **state)
{
	struct seccomp_filter f =
		profile("{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": ["
			"  {\"names\": [\"close\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": ["
			"   {\"index\": 0, \"value\": 77, \"op\": \"SCMP_CMP_EQ\"},"
			"   {\"index\": 0, \"value\": 79, \"op\": \"SCMP_CMP_EQ\"}]},"
			"  {\"names\": [\"dup2\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": ["
			"   {\"index\": 0, \"value\": 77, \"op\": \"SCMP_CMP_EQ\"},"
			"   {\"index\": 1, \"value\": 79, \"op\": \"SCMP_CMP_EQ\"}]}]}");

	(void)state;
	assert_int_equal(errno_of(&f, SYS_close, 77, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_close, 78, 0), EBADF);
	assert_int_equal(errno_of(&f, SYS_close, 79, 0), EPERM);
	assert_int_equal(errno_of(&f, SYS_dup2, 77, 79), EPERM);
	assert_int_equal(errno_of(&f, SYS_dup2, 77, 78), EBADF);
	seccomp_filter_clear(&f);
}

/* Not as if it were not there: a rule without its conditions says something else. */
static void test_member_of_another_type_is_told(void **state)
{
#define RULE(rest)                                                                                 \
	"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"close\"],"          \
	" \"action\": \"SCMP_ACT_ERRNO\"," rest "}]}"
	static const struct {
		const char *json, *word;
	} cases[] = {
		{ .json = RULE("\"args\": {}"), .word = "args" },
		{ .json = RULE("\"args\": [7]"), .word = "args" },
		{ .json = RULE("\"errnoRet\": \"7\""), .word = "errnoRet" },
		{ .json = RULE("\"errnoRet\": -1"), .word = "errnoRet" },
		{ .json = RULE("\"name\": 7"), .word = "name" },
		{ .json = RULE("\"includes\": []"), .word = "includes" },
		{ .json = RULE("\"includes\": {\"caps\": \"CAP_CHOWN\"}"), .word = "caps" },
		{ .json = RULE("\"excludes\": {\"arches\": [7]}"), .word = "arches" },
		{ .json = RULE("\"excludes\": {\"minKernel\": 4.8}"), .word = "minKernel" },
		{ .json = RULE("\"excludes\": {\"minKernel\": \"new\"}"), .word = "minKernel" },
		{ .json = RULE("\"args\": [{\"index\": 0, \"op\": \"SCMP_CMP_EQ\","
			       " \"value\": \"7\"}]"),
		  .word = "value" },
		{ .json = "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": \"x\"}",
		  .word = "syscalls" },
		{ .json = "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": {}}",
		  .word = "architectures" },
		{ .json = "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"archMap\": [\"x\"]}",
		  .word = "archMap" },
		{ .json = "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\":"
			  " [{\"names\": [7], \"action\": \"SCMP_ACT_ALLOW\"}]}",
		  .word = "names" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct seccomp_filter f = { 0 };
		g_autoptr(GError) error = NULL;

		if (seccomp_filter_profile(cases[i].json, "p.json", 0, &f, &error))
			fail_msg("taken: %s", cases[i].json);
		if (!strstr(error->message, cases[i].word))
			fail_msg("%s of %s", error->message, cases[i].json);
	}
}

static void test_profile_that_makes_no_sense_is_told(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"defaultAction\": 7}",
		"{\"defaultAction\": \"SCMP_ACT_WISH\"}",
		"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_VAX\"]}",
		"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [1]}",
		"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"]}]}",
		"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"],"
		" \"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 9, \"op\": "
		"\"SCMP_CMP_EQ\"}]}]}",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct seccomp_filter f = { 0 };
		g_autoptr(GError) error = NULL;

		assert_false(seccomp_filter_profile(bad[i], "p.json", 0, &f, &error));
		assert_non_null(strstr(error->message, "p.json"));
	}
}

static void feed_profile(const char *text, void *data)
{
	struct seccomp_filter f = { 0 };
	g_autoptr(GError) error = NULL;

	(void)data;
	if (seccomp_filter_profile(text, "p", 0, &f, &error))
		seccomp_filter_clear(&f);
	else
		assert_non_null(error);
}

static void test_hostile_profile(void **state)
{
	(void)state;
	feed_hostile(
		"{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"names\":[\"read\"],"
		"\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"op\":\"SCMP_CMP_LT\"}],"
		"\"includes\":{\"caps\":[\"CAP_CHOWN\"],\"minKernel\":\"4.8\"}}]}",
		feed_profile, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_refuses_what_dockers_does),
		cmocka_unit_test(test_capability_brings_its_calls),
		cmocka_unit_test(test_unconfined_is_no_filter),
		cmocka_unit_test(test_profile_of_docker),
		cmocka_unit_test(test_two_conditions_for_one_argument),
		cmocka_unit_test(test_member_of_another_type_is_told),
		cmocka_unit_test(test_profile_that_makes_no_sense_is_told),
		cmocka_unit_test(test_hostile_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
