/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a worker that died had in hand. The next one takes it out of the journal's slots, which it
 * needs for new requests, and does it one by one beside them, so that if it dies too it is known of
 * what. What that many workers died of is given up.
 */
#include <stdbool.h>

#include "daemon/shared.h"

/* A request that so many workers died of is answered with EIO. */
#define BACKLOG_MAX_DEATHS 3

/* Called for a request that is not to be tried again, and forgotten then. */
typedef void give_up_fn(const char *request, uint32_t deaths, void *arg);

/*
 * To be called when the former worker is dead and nobody serves yet. Blames what it died of: the
 * leftover that was on trial, else all that it had in hand; @stuck (a bit a slot, and the one above
 * for the trial) tells which of them it hung in, if it did.
 */
void backlog_collect(struct backlog *backlog, struct journal_slot *slots, size_t n_slots,
		     uint32_t stuck, give_up_fn *give_up, void *arg);

/*
 * The leftover that fewest workers died of, on trial from now until backlog_done(); NULL: there is
 * none. Those that hung come last, and of them the one that most workers did in, to be done with.
 * Its request may be handed on as if it had just come. @alone: of those that must be tried while
 * nobody serves, since other requests could kill the worker, too; else of the others.
 */
struct leftover *backlog_try_next(struct backlog *backlog, bool alone);
void backlog_done(struct backlog *backlog, struct leftover *leftover);
