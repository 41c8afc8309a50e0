/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/backlog.h"

#include <stdbool.h>
#include <string.h>

#include "daemon/handshake.h"

static struct request_head head_of(const char *request)
{
	struct request_head head;

	handshake_head(request, &head);
	return head;
}

static struct leftover *find(struct backlog *b, uint64_t unique)
{
	for (size_t i = 0; i < SHARED_N_LEFTOVERS; i++) {
		struct leftover *l = &b->leftovers[i];

		if (atomic_load(&l->deaths) && head_of(l->request).unique == unique)
			return l;
	}
	return NULL;
}

static struct leftover *find_free(struct backlog *b)
{
	for (size_t i = 0; i < SHARED_N_LEFTOVERS; i++)
		if (!atomic_load(&b->leftovers[i].deaths))
			return &b->leftovers[i];
	return NULL;
}

static void blame_trial(struct backlog *b,
			void (*give_up)(const char *request, uint32_t deaths, void *arg), void *arg)
{
	uint32_t trial = atomic_exchange(&b->on_trial, 0);
	struct leftover *l;

	if (trial == 0 || trial > SHARED_N_LEFTOVERS)
		return;
	l = &b->leftovers[trial - 1];
	if (atomic_load(&l->deaths) == 0) /* it was over */
		return;
	if (atomic_fetch_add(&l->deaths, 1) + 1 < BACKLOG_MAX_DEATHS)
		return;
	give_up(l->request, atomic_load(&l->deaths), arg);
	atomic_store(&l->deaths, 0);
}

/* Whether the request in @slot is to be tried, or needs to be no more. */
static bool take(struct backlog *b, const struct journal_slot *slot)
{
	struct request_head head = head_of(slot->request);
	struct leftover *l;

	if (head.is_interrupt || find(b, head.unique))
		return true;
	l = find_free(b);
	if (!l || head.len > sizeof(l->request))
		return false;
	memcpy(l->request, slot->request, head.len);
	atomic_store(&l->deaths, 1);
	return true;
}

void backlog_collect(struct backlog *b, struct journal_slot *slots, size_t n_slots,
		     void (*give_up)(const char *request, uint32_t deaths, void *arg), void *arg)
{
	blame_trial(b, give_up, arg);
	for (size_t i = 0; i < n_slots; i++) {
		struct request_head head = head_of(slots[i].request);

		if (head.len == 0)
			continue;
		/* Too long for a leftover is none of the requests that we answer otherwise. */
		if (!take(b, &slots[i]) && head.wants_reply)
			give_up(slots[i].request, 1, arg);
		handshake_clear(slots[i].request);
	}
}

struct leftover *backlog_try_next(struct backlog *b)
{
	struct leftover *best = NULL;

	for (size_t i = 0; i < SHARED_N_LEFTOVERS; i++) {
		struct leftover *l = &b->leftovers[i];
		uint32_t deaths = atomic_load(&l->deaths);

		if (deaths && (!best || deaths < atomic_load(&best->deaths)))
			best = l;
	}
	if (best)
		atomic_store(&b->on_trial, (uint32_t)(best - b->leftovers) + 1);
	return best;
}

void backlog_done(struct backlog *b, struct leftover *l)
{
	atomic_store(&l->deaths, 0);
	atomic_store(&b->on_trial, 0);
}
