/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bind/bind.h"
#include "host/host.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/octal.h"

#define MOST_S 120

static void be_plain(void)
{
	int keep[1];
	sigset_t none;

	/* What we have open would live as long as we: /dev/fuse, the lock. */
	fd_close_others(keep, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
}

static void say(const struct bind_event *event, void *arg)
{
	g_autofree char *path = octal_escaped(event->path);

	(void)arg;
	if (event->outcome == BIND_FAILED)
		log_warning("cannot put back %s of process %d: %s", path, event->pid,
			    g_strerror(event->error));
	else if (event->outcome == BIND_TIMEOUT)
		log_warning("putting back the files of process %d takes too long: left alone",
			    event->pid);
	else
		log_debug("%s of process %d: outcome %d", path, event->pid, event->outcome);
}

static void sum_up(const struct bind_report *r)
{
	unsigned files = bind_report_repaired(r);

	if (files)
		log_info("put back %u file%s in %u container%s", files, files == 1 ? "" : "s",
			 r->containers, r->containers == 1 ? "" : "s");
	if (r->incomplete)
		log_warning("not all processes were looked at for dead files in time");
}

static bool repair(const char *mountpoint)
{
	g_autoptr(GError) error = NULL;
	struct bind_report report;
	struct host *host;
	int r = host_open("/", &host);
	bool ok;

	if (r < 0) {
		log_warning("cannot open the host's proc and sys: %s", g_strerror(-r));
		return false;
	}
	ok = bind_repair(host, mountpoint, false, say, NULL, &report, &error);
	host_free(host);
	if (ok)
		sum_up(&report);
	else
		log_warning("containers are not looked through: %s", error->message);
	return ok;
}

pid_t repair_start(const char *mountpoint)
{
	pid_t keeper = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "lxcfs-repair");
	be_plain();
	/* Should the worker not answer: nobody else's repair waits for us any longer. */
	(void)alarm(MOST_S);
	_exit(getppid() == keeper && repair(mountpoint) ? EXIT_SUCCESS : EXIT_FAILURE);
}
