/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The FUSE operations. */
#include <stdbool.h>
#include <stdint.h>

#include "fs/render.h"
#include "fs/snapshot.h"
#include "fs/tree.h"

struct fuse_lowlevel_ops;

/* Given to libfuse as the session's user data; borrowed parts outlive the session. */
struct fs {
	struct tree tree;
	struct renderer renderer;
	struct snapshots *snapshots;
	void *channel; /* of who passes requests and replies on */
};

extern const struct fuse_lowlevel_ops fs_ops;

/*
 * Before each request is given to libfuse, by the thread that does: its unique id, and whether it
 * may have been answered by a process that died before it could say so.
 */
void fs_begin_request(uint64_t unique, bool again);
