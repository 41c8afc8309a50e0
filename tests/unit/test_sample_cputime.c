/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "sample/cputime.h"

#define MS     UINT64_C(1000000)
#define S      (1000 * MS)
#define TICK   (10 * MS)
#define N_CPUS 8

/* A container and the counters that its cgroup would have. */
struct rig {
	struct cputime_state *st;
	struct cpuset visible;
	struct cg_cpu_time per_cpu[N_CPUS];
	struct cputime_input in;
	uint64_t ns_per_tick;
};

static void rig_make(struct rig *r, const char *visible, bool per_cpu)
{
	*r = (struct rig){
		.st = g_malloc0(sizeof(*r->st) + N_CPUS * sizeof(r->st->cpu[0])),
		.in = { .start_ns = 500 * S,
			.now_ns = 500 * S,
			.n_cpus = N_CPUS,
			.n_per_cpu = per_cpu ? N_CPUS : 0,
			.period_ns = 100 * MS,
		},
		.ns_per_tick = 1,
	};
	assert_int_equal(cpuset_parse(visible, &r->visible), 0);
}

/* Time is used on @cpu, which v2 does not tell. */
static void run(struct rig *r, unsigned cpu, uint64_t user, uint64_t system)
{
	r->per_cpu[cpu].user += user;
	r->per_cpu[cpu].system += system;
	r->in.total.user += user;
	r->in.total.system += system;
}

/* The counters are read after @ns more. */
static void pass(struct rig *r, uint64_t ns)
{
	r->in.now_ns += ns;
	r->in.visible = &r->visible;
	r->in.per_cpu = r->per_cpu;
	cputime_advance(r->st, &r->in);
}

static void show(struct rig *r, const char *visible)
{
	assert_int_equal(cpuset_parse(visible, &r->visible), 0);
}

static uint64_t get(const struct rig *r, unsigned cpu, enum cputime_field f)
{
	return cputime_ticks(r->st, cpu, f, r->ns_per_tick);
}

static uint64_t sum(const struct rig *r, enum cputime_field f)
{
	uint64_t v = 0;

	for (unsigned c = cpuset_next(&r->visible, 0); c < N_CPUS;
	     c = cpuset_next(&r->visible, c + 1))
		v += get(r, c, f);
	return v;
}

static void rig_end(struct rig *r)
{
	g_free(r->st);
}

static void assert_cpu(const struct rig *r, unsigned cpu, uint64_t user, uint64_t system,
		       uint64_t idle, uint64_t steal)
{
	assert_int_equal(get(r, cpu, CPUTIME_USER), user);
	assert_int_equal(get(r, cpu, CPUTIME_SYSTEM), system);
	assert_int_equal(get(r, cpu, CPUTIME_IDLE), idle);
	assert_int_equal(get(r, cpu, CPUTIME_STEAL), steal);
}

static void test_first_look_counts_from_the_start_of_the_container(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0-1", true);
	run(&r, 0, 3 * S, 1 * S);
	run(&r, 1, 0, 2 * S);
	pass(&r, 10 * S);
	assert_cpu(&r, 0, 3 * S, 1 * S, 6 * S, 0);
	assert_cpu(&r, 1, 0, 2 * S, 8 * S, 0);
	rig_end(&r);
}

static void test_totals_are_spread_evenly(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "2,4,7", false);
	run(&r, 0, 6 * S, 3 * S);
	r.in.total.nice = 3 * S;
	pass(&r, 10 * S);
	for (unsigned c = cpuset_next(&r.visible, 0); c < N_CPUS;
	     c = cpuset_next(&r.visible, c + 1)) {
		assert_cpu(&r, c, 2 * S, 1 * S, 6 * S, 0);
		assert_int_equal(get(&r, c, CPUTIME_NICE), 1 * S);
	}
	rig_end(&r);
}

static void test_spinner_is_all_busy_when_read_more_often_than_ticks_are_booked(void **state)
{
	(void)state;
	for (int per_cpu = 0; per_cpu < 2; per_cpu++) {
		struct rig r;
		uint64_t idle, busy;

		rig_make(&r, "0", per_cpu);
		r.ns_per_tick = TICK;
		for (unsigned ms = 1; ms <= 20; ms++) {
			if (ms % 10 == 0)
				run(&r, 0, 10 * MS, 0);
			pass(&r, MS);
		}
		idle = get(&r, 0, CPUTIME_IDLE);
		busy = get(&r, 0, CPUTIME_USER);
		for (unsigned ms = 1; ms <= 5000; ms++) {
			if (ms % 10 == 0)
				run(&r, 0, 10 * MS, 0);
			pass(&r, MS);
			assert_int_equal(get(&r, 0, CPUTIME_IDLE), idle);
		}
		assert_int_equal(get(&r, 0, CPUTIME_USER) - busy, 500);
		assert_int_equal(get(&r, 0, CPUTIME_STEAL), 0);
		rig_end(&r);
	}
}

/* Two threads, 150 ms in each 100 ms: both run for 75 ms, then both wait for the next period. */
static void hold_for_a_ms(struct rig *r, unsigned ms)
{
	if (ms % 100 < 75) {
		run(r, 0, MS, 0);
		run(r, 1, MS, 0);
	} else if (ms % 100 == 99) {
		r->in.throttled_ns += 50 * MS;
	}
}

static void test_held_at_three_quarters_is_user_and_steal_and_never_idle(void **state)
{
	static const unsigned step_ms[] = { 1, 7, 100, 3000 };

	(void)state;
	for (size_t i = 0; i < 2 * G_N_ELEMENTS(step_ms); i++) {
		unsigned step = step_ms[i / 2];
		uint64_t was[CPUTIME_N_FIELDS];
		struct rig r;

		rig_make(&r, "0-1", i % 2);
		for (unsigned ms = 0; ms < 45000; ms++) {
			if (ms == 3000 + 3000 % step)
				for (int f = 0; f < CPUTIME_N_FIELDS; f++)
					was[f] = sum(&r, f);
			hold_for_a_ms(&r, ms);
			if ((ms + 1) % step == 0)
				pass(&r, step * MS);
		}
		assert_int_equal(sum(&r, CPUTIME_IDLE), was[CPUTIME_IDLE]);
		/* 75 of a hundred, but for the rest of a period at both ends */
		assert_in_range((sum(&r, CPUTIME_USER) - was[CPUTIME_USER]) / MS, 63000 - 150,
				63000 + 150);
		assert_in_range((sum(&r, CPUTIME_STEAL) - was[CPUTIME_STEAL]) / MS, 21000 - 50,
				21000 + 50);
		rig_end(&r);
	}
}

static void test_steal_is_at_most_what_is_left(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0-1", true);
	run(&r, 0, 8 * S, 0);
	run(&r, 1, 10 * S, 0);
	r.in.throttled_ns = 60 * S;
	pass(&r, 10 * S);
	assert_cpu(&r, 0, 8 * S, 0, TICK, 2 * S); /* a tick: no cpu was never idle */
	assert_cpu(&r, 1, 10 * S, 0, TICK, 0);
	rig_end(&r);
}

static void test_throttled_time_falls_due_for_one_period_alone(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0-1", true);
	run(&r, 0, 10 * S, 0);
	run(&r, 1, 10 * S, 0);
	r.in.throttled_ns = 60 * S;
	pass(&r, 10 * S);
	pass(&r, 10 * S); /* idle */
	assert_int_equal(sum(&r, CPUTIME_STEAL), 200 * MS);
	assert_int_equal(sum(&r, CPUTIME_IDLE), 20 * S - 200 * MS);
	r.in.period_ns = 1 * S;
	run(&r, 0, 10 * S, 0);
	run(&r, 1, 10 * S, 0);
	r.in.throttled_ns = 90 * S;
	pass(&r, 10 * S);
	pass(&r, 10 * S);
	assert_int_equal(sum(&r, CPUTIME_STEAL), 2200 * MS);
	rig_end(&r);
}

/* The sum over the levels that have a quota falls when one of them has none any more. */
static void test_throttling_shows_after_its_sum_fell(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0", false);
	r.in.throttled_ns = 4 * S;
	pass(&r, 10 * S);
	assert_int_equal(get(&r, 0, CPUTIME_STEAL), 4 * S);
	r.in.throttled_ns = 1 * S;
	pass(&r, 10 * S);
	assert_int_equal(get(&r, 0, CPUTIME_STEAL), 4 * S);
	r.in.throttled_ns = 3 * S;
	pass(&r, 10 * S);
	assert_int_equal(get(&r, 0, CPUTIME_STEAL), 6 * S);
	rig_end(&r);
}

static void test_burst_beyond_the_clock_is_shown_and_paid_back(void **state)
{
	(void)state;
	for (int per_cpu = 0; per_cpu < 2; per_cpu++) {
		struct rig r;

		rig_make(&r, "0", per_cpu);
		pass(&r, 1 * S);
		run(&r, 0, 10 * MS, 5 * MS);
		r.in.throttled_ns = 3 * MS;
		pass(&r, 5 * MS);
		assert_cpu(&r, 0, 10 * MS, 5 * MS, 1 * S, 0);
		pass(&r, 100 * MS); /* 10 ms were ahead, and 3 were stolen */
		assert_cpu(&r, 0, 10 * MS, 5 * MS, 1 * S + 87 * MS, 3 * MS);
		/* What is longer than two ticks is a burst, and not held against it for ever. */
		run(&r, 0, 900 * MS, 0);
		pass(&r, 5 * MS);
		pass(&r, 100 * MS);
		assert_cpu(&r, 0, 910 * MS, 5 * MS, 1 * S + 167 * MS, 3 * MS);
		rig_end(&r);
	}
}

static void test_burst_of_totals_is_spread_evenly(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0-3", false);
	pass(&r, 1 * S);
	run(&r, 0, 40 * MS, 0);
	pass(&r, 1 * MS);
	for (unsigned c = 0; c < 4; c++)
		assert_cpu(&r, c, 10 * MS, 0, 1 * S, 0);
	rig_end(&r);
}

static void test_vanished_cpu_keeps_and_returns_with_what_it_had(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0-1", true);
	run(&r, 0, 2 * S, 0);
	run(&r, 1, 5 * S, 0);
	pass(&r, 10 * S);
	show(&r, "0");
	run(&r, 0, 1 * S, 0);
	pass(&r, 2 * S);
	assert_cpu(&r, 0, 3 * S, 0, 9 * S, 0);
	assert_cpu(&r, 1, 5 * S, 0, 5 * S, 0);
	show(&r, "0-1");
	pass(&r, 3 * S);
	assert_cpu(&r, 1, 5 * S, 0, 5 * S, 0); /* its time goes on from now */
	run(&r, 1, 1 * S, 0);
	pass(&r, 3 * S);
	assert_cpu(&r, 1, 6 * S, 0, 7 * S, 0);
	rig_end(&r);
}

static void test_cpuset_moved_to_other_cpus(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0-1", true);
	run(&r, 0, 4 * S, 0);
	pass(&r, 10 * S);
	show(&r, "2-3");
	run(&r, 3, 1 * S, 0);
	pass(&r, 2 * S);
	assert_cpu(&r, 3, 1 * S, 0, 1 * S, 0);
	assert_cpu(&r, 2, 0, 0, 2 * S, 0);
	assert_cpu(&r, 0, 4 * S, 0, 6 * S, 0);
	rig_end(&r);
}

static void test_what_ran_on_hidden_cpus_is_folded_in(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, "0-1", true);
	pass(&r, 1 * S);
	run(&r, 0, 2 * S, 0);
	run(&r, 5, 3 * S, 1 * S);
	run(&r, 7, 1 * S, 0);
	pass(&r, 4 * S);
	assert_int_equal(sum(&r, CPUTIME_USER), 6 * S);
	assert_int_equal(sum(&r, CPUTIME_SYSTEM), 1 * S);
	/* each to where there is room: 2 of 4 s on cpu 0, 4 of 4 s on cpu 1 */
	for (unsigned c = 0; c < 2; c++)
		assert_true(get(&r, c, CPUTIME_USER) + get(&r, c, CPUTIME_SYSTEM) <= 4 * S);
	assert_true(get(&r, 0, CPUTIME_USER) >= 2 * S);
	assert_int_equal(sum(&r, CPUTIME_IDLE), 3 * S);
	assert_int_equal(sum(&r, CPUTIME_STEAL), 0);
	assert_cpu(&r, 5, 0, 0, 0, 0);
	rig_end(&r);
}

static void test_cpu_visible_later_starts_at_no_busy_time(void **state)
{
	(void)state;
	for (int per_cpu = 0; per_cpu < 2; per_cpu++) {
		struct rig r;

		rig_make(&r, "0", per_cpu);
		run(&r, 0, 9 * S, 0);
		run(&r, 1, 1 * S, 0);
		pass(&r, 10 * S);
		show(&r, "0-1");
		run(&r, 1, 500 * MS, 0);
		pass(&r, 1 * S);
		assert_cpu(&r, 1, 0, 0, TICK, 0); /* zeros are for cpus that are off line */
		assert_int_equal(sum(&r, CPUTIME_USER), 10 * S + 500 * MS);
		pass(&r, 1 * S); /* the tick is paid back */
		assert_cpu(&r, 1, 0, 0, 1 * S, 0);
		rig_end(&r);
	}
}

static void test_ages_of_years_do_not_overflow(void **state)
{
	const uint64_t years = UINT64_C(20) * 365 * 86400 * S;
	struct rig r;

	(void)state;
	rig_make(&r, "0-7", false);
	r.in.total.user = 8 * years / 4;
	r.in.total.system = 8 * years / 4;
	r.in.throttled_ns = 8 * years / 4;
	pass(&r, years);
	for (unsigned c = 0; c < N_CPUS; c++)
		assert_cpu(&r, c, years / 4, years / 4, years / 4, years / 4);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_look_counts_from_the_start_of_the_container),
		cmocka_unit_test(test_totals_are_spread_evenly),
		cmocka_unit_test(
			test_spinner_is_all_busy_when_read_more_often_than_ticks_are_booked),
		cmocka_unit_test(test_held_at_three_quarters_is_user_and_steal_and_never_idle),
		cmocka_unit_test(test_steal_is_at_most_what_is_left),
		cmocka_unit_test(test_throttled_time_falls_due_for_one_period_alone),
		cmocka_unit_test(test_throttling_shows_after_its_sum_fell),
		cmocka_unit_test(test_burst_beyond_the_clock_is_shown_and_paid_back),
		cmocka_unit_test(test_burst_of_totals_is_spread_evenly),
		cmocka_unit_test(test_vanished_cpu_keeps_and_returns_with_what_it_had),
		cmocka_unit_test(test_cpuset_moved_to_other_cpus),
		cmocka_unit_test(test_what_ran_on_hidden_cpus_is_folded_in),
		cmocka_unit_test(test_cpu_visible_later_starts_at_no_busy_time),
		cmocka_unit_test(test_ages_of_years_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
