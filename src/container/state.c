/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/state.h"

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* In the keeper's memory. */
struct slot {
	struct state_id id;
	_Atomic uint32_t used;
	_Atomic uint32_t valid; /* which of the two copies of struct cputime_state counts */
	struct load_state load;
	uint64_t cputime_size;
	char cputime[]; /* two of them */
};

/* This process's hold on a slot. */
struct state {
	unsigned users; /* guarded by the table's lock */
	bool gone;      /* likewise */
	pthread_mutex_t lock;
	struct slot *slot;
};

/* Begins the memory; slots follow. */
struct header {
	uint64_t high; /* slots from here on were never used, and their pages never touched */
	char pad[56];
};

struct state_table {
	pthread_mutex_t lock; /* guards all but the counts */
	struct header *header;
	char *slots;
	size_t n_slots;
	size_t slot_size;
	size_t cputime_size;
	unsigned n_cpus;
	GHashTable *slots_by_id; /* of struct slot, those in use */
	GHashTable *states;      /* of struct state, by struct slot */
	GQueue free;             /* of struct slot */
};

static size_t cputime_size(unsigned n_cpus)
{
	return sizeof(struct cputime_state) + n_cpus * sizeof(struct cpu_state);
}

static size_t slot_size(unsigned n_cpus)
{
	return (sizeof(struct slot) + 2 * cputime_size(n_cpus) + 63) / 64 * 64;
}

size_t state_table_size(size_t n_slots, unsigned n_cpus)
{
	return sizeof(struct header) + n_slots * slot_size(n_cpus);
}

static guint id_hash(gconstpointer p)
{
	const struct state_id *id = p;

	return g_int64_hash(&id->cgroup_ino) ^ g_int64_hash(&id->start_ns) * 31 ^
	       g_int64_hash(&id->ns_ino) * 17;
}

static gboolean id_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(struct state_id)) == 0;
}

static struct slot *slot_at(const struct state_table *t, size_t i)
{
	return (struct slot *)(void *)(t->slots + i * t->slot_size);
}

struct state_table *state_table_new(void *memory, size_t n_slots, unsigned n_cpus)
{
	struct state_table *t = g_new0(struct state_table, 1);

	pthread_mutex_init(&t->lock, NULL);
	t->header = memory;
	t->slots = (char *)memory + sizeof(struct header);
	t->n_slots = n_slots;
	t->n_cpus = n_cpus;
	t->slot_size = slot_size(n_cpus);
	t->cputime_size = cputime_size(n_cpus);
	t->slots_by_id = g_hash_table_new(id_hash, id_equal);
	t->states = g_hash_table_new(NULL, NULL);
	g_queue_init(&t->free);
	for (size_t i = 0; i < t->header->high && i < n_slots; i++) {
		struct slot *s = slot_at(t, i);

		if (atomic_load(&s->used))
			g_hash_table_replace(t->slots_by_id, &s->id, s);
		else
			g_queue_push_tail(&t->free, s);
	}
	return t;
}

struct state_table *state_table_free(struct state_table *t)
{
	if (!t)
		return NULL;
	g_hash_table_unref(t->slots_by_id);
	g_hash_table_unref(t->states);
	g_queue_clear(&t->free);
	pthread_mutex_destroy(&t->lock);
	g_free(t);
	return NULL;
}

unsigned state_table_cpus(const struct state_table *t)
{
	return t->n_cpus;
}

static bool in_memory(const struct state_table *t, const struct slot *s)
{
	return (const char *)s >= t->slots &&
	       (const char *)s < t->slots + t->n_slots * t->slot_size;
}

static void free_slot(struct state_table *t, struct slot *s)
{
	g_hash_table_remove(t->slots_by_id, &s->id);
	if (in_memory(t, s)) {
		atomic_store(&s->used, 0);
		g_queue_push_head(&t->free, s);
	} else {
		g_free(s);
	}
}

/* One of a container that nobody has read in this process's time: dead, most likely. */
static void reclaim(struct state_table *t)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, t->slots_by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct slot *s = value;

		if (g_hash_table_contains(t->states, s))
			continue;
		g_hash_table_iter_remove(&iter);
		atomic_store(&s->used, 0);
		g_queue_push_head(&t->free, s);
		return;
	}
}

static struct slot *take_slot(struct state_table *t, const struct state_id *id)
{
	struct slot *s = g_queue_pop_head(&t->free);

	if (!s && t->header->high < t->n_slots)
		s = slot_at(t, t->header->high++);
	if (!s) {
		reclaim(t);
		s = g_queue_pop_head(&t->free);
	}
	if (!s)
		s = g_malloc(t->slot_size);
	memset(s, 0, t->slot_size);
	s->id = *id;
	s->cputime_size = t->cputime_size;
	/* Last: a slot half made when the process dies stays free. */
	atomic_store(&s->used, 1);
	g_hash_table_replace(t->slots_by_id, &s->id, s);
	return s;
}

struct state *state_get(struct state_table *t, struct state_id id)
{
	struct state *state;
	struct slot *s;

	pthread_mutex_lock(&t->lock);
	s = g_hash_table_lookup(t->slots_by_id, &id);
	if (!s)
		s = take_slot(t, &id);
	state = g_hash_table_lookup(t->states, s);
	if (!state) {
		state = g_new0(struct state, 1);
		pthread_mutex_init(&state->lock, NULL);
		state->slot = s;
		g_hash_table_insert(t->states, s, state);
	}
	state->users++;
	pthread_mutex_unlock(&t->lock);
	return state;
}

void state_drop(struct state_table *t, struct state *state, bool gone)
{
	struct slot *s = state->slot;

	pthread_mutex_lock(&t->lock);
	state->gone |= gone;
	if (--state->users == 0) {
		gone = state->gone;
		g_hash_table_remove(t->states, s);
		pthread_mutex_destroy(&state->lock);
		g_free(state);
		if (gone || !in_memory(t, s))
			free_slot(t, s);
	}
	pthread_mutex_unlock(&t->lock);
}

uint64_t state_place(const struct state *state)
{
	const struct state_id *id = &state->slot->id;

	return id->cgroup_ino ? id->cgroup_ino : MAX(id->ns_ino, 1);
}

pthread_mutex_t *state_lock(struct state *state)
{
	return &state->lock;
}

struct load_state *state_load(struct state *state)
{
	return &state->slot->load;
}

static struct cputime_state *copy(struct slot *s, uint32_t which)
{
	return (struct cputime_state *)(void *)(s->cputime + which * s->cputime_size);
}

const struct cputime_state *state_cputime(struct state *state)
{
	return copy(state->slot, atomic_load(&state->slot->valid));
}

struct cputime_state *state_cputime_begin(struct state *state)
{
	struct slot *s = state->slot;
	uint32_t valid = atomic_load(&s->valid);

	memcpy(copy(s, !valid), copy(s, valid), s->cputime_size);
	return copy(s, !valid);
}

void state_cputime_commit(struct state *state)
{
	atomic_store(&state->slot->valid, !atomic_load(&state->slot->valid));
}
