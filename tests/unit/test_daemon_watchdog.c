/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/watchdog.h"

#include "fixture.h"

#define START 100000u

struct scene {
	struct shared shared;
	struct watchdog dog;
	uint64_t now;
};

static void scene_begin(struct scene *s)
{
	*s = (struct scene){ .now = START };
	assert_int_equal(shared_create(2, &s->shared), 0);
}

static void beat(struct scene *s, unsigned thread)
{
	atomic_fetch_add(&s->shared.header->pulses[thread].beats, 1);
}

/* Looks each half second for @ms. Whether it was told of a hang. */
static bool hangs_within(struct scene *s, unsigned ms, bool queued)
{
	bool hangs = false;

	for (unsigned t = 0; t < ms; t += 500) {
		s->now += 500;
		hangs |= watchdog_look(&s->dog, &s->shared, queued, s->now);
	}
	return hangs;
}

static void test_idle_worker_does_not_hang(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_false(hangs_within(&s, 60000, false));
	shared_clear(&s.shared);
}

static void test_request_that_is_not_got_on_with(void **state)
{
	struct scene s;

	(void)state;
	for (unsigned thread = 0; thread < SHARED_N_PULSES; thread++) {
		scene_begin(&s);
		assert_false(hangs_within(&s, 500, false));
		beat(&s, thread);
		assert_false(hangs_within(&s, 3000, false));
		assert_true(hangs_within(&s, 1000, false));
		watchdog_forget(&s.dog, s.now); /* another worker serves */
		beat(&s, thread);
		assert_false(hangs_within(&s, 60000, false));
		shared_clear(&s.shared);
	}
}

static void test_worker_that_answers_under_load(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (unsigned i = 0; i < 40; i++) { /* always one in hand, always more waiting */
		beat(&s, 1);
		if (i % 2)
			beat(&s, 1);
		assert_false(hangs_within(&s, 500, true));
	}
	shared_clear(&s.shared);
}

static void test_requests_that_nobody_takes(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_false(hangs_within(&s, 500, false));
	assert_false(hangs_within(&s, 3000, true));
	assert_true(hangs_within(&s, 1000, true));
	shared_clear(&s.shared);
}

static void test_stopped_between_taking_a_request_and_its_beat(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_false(hangs_within(&s, 500, false));
	s.shared.journal[2].request[0] = 48; /* its length */
	assert_false(hangs_within(&s, 3000, false));
	assert_true(hangs_within(&s, 1000, false));
	shared_clear(&s.shared);
}

static void test_time_in_which_the_keeper_did_not_look_is_no_hang(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_false(hangs_within(&s, 500, false));
	beat(&s, 0);
	assert_false(hangs_within(&s, 500, true));
	s.now += 600000; /* the machine was suspended */
	assert_false(hangs_within(&s, 3000, true));
	assert_true(hangs_within(&s, 1000, true));
	shared_clear(&s.shared);
}

static void test_rate_of_the_last_seconds(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_false(hangs_within(&s, 5000, false));
	for (unsigned i = 0; i < 2000; i++)
		beat(&s, i % 4);
	assert_false(hangs_within(&s, 2000, false));
	assert_int_equal(watchdog_requests(&s.shared), 1000);
	assert_in_range(s.dog.rate, 400, 500);
	assert_false(hangs_within(&s, 11000, false));
	assert_int_equal(s.dog.rate, 0);
	shared_clear(&s.shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_worker_does_not_hang),
		cmocka_unit_test(test_request_that_is_not_got_on_with),
		cmocka_unit_test(test_worker_that_answers_under_load),
		cmocka_unit_test(test_requests_that_nobody_takes),
		cmocka_unit_test(test_stopped_between_taking_a_request_and_its_beat),
		cmocka_unit_test(test_time_in_which_the_keeper_did_not_look_is_no_hang),
		cmocka_unit_test(test_rate_of_the_last_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
