/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/fail.h"
#include "run/log.h"
#include "run/session.h"
#include "run/terminal.h"
#include "util/fd.h"
#include "util/sys.h"

/* What a pipe holds that nobody has changed. */
#define CAPACITY 65536

/*
 * From one descriptor to another, a part at a time: it is read once the former part is written, and
 * written when there is room, so that we never wait in a write while signals come. (A pipe that
 * polls as writable takes PIPE_BUF bytes.)
 */
struct pump {
	int from, to;    /* owned; -1: closed */
	struct log *log; /* borrowed; NULL: none */
	bool writes;     /* has a .to */
	size_t left;     /* as much may still be read */
	size_t len, done;
	char buf[PIPE_BUF];
};

enum { PUMP_IN, PUMP_OUT, PUMP_ERR, N_PUMPS };

static bool pump_is_full(const struct pump *p)
{
	return p->writes && p->done < p->len;
}

static struct pollfd pump_poll(const struct pump *p)
{
	if (pump_is_full(p))
		return (struct pollfd){ .fd = p->to, .events = POLLOUT };
	return (struct pollfd){ .fd = p->from, .events = POLLIN };
}

/* The end of either side is the other's, too. */
static void pump_end(struct pump *p)
{
	fd_close(&p->from);
	if (p->writes)
		fd_close(&p->to);
	p->len = p->done = 0;
}

static void pump_read(struct pump *p)
{
	ssize_t n = read(p->from, p->buf, MIN(sizeof(p->buf), p->left));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* A terminal that nobody has open any more says EIO. */
	if (n <= 0) {
		pump_end(p);
		return;
	}
	p->left -= (size_t)n;
	p->len = (size_t)n;
	p->done = 0;
	if (p->log)
		log_write(p->log, p->buf, p->len);
}

static void pump_step(struct pump *p, short events)
{
	if (!events)
		return;
	if (!pump_is_full(p)) {
		pump_read(p);
		return;
	}
	ssize_t n = write(p->to, p->buf + p->done, p->len - p->done);

	if (n > 0)
		p->done += (size_t)n;
	else if (n < 0 && errno != EINTR && errno != EAGAIN)
		pump_end(p);
}

static void pump_open(struct pump *p, int from, int to, bool writes, struct log *log)
{
	p->from = from;
	p->to = to;
	p->writes = writes;
	p->log = log;
	p->left = SIZE_MAX;
	p->len = p->done = 0;
	if (from < 0 || (writes && to < 0))
		pump_end(p);
}

static void open_pumps(struct session *s, const struct session_ends *ends, struct pump *pumps)
{
	bool tty = s->terminal >= 0;
	bool fore = ends->foreground;
	int in = fore && ends->interactive ? dup(STDIN_FILENO) : -1;
	/* In the background nobody writes, but there is no end either, as with docker. */
	bool waits = ends->interactive && !fore;
	int to = tty ? dup(s->terminal) : waits ? -1 : fd_steal(&s->pipes[STDIN_FILENO]);

	/* It polls as writable with less room than we have to write. */
	if (tty)
		(void)fcntl(s->terminal, F_SETFL, O_RDWR | O_NONBLOCK);
	pump_open(&pumps[PUMP_IN], in, to, true, NULL);
	pump_open(&pumps[PUMP_OUT], tty ? dup(s->terminal) : fd_steal(&s->pipes[STDOUT_FILENO]),
		  fore ? dup(STDOUT_FILENO) : -1, fore, ends->log);
	pump_open(&pumps[PUMP_ERR], fd_steal(&s->pipes[STDERR_FILENO]),
		  fore ? dup(STDERR_FILENO) : -1, fore, ends->log);
}

/* The process has ended: what is there is passed on, not what others of it may still write. */
static void drain(struct pump *pumps)
{
	pump_end(&pumps[PUMP_IN]);
	for (size_t i = PUMP_OUT; i < N_PUMPS; i++) {
		int size = fcntl(pumps[i].from, F_GETPIPE_SZ);

		pumps[i].left = size > 0 ? (size_t)size : CAPACITY;
	}
}

/* Signals that mean us, not who is in the container. */
static bool is_ours(int number)
{
	return number == SIGPIPE || number == SIGTTIN || number == SIGTTOU || number == SIGCONT ||
	       number == SIGURG || number == SIGALRM;
}

/* What came, or 0. With SIGCHLD the process may have ended: then it has no pid any more. */
static int take_signal(struct session *s, int signals, int *ret_status)
{
	struct signalfd_siginfo info;
	int status, number;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	number = (int)info.ssi_signo;
	if (number == SIGCHLD) {
		if (s->pid && waitpid(s->pid, &status, WNOHANG) == s->pid) {
			*ret_status = run_exit_status(status);
			s->pid = 0;
		}
	} else if (number == SIGWINCH && s->terminal >= 0) {
		terminal_copy_size(STDIN_FILENO, s->terminal);
	} else if (s->pid && !is_ours(number)) {
		(void)sys_pidfd_kill(s->pidfd, number);
	}
	return number;
}

/* Waits for anything. False: nothing of a process that has ended is left. */
static bool step(struct session *s, struct pump *pumps, int signals, int *ret_signal,
		 int *ret_status)
{
	struct pollfd fds[N_PUMPS + 1];
	bool waits = s->pid != 0;

	for (size_t i = 0; i < N_PUMPS; i++) {
		fds[i] = pump_poll(&pumps[i]);
		/* Our own reader may take its time. */
		waits = waits || pump_is_full(&pumps[i]);
	}
	fds[N_PUMPS] = (struct pollfd){ .fd = signals, .events = POLLIN };
	*ret_signal = 0;
	if (poll(fds, G_N_ELEMENTS(fds), waits ? -1 : 0) <= 0)
		return waits;
	for (size_t i = 0; i < N_PUMPS; i++)
		pump_step(&pumps[i], fds[i].revents);
	if (fds[N_PUMPS].revents)
		*ret_signal = take_signal(s, signals, ret_status);
	return true;
}

int session_follow(struct session *s, const struct session_ends *ends)
{
	struct pump pumps[N_PUMPS];
	AUTO_FD int signals = session_open_signals();
	struct terminal_raw raw = { .pipe = -1 };
	int status = RUN_FAILED, number;
	bool ended = false;

	if (s->terminal >= 0 && ends->foreground && ends->interactive)
		terminal_make_raw(&raw);
	open_pumps(s, ends, pumps);
	/* It may have ended before we looked. */
	(void)kill(getpid(), SIGCHLD);
	while (step(s, pumps, signals, &number, &status)) {
		if (ended && session_is_end(number))
			break;
		if (!ended && !s->pid) {
			ended = true;
			drain(pumps);
		}
	}
	for (size_t i = 0; i < N_PUMPS; i++)
		pump_end(&pumps[i]);
	terminal_restore(&raw);
	return status;
}
