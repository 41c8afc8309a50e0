/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "run/cgroups.h"
#include "run/command.h"
#include "run/fail.h"
#include "util/num.h"
#include "util/sys.h"

/* For the monitor to tidy up when the container has ended. */
#define MONITOR_MS 10000u

/* A day: what is more is a slip. */
#define PATIENCE_MAX_S 86400u

struct how {
	unsigned patience_s;
	int number;
};

static bool set_patience(void *how, const char *value, GError **error)
{
	uint64_t v;

	if (!num_parse(value, &v) || v > PATIENCE_MAX_S)
		return run_fail(error, 0, "'%.64s' is no number of seconds", value);
	((struct how *)how)->patience_s = (unsigned)v;
	return true;
}

/* "TERM", "SIGTERM" or "15". */
static bool set_signal(void *how, const char *value, GError **error)
{
	const char *name = g_str_has_prefix(value, "SIG") ? value + 3 : value;
	uint64_t v;
	int found = 0;

	if (num_parse(value, &v) && v < (uint64_t)SIGRTMAX)
		found = (int)v;
	for (int n = 1; !found && n < SIGSYS + 1; n++)
		if (sigabbrev_np(n) && strcmp(sigabbrev_np(n), name) == 0)
			found = n;
	if (!found)
		return run_fail(error, 0, "'%.64s' is no signal", value);
	((struct how *)how)->number = found;
	return true;
}

static const struct flag stop_flags[] = {
	{ .name = "time",
	  .letter = 't',
	  .value = "SECONDS",
	  .kind = FLAG_CALL,
	  .set = set_patience,
	  .does = "until it is killed (10)" },
};

static const struct flag kill_flags[] = {
	{ .name = "signal",
	  .letter = 's',
	  .value = "SIGNAL",
	  .kind = FLAG_CALL,
	  .set = set_signal,
	  .does = "as TERM, SIGTERM or 15 (KILL)" },
};

const struct flag *flags_of_stop(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(stop_flags);
	return stop_flags;
}

const struct flag *flags_of_kill(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(kill_flags);
	return kill_flags;
}

static bool send_signal(const struct known *k, int number, GError **error)
{
	int r = sys_pidfd_kill(k->pidfd, number);

	/* It may end by itself just now. */
	return r == 0 || r == -ESRCH ||
	       run_fail(error, -r, "cannot send a signal to '%s'", k->state.name);
}

static bool ends_within(const struct known *k, unsigned ms)
{
	uint64_t end = sys_coarse_ms() + ms;

	for (;;) {
		struct pollfd p = { .fd = k->pidfd, .events = POLLIN };
		uint64_t now = sys_coarse_ms();

		if (poll(&p, 1, now < end ? (int)(end - now) : 0) == 1)
			return true;
		if (now >= end)
			return false;
	}
}

/* A frozen process takes no signal but, on v2, SIGKILL. */
static void thaw(const struct host *host, const char *name)
{
	AUTO_CGROUPS struct cgroups *cgroups = NULL;

	if (cgroups_open(host, name, &cgroups, NULL) && cgroups_is_frozen(cgroups))
		(void)cgroups_freeze(cgroups, false, NULL);
}

/* When stop is over, so is the container: its cgroups are gone and its status is recorded. */
static bool wait_for_monitor(const struct host *host, const struct known *k, GError **error)
{
	uint64_t end = sys_coarse_ms() + MONITOR_MS;

	known_signal_monitor(host, k, SIGCONT);
	while (state_is_held(&k->place)) {
		if (sys_coarse_ms() >= end)
			return run_fail(error, 0, "'%s' has ended, its monitor has not",
					k->state.name);
		g_usleep(2000);
	}
	return true;
}

static bool stop(const struct host *host, const char *name, const void *arg, GError **error)
{
	AUTO_KNOWN struct known k = KNOWN_INIT;
	const struct how *how = arg;

	if (!known_open(host, name, &k, error))
		return false;
	if (strcmp(known_status(host, &k), STATE_EXITED) == 0) {
		puts(name);
		return true;
	}
	if (!known_must_run(&k, error) || !send_signal(&k, SIGTERM, error))
		return false;
	thaw(host, name);
	if (!ends_within(&k, how->patience_s * 1000) && !send_signal(&k, SIGKILL, error))
		return false;
	(void)ends_within(&k, MONITOR_MS);
	if (!wait_for_monitor(host, &k, error))
		return false;
	puts(name);
	return true;
}

static bool send_to(const struct host *host, const char *name, const void *arg, GError **error)
{
	AUTO_KNOWN struct known k = KNOWN_INIT;
	const struct how *how = arg;

	if (!known_open_running(host, name, &k, error) || !send_signal(&k, how->number, error))
		return false;
	if (how->number == SIGKILL) {
		thaw(host, name);
		(void)ends_within(&k, MONITOR_MS);
		if (!wait_for_monitor(host, &k, error))
			return false;
	}
	puts(name);
	return true;
}

static bool freeze(const struct host *host, const char *name, const void *arg, GError **error)
{
	AUTO_CGROUPS struct cgroups *cgroups = NULL;
	AUTO_KNOWN struct known k = KNOWN_INIT;
	bool frozen = *(const bool *)arg;

	if (!known_open_running(host, name, &k, error) ||
	    !cgroups_open(host, name, &cgroups, error))
		return false;
	if (cgroups_is_frozen(cgroups) == frozen)
		return run_fail(error, 0, "'%s' is %s", name,
				frozen ? "paused already" : "not paused");
	if (!cgroups_freeze(cgroups, frozen, error))
		return false;
	puts(name);
	return true;
}

static int each(const struct host *host, char **words, const struct flag *flags, size_t n,
		bool (*fn)(const struct host *host, const char *name, const void *arg,
			   GError **error))
{
	struct how how = { .patience_s = 10, .number = SIGKILL };
	GError *error = NULL;
	char **names;

	if (!flags_parse(flags, n, words, &how, &names, &error))
		return run_say_error(error);
	return known_each(host, names, fn, &how);
}

int command_stop(const struct host *host, char **words)
{
	return each(host, words, stop_flags, G_N_ELEMENTS(stop_flags), stop);
}

int command_kill(const struct host *host, char **words)
{
	return each(host, words, kill_flags, G_N_ELEMENTS(kill_flags), send_to);
}

static int freeze_each(const struct host *host, char **words, bool frozen)
{
	GError *error = NULL;
	char **names;

	if (!flags_parse(NULL, 0, words, NULL, &names, &error))
		return run_say_error(error);
	return known_each(host, names, freeze, &frozen);
}

int command_pause(const struct host *host, char **words)
{
	return freeze_each(host, words, true);
}

int command_resume(const struct host *host, char **words)
{
	return freeze_each(host, words, false);
}
