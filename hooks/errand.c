/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

/* For a child that was killed: if it takes longer, it hangs in the kernel. */
#define DYING_MS 200u
#define SAID_MAX 4096u

/* A runtime waits for the end of a hook's output, not only for that of the hook. */
static void let_go_of_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	if (null > STDERR_FILENO)
		close(null);
}

/* Until the child has closed its end: 0, or -ETIMEDOUT. */
static int listen_to(int fd, uint64_t deadline_ms, GString *said)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = sys_coarse_ms();
		char buf[512];
		ssize_t n;

		if (now >= deadline_ms || poll(&p, 1, (int)(deadline_ms - now)) == 0)
			return -ETIMEDOUT;
		n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && said->len < SAID_MAX)
			g_string_append_len(said, buf, n);
	}
}

static bool ended(pid_t pid, uint64_t deadline_ms, int *ret_status)
{
	for (;;) {
		pid_t r = waitpid(pid, ret_status, WNOHANG);

		if (r == pid)
			return true;
		if ((r < 0 && errno != EINTR) || sys_coarse_ms() >= deadline_ms)
			return false;
		g_usleep(100);
	}
}

int errand_run(errand_work *work, void *arg, unsigned timeout_ms, struct errand_report *ret)
{
	uint64_t deadline_ms = sys_coarse_ms() + timeout_ms;
	GString *said;
	int fds[2], status = 0, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		let_go_of_stdio();
		close(fds[0]);
		_exit(work(arg, fds[1]));
	}
	r = pid < 0 ? -errno : 0;
	close(fds[1]);
	said = g_string_new(NULL);
	if (r == 0) {
		r = listen_to(fds[0], deadline_ms, said);
		if (r == 0 && !ended(pid, deadline_ms, &status))
			r = -ETIMEDOUT;
		if (r < 0) {
			(void)kill(pid, SIGKILL);
			(void)ended(pid, sys_coarse_ms() + DYING_MS, &status);
		}
	}
	close(fds[0]);
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	ret->said = g_string_free(said, r < 0);
	return r;
}
