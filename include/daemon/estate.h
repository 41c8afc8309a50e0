/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Who keeps /dev/fuse and the memory while no process of ours lives, so that the next instance goes
 * on with them: systemd (store.h), or a holder (holder.h).
 */
#include <signal.h>

#include "daemon/handover.h"
#include "host/host.h"

struct estate {
	const char *mountpoint;
	unsigned holder_seconds; /* 0: no holder is wanted */
	struct handover pair;    /* borrowed, once there is something to keep */
	unsigned stored;         /* descriptors that systemd has */
	int attending;           /* the connection to the holder; -1: none */
	uint64_t tried_ms;       /* when a holder was started last */
};

#define ESTATE_NONE ((struct estate){ .pair = HANDOVER_NONE, .attending = -1 })

/* What an earlier instance left, to be owned; or none. Before anything else opens files. */
struct handover estate_find(const char *mountpoint);

/* What was found is of no use: nobody is to keep it. */
void estate_refuse(const char *mountpoint);

/*
 * From now on @pair is kept. @stored: how many of them systemd has already. @held: so has the
 * holder, if there is one. Returns how many systemd has then.
 */
unsigned estate_keep(struct estate *estate, const struct handover *pair, unsigned stored,
		     bool held);

/* To be polled for reading (-1: none); then, and now and then, estate_run(): the holder may die. */
int estate_fd(const struct estate *estate);
void estate_run(struct estate *estate);

/* Whether, as @signal asks us to end, another instance is to go on with what is kept. */
bool estate_has_heir(const struct estate *estate, const struct host *host, int signal);

/* This instance ends: with or without another one to follow. */
void estate_leave(struct estate *estate);
void estate_end(struct estate *estate);
