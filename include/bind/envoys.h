/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A few processes that work in containers' namespaces, each in one after the other, and tell what
 * they did. What a container has mounted can make one of them hang, and even be unkillable: it is
 * then left alone, and another one goes on in its stead.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bind/bind.h"

struct envoys;

struct envoy_job {
	size_t number;        /* the caller's */
	pid_t pid;            /* a process of the container … */
	uint64_t ns;          /* … and the number of its mount namespace */
	unsigned patience_ms; /* for its table of mounts */
	bool at_once;         /* others are at work, elsewhere */
};

enum envoy_result {
	ENVOY_DONE,
	ENVOY_GONE,   /* the process ended, or went elsewhere */
	ENVOY_AGAIN,  /* the table of mounts changed under the work */
	ENVOY_SHARED, /* nothing was done: it would be done in other namespaces, too */
	ENVOY_LONG,   /* nothing was done: the table took longer than the patience */
	ENVOY_LATE,   /* given up for those that are later still: it may have needed more time */
	ENVOY_N_RESULTS
};

/* In the envoy: how it tells. What it said is told even if it is killed then. */
struct envoys_voice {
	int sock;
	struct envoy_report *report;
};
void envoys_say(const struct envoys_voice *voice, const char *path, enum bind_outcome outcome,
		int error);

struct envoys_task {
	/*
	 * In each envoy, first: to let go of what one that is stuck must not keep. It needs @sock.
	 */
	void (*begin)(int sock, void *arg);
	enum envoy_result (*work)(const struct envoys_voice *voice, const struct envoy_job *job,
				  void *arg);
	void *arg; /* an envoy's is its own copy */

	/*
	 * In the caller: what was said, and BIND_TIMEOUT for one that is given up; that a job
	 * takes, or took, long (NULL: nobody asks); its end.
	 */
	bind_fn *told;
	void (*slow)(size_t number, void *arg);
	void (*ended)(size_t number, enum envoy_result result, void *arg);
	void *caller_arg;
};

/* @task is borrowed. */
struct envoys *envoys_new(const struct envoys_task *task);

/*
 * Gives the job to one that is idle, or to a new one. The calling process must have one thread.
 * Returns 0, -EBUSY when as many as can be of use are busy, or -errno.
 */
int envoys_send(struct envoys *envoys, const struct envoy_job *job);

/* So many have been given up and cannot be killed that there are to be no more. */
bool envoys_too_many_stuck(const struct envoys *envoys);

/* How many are at work and not late, and how many are late. */
unsigned envoys_busy(const struct envoys *envoys);
unsigned envoys_late(const struct envoys *envoys);

/*
 * Passes on what is said. It waits until something was, or somebody is late (who is works on beside
 * the others), but no longer than @most_ms.
 */
void envoys_hear(struct envoys *envoys, unsigned most_ms);

/* Waits for all that are left, a few seconds at most, and frees @envoys. Returns NULL. */
struct envoys *envoys_end(struct envoys *envoys);
