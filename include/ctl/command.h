/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* lxcfs-clonectl's commands. */
#include <glib.h>
#include <stdbool.h>

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/* What stands behind a command's name. */
struct ctl_args {
	char *mountpoint; /* absolute */
	bool dry_run, json;
};

/* An exit status. What goes wrong has been said on standard error. */
typedef int ctl_run(const struct ctl_args *args);

ctl_run ctl_repair, ctl_detach, ctl_status;

/* Says "lxcfs-clonectl: SENTENCE" on standard error. Returns CTL_FAILED. */
int ctl_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
