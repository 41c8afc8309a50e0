/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The last part of the way into a container, the same for run and exec: from its root to execve. */
#include <glib.h>
#include <stdbool.h>

#include "run/security.h"

struct process {
	const GPtrArray *command; /* texts */
	const GPtrArray *env;     /* "K=V", beside the usual ones */
	const GPtrArray
		*ulimits; /* set last of all: a sentence needs memory and descriptors, too */
	const char *workdir, *user, *hostname;
	bool tty;
	bool console; /* the terminal is /dev/console, too */
	bool init;    /* the caller stays, as pid 1 */
	const struct security *security;
	int channel;  /* to the launcher */
	int stdio[3]; /* without a terminal: what become its standard descriptors */
};

/*
 * As much as process_run() will need a right for: the hard limits that are above ours. @ulimits are
 * texts, as of --ulimit.
 */
bool process_raise_limits(const GPtrArray *ulimits, GError **error);

/*
 * Says that we are ready and, told to start, runs the command. Every signal must be blocked. The
 * command's seccomp filter is loaded just before it is executed, and by pid 1, which only waits and
 * passes signals on from then: a filter must let both do what they have left to do.
 * Returns only when it fails, with @error.
 */
bool process_run(const struct process *process, GError **error);
