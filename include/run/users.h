/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* --userns auto: 65536 ids of the host's for one container alone, its root among them. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/host.h"

#define USERS_N 65536u

/* Id 0 of the container is .uid and .gid of the host; USERS_N ids each. */
struct users {
	uint32_t uid, gid;
};

/*
 * A range for container @name, held until users_drop(): of what /etc/subuid and /etc/subgid give
 * root; when they have nothing for root that is free, where nobody is. None that a process of
 * another program's container has at the moment. @dir is the state directory.
 */
bool users_take(const struct host *host, const char *dir, const char *name, struct users *ret,
		GError **error);
bool users_drop(const char *dir, const char *name, GError **error);

/* The parent writes the maps of @pid, which waits for it and then becomes root (setresuid 0). */
bool users_map(const struct host *host, pid_t pid, const struct users *users, GError **error);

/*
 * The pure parts. Range @number that the texts of the two files leave room for; false: there are
 * not as many. And whether @map, the text of a uid_map, gives ids of the range that begins with
 * @first to other ids.
 */
bool users_range(const char *subuid, const char *subgid, uint32_t number, struct users *ret);
bool users_map_has(const char *map, uint32_t first);
