/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* lxcfs-clonectl's commands. */
#include <glib.h>
#include <stdbool.h>

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/* What stands behind a command's name. */
struct ctl_args {
	char *mountpoint; /* absolute */
	const char *root; /* the host's: "/" unless given */
	char **words;     /* borrowed; for commands that take names in place of a mount point */
	bool dry_run, json, make_default;
};

/* An exit status. What goes wrong has been said on standard error. */
typedef int ctl_run(const struct ctl_args *args);

ctl_run ctl_repair, ctl_detach, ctl_status, ctl_install, ctl_uninstall, ctl_check;

/* Says "lxcfs-clonectl: SENTENCE" on standard error. Returns CTL_FAILED. */
int ctl_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The same for a command line that is wrong: "WHAT 'WORD' (see --help)". Returns CTL_USAGE. */
int ctl_usage(const char *what, const char *word);
