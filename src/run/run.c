/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "run/channel.h"
#include "run/command.h"
#include "run/fail.h"
#include "run/launch.h"
#include "run/options.h"
#include "run/terminal.h"

/*
 * The monitor of a container in the background. Standard error stays until the container runs: what
 * there is to say until then is for who started it.
 */
_Noreturn static void monitor(const struct host *host, const struct spec *spec, int report)
{
	g_autoptr(GError) error = NULL;
	int status;

	if (!launch_run(host, spec, report, &status, &error))
		channel_fail(report, error);
	_exit(0);
}

static int start_detached(const struct host *host, const struct spec *spec, GError **error)
{
	int report[2];
	pid_t pid;
	bool ok;

	if (!channel_make(report, error))
		return RUN_FAILED;
	pid = fork();
	if (pid == 0) {
		close(report[0]);
		monitor(host, spec, report[1]);
	}
	close(report[1]);
	ok = pid > 0 ? channel_expect(report[0], CHANNEL_READY, NULL, error)
		     : run_fail(error, errno, "cannot start a process");
	close(report[0]);
	if (!ok)
		return RUN_FAILED;
	puts(spec->name);
	return 0;
}

int command_run(const struct host *host, char **words)
{
	AUTO_SPEC struct spec *spec = NULL;
	GError *error = NULL;
	int status = RUN_FAILED;

	if (options_parse(words, &spec, &error)) {
		if (spec->detach)
			status = start_detached(host, spec, &error);
		else if (terminal_check(spec->tty, spec->interactive, &error))
			(void)launch_run(host, spec, -1, &status, &error);
	}
	return error ? run_say_error(error) : status;
}
