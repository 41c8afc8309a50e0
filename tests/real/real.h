/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the tests of the launcher's parts on a real kernel share. They need root. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define REAL_UNUSED __attribute__((unused))

#define assert_done(call, error)                                                                   \
	do {                                                                                       \
		if (!(call))                                                                       \
			fail_msg("%s", (error) ? (error)->message : "no sentence");                \
	} while (0)

/* A name that no other test run at the same time has. */
REAL_UNUSED static const char *real_name(void)
{
	static char name[32];

	(void)g_snprintf(name, sizeof(name), "test-%d", (int)getpid());
	return name;
}

/*
 * A child in new namespaces (@flags) that waits for a word and then does @fn, whose value is its
 * exit status. They are there when this returns.
 */
struct real_child {
	pid_t pid;
	int go;
};

REAL_UNUSED static struct real_child real_fork(int flags, int (*fn)(void *arg), void *arg)
{
	struct real_child c = { 0 };
	int pipe_fds[2], ready[2];
	char word;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		alarm(60); /* whatever happens to the parent */
		close(pipe_fds[1]);
		if (flags && unshare(flags) < 0)
			_exit(98);
		close(ready[0]);
		close(ready[1]);
		if (read(pipe_fds[0], &word, 1) != 1)
			_exit(99);
		_exit(fn(arg));
	}
	close(pipe_fds[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &word, 1), 0);
	close(ready[0]);
	c.go = pipe_fds[1];
	return c;
}

REAL_UNUSED static void real_go(struct real_child *c)
{
	assert_int_equal(write(c->go, "g", 1), 1);
	close(c->go);
}

/* As waitpid(2) has it. */
REAL_UNUSED static int real_wait(struct real_child *c)
{
	int status = 0;

	while (waitpid(c->pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return status;
}

REAL_UNUSED static int real_need_root(void **state)
{
	(void)state;
	if (geteuid() == 0)
		return 0;
	print_message("needs root\n");
	return -1;
}
