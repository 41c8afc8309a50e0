/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The parts of `check`. Each adds what it finds. */
#include "cgroup/layout.h"
#include "ctl/findings.h"
#include "host/host.h"

struct check {
	const struct host *host;
	const struct cg_layout *layout;
	const char *mountpoint;
	const char *root; /* where the engines' files are: the host's root */
	bool serves;      /* check_daemon() found that somebody does, */
	bool silent;      /* or is there and does not answer; */
	int resends;      /* 1: the kernel gives a dead worker's requests again; 0; -1: not told */
};

/* The daemon's processes, and the mount. */
void check_daemon(struct check *c, struct findings *f);

/* A process in a cgroup of its own, with limits, that reads all files. */
void check_probe(const struct check *c, struct findings *f);

/* Dead files in containers that run. */
void check_stale(const struct check *c, struct findings *f);

/* What this kernel has of what is used. */
void check_kernel(const struct check *c, struct findings *f);

/* Each engine that the host has. */
void check_engines(const struct check *c, struct findings *f);
