/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The limits of a cgroup that we make: what is to be written where, on v1 and on v2. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "cgroup/layout.h"

#define CG_LIMIT_UNSET UINT64_MAX       /* none asked for: nothing is written */
#define CG_LIMIT_NONE  (UINT64_MAX - 1) /* "unlimited" was asked for */

#define CG_CPU_PERIOD_US 100000

/* Start with CG_LIMITS_INIT. */
struct cg_limits {
	uint64_t memory;      /* bytes */
	uint64_t memory_swap; /* bytes of memory and swap together, at least .memory */
	uint64_t cpu_quota;   /* us per CG_CPU_PERIOD_US */
	uint64_t cpu_shares;  /* 2 to 262144, v1's unit */
	char *cpuset_cpus;    /* a list, "0-3,8"; NULL: unset */
	char *cpuset_mems;
	uint64_t pids;
	GArray *io; /* of struct cg_io_limit; NULL: none */
};

struct cg_io_limit {
	unsigned major, minor;
	bool write;
	uint64_t bytes_per_s;
};

#define CG_LIMITS_INIT                                                                             \
	{                                                                                          \
		.memory = CG_LIMIT_UNSET, .memory_swap = CG_LIMIT_UNSET,                           \
		.cpu_quota = CG_LIMIT_UNSET, .cpu_shares = CG_LIMIT_UNSET, .pids = CG_LIMIT_UNSET, \
	}

/* One text to be written to one file. */
struct cg_setting {
	enum cg_controller controller;
	const char *file; /* static */
	char *text;       /* owned */
	bool optional;    /* nobody asked for it: a host that has no such file does without */
};

void cg_setting_clear(struct cg_setting *setting);

/*
 * The settings that make @limits, in the order in which the kernel takes them. Memory without
 * .memory_swap allows as much swap again, as docker does, where the host accounts swap. Returns an
 * owned array of struct cg_setting, which clears its elements. A controller that the host has not
 * (index -1 in @layout) is written for as v2's: the write says that it is missing.
 */
GArray *cg_limits_settings(const struct cg_layout *layout, const struct cg_limits *limits);
