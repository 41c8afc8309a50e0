/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/report.h"

#include <stdio.h>

#include "ctl/command.h"
#include "util/octal.h"

/* For what is worth a line. */
static const char *const words[BIND_N_OUTCOMES] = {
	[BIND_BENEATH] = "beneath",   [BIND_STACKED] = "stacked", [BIND_UNCOVERED] = "uncovered",
	[BIND_DETACHED] = "detached", [BIND_FOUND] = "found",
};

void report_event(const struct bind_event *event, void *unused)
{
	g_autofree char *path = octal_escaped(event->path);

	(void)unused;
	if (words[event->outcome])
		printf("%d %s %s\n", event->pid, path, words[event->outcome]);
	else if (event->outcome == BIND_FAILED)
		ctl_error("process %d: %s: %s", event->pid, path, g_strerror(event->error));
	else if (event->outcome == BIND_LOCKED)
		ctl_error("process %d: %s belongs to an outer namespace and stays", event->pid,
			  path);
	else if (event->outcome == BIND_TIMEOUT)
		ctl_error("process %d: its files take too long, it is left alone", event->pid);
}

int report_end(const struct bind_report *r, const char *verb, unsigned files)
{
	unsigned bad = r->counts[BIND_FAILED] + r->counts[BIND_LOCKED] + r->counts[BIND_TIMEOUT];

	printf("%s %u file%s in %u container%s", verb, files, files == 1 ? "" : "s", r->containers,
	       r->containers == 1 ? "" : "s");
	/* Not an error: their namespace may well have other processes, such as the host's has. */
	if (r->unreadable)
		printf("; %u process%s could not be looked at", r->unreadable,
		       r->unreadable == 1 ? "" : "es");
	puts("");
	if (r->incomplete)
		ctl_error("not all processes were looked at in time: do it again");
	return bad || r->incomplete ? CTL_FAILED : CTL_OK;
}
