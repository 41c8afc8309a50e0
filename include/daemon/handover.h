/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What an instance leaves to the next one so that containers' reads go on: two descriptors. */
#include <stdbool.h>

struct handover {
	int fuse;  /* /dev/fuse, mounted, FUSE_INIT answered; -1: none */
	int state; /* the memory file, see shared.h; -1: none */
};

#define HANDOVER_NONE ((struct handover){ .fuse = -1, .state = -1 })

/* Lower numbers are for those that come from systemd and for standard input and output. */
#define HANDOVER_MIN_FD 20

/* @fuse is a device whose connection was neither aborted nor unmounted everywhere. */
bool handover_is_alive(int fuse);

/*
 * Whether both are what they should be: @fuse alive, @state a file. What a file has inside is
 * shared_map()'s to judge.
 */
bool handover_is_good(const struct handover *h);

/*
 * Moves both to close-on-exec descriptors of at least @min. Returns 0, or -errno with both closed.
 */
int handover_move(struct handover *h, int min);

/* Closes both. */
void handover_clear(struct handover *h);
#define AUTO_HANDOVER __attribute__((cleanup(handover_clear)))

/* Gives both away and leaves none. */
static inline struct handover handover_steal(struct handover *h)
{
	struct handover r = *h;

	*h = HANDOVER_NONE;
	return r;
}
