/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A cgroup and all below it, however deep a container nests them: two descriptors at a time. */

struct cg_walk {
	/* On the way down: @dir is the cgroup. NULL: nothing to be done. */
	void (*enter)(int dir, void *arg);
	/*
	 * On the way up, not for the top: the cgroup @name in @above. 0, or -errno ends the walk.
	 */
	int (*leave)(int above, const char *name, void *arg);
	void *arg;
	unsigned most; /* no more cgroups than that are entered; 0: all */
};

/* Start at @top, which is borrowed. 0, or -errno: also when cgroups go while one is in them. */
int cg_walk(int top, const struct cg_walk *walk);
