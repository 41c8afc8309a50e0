/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/watchdog.h"

#include "daemon/handshake.h"

/* After so long without a look we were held up ourselves, and the worker, too, most likely. */
#define HELD_UP_MS 1500u

/* Requests a second are counted over so long. */
#define RATE_MS 2000u

void watchdog_forget(struct watchdog *w, uint64_t now_ms)
{
	w->queued_since_ms = 0;
	for (size_t i = 0; i < SHARED_N_PULSES; i++)
		w->moved_ms[i] = now_ms;
}

bool watchdog_is_due(const struct watchdog *w, uint64_t now_ms)
{
	return now_ms - w->looked_ms >= WATCHDOG_LOOK_MS;
}

static uint64_t beats_of(const struct shared *s, size_t thread)
{
	return atomic_load(&s->header->pulses[thread].beats);
}

static uint64_t all_beats(const struct shared *s)
{
	uint64_t beats = 0;

	for (size_t i = 0; i < SHARED_N_PULSES; i++)
		beats += beats_of(s, i);
	return beats;
}

uint64_t watchdog_requests(const struct shared *s)
{
	return all_beats(s) / 2; /* one when a request is taken, one when it is answered */
}

static void count_rate(struct watchdog *w, const struct shared *s, uint64_t now_ms)
{
	uint64_t requests = watchdog_requests(s), ms = now_ms - w->rated_ms;

	if (ms < RATE_MS)
		return;
	/* A first look, or one after a long time: what was before says nothing of now. */
	if (w->rated_ms && ms < 2 * RATE_MS)
		w->rate = (requests - w->rated_total) * 1000 / ms;
	w->rated_total = requests;
	w->rated_ms = now_ms;
}

/* It may have been stopped before its first beat for a request, or after its last. */
static bool is_busy(const struct shared *s, size_t thread, uint64_t beats)
{
	return beats % 2 ||
	       (thread < SHARED_N_THREADS && !handshake_is_clear(s->journal[thread].request));
}

static uint32_t find_stuck_threads(struct watchdog *w, const struct shared *s, uint64_t now_ms)
{
	uint32_t stuck = 0;

	for (size_t i = 0; i < SHARED_N_PULSES; i++) {
		uint64_t beats = beats_of(s, i);

		if (beats != w->beats[i] || !is_busy(s, i, beats))
			w->moved_ms[i] = now_ms;
		w->beats[i] = beats;
		if (now_ms - w->moved_ms[i] > WATCHDOG_HANG_MS)
			stuck |= 1u << i;
	}
	return stuck;
}

static bool has_stuck_queue(struct watchdog *w, const struct shared *s, bool queued,
			    uint64_t now_ms)
{
	uint64_t total = all_beats(s);

	if (!queued || total != w->total)
		w->queued_since_ms = 0;
	else if (w->queued_since_ms == 0)
		w->queued_since_ms = now_ms;
	w->total = total;
	return w->queued_since_ms && now_ms - w->queued_since_ms > WATCHDOG_HANG_MS;
}

bool watchdog_is_still(const struct shared *s, bool queued, uint64_t *total)
{
	uint64_t before = *total;
	bool busy = queued;

	*total = all_beats(s);
	for (size_t i = 0; i < SHARED_N_PULSES; i++)
		busy = busy || is_busy(s, i, beats_of(s, i));
	return busy && *total == before;
}

bool watchdog_look(struct watchdog *w, const struct shared *s, bool queued, uint64_t now_ms)
{
	uint32_t stuck;
	bool queue;

	if (now_ms - w->looked_ms > HELD_UP_MS)
		watchdog_forget(w, now_ms);
	w->looked_ms = now_ms;
	count_rate(w, s, now_ms);
	stuck = find_stuck_threads(w, s, now_ms);
	queue = has_stuck_queue(w, s, queued, now_ms);
	if (stuck)
		atomic_store(&s->header->stuck, stuck);
	return stuck || queue;
}
