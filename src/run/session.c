/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/channel.h"
#include "run/fail.h"
#include "run/terminal.h"
#include "util/fd.h"
#include "util/sys.h"

void session_close(struct session *s)
{
	for (size_t i = 0; i < G_N_ELEMENTS(s->stdio); i++) {
		fd_close(&s->stdio[i]);
		fd_close(&s->pipes[i]);
	}
	fd_close(&s->pidfd);
	fd_close(&s->channel);
	fd_close(&s->theirs);
	fd_close(&s->terminal);
}

/* Of the ends of a pipe the process gets the one for standard descriptor @fd. */
static bool open_pipe(struct session *s, int fd, GError **error)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return run_fail(error, errno, "cannot make a pipe");
	s->stdio[fd] = ends[fd == STDIN_FILENO ? 0 : 1];
	s->pipes[fd] = ends[fd == STDIN_FILENO ? 1 : 0];
	return true;
}

static bool open_null(struct session *s, GError **error)
{
	s->stdio[STDIN_FILENO] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return s->stdio[STDIN_FILENO] >= 0 || run_fail(error, errno, "cannot open /dev/null");
}

/* nohup(1) and the like: blocked, it would not be ignored. */
static void leave_out_ignored(sigset_t *set)
{
	for (int n = 1; n < NSIG; n++) {
		struct sigaction action;

		if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigdelset(set, n);
	}
}

static void block_signals(void)
{
	sigset_t most;

	sigfillset(&most);
	sigdelset(&most, SIGTSTP);
	leave_out_ignored(&most);
	sigprocmask(SIG_SETMASK, &most, NULL);
}

int session_open_signals(void)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	return signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
}

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

bool session_is_end(int number)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
		if (ends[i] == number)
			return true;
	return false;
}

static sigset_t set_of_ends(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
		sigaddset(&set, ends[i]);
	return set;
}

static bool give_up(int number, GError **error)
{
	return run_fail_status(error, RUN_SIGNAL + number, "given up: %s", strsignal(number));
}

void session_hold_ends(void)
{
	sigset_t set = set_of_ends();

	leave_out_ignored(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

bool session_goes_on(GError **error)
{
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
		if (sigismember(&pending, ends[i]))
			return give_up(ends[i], error);
	return true;
}

bool session_open(bool tty, bool interactive, struct session *ret, GError **error)
{
	int channel[2];

	if (!channel_make(channel, error))
		return false;
	ret->channel = channel[0];
	ret->theirs = channel[1];
	ret->tty = tty;
	block_signals();
	if (tty)
		return true;
	return (interactive ? open_pipe(ret, STDIN_FILENO, error) : open_null(ret, error)) &&
	       open_pipe(ret, STDOUT_FILENO, error) && open_pipe(ret, STDERR_FILENO, error);
}

void session_parted(struct session *s)
{
	fd_close(&s->theirs);
	for (size_t i = 0; i < G_N_ELEMENTS(s->stdio); i++)
		fd_close(&s->stdio[i]);
}

bool session_part(struct session *s, int fd, GError **error)
{
	int keep[] = { s->theirs, fd };

	for (int i = 0; i <= STDERR_FILENO; i++) {
		/* Until there is a terminal, it must be something that is not the host's. */
		if (dup2(s->stdio[i] >= 0 ? s->stdio[i] : s->theirs, i) < 0)
			return run_fail(error, errno, "cannot use the standard descriptors");
		s->stdio[i] = i;
	}
	fd_close_others(keep, G_N_ELEMENTS(keep));
	return true;
}

/* Until the channel has something to say. Other signals are for the process, once it runs. */
static bool wait_for_channel(const struct session *s, GError **error)
{
	const sigset_t mask = set_of_ends();
	AUTO_FD int signals = signalfd(-1, &mask, SFD_CLOEXEC);

	for (;;) {
		struct pollfd fds[] = { { .fd = s->channel, .events = POLLIN },
					{ .fd = signals, .events = POLLIN } };
		struct signalfd_siginfo info;

		if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			return true;
		if (fds[1].revents && read(signals, &info, sizeof(info)) == sizeof(info))
			return give_up((int)info.ssi_signo, error);
	}
}

/* 0: its pidfd does not tell. */
static pid_t pid_of(const struct host *host, int pidfd)
{
	char path[32], text[1024];
	const char *line;

	(void)snprintf(path, sizeof(path), "fdinfo/%d", pidfd);
	if (pidfd < 0 || host_read_self(host, path, text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nPid:\t");
	return line ? (pid_t)strtol(line + strlen("\nPid:\t"), NULL, 10) : 0;
}

/*
 * What comes over the channel may be the container's words already: it names no one else's child.
 */
static bool is_child(pid_t pid)
{
	siginfo_t info;

	return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool session_expect_child(struct session *s, const struct host *host, GError **error)
{
	AUTO_FD int pidfd = -1;
	pid_t pid;

	if (!wait_for_channel(s, error) ||
	    !channel_expect(s->channel, CHANNEL_CHILD, &pidfd, error))
		return false;
	session_kill(s);
	pid = pid_of(host, pidfd);
	if (!is_child(pid))
		return run_fail(error, 0, "the process in the container cannot be found");
	fd_close(&s->pidfd);
	s->pidfd = fd_steal(&pidfd);
	s->pid = pid;
	return true;
}

bool session_expect_waiter(struct session *s, GError **error)
{
	AUTO_FD int pidfd = -1;

	if (!wait_for_channel(s, error) ||
	    !channel_expect(s->channel, CHANNEL_CHILD, &pidfd, error))
		return false;
	fd_close(&s->pidfd);
	s->pidfd = fd_steal(&pidfd);
	return true;
}

bool session_expect_ready(struct session *s, GError **error)
{
	if (!wait_for_channel(s, error) ||
	    !channel_expect(s->channel, CHANNEL_READY, &s->terminal, error))
		return false;
	if (s->tty ? !terminal_is_master(s->terminal) : s->terminal >= 0)
		return run_fail(error, 0, "the container has given something else than a terminal");
	/* Before the command can ask for it. */
	terminal_copy_size(STDIN_FILENO, s->terminal);
	return true;
}

bool session_expect_end(const struct session *s, GError **error)
{
	return wait_for_channel(s, error) && channel_expect_end(s->channel, error);
}

void session_kill(struct session *s)
{
	if (s->pid <= 0)
		return;
	(void)sys_pidfd_kill(s->pidfd, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
}
