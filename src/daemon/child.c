/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/worker.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

static bool is_ours(const char *arg)
{
	return g_str_has_prefix(arg, "--worker=") || g_str_has_prefix(arg, "--keeper=");
}

/* More arguments than any command line of ours has. */
#define MAX_ARGS 64

/* Allocates nothing: the process may be a thread's fork. */
void child_exec(int executable, char **argv, const char *option, const struct handed *h)
{
	const int fds[] = { h->fuse, h->shared, h->lock, h->control };
	char text[96], *args[MAX_ARGS + 3];
	size_t n = 0;

	(void)snprintf(text, sizeof(text), "%s=%d,%d,%d,%d,%d", option, h->fuse, h->shared, h->lock,
		       MAX(h->control, 0), h->peer);
	args[n++] = argv[0];
	args[n++] = text;
	for (char **a = argv + 1; *a && n < MAX_ARGS; a++)
		if (!is_ours(*a))
			args[n++] = *a;
	args[n] = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		if (fds[i] >= 0)
			(void)fcntl(fds[i], F_SETFD, 0);
	(void)syscall(SYS_execveat, executable, "", args, environ, AT_EMPTY_PATH);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		if (fds[i] >= 0)
			(void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
}

void child_be_plain(void)
{
	int keep[1];
	sigset_t none;

	fd_close_others(keep, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
}

int child_start(int executable, char **argv, const struct handed *handed, const sigset_t *mask,
		struct child *ret)
{
	struct child c = CHILD_NONE;
	pid_t keeper = getpid();
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	c.pid = fork();
	if (c.pid == 0) {
		struct handed h = *handed;

		h.control = pair[1];
		h.peer = keeper;
		/*
		 * Until it is ready it is of no use without us; of a binary that is not ours,
		 * never.
		 */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, mask, NULL);
		child_exec(executable, argv, "--worker", &h);
		log_error("cannot start a worker: %s", g_strerror(errno));
		_exit(1);
	}
	if (c.pid < 0)
		r = -errno;
	close(pair[1]);
	c.control = pair[0];
	c.since_ms = sys_coarse_ms();
	if (r == 0) {
		c.pidfd = sys_pidfd_open(c.pid);
		r = c.pidfd < 0 ? c.pidfd : 0;
		if (r < 0) { /* not reaped yet: the pid is still its own */
			(void)kill(c.pid, SIGKILL);
			(void)waitpid(c.pid, NULL, 0);
		}
	}
	if (r < 0) {
		child_clear(&c);
		return r;
	}
	*ret = c;
	return 0;
}

int child_adopt(const struct handed *handed, struct child *ret)
{
	struct pollfd p = { .fd = handed->control };
	struct child c = { .pid = handed->peer,
			   .pidfd = sys_pidfd_open(handed->peer),
			   .control = handed->control,
			   .since_ms = sys_coarse_ms(),
			   .ready = true };
	int r = c.pidfd < 0 ? c.pidfd : 0;

	/* As long as its end of the socket is open the pid is its own. */
	if (r == 0 && c.control >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP))
		r = -ESRCH;
	if (r < 0) {
		child_clear(&c);
		return r;
	}
	*ret = c;
	return 0;
}

bool child_heard(struct child *c, char byte)
{
	char got;
	ssize_t n = c->control >= 0 ? recv(c->control, &got, 1, MSG_DONTWAIT) : -1;

	if (n == 0) /* else it would be readable for ever */
		fd_close(&c->control);
	return n == 1 && got == byte;
}

bool child_tell(const struct child *c, char byte)
{
	return send(c->control, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static bool dies_within(const struct child *c, int timeout_ms)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

bool child_is_dead(const struct child *c)
{
	return c->pid && dies_within(c, 0);
}

void child_signal(const struct child *c, int signal)
{
	if (c->pid)
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, signal, NULL, 0);
}

char *child_end(struct child *c, int timeout_ms)
{
	siginfo_t si = { 0 };
	int r;

	if (!dies_within(c, timeout_ms))
		return NULL;
	do
		r = waitid((idtype_t)P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG);
	while (r < 0 && errno == EINTR);
	child_clear(c);
	if (r < 0 || si.si_pid == 0) /* the former keeper's child: the status is not for us */
		return g_strdup("ended");
	if (si.si_code == CLD_EXITED && si.si_status == WORKER_UNFIT)
		return g_strdup("does not fit this mount, which a restart can change");
	if (si.si_code == CLD_EXITED)
		return g_strdup_printf("ended with status %d", si.si_status);
	return g_strdup_printf("was ended by signal %d (%s)", si.si_status,
			       strsignal(si.si_status));
}

void child_clear(struct child *c)
{
	fd_close(&c->pidfd);
	fd_close(&c->control);
	*c = CHILD_NONE;
}
