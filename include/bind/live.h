/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Our own mount, in our own mount namespace. */
#include <glib.h>
#include <stdbool.h>

#include "bind/table.h"

struct host;

struct live {
	int fd;       /* O_PATH of its root directory; -1: nothing is served */
	int lock;     /* one process at a time changes containers' mounts */
	char *source; /* with our id */
	char *mountpoint;
	uint64_t peers;  /* its peer group */
	GArray *own_ids; /* uint64_t: what of ours lies at the mount point, dead or alive */
	bool silent;     /* something is served, but does not answer */
	struct ours ours;
};

/*
 * Takes the lock, for which it waits a minute at most, and looks at @mountpoint. With @must_serve
 * it fails unless a daemon answers there within five seconds; else it is enough that one did once.
 * @ret is to be given to live_clear() in any case; it begins as LIVE_NONE.
 */
bool live_open(const struct host *host, const char *mountpoint, bool must_serve, struct live *ret,
	       GError **error);
void live_clear(struct live *live);
#define LIVE_NONE ((struct live){ .fd = -1, .lock = -1 })

/*
 * Whether who serves our tree at the directory @dir answers: 0, -ENOTCONN: it is dead, -ETIMEDOUT:
 * not within five seconds, or -errno. The calling process must have one thread.
 */
int live_ask(int dir);

/*
 * The owned sentence for that nobody serves @mountpoint, but a holder keeps it; NULL: it is not so.
 */
char *live_held(const char *mountpoint);

/* The owned sentence for that who serves @mountpoint does not answer. */
char *live_silence(const char *mountpoint);

/* The mount id of what is open at @fd (the mnt_id of fdinfo): the file system is not asked. */
int live_mount_id(const struct host *host, int fd, uint64_t *ret);
