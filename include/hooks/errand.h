/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Work that may hang, and even be unkillable, on a daemon that stands still or on what a container
 * has mounted: done by a child, which has nothing of ours that anybody waits for.
 */
#include <stdbool.h>

/* In the child: what it writes to @say, and the status that it returns, are its report. */
typedef int errand_work(void *arg, int say);

struct errand_report {
	int status; /* -1: it crashed, or was killed */
	char *said; /* owned */
};

/*
 * The calling process must have one thread. Returns 0, -ETIMEDOUT: the child was killed, or left
 * alone if that did not help, or -errno: there is none.
 */
int errand_run(errand_work *work, void *arg, unsigned timeout_ms, struct errand_report *ret);
