/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* lxcfs-clone-run's commands, and what they share. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"
#include "run/flags.h"
#include "run/state.h"

/* @words, NULL-terminated, is what stands behind the command's name. Returns an exit status. */
typedef int command_fn(const struct host *host, char **words);

command_fn command_run, command_exec, command_ps, command_stop, command_kill, command_pause;
command_fn command_resume, command_logs, command_rm, command_inspect;

/* The flags of each, for --help; *@ret_n of them. */
typedef const struct flag *command_flags(size_t *ret_n);

command_flags flags_of_exec, flags_of_ps, flags_of_stop, flags_of_kill, flags_of_logs, flags_of_rm;

/* A container that there is. */
struct known {
	struct state state;
	struct state_place place;
	int pidfd; /* of its pid 1; -1: it does not run */
};
#define KNOWN_INIT                                                                                 \
	{                                                                                          \
		.place = STATE_PLACE_INIT, .pidfd = -1                                             \
	}
void known_clear(struct known *known);
#define AUTO_KNOWN __attribute__((cleanup(known_clear)))

bool known_open(const struct host *host, const char *name, struct known *ret, GError **error);

/* The same, and a sentence unless it runs. */
bool known_must_run(const struct known *known, GError **error);
bool known_open_running(const struct host *host, const char *name, struct known *ret,
			GError **error);

/*
 * "creating", "running", "paused", "exited"; if its monitor was killed "dead", or "orphaned" while
 * processes of it are left. Static.
 */
const char *known_status(const struct host *host, const struct known *known);

/* The process @pid that began at @start_ticks, not another one that has its pid by now; or -1. */
int known_open_process(const struct host *host, uint64_t pid, uint64_t start_ticks);

/* A signal to its monitor, if that lives. SIGCONT: one that was stopped (^Z) tidies up, too. */
void known_signal_monitor(const struct host *host, const struct known *known, int number);

/* Its pid 1 is dead, or was never there. */
bool known_has_ended(const struct known *known);

/*
 * For each of @names, of which there must be one: @fn, and what goes wrong is said. Returns an exit
 * status.
 */
int known_each(const struct host *host, char **names,
	       bool (*fn)(const struct host *host, const char *name, const void *arg,
			  GError **error),
	       const void *arg);
