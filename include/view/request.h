/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Everything a view may look at. Views reach no global and no file but through this. */
#include <stdbool.h>
#include <stdint.h>

#include "container/container.h"

/* The part of the configuration that views see. */
struct view_options {
	bool cpu_quota; /* a quota hides cpus */
	bool swap;      /* containers see their swap */
	bool loadavg;   /* load averages are sampled */
};

/* All borrowed. */
struct request {
	struct host *host;
	struct container_table *containers;
	struct container *ct;
	pid_t pid; /* the reader, or who stands for it below MOUNTPOINT/containers */
	const struct view_options *options;
	unsigned number; /* which cpuN or nodeN, for files below one */
};

/* Positive: handled by who calls a view. */
enum { VIEW_E_PASSTHROUGH = 1 }; /* nothing of this container differs: the host's file */
