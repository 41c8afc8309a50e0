/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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

static void block_signals(void)
{
	sigset_t most;

	sigfillset(&most);
	sigdelset(&most, SIGTSTP);
	/* nohup(1) and the like. Blocked, it would not be ignored. */
	for (int n = 1; n < NSIG; n++) {
		struct sigaction action;

		if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigdelset(&most, n);
	}
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

bool session_open(bool tty, bool interactive, struct session *ret, GError **error)
{
	int channel[2];

	if (!channel_make(channel, error))
		return false;
	ret->channel = channel[0];
	ret->theirs = channel[1];
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

/* Until the channel has something to say. Other signals are for the process, once it runs. */
static bool wait_for_channel(const struct session *s, GError **error)
{
	AUTO_FD int signals = -1;
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
		sigaddset(&mask, ends[i]);
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	for (;;) {
		struct pollfd fds[] = { { .fd = s->channel, .events = POLLIN },
					{ .fd = signals, .events = POLLIN } };
		struct signalfd_siginfo info;

		if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			return true;
		if (fds[1].revents && read(signals, &info, sizeof(info)) == sizeof(info))
			return run_fail_status(error, RUN_SIGNAL + (int)info.ssi_signo,
					       "given up: %s", strsignal((int)info.ssi_signo));
	}
}

bool session_expect_ready(struct session *s, GError **error)
{
	if (!wait_for_channel(s, error) ||
	    !channel_expect(s->channel, CHANNEL_READY, &s->terminal, error))
		return false;
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
