/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run/cgroups.h"
#include "run/command.h"
#include "run/fail.h"
#include "run/pid_file.h"
#include "run/teardown.h"
#include "util/fd.h"
#include "util/sys.h"

/* For a monitor whose container was killed to tidy up; for another rm to get out of the way. */
#define PATIENCE_MS 10000u
#define MOMENT_MS   200u

struct how {
	bool force;
};

static const struct flag flags[] = {
	{ .name = "force",
	  .letter = 'f',
	  .kind = FLAG_TRUE,
	  .offset = offsetof(struct how, force),
	  .does = "kill it first if it runs" },
};

const struct flag *flags_of_rm(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(flags);
	return flags;
}

/* Nothing that runs in it is left; a monitor that waits for it goes on. */
static void end(const struct host *host, const char *name)
{
	AUTO_CGROUPS struct cgroups *cgroups = NULL;

	if (cgroups_open(host, name, &cgroups, NULL))
		(void)cgroups_kill(cgroups, NULL);
}

/* Its lock is ours, or it is gone: its monitor may have removed it (--rm). */
static bool take(struct known *k, unsigned wait_ms)
{
	return state_take(&k->place, wait_ms) || state_is_gone(&k->place, k->state.name);
}

/* One that hangs somewhere in the launch is waited for, but not for ever. */
static bool take_by_force(const struct host *host, struct known *k, GError **error)
{
	uint64_t last = sys_coarse_ms() + PATIENCE_MS;

	do {
		end(host, k->state.name);
		known_signal_monitor(host, k, SIGCONT);
		if (take(k, MOMENT_MS))
			return true;
	} while (sys_coarse_ms() < last);
	/* What it had still to do is done by us. */
	known_signal_monitor(host, k, SIGKILL);
	return take(k, PATIENCE_MS) ||
	       run_fail(error, 0, "'%s' has a monitor that does not end", k->state.name);
}

/* One that has ended, or ends just now, is as good as removed once its monitor has tidied up. */
static bool take_ended(const struct host *host, struct known *k, GError **error)
{
	const char *name = k->state.name;

	if (take(k, MOMENT_MS))
		return true;
	if (!known_has_ended(k))
		return run_fail(error, 0, "'%s' is still %s (stop it, or rm -f)", name,
				known_status(host, k));
	known_signal_monitor(host, k, SIGCONT);
	return take(k, PATIENCE_MS) ||
	       run_fail(error, 0, "'%s' has ended, its monitor has not (rm -f ends it)", name);
}

/* With the lock ours nobody else changes it. */
static bool clear(const struct host *host, const struct known *k, bool force, GError **error)
{
	const char *name = k->state.name;

	if (!force && strcmp(known_status(host, k), "orphaned") == 0)
		return run_fail(error, 0, "'%s' has processes left (rm -f kills them)", name);
	pid_file_remove(k->state.pid_file, k->state.pid);
	return teardown_all(host, name, error);
}

/* By force its name is enough: a record that cannot be read keeps nobody from removing it. */
static bool open_known(const struct host *host, const char *name, bool force, struct known *ret,
		       GError **error)
{
	g_autoptr(GError) failure = NULL;

	if (known_open(host, name, ret, &failure))
		return true;
	if (force && state_open(name, &ret->place, NULL)) {
		ret->state.name = g_strdup(name);
		return true;
	}
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

static bool rm(const struct host *host, const char *name, const void *arg, GError **error)
{
	AUTO_KNOWN struct known k = KNOWN_INIT;
	const struct how *how = arg;

	if (!open_known(host, name, how->force, &k, error))
		return false;
	if (how->force ? !take_by_force(host, &k, error) : !take_ended(host, &k, error))
		return false;
	if (!state_is_gone(&k.place, name) && !clear(host, &k, how->force, error))
		return false;
	puts(name);
	return true;
}

int command_rm(const struct host *host, char **words)
{
	struct how how = { 0 };
	GError *error = NULL;
	char **names;

	if (!flags_parse(flags, G_N_ELEMENTS(flags), words, &how, &names, &error))
		return run_say_error(error);
	return known_each(host, names, rm, &how);
}
