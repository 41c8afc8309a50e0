/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What must be known of a container after the serving process died and another took over: CPU
 * counters and load averages, which must not step back. One slot a container, in memory that the
 * keeper owns.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Names a container for ever: its root cgroup, the start of its init, the namespace that makes it.
 */
struct state_id {
	uint64_t cgroup_ino;
	uint64_t start_ns;
	uint64_t ns_ino;
};

/* Nanoseconds, but the first two: what the kernel's counters said last. */
struct cpu_state {
	uint64_t raw_user;
	uint64_t raw_system;
	uint64_t user, nice, system, idle, steal;
	uint64_t debt; /* time used ahead of the clock, see sample/cputime.h */
	uint64_t used; /* for one pass: time used, then time left */
	uint64_t was_visible;
};

struct cputime_state {
	uint64_t sampled_ns; /* boottime; 0: never */
	uint64_t raw_user, raw_nice, raw_system, raw_throttled;
	uint64_t steal_due;     /* throttled time not yet shown */
	struct cpu_state cpu[]; /* by cpu number, n_cpus of the table */
};

struct load_state {
	uint64_t sampled_ns; /* boottime of the last step; 0: never */
	uint64_t usage_ns;   /* CPU time used at that step */
	uint32_t fixed[3];   /* the kernel's fixed point, 11 fractional bits */
	uint32_t running, blocked, total;
	uint32_t newest; /* pid of the newest task, as the container numbers it */
};

struct state;
struct state_table;

/* Bytes for @n_slots of hosts with @n_cpus (possible ones), to be given to state_table_new(). */
size_t state_table_size(size_t n_slots, unsigned n_cpus);

/* @memory is borrowed: zeroed, or what an earlier table of the same numbers left in it. */
struct state_table *state_table_new(void *memory, size_t n_slots, unsigned n_cpus);
struct state_table *state_table_free(struct state_table *table);
unsigned state_table_cpus(const struct state_table *table);

/*
 * The slot of @id, as it was left, or a new one. When all are taken: one on the heap, which is lost
 * with the process. Never NULL. Thread-safe.
 */
struct state *state_get(struct state_table *table, struct state_id id);

/*
 * Given back. @gone: the container is no more, so that the slot is free with the last who has it;
 * else the counters wait for its return.
 */
void state_drop(struct state_table *table, struct state *state, bool gone);

/*
 * A number of the cgroup that the container is, or lies, in, the same for the next process; of its
 * namespace if there is none. Never 0.
 */
uint64_t state_place(const struct state *state);

/* Guards everything below. */
pthread_mutex_t *state_lock(struct state *state);

struct load_state *state_load(struct state *state);

/*
 * CPU counters are changed on a copy that becomes valid in one step, so that a process that dies
 * half-way leaves the former ones: begin returns the copy, commit publishes it.
 */
const struct cputime_state *state_cputime(struct state *state);
struct cputime_state *state_cputime_begin(struct state *state);
void state_cputime_commit(struct state *state);
