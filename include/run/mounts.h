/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What is mounted in a container: its own proc, sys, dev, cgroups, and what was asked for. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"
#include "run/spec.h"

/* A copy of a mount of the host's and where it goes. */
struct mounts_bind {
	char *target; /* absolute */
	int tree;     /* mounted nowhere; -1: a tmpfs */
	bool folder;  /* else a file */
};

/* All that has to be fetched before the host's file systems are out of sight. */
struct mounts {
	GArray *binds;  /* struct mounts_bind, in the order of the flags */
	GArray *host;   /* the same: what of the host's /dev comes first */
	char **cgroups; /* v1's hierarchies as their mount option: "cpu,cpuacct", "name=systemd" */
	bool has_cgroup2; /* beside them, or alone */
};

/* On the host. @ret is to be given to mounts_clear() in any case. */
bool mounts_fetch(const struct host *host, const struct spec *spec, struct mounts *ret,
		  GError **error);
void mounts_clear(struct mounts *mounts);

/* In the container, whose root is /, while the old root is still mounted below: its own. */
bool mounts_make(const struct spec *spec, const struct mounts *mounts, GError **error);

/* And then: --device, -v and --tmpfs. */
bool mounts_add(const struct spec *spec, const struct mounts *mounts, GError **error);

/* The last: what is not to be seen, what is not to be written. */
bool mounts_seal(const struct spec *spec, GError **error);
