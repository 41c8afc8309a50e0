/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/init.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/fail.h"
#include "run/main.h"

#define TITLE "lxcfs-init"

/* Everybody who has ended; does not return when @child is among them. */
static void reap(pid_t child)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child)
			_exit(run_exit_status(status));
	/* Stolen from us? Then nothing is left to wait for. */
	if (pid < 0 && errno == ECHILD)
		_exit(RUN_FAILED);
}

_Noreturn void init_run(pid_t child)
{
	sigset_t all;

	/* With the host's pids we are not pid 1. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigfillset(&all);
	for (;;) {
		siginfo_t info;
		int number = sigwaitinfo(&all, &info);

		/* The container's filter may forbid it. */
		if (number < 0 && errno != EINTR)
			_exit(RUN_FAILED);
		if (number == SIGCHLD)
			reap(child);
		else if (number > 0)
			(void)kill(child, number);
	}
}

void init_hide(void)
{
	size_t size;
	char *area = main_words(&size);

	memset(area, 0, size);
	(void)g_strlcpy(area, TITLE, size);
	(void)prctl(PR_SET_NAME, TITLE);
}
