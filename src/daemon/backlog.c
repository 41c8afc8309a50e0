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

static bool has(const struct backlog *b, uint64_t unique)
{
	for (size_t i = 0; i < SHARED_N_LEFTOVERS; i++) {
		const struct leftover *l = &b->leftovers[i];

		if (atomic_load(&l->deaths) && head_of(l->request).unique == unique)
			return true;
	}
	return false;
}

/* A free one; when there is none, the one that most workers died of has to make way. */
static struct leftover *find_place(struct backlog *b, give_up_fn *give_up, void *arg)
{
	struct leftover *all = b->leftovers;
	size_t worst = 0;

	for (size_t i = 0; i < SHARED_N_LEFTOVERS; i++) {
		if (!atomic_load(&all[i].deaths))
			return &all[i];
		if (atomic_load(&all[i].deaths) > atomic_load(&all[worst].deaths))
			worst = i;
	}
	give_up(all[worst].request, atomic_load(&all[worst].deaths), arg);
	atomic_store(&all[worst].deaths, 0);
	return &all[worst];
}

/* The worker died while it tried a leftover. Did it die of that? */
static void blame_trial(struct backlog *b, uint32_t stuck, give_up_fn *give_up, void *arg)
{
	uint32_t trial = atomic_exchange(&b->on_trial, 0);
	struct leftover *l;

	if (trial == 0 || trial > SHARED_N_LEFTOVERS)
		return;
	l = &b->leftovers[trial - 1];
	if (atomic_load(&l->deaths) == 0) /* it was over */
		return;
	if (stuck && !(stuck & 1u << SHARED_N_THREADS)) /* another one hung */
		return;
	atomic_store(&l->hung, stuck != 0);
	if (atomic_fetch_add(&l->deaths, 1) + 1 < BACKLOG_MAX_DEATHS)
		return;
	give_up(l->request, atomic_load(&l->deaths), arg);
	atomic_store(&l->deaths, 0);
}

/* Takes over the request in @slot. False: it is none of those that we answer otherwise. */
static bool take(struct backlog *b, const struct journal_slot *slot, bool hung, give_up_fn *give_up,
		 void *arg)
{
	struct request_head head = head_of(slot->request);
	struct leftover *l;

	if (head.is_interrupt || has(b, head.unique))
		return true;
	if (head.len > sizeof(l->request))
		return false;
	l = find_place(b, give_up, arg);
	memcpy(l->request, slot->request, head.len);
	atomic_store(&l->hung, hung);
	atomic_store(&l->deaths, 1);
	return true;
}

void backlog_collect(struct backlog *b, struct journal_slot *slots, size_t n_slots, uint32_t stuck,
		     give_up_fn *give_up, void *arg)
{
	blame_trial(b, stuck, give_up, arg);
	for (size_t i = 0; i < n_slots; i++) {
		struct request_head head = head_of(slots[i].request);

		if (head.len == 0)
			continue;
		if (!take(b, &slots[i], stuck & 1u << i, give_up, arg) && head.wants_reply)
			give_up(slots[i].request, 1, arg);
		handshake_clear(slots[i].request);
	}
}

/* The next death would be its last: it must be known that it died of this one. */
static bool is_for_alone(const struct leftover *l, uint32_t deaths)
{
	return deaths + 1 >= BACKLOG_MAX_DEATHS && !atomic_load(&l->hung);
}

/* Who hung is to blame, and readers wait for each more that does: that is to be over soon. */
static bool is_before(const struct leftover *a, const struct leftover *b)
{
	uint32_t a_hung = atomic_load(&a->hung), b_hung = atomic_load(&b->hung);

	if (a_hung != b_hung)
		return b_hung;
	return a_hung ? atomic_load(&a->deaths) > atomic_load(&b->deaths)
		      : atomic_load(&a->deaths) < atomic_load(&b->deaths);
}

struct leftover *backlog_try_next(struct backlog *b, bool alone)
{
	struct leftover *best = NULL;

	for (size_t i = 0; i < SHARED_N_LEFTOVERS; i++) {
		struct leftover *l = &b->leftovers[i];
		uint32_t deaths = atomic_load(&l->deaths);

		if (deaths && is_for_alone(l, deaths) == alone && (!best || is_before(l, best)))
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
