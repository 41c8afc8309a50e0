/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Where the host's cgroup hierarchies are: one a controller or two (v1), one for all (v2), or both
 * (hybrid). A hybrid host is no third kind: it is a layout whose controllers live in different
 * hierarchies. Nothing is ever mounted.
 */
#include <stdbool.h>
#include <stddef.h>

enum cg_controller {
	CG_CPU,
	CG_CPUACCT,
	CG_CPUSET,
	CG_MEMORY,
	CG_IO,
	CG_HUGETLB,
	CG_N_CONTROLLERS, /* those that tell something; the rest is set alone */
	CG_PIDS = CG_N_CONTROLLERS,
	CG_DEVICES,
	CG_FREEZER,
	CG_N_ALL_CONTROLLERS,
};

enum cg_version { CG_V1, CG_V2, CG_N_VERSIONS };

/* v1 has at most 16 controllers (CGROUP_SUBSYS_COUNT), so as many hierarchies, and v2's. */
#define CG_MAX_HIERARCHIES 17

struct cg_hierarchy {
	unsigned id; /* first field of its line in /proc/PID/cgroup; 0 is v2 */
	enum cg_version version;
	int dir;    /* O_PATH, the mounted root */
	char *root; /* what of the hierarchy is mounted there: "/", or a part of it */
};

struct cg_layout {
	size_t n_hierarchies;
	struct cg_hierarchy hierarchies[CG_MAX_HIERARCHIES];
	int controllers[CG_N_ALL_CONTROLLERS]; /* index into .hierarchies, -1: this host has none */
};

/*
 * Finds the hierarchies in @mountinfo (the text of /proc/self/mountinfo), their ids in @cgroup
 * (/proc/self/cgroup) and opens them below the directory @root_fd. @verify: compare device numbers
 * too, so that what is mounted over a hierarchy is not taken for it (off in fixture trees).
 *
 * Returns 0 with an owned *@ret, which may have no hierarchy at all, or -errno.
 */
int cg_layout_detect(const char *mountinfo, const char *cgroup, int root_fd, bool verify,
		     struct cg_layout **ret);
struct cg_layout *cg_layout_free(struct cg_layout *layout);

/* What @controller is called there, for sentences: "memory", v1's "blkio". Static. */
const char *cg_controller_name(const struct cg_layout *layout, enum cg_controller controller);

/* One process's place in each hierarchy; borrowed pieces of the text of /proc/PID/cgroup. */
struct cg_place {
	const char *path; /* "/system.slice/x.service", not NUL-terminated; NULL: not told */
	size_t len;
};

/*
 * Split the text of /proc/PID/cgroup into @ret[hierarchy index]. Paths are taken as they are: they
 * may hold blanks, colons and any byte but newline and NUL.
 */
void cg_places_parse(const struct cg_layout *layout, const char *text,
		     struct cg_place ret[CG_MAX_HIERARCHIES]);

/* @below is @above or a cgroup below it. */
bool cg_place_is_below(struct cg_place below, struct cg_place above);
bool cg_place_is_root(struct cg_place place);
