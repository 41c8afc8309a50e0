/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A line of /proc/PID/mountinfo (proc(5)). */
#include <stdint.h>

struct mountinfo {
	uint64_t id, parent;   /* of the mounts; the kernel uses them again */
	uint64_t major, minor; /* of the file system, as st_dev has them */
	uint64_t peers;        /* the peer group that it is in ("shared:N"); 0: in none */
	uint64_t master;       /* the peer group that it receives from ("master:N"); 0: from none */
	/* Unescaped, in the memory of the line. */
	const char *root;    /* what of the file system is mounted */
	const char *point;   /* where, seen from the process's root */
	const char *options; /* of this mount: "ro,nosuid,relatime" */
	const char *fstype;
	const char *source; /* may be "" */
};

/*
 * Takes @line, which may end with a newline, apart in place. Returns 0, or -EBADMSG, after which
 * @line is spoiled and *@ret as it was.
 */
int mountinfo_parse(char *line, struct mountinfo *ret);

/* The MOUNT_ATTR_ bits of mount_setattr(2) that @options name; only those that take something. */
uint64_t mountinfo_attrs(const char *options);
