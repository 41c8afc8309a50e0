/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Who keeps /dev/fuse and the memory while no process of ours lives, so that the next instance goes
 * on with them: systemd (store.h), or a holder (holder.h).
 */
#include <signal.h>

#include "daemon/handover.h"
#include "host/host.h"

enum estate_found { ESTATE_NOWHERE, ESTATE_IN_STORE, ESTATE_WITH_HOLDER };

struct estate {
	const char *mountpoint;
	unsigned holder_seconds; /* 0: no holder is wanted */
	struct handover pair;    /* borrowed, once there is something to keep */
	enum estate_found found; /* who had what estate_find() found */
	unsigned stored;         /* descriptors that systemd has */
	int starting;            /* reads a byte when a new holder is ready; -1: none is awaited */
	int attending;           /* the connection to the holder; -1: none */
	uint64_t tried_ms;       /* when a holder was started last */
};

#define ESTATE_NONE ((struct estate){ .pair = HANDOVER_NONE, .starting = -1, .attending = -1 })

/* What an earlier instance left, to be owned; or none. Before anything else opens files. */
struct handover estate_find(struct estate *estate);

/* What was found is of no use: nobody is to keep it. */
void estate_refuse(const char *mountpoint);

/*
 * From now on @pair is kept. @stored: systemd has this very pair already. @held: so has the holder,
 * if there is one. A holder that has to be started is only awaited, see estate_is_settled().
 * Returns how many systemd has then.
 */
unsigned estate_keep(struct estate *estate, const struct handover *pair, bool stored, bool held);

/* Whether all who are to keep it do, or one could not be had. */
bool estate_is_settled(const struct estate *estate);

/* To be polled for reading (-1: none); then, and now and then, estate_run(): the holder may die. */
int estate_fd(const struct estate *estate);
void estate_run(struct estate *estate);

/*
 * Whether, as @signal asks us to end, another instance is to go on with what is kept. To ask takes
 * 20 s at most.
 */
bool estate_has_heir(const struct estate *estate, const struct host *host, int signal);

/* This instance ends: with or without another one to follow. */
void estate_leave(struct estate *estate);
void estate_end(struct estate *estate);
