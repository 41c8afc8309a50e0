/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Whether the worker gets on, as the memory that it shares with the keeper tells. */
#include <stdbool.h>

#include "daemon/shared.h"

/* How often to look, at most. */
#define WATCHDOG_LOOK_MS 500

/* It begins zeroed. Times are of the coarse clock, in milliseconds. */
struct watchdog {
	uint64_t beats[SHARED_N_PULSES];    /* at the last look */
	uint64_t moved_ms[SHARED_N_PULSES]; /* since when a thread has had the same in hand */
	uint64_t total, queued_since_ms;    /* requests wait and none was taken; 0: no */
	uint64_t looked_ms;
	uint64_t rated_total, rated_ms, rate;
};

/* What was seen so far is no sign of a hang: another worker serves. */
void watchdog_forget(struct watchdog *watchdog, uint64_t now_ms);

/* Time for another look. */
bool watchdog_is_due(const struct watchdog *watchdog, uint64_t now_ms);

/*
 * Looks, @queued being whether requests wait. Returns whether the worker hangs: a thread has had
 * the same request in hand, or none has taken any of those waiting, for WATCHDOG_HANG_MS. Which
 * threads it is goes into the header's .stuck.
 */
bool watchdog_look(struct watchdog *watchdog, const struct shared *shared, bool queued,
		   uint64_t now_ms);
#define WATCHDOG_HANG_MS 3000u

/*
 * For who looks now and then alone: whether there is something to do, @queued or in hand, and
 * nothing was taken or answered since *@total was noted, which is done again.
 */
bool watchdog_is_still(const struct shared *shared, bool queued, uint64_t *total);

/* Requests that were answered since the mount. A second over the last ones is .rate. */
uint64_t watchdog_requests(const struct shared *shared);
