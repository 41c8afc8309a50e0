/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Processes that work in containers' namespaces, one for each, and tell what they did. What a
 * container has mounted can make one of them hang, and even be unkillable: it is then left alone.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bind/bind.h"

struct envoys;

/* @fn gets the workers' messages and a BIND_TIMEOUT for each that was given up. */
struct envoys *envoys_new(bind_fn *fn, void *arg);

/* In the worker: how it tells. */
struct envoys_voice {
	int sock;
};
void envoys_say(const struct envoys_voice *voice, const char *path, enum bind_outcome outcome,
		int error);

/* What a worker does; it ends with it. */
typedef void envoys_work(const struct envoys_voice *voice, const void *arg);

/*
 * Has @work done by a new process on behalf of process @pid. @wait: for it to end, if it is quick; else
 * it works beside others. The calling process must have one thread. Returns 0 or -errno.
 */
int envoys_send(struct envoys *envoys, pid_t pid, bool wait, envoys_work *work, const void *arg);

/* Waits for all that are quick. */
void envoys_wait(struct envoys *envoys);

/* Waits for all that are left, a few seconds at most, and frees @envoys. Returns NULL. */
struct envoys *envoys_end(struct envoys *envoys);
