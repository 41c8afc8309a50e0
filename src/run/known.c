/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <poll.h>
#include <string.h>

#include "host/pid.h"
#include "run/cgroups.h"
#include "run/command.h"
#include "run/fail.h"
#include "util/fd.h"
#include "util/sys.h"

void known_clear(struct known *known)
{
	state_clear(&known->state);
	state_place_close(&known->place);
	fd_close(&known->pidfd);
}

static struct known steal(struct known *known)
{
	struct known k = *known;

	*known = (struct known)KNOWN_INIT;
	return k;
}

/* Not by its state, which is that of its first thread: that may have ended before the others. */
static bool is_over(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

int known_open_process(const struct host *host, uint64_t pid, uint64_t start_ticks)
{
	AUTO_FD int fd = pid > 0 ? sys_pidfd_open((pid_t)pid) : -1;
	struct pidstat stat;

	if (fd < 0 || host_pid_stat(host, (pid_t)pid, &stat) < 0 ||
	    stat.start_ticks != start_ticks || is_over(fd))
		return -1;
	return fd_steal(&fd);
}

bool known_open(const struct host *host, const char *name, struct known *ret, GError **error)
{
	AUTO_KNOWN struct known k = KNOWN_INIT;

	if (!state_open(name, &k.place, error) || !state_load(&k.place, name, &k.state, error))
		return false;
	if (strcmp(k.state.phase, STATE_RUNNING) == 0)
		k.pidfd = known_open_process(host, k.state.pid, k.state.start_ticks);
	*ret = steal(&k);
	return true;
}

bool known_must_run(const struct known *known, GError **error)
{
	return known->pidfd >= 0 || run_fail(error, 0, "'%s' does not run", known->state.name);
}

bool known_open_running(const struct host *host, const char *name, struct known *ret,
			GError **error)
{
	return known_open(host, name, ret, error) && known_must_run(ret, error);
}

void known_signal_monitor(const struct host *host, const struct known *known, int number)
{
	const struct state *s = &known->state;
	AUTO_FD int monitor = known_open_process(host, s->monitor, s->monitor_ticks);

	if (monitor >= 0)
		(void)sys_pidfd_kill(monitor, number);
}

bool known_has_ended(const struct known *known)
{
	return known->pidfd < 0 ? strcmp(known->state.phase, STATE_CREATING) != 0
				: is_over(known->pidfd);
}

static bool is_paused(const struct host *host, const char *name)
{
	AUTO_CGROUPS struct cgroups *cgroups = NULL;

	return cgroups_open(host, name, &cgroups, NULL) && cgroups_is_frozen(cgroups);
}

static bool has_processes(const struct host *host, const char *name)
{
	AUTO_CGROUPS struct cgroups *cgroups = NULL;
	g_autoptr(GArray) pids = NULL;

	if (!cgroups_open(host, name, &cgroups, NULL))
		return false;
	pids = cgroups_pids(cgroups);
	return pids->len > 0;
}

const char *known_status(const struct host *host, const struct known *known)
{
	const char *phase = known->state.phase;

	if (strcmp(phase, STATE_EXITED) == 0)
		return "exited";
	if (!state_is_held(&known->place))
		return has_processes(host, known->state.name) ? "orphaned" : "dead";
	if (strcmp(phase, STATE_CREATING) == 0)
		return "creating";
	return is_paused(host, known->state.name) ? "paused" : "running";
}

int known_each(const struct host *host, char **names,
	       bool (*fn)(const struct host *host, const char *name, const void *arg,
			  GError **error),
	       const void *arg)
{
	int status = 0;

	if (!*names)
		return run_say("no container is named (see --help)");
	for (; *names; names++) {
		GError *error = NULL;

		if (!fn(host, *names, arg, &error))
			status = run_say_error(error);
	}
	return status;
}
