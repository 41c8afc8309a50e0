/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a keeper keeps: the mount, its /dev/fuse and the memory that outlives workers. It makes
 * them, or goes on with those of a keeper before it.
 */
#include "daemon/config.h"
#include "daemon/handover.h"
#include "daemon/mount.h"
#include "daemon/shared.h"

struct seat {
	struct mountpoint mountpoint;
	int fuse;
	struct shared shared;
	bool served;    /* readers have been there */
	bool inherited; /* .fuse and .shared are those of a keeper before us */
};

#define SEAT_NONE                                                                                  \
	((struct seat){ .mountpoint = { .lock = -1 }, .fuse = -1, .shared = { .fd = -1 } })

/*
 * Takes the mount point: with what was handed to us or @found (which is consumed), then .fuse is
 * set, or else for a mount to be made by seat_mount(). On failure too @seat is to be given to
 * seat_clear(), unless .served: then the mount goes on without us.
 */
bool seat_take(struct seat *seat, const struct config *config, const struct host *host,
	       struct handover *found, GError **error);

/* Mounts, unless seat_take() found a mount. */
bool seat_mount(struct seat *seat, const struct config *config, GError **error);

/* What processes that are started on it are handed; .control is none. */
struct handed seat_handed(const struct seat *seat);

/* Closes all; what nothing was served from is removed. The mount stays. */
void seat_clear(struct seat *seat, const char *mountpoint);
