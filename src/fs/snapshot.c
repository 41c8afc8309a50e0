/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/snapshot.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

/* The lowest bits of a handle say in which slot to look first; above is the OPEN's unique id. */
#define SLOT_BITS 10

/* Slots whose memory is kept when they are free; the others were for a rush. */
#define KEPT 128

/* Of this process alone. */
struct local {
	pthread_mutex_t lock;
	GList link; /* in .free or .used */
};

struct snapshots {
	size_t n;
	size_t text_size;
	struct snapshot *slots;
	char *texts;
	struct local *local;
	void (*on_wait)(void *arg);
	void *on_wait_arg;
	pthread_mutex_t lock; /* guards both queues, and .handle of all slots */
	GQueue free;          /* last freed first: its pages are warm, others never touched */
	GQueue used;          /* most recently used first */
	struct tally *tallies;
};

/* What an owner has, counted anew each time that slots run out. */
struct tally {
	uint64_t owner;
	unsigned count; /* 0: free */
	struct snapshot *oldest;
};

/* Twice as many as there can be owners. */
#define N_TALLIES (2u << SLOT_BITS)

static size_t slots_size(size_t n)
{
	return (n * sizeof(struct snapshot) + 4095) / 4096 * 4096;
}

size_t snapshots_size(size_t n_slots, size_t text_size)
{
	return slots_size(n_slots) + n_slots * text_size;
}

struct snapshots *snapshots_new(void *memory, size_t n_slots, size_t text_size)
{
	struct snapshots *all = g_new0(struct snapshots, 1);

	g_assert(n_slots <= 1u << SLOT_BITS);
	all->n = n_slots;
	all->text_size = text_size;
	all->slots = memory;
	all->texts = (char *)memory + slots_size(n_slots);
	all->local = g_new0(struct local, n_slots);
	all->tallies = g_new(struct tally, N_TALLIES);
	pthread_mutex_init(&all->lock, NULL);
	for (size_t i = 0; i < n_slots; i++) {
		struct local *l = &all->local[i];

		pthread_mutex_init(&l->lock, NULL);
		l->link.data = &all->slots[i];
		g_queue_push_tail_link(all->slots[i].handle ? &all->used : &all->free, &l->link);
	}
	return all;
}

struct snapshots *snapshots_free(struct snapshots *all)
{
	if (!all)
		return NULL;
	for (size_t i = 0; i < all->n; i++)
		pthread_mutex_destroy(&all->local[i].lock);
	pthread_mutex_destroy(&all->lock);
	g_free(all->tallies);
	g_free(all->local);
	g_free(all);
	return NULL;
}

static struct local *local_of(const struct snapshots *all, const struct snapshot *s)
{
	return &all->local[s - all->slots];
}

static char *text_of(const struct snapshots *all, const struct snapshot *s)
{
	return all->texts + (size_t)(s - all->slots) * all->text_size;
}

/* Where the handle's slot is, unless that was given away. */
static struct snapshot *likely_slot(const struct snapshots *all, uint64_t handle)
{
	return &all->slots[(handle & ((1u << SLOT_BITS) - 1)) % all->n];
}

/* What is in use by a handle that is @key in its bits from @shift on. With the lock held. */
static struct snapshot *find(const struct snapshots *all, uint64_t key, unsigned shift)
{
	for (GList *l = all->used.head; l; l = l->next) {
		struct snapshot *s = l->data;

		if (s->handle >> shift == key)
			return s;
	}
	return NULL;
}

/* Begins with none. */
static struct tally *tally_of(const struct snapshots *all, uint64_t owner)
{
	size_t i = owner * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOT_BITS - 1);

	while (all->tallies[i].count && all->tallies[i].owner != owner)
		i = (i + 1) % N_TALLIES;
	return &all->tallies[i];
}

/* The least recently used of who has most. With the lock. */
static struct snapshot *find_spare(const struct snapshots *all)
{
	const struct tally *most = all->tallies;

	memset(all->tallies, 0, N_TALLIES * sizeof(*all->tallies));
	for (GList *l = all->used.tail; l; l = l->prev) {
		struct snapshot *s = l->data;
		uint64_t owner = atomic_load_explicit(&s->owner, memory_order_relaxed);
		struct tally *t = tally_of(all, owner);

		if (t->count == 0)
			*t = (struct tally){ .owner = owner, .oldest = s };
		t->count++;
		if (t->count > most->count)
			most = t;
	}
	return most->oldest;
}

/* A free slot, else one that somebody loses; its .handle is to be set. With the lock. */
static struct snapshot *take(struct snapshots *all)
{
	GList *link = g_queue_pop_head_link(&all->free);
	struct snapshot *s;

	if (!link) {
		link = &local_of(all, find_spare(all))->link;
		g_queue_unlink(&all->used, link);
	}
	g_queue_push_head_link(&all->used, link);
	s = link->data;
	atomic_store_explicit(&s->owner, 0, memory_order_relaxed);
	return s;
}

uint64_t snapshot_open(struct snapshots *all, uint64_t unique, bool again)
{
	struct snapshot *s;
	uint64_t handle;

	pthread_mutex_lock(&all->lock);
	s = again ? find(all, unique, SLOT_BITS) : NULL;
	if (!s) {
		s = take(all);
		s->handle = unique << SLOT_BITS | (uint64_t)(s - all->slots);
	}
	handle = s->handle;
	pthread_mutex_unlock(&all->lock);
	return handle;
}

/* Its pages, unless somebody still writes there for who had the slot before. */
static void give_back(struct snapshots *all, struct snapshot *s)
{
	pthread_mutex_t *lock = &local_of(all, s)->lock;

	if (s - all->slots < KEPT || pthread_mutex_trylock(lock) != 0)
		return;
	(void)madvise(text_of(all, s), all->text_size, MADV_REMOVE);
	pthread_mutex_unlock(lock);
}

void snapshot_close(struct snapshots *all, uint64_t handle)
{
	struct snapshot *s = likely_slot(all, handle);

	pthread_mutex_lock(&all->lock);
	if (s->handle != handle)
		s = find(all, handle, 0);
	if (s && s->handle) {
		s->handle = 0;
		give_back(all, s);
		g_queue_unlink(&all->used, &local_of(all, s)->link);
		g_queue_push_head_link(&all->free, &local_of(all, s)->link);
	}
	pthread_mutex_unlock(&all->lock);
}

/* Returns whether it is the handle's; else it is not locked. */
static bool lock_if_of(struct snapshots *all, struct snapshot *s, uint64_t handle)
{
	bool ours;

	if (pthread_mutex_trylock(&local_of(all, s)->lock) != 0) {
		if (all->on_wait)
			all->on_wait(all->on_wait_arg);
		pthread_mutex_lock(&local_of(all, s)->lock);
	}
	pthread_mutex_lock(&all->lock);
	ours = s->handle == handle;
	if (ours && s->made_for != handle)
		s->whole = false;
	if (ours && all->used.head != &local_of(all, s)->link) {
		g_queue_unlink(&all->used, &local_of(all, s)->link);
		g_queue_push_head_link(&all->used, &local_of(all, s)->link);
	}
	pthread_mutex_unlock(&all->lock);
	if (!ours)
		pthread_mutex_unlock(&local_of(all, s)->lock);
	return ours;
}

struct snapshot *snapshot_lock(struct snapshots *all, uint64_t handle, char **ret_text)
{
	struct snapshot *s = likely_slot(all, handle);

	while (!lock_if_of(all, s, handle)) {
		pthread_mutex_lock(&all->lock);
		s = find(all, handle, 0);
		if (!s) {
			s = take(all);
			s->handle = handle;
		}
		pthread_mutex_unlock(&all->lock);
	}
	*ret_text = text_of(all, s);
	return s;
}

void snapshot_unlock(struct snapshots *all, struct snapshot *s)
{
	pthread_mutex_unlock(&local_of(all, s)->lock);
}

void snapshots_on_wait(struct snapshots *all, void (*fn)(void *arg), void *arg)
{
	all->on_wait = fn;
	all->on_wait_arg = arg;
}

size_t snapshots_text_size(const struct snapshots *all)
{
	return all->text_size;
}

bool snapshot_is_due(const struct snapshot *s, uint64_t offset, uint64_t unique, bool again)
{
	return !s->whole || (offset == 0 && !(again && s->made_by >= unique));
}
