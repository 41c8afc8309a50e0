/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a test, the lookout and the witnesses in containers tell each other: a file of slots. */
#include <stdatomic.h>
#include <stdint.h>

#define WITNESS_SLOTS 256
#define PHASE_END     UINT64_MAX

/*
 * The first one is the test's: the phase (even: a daemon is started or there, odd: it is about to
 * die or dead, PHASE_END) and in place of a time the minor number of the file system that works,
 * once there is one. The others are those of containers.
 */
struct slot {
	atomic_uint_fast64_t phase;    /* the last one in which all files worked … */
	atomic_uint_fast64_t since_ns; /* … and since when, CLOCK_MONOTONIC: by the lookout */
	atomic_uint_fast64_t readings;
	atomic_uint_fast64_t failed; /* readings that may fail */
};

/* Of the file @path. Ends the process if there are none. */
struct slot *slots_map(const char *path);
