/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A process in a container, as the launcher sees it: its channel, its standard descriptors. */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host/host.h"
#include "run/log.h"

struct session {
	pid_t pid; /* a child of ours; 0: not yet */
	int pidfd;
	int channel;  /* our end */
	int theirs;   /* the other one, until the child is there */
	int stdio[3]; /* its ends, until the child is there; none with a terminal */
	int pipes[3]; /* ours; -1: none */
	bool tty;
	int terminal; /* the pty's master; -1: none, or none yet */
};
#define SESSION_INIT                                                                               \
	{                                                                                          \
		.pidfd = -1, .channel = -1, .theirs = -1, .stdio = { -1, -1, -1 },                 \
		.pipes = { -1, -1, -1 }, .terminal = -1                                            \
	}

void session_close(struct session *session);
#define AUTO_SESSION __attribute__((cleanup(session_close)))

/*
 * Channel and pipes; with @tty none of these, without @interactive /dev/null for standard input.
 * Blocks all signals from here on but SIGTSTP and those that our caller has us ignore: what follows
 * takes them.
 */
bool session_open(bool tty, bool interactive, struct session *ret, GError **error);

/* A signalfd(2) for them, -1 when there can be none. */
int session_open_signals(void);

/* One that asks whoever gets it to end: SIGINT, SIGTERM, SIGHUP, SIGQUIT. */
bool session_is_end(int number);

/*
 * Such signals wait from here on, for what follows to take them: or, until the process is there,
 * for the question whether there is none, which *@error says else.
 */
void session_hold_ends(void);
bool session_goes_on(GError **error);

/* In the launcher, once .pid and .pidfd are set: what is the child's own goes. */
void session_parted(struct session *session);

/*
 * In a child that the launcher has made: nothing of the launcher's stays open but .theirs, @fd, and
 * .stdio, which become the standard descriptors.
 */
bool session_part(struct session *session, int fd, GError **error);

/*
 * Waits until the child has left us another child in its stead (CHANNEL_CHILD), which .pid and
 * .pidfd are from then on.
 */
bool session_expect_child(struct session *session, const struct host *host, GError **error);

/*
 * The same from a child of ours that stays, whose status is that of the process: it is what .pid
 * is, and .pidfd is the process, to which signals go.
 */
bool session_expect_waiter(struct session *session, GError **error);

/*
 * Wait until the process is ready, which gives us its terminal, and nothing else that we would read
 * from and write to: who may trace it speaks with its voice; and for its exec. A signal that asks
 * us to end is an error, too: whatever the process hangs in, it can be given up.
 */
bool session_expect_ready(struct session *session, GError **error);
bool session_expect_end(const struct session *session, GError **error);

/* What it does with what comes from the process, and from us. */
struct session_ends {
	bool foreground; /* to our standard output and error; and from standard input with: */
	bool interactive;
	struct log *log; /* NULL: none */
};

/*
 * Passes data and signals on until the process ends. Our own terminal is raw meanwhile, if what is
 * typed there is for the process's. Returns its exit status, or 128 and the number
 * of the signal that killed it.
 */
int session_follow(struct session *session, const struct session_ends *ends);

/* Kills the process and waits for its end, if it was ever there. */
void session_kill(struct session *session);
