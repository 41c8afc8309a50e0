/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The process that serves. It may die at any time; another one goes on where it was. */
#include "daemon/config.h"

/* How a worker ends, as its exit status. */
enum worker_exit {
	WORKER_STOPPED = 0,
	WORKER_FAILED = 1,
	WORKER_UNMOUNTED = 10, /* nobody has the file system mounted any more */
};

/*
 * On the control socket: the worker says WORKER_READY, the keeper WORKER_GO, then the worker reads
 * from /dev/fuse.
 */
#define WORKER_READY 'R'
#define WORKER_GO    'G'

/* Serves until SIGTERM, the keeper's end, or the end of the file system. */
enum worker_exit worker_run(const struct config *config);
