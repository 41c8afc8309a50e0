/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/state.h"

#include "fixture.h"

#define N_SLOTS 3
#define N_CPUS  4

struct shelf {
	void *memory;
	struct state_table *table;
};

static void shelf_make(struct shelf *s)
{
	s->memory = g_malloc0(state_table_size(N_SLOTS, N_CPUS));
	s->table = state_table_new(s->memory, N_SLOTS, N_CPUS);
}

static void shelf_end(struct shelf *s)
{
	assert_null(state_table_free(s->table));
	g_free(s->memory);
}

/*
 * The process that served died: what it had on its heap is gone, the memory of the slots is as it
 * was. (Its states are dropped here on a copy, so that nothing leaks.)
 */
static void shelf_again(struct shelf *s, struct state *const *held, size_t n)
{
	size_t size = state_table_size(N_SLOTS, N_CPUS);
	g_autofree char *left = g_memdup2(s->memory, size);

	for (size_t i = 0; i < n; i++)
		state_drop(s->table, held[i], true);
	state_table_free(s->table);
	memcpy(s->memory, left, size);
	s->table = state_table_new(s->memory, N_SLOTS, N_CPUS);
}

static struct state_id id(uint64_t n)
{
	return (struct state_id){ .cgroup_ino = n, .start_ns = 7, .ns_ino = 9 };
}

/* One change of the CPU counters, from beginning to end. */
static void set_user(struct state *state, unsigned cpu, uint64_t user)
{
	state_cputime_begin(state)->cpu[cpu].user = user;
	state_cputime_commit(state);
}

static uint64_t user(struct state *state, unsigned cpu)
{
	return state_cputime(state)->cpu[cpu].user;
}

static void test_new_state_is_zero(void **state)
{
	static const struct load_state no_load;
	struct shelf s;
	struct state *st;

	(void)state;
	shelf_make(&s);
	assert_int_equal(state_table_cpus(s.table), N_CPUS);
	st = state_get(s.table, id(1));
	assert_memory_equal(state_load(st), &no_load, sizeof(no_load));
	assert_int_equal(state_cputime(st)->sampled_ns, 0);
	for (unsigned c = 0; c < N_CPUS; c++)
		assert_int_equal(user(st, c), 0);
	state_drop(s.table, st, true);
	shelf_end(&s);
}

static void test_same_id_is_the_same_state(void **state)
{
	const struct state_id others[] = {
		{ .cgroup_ino = 2, .start_ns = 7, .ns_ino = 9 },
		{ .cgroup_ino = 1, .start_ns = 8, .ns_ino = 9 },
		{ .cgroup_ino = 1, .start_ns = 7, .ns_ino = 0 },
	};
	struct state *a, *b;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	a = state_get(s.table, id(1));
	b = state_get(s.table, id(1));
	assert_ptr_equal(a, b);
	assert_ptr_equal(state_lock(a), state_lock(b));
	set_user(a, 2, 55);
	state_drop(s.table, b, true);
	assert_int_equal(user(a, 2), 55);
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		struct state *other = state_get(s.table, others[i]);

		assert_ptr_not_equal(a, other);
		assert_int_equal(user(other, 2), 0);
		state_drop(s.table, other, true);
	}
	state_drop(s.table, a, true);
	shelf_end(&s);
}

static void test_counters_outlive_the_process(void **state)
{
	struct state *held[2];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	held[0] = state_get(s.table, id(1));
	held[1] = state_get(s.table, id(2));
	for (unsigned c = 0; c < N_CPUS; c++) {
		set_user(held[0], c, 100 + c);
		set_user(held[1], c, 200 + c);
	}
	state_load(held[0])->fixed[0] = 77;
	for (unsigned deaths = 0; deaths < 3; deaths++) {
		shelf_again(&s, held, 2);
		held[1] = state_get(s.table, id(2)); /* in another order */
		held[0] = state_get(s.table, id(1));
		for (unsigned c = 0; c < N_CPUS; c++) {
			assert_int_equal(user(held[0], c), 100 + c);
			assert_int_equal(user(held[1], c), 200 + c);
		}
		assert_int_equal(state_load(held[0])->fixed[0], 77);
		assert_int_equal(state_load(held[1])->fixed[0], 0);
	}
	state_drop(s.table, held[0], true);
	state_drop(s.table, held[1], true);
	shelf_end(&s);
}

static void test_death_half_way_leaves_the_former_counters(void **state)
{
	struct cputime_state *next;
	struct state *st;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	st = state_get(s.table, id(1));
	set_user(st, 0, 10);
	set_user(st, 1, 11);
	next = state_cputime_begin(st);
	assert_int_equal(next->cpu[1].user, 11); /* begins as a copy */
	next->cpu[0].user = 666;
	next->sampled_ns = 666;
	assert_int_equal(user(st, 0), 10); /* who reads meanwhile */
	shelf_again(&s, &st, 1);
	st = state_get(s.table, id(1));
	assert_int_equal(user(st, 0), 10);
	assert_int_equal(state_cputime(st)->sampled_ns, 0);
	/* the next change begins with what is valid, not with what was left half done */
	next = state_cputime_begin(st);
	assert_int_equal(next->cpu[0].user, 10);
	assert_int_equal(next->sampled_ns, 0);
	next->cpu[0].user = 20;
	state_cputime_commit(st);
	assert_int_equal(user(st, 0), 20);
	assert_int_equal(user(st, 1), 11);
	state_drop(s.table, st, true);
	shelf_end(&s);
}

static void test_slot_of_a_container_that_is_gone_is_used_again(void **state)
{
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (uint64_t n = 1; n < 1000; n++) {
		struct state *st = state_get(s.table, id(n));

		assert_int_equal(user(st, 3), 0);
		assert_int_equal(state_load(st)->total, 0);
		set_user(st, 3, n);
		state_load(st)->total = 5;
		state_drop(s.table, st, true);
	}
	/* Had a slot been lost, three would not outlive the process. */
	{
		struct state *held[N_SLOTS];

		for (unsigned i = 0; i < N_SLOTS; i++) {
			held[i] = state_get(s.table, id(5000 + i));
			set_user(held[i], 0, 1 + i);
		}
		shelf_again(&s, held, N_SLOTS);
		for (unsigned i = 0; i < N_SLOTS; i++) {
			held[i] = state_get(s.table, id(5000 + i));
			assert_int_equal(user(held[i], 0), 1 + i);
		}
		for (unsigned i = 0; i < N_SLOTS; i++)
			state_drop(s.table, held[i], true);
	}
	shelf_end(&s);
}

static void test_same_id_after_it_was_gone_begins_anew(void **state)
{
	struct state *st;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	st = state_get(s.table, id(1));
	set_user(st, 0, 5);
	state_drop(s.table, st, true);
	st = state_get(s.table, id(1));
	assert_int_equal(user(st, 0), 0);
	state_drop(s.table, st, true);
	shelf_end(&s);
}

static void test_more_containers_than_slots(void **state)
{
	struct state *held[N_SLOTS + 5];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (unsigned i = 0; i < G_N_ELEMENTS(held); i++) {
		held[i] = state_get(s.table, id(i));
		assert_int_equal(user(held[i], N_CPUS - 1), 0);
		set_user(held[i], N_CPUS - 1, 1000 + i);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(held); i++) {
		assert_int_equal(user(held[i], N_CPUS - 1), 1000 + i);
		assert_ptr_equal(state_get(s.table, id(i)), held[i]);
		state_drop(s.table, held[i], true);
	}
	/* One without a slot works as the others, but begins anew after a death. */
	shelf_again(&s, held, G_N_ELEMENTS(held));
	for (unsigned i = 0; i < G_N_ELEMENTS(held); i++) {
		held[i] = state_get(s.table, id(i));
		assert_int_equal(user(held[i], N_CPUS - 1), i < N_SLOTS ? 1000 + i : 0);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(held); i++)
		state_drop(s.table, held[i], true);
	shelf_end(&s);
}

static void *get_and_drop(void *data)
{
	struct shelf *s = data;

	for (unsigned n = 0; n < 5000; n++) {
		struct state *st = state_get(s->table, id(n % 6));

		pthread_mutex_lock(state_lock(st));
		set_user(st, 0, user(st, 0) + 1);
		pthread_mutex_unlock(state_lock(st));
		state_drop(s->table, st, true);
	}
	return NULL;
}

static void test_threads_at_once(void **state)
{
	struct state *kept;
	GThread *threads[4];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	kept = state_get(s.table, id(3));
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new(NULL, get_and_drop, &s);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	assert_int_equal(user(kept, 0), 4 * 833);
	state_drop(s.table, kept, true);
	shelf_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_state_is_zero),
		cmocka_unit_test(test_same_id_is_the_same_state),
		cmocka_unit_test(test_counters_outlive_the_process),
		cmocka_unit_test(test_death_half_way_leaves_the_former_counters),
		cmocka_unit_test(test_slot_of_a_container_that_is_gone_is_used_again),
		cmocka_unit_test(test_same_id_after_it_was_gone_begins_anew),
		cmocka_unit_test(test_more_containers_than_slots),
		cmocka_unit_test(test_threads_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
