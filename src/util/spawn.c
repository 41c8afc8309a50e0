/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

/* Whatever signals we block or ignore is no matter of the child. */
static int start(const char *const *argv, int out, pid_t *ret)
{
	g_auto(GStrv) env = g_environ_setenv(g_get_environ(), "LC_ALL", "C", TRUE);
	g_autofree char **args = NULL;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	size_t n = 0;
	int r;

	while (argv[n])
		n++;
	args = g_memdup2(argv, (n + 1) * sizeof(*argv));
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(ret, args[0], &actions, &attr, args, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

static ssize_t read_all(int fd, uint64_t deadline_ms, char *buf, size_t size)
{
	for (size_t len = 0; len < size;) {
		ssize_t n = fd_read_by(fd, buf + len, size - len, deadline_ms);

		if (n < 0)
			return n;
		if (n == 0) {
			buf[len] = '\0';
			return (ssize_t)len;
		}
		len += (size_t)n;
	}
	return -EFBIG;
}

/* Its end has a deadline, too: it may have closed its output and go on. */
static int reap(pid_t pid, uint64_t deadline_ms)
{
	int status;

	for (;;) {
		pid_t r = waitpid(pid, &status, WNOHANG);

		if (r == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (sys_coarse_ms() >= deadline_ms)
			break;
		g_usleep(1000);
	}
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return -ETIMEDOUT;
}

ssize_t spawn_read(const char *const *argv, unsigned timeout_ms, char *buf, size_t size)
{
	uint64_t deadline_ms = sys_coarse_ms() + timeout_ms;
	AUTO_FD int in = -1;
	AUTO_FD int out = -1;
	int fds[2], r;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	in = fds[0];
	out = fds[1];
	(void)fcntl(in, F_SETFL, O_NONBLOCK);
	r = start(argv, out, &pid);
	if (r < 0)
		return r;
	fd_close(&out);
	n = read_all(in, deadline_ms, buf, size);
	r = reap(pid, n < 0 ? 0 : deadline_ms);
	return n < 0 ? n : r < 0 ? r : n;
}
