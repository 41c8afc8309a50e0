/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind/bind.h"
#include "daemon/child.h"
#include "host/host.h"
#include "util/log.h"
#include "util/octal.h"
#include "util/sys.h"

#define MOST_S 120u

/* After attempts that failed. Who was held up, as a container is that is frozen, may go on. */
static const unsigned pauses_s[] = { 10, 60, 300, 900 };

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
	if (!ok) {
		log_warning("containers are not looked through: %s", error->message);
		return false;
	}
	sum_up(&report);
	return !report.incomplete && !report.counts[BIND_FAILED] && !report.counts[BIND_TIMEOUT];
}

/*
 * The pid of a child to be reaped, or -errno. It ends with status 0 if nothing is left to be done.
 */
static pid_t start(const char *mountpoint)
{
	pid_t keeper = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "lxcfs-repair");
	child_be_plain();
	/* Should the worker not answer: nobody else's repair waits for us any longer. */
	(void)alarm(MOST_S);
	_exit(getppid() == keeper && repair(mountpoint) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void fail(struct repair *r, const char *mountpoint)
{
	r->failed_ms = sys_coarse_ms();
	if (r->failed++ < G_N_ELEMENTS(pauses_s))
		log_warning("not all files of %s are back in containers: will be tried again in %u "
			    "s",
			    mountpoint, pauses_s[r->failed - 1]);
	else
		log_error("not all files of %s are back in containers after %u attempts, see "
			  "'lxcfs-clonectl repair'",
			  mountpoint, r->failed);
}

/*
 * The process is on record, because it stays our child when we become another binary. One of a
 * keeper before us is nobody's child, and died with it.
 */
static void reap(struct repair *r, struct keeper_record *record, const char *mountpoint)
{
	int status = 0;
	pid_t pid = waitpid(record->repairer, &status, WNOHANG);

	if (pid == 0)
		return;
	record->repairer = 0;
	if (pid < 0)
		return;
	record->repaired = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		log_warning("looking through the containers took longer than %u s and was ended",
			    MOST_S);
	else if (WIFSIGNALED(status))
		log_warning("looking through the containers was ended by signal %d (%s)",
			    WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (!record->repaired)
		fail(r, mountpoint);
	else if (r->failed)
		log_info("all files of %s are back in containers now", mountpoint);
}

static bool is_due(const struct repair *r)
{
	if (r->failed == 0)
		return true;
	return r->failed <= G_N_ELEMENTS(pauses_s) &&
	       sys_coarse_ms() - r->failed_ms >= pauses_s[r->failed - 1] * UINT64_C(1000);
}

void repair_run(struct repair *r, struct keeper_record *record, const char *mountpoint)
{
	if (record->repairer > 0)
		reap(r, record, mountpoint);
	if (record->repairer > 0 || record->repaired || !is_due(r))
		return;
	record->repairer = start(mountpoint);
	if (record->repairer < 0) {
		log_warning("cannot start to look through the containers: %s",
			    g_strerror(-record->repairer));
		record->repairer = 0;
		fail(r, mountpoint);
	}
}

const char *repair_state(const struct repair *r, const struct keeper_record *record)
{
	if (record->repairer > 0)
		return "running";
	if (record->repaired)
		return "done";
	return r->failed <= G_N_ELEMENTS(pauses_s) ? "waiting" : "failed";
}
