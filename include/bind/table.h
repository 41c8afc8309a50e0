/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Tables of mounts, read line by line: they may be long (100,000 lines) and belong to somebody
 * hostile. What is kept of one is bounded.
 */
#include <glib.h>
#include <stdbool.h>

#include "bind/mountinfo.h"

/* Lines longer than this are passed over; a path that we could name has 4,096 bytes, escaped 4. */
#define TABLE_LINE_MAX ((size_t)256 << 10)

/*
 * A table that has more is not read to its end: a container can make it grow as fast as it is read.
 * The kernel allows a namespace 100,000 mounts (fs.mount-max) unless told otherwise.
 */
#define TABLE_LINES_MAX 300000u

/* Returns whether to go on. */
typedef bool table_fn(const struct mountinfo *m, void *arg);

/*
 * Calls @fn for each line of the opened /proc/PID/mountinfo @fd. What is no such line is passed
 * over. Returns 0, what read says, or -ETIME when it was not over at @deadline_ms
 * (sys_coarse_ms()).
 */
int table_each(int fd, uint64_t deadline_ms, table_fn *fn, void *arg);

/* What our mounts look like. */
struct ours {
	const char *source;    /* borrowed; with our id */
	bool serving;          /* there is a live file system: */
	uint64_t major, minor; /* its st_dev */
};

/* One of our mounts in somebody's table. */
struct bound {
	uint64_t id, parent, peers;
	uint64_t attrs; /* MOUNT_ATTR_ */
	char *root, *point;
	bool live;    /* of the file system that is served now */
	bool covered; /* by somebody else's mount at the same point */
	/*
	 * Nobody else has what is changed here, nor changes it. What is mounted on it goes by its
	 * own peers and master; what is put beneath it, and its end, by those of what it is mounted
	 * on.
	 */
	bool alone;
};

/* At most so many of one table. */
#define TABLE_OURS_MAX 512u

/* *@ret: an owned array of struct bound, in the order of the table. Returns as table_each(). */
int table_ours(int fd, const struct ours *ours, uint64_t deadline_ms, GPtrArray **ret);

/* The one that @top is mounted on when that is ours, too, and at the same point; else NULL. */
const struct bound *table_below(const GPtrArray *bounds, const struct bound *top);

/* None of ours is mounted on @bound at the same point. */
bool table_is_top(const GPtrArray *bounds, const struct bound *bound);
