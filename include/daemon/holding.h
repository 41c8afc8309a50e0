/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * How the holder (holder.h) and instances talk: one word a message over a SOCK_SEQPACKET socket.
 *
 *   fetch    it answers "pair" with both descriptors, and keeps its own copies
 *   serving  it answers "ok"; while this connection is open there is an instance
 *   quit     it ends; so does the connection, once all is cleaned up
 */
#include <stdbool.h>

#include "daemon/handover.h"

enum holding_end {
	HOLDING_ASKED,     /* to quit, by an instance or a signal */
	HOLDING_ABANDONED, /* no instance came in time */
	HOLDING_GONE,      /* the connection was aborted, or unmounted everywhere */
};

struct holding {
	int listener; /* from unix_listen() */
	int signals;  /* a signalfd: whatever comes asks to quit; -1: none */
	struct handover pair;
	unsigned seconds; /* how long it waits for an instance, at first and after each */
};

/*
 * The holder's loop. No client can hold it up: it never waits for one. All descriptors stay the
 * caller's; *@ret_quitter is whom the end is to be told by closing, -1: nobody.
 */
enum holding_end holding_run(const struct holding *holding, int *ret_quitter);

/* The instance's side. Each waits two seconds at most for an answer. */

/*
 * Both descriptors, numbered from HANDOVER_MIN_FD on and good (handover_is_good()). Returns 0,
 * -ENOENT or -ECONNREFUSED: no holder, -ENOTCONN: what it holds is of no use, or -errno.
 */
int holding_fetch(const char *path, struct handover *ret);

/* A descriptor to keep open as long as we serve, or -errno as above. */
int holding_attend(const char *path);

/* Has it end and waits until it has, two seconds at most. Returns 0 or -errno as above. */
int holding_quit(const char *path);
