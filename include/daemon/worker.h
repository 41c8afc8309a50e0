/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The process that serves. It may die at any time; another one goes on where it was. */
#include "daemon/config.h"

/* How a worker ends, as its exit status. */
enum worker_exit {
	WORKER_STOPPED = 0,
	WORKER_FAILED = 1,
	WORKER_UNMOUNTED = 10, /* nobody has the file system mounted any more */
	WORKER_UNFIT = 11,     /* the memory is another version's, or libfuse wants other flags */
};

/*
 * Stands by until the keeper tells it to serve, then serves until SIGTERM or the end of the file
 * system. When the keeper dies it starts another one, by @argv.
 */
enum worker_exit worker_run(const struct config *config, char **argv);
