/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the hook is for: the daemon's files into one container. */
#include <sys/types.h>

#include "hooks/oci.h"

struct work {
	const char *mountpoint;        /* of the daemon */
	char **files;                  /* those alone, see oci_files(); NULL: all */
	const struct oci_state *state; /* of the container; NULL: */
	pid_t pid;                     /* of a process in it */
};

enum work_status {
	WORK_DONE,
	WORK_FAILED,
	WORK_NO_DAEMON, /* nothing was done, as nothing is served */
	WORK_NOTHING,   /* nor as there is nothing in the container that it could be put over */
};

/*
 * An errand_work; @work is a struct work. What it says is a sentence a line: why it failed, or what
 * else is to be known.
 */
int work_do(void *work, int say);
