/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The way from /dev/fuse to the operations: libfuse decodes and encodes, the threads are ours. */
#include <stdatomic.h>
#include <stdbool.h>

#include "daemon/shared.h"
#include "fs/ops.h"

struct channel;

enum channel_end {
	CHANNEL_STOPPED,   /* as asked */
	CHANNEL_UNMOUNTED, /* nobody has the file system mounted any more, or it was aborted */
};

/*
 * Attach to the mounted file system @fuse_fd, whose FUSE_INIT is on record in @shared. All
 * borrowed. Returns 0, -EPROTO when this libfuse doesn't fit what was agreed, or -errno.
 */
int channel_new(int fuse_fd, const struct shared *shared, struct fs *fs, struct channel **ret);
struct channel *channel_free(struct channel *channel);

/*
 * Before anybody serves, when the former worker is dead: take over what it had in hand. A request
 * that several workers died of is answered with EIO and logged.
 */
void channel_take_over(struct channel *channel);

/*
 * Do what was taken over, one request after the other: @alone before anybody serves, then the rest
 * while others serve new ones.
 */
void channel_do_leftovers(struct channel *channel, bool alone);

/*
 * Serve with the journal slot number @thread until channel_stop() or the end of the file system.
 *
 * One thread at a time waits for requests: with more, the kernel wakes them in turns, which costs
 * more than what is to be done. A thread that has something slow to do steps aside for another,
 * and one that finds requests queued up calls another to help.
 */
enum channel_end channel_serve(struct channel *channel, unsigned thread);

/* For a thread that serves: lets another one take its place until the request in hand is done. */
void channel_step_aside(void *channel);

/* Threads leave after the request in hand; one that waits for the kernel needs a signal too. */
void channel_stop(struct channel *channel);
