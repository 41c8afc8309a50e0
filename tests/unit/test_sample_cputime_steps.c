/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds for CPU counters whatever happens: random histories from fixed seeds. */
#include "sample/cputime.h"

#include "fixture.h"

#define MS     UINT64_C(1000000)
#define S      (1000 * MS)
#define N_CPUS 12
#define STEPS  10000

/* Time that may be shown ahead of the clock for a while: two ticks. */
#define AHEAD_NS (20 * MS)

struct history {
	GRand *rand;
	struct cputime_state *st;
	struct cpuset cpuset, visible;
	struct cg_cpu_time per_cpu[N_CPUS];
	struct cputime_input in;
	uint64_t ns_per_tick;
	uint64_t cpu[N_CPUS][CPUTIME_N_FIELDS]; /* as they were shown last */
	uint64_t sum[CPUTIME_N_FIELDS];
};

static uint64_t below(struct history *h, uint64_t end)
{
	return (uint64_t)(g_rand_double(h->rand) * (double)end);
}

static bool chance(struct history *h, double p)
{
	return g_rand_double(h->rand) < p;
}

static void history_make(struct history *h, guint32 seed, bool per_cpu, uint64_t ns_per_tick)
{
	*h = (struct history){
		.rand = g_rand_new_with_seed(seed),
		.st = g_malloc0(sizeof(*h->st) + N_CPUS * sizeof(h->st->cpu[0])),
		.in = { .start_ns = 77 * S,
			.now_ns = 80 * S,
			.n_cpus = N_CPUS,
			.n_per_cpu = per_cpu ? N_CPUS : 0,
		},
		.ns_per_tick = ns_per_tick,
	};
	h->in.per_cpu = h->per_cpu;
	h->in.visible = &h->visible;
	cpuset_add(&h->cpuset, 0);
	cpuset_add(&h->visible, 0);
}

static void history_end(struct history *h)
{
	g_rand_free(h->rand);
	g_free(h->st);
}

static uint64_t shown(const struct history *h, unsigned cpu, enum cputime_field f)
{
	return cputime_ticks(h->st, cpu, f, h->ns_per_tick);
}

static void change_cpuset(struct history *h)
{
	cpuset_clear(&h->cpuset);
	cpuset_add(&h->cpuset, (unsigned)below(h, N_CPUS));
	for (unsigned c = 0; c < N_CPUS; c++)
		if (chance(h, 0.5))
			cpuset_add(&h->cpuset, c);
	h->visible = h->cpuset;
}

static void change_quota(struct history *h)
{
	h->visible = h->cpuset;
	cpuset_keep_first(&h->visible, (unsigned)below(h, N_CPUS) + 1);
}

/* Time used on cpu @c within @dt: none, all of it, a part, or a burst beyond it. */
static void use(struct history *h, unsigned c, uint64_t dt)
{
	uint64_t used = chance(h, 0.4)   ? 0
			: chance(h, 0.3) ? dt
			: chance(h, 0.9) ? below(h, dt + 1)
					 : below(h, 5 * dt + 30 * MS);
	uint64_t user = below(h, used + 1), nice = chance(h, 0.2) ? below(h, user + 1) : 0;

	h->per_cpu[c].user += user;
	h->per_cpu[c].system += used - user;
	h->in.total.user += user - nice;
	h->in.total.nice += nice;
	h->in.total.system += used - user;
}

static void step_anyhow(struct history *h)
{
	uint64_t dt = chance(h, 0.1) ? 0 : chance(h, 0.6) ? below(h, 30 * MS) : below(h, 4 * S);

	if (chance(h, 0.1))
		change_cpuset(h);
	else if (chance(h, 0.1))
		change_quota(h);
	for (unsigned c = 0; c < N_CPUS; c++)
		use(h, c, dt);
	if (chance(h, 0.3))
		h->in.throttled_ns += below(h, 3 * dt + 100 * MS);
	if (chance(h, 0.02))
		h->in.throttled_ns = below(h, h->in.throttled_ns + 1);
	/* The kernel's own counters do not fall, but a cgroup made anew begins at 0. */
	if (chance(h, 0.01))
		h->per_cpu[below(h, N_CPUS)].user = 0;
	if (chance(h, 0.005))
		h->in.total = (struct cg_cpu_time){ 0 };
	if (chance(h, 0.1))
		h->in.period_ns = chance(h, 0.5) ? 0 : below(h, S) + MS;
	h->in.now_ns += dt;
}

static void assert_nothing_fell(struct history *h)
{
	for (enum cputime_field f = 0; f < CPUTIME_N_FIELDS; f++) {
		uint64_t sum = 0;

		for (unsigned c = 0; c < N_CPUS; c++) {
			uint64_t now = shown(h, c, f);

			assert_true(now >= h->cpu[c][f]);
			assert_true(cpuset_has(&h->visible, c) || now == h->cpu[c][f]);
			h->cpu[c][f] = now;
			sum += now;
		}
		assert_true(sum >= h->sum[f]);
		h->sum[f] = sum;
	}
}

static void test_no_counter_and_no_sum_ever_falls(void **state)
{
	static const uint64_t ticks[] = { 10 * MS, 4 * MS, 1 };

	(void)state;
	for (guint32 seed = 1; seed <= 6; seed++) {
		struct history h;

		history_make(&h, seed, seed % 2, ticks[seed / 2 % G_N_ELEMENTS(ticks)]);
		for (unsigned n = 0; n < STEPS; n++) {
			step_anyhow(&h);
			cputime_advance(h.st, &h.in);
			assert_nothing_fell(&h);
		}
		history_end(&h);
	}
}

static uint64_t time_of(const struct history *h, unsigned cpu)
{
	uint64_t sum = 0;

	for (enum cputime_field f = 0; f < CPUTIME_N_FIELDS; f++)
		sum += shown(h, cpu, f);
	return sum;
}

/* On cpus that stay, which use no more than the time that passes. */
static void test_each_cpu_grows_by_exactly_the_time_that_passed(void **state)
{
	(void)state;
	for (int per_cpu = 0; per_cpu < 2; per_cpu++) {
		struct history h;

		history_make(&h, 11, per_cpu, 1);
		assert_int_equal(cpuset_parse("1-3,7", &h.visible), 0);
		for (unsigned n = 0; n < STEPS; n++) {
			uint64_t dt = below(&h, n % 2 ? 30 * MS : 4 * S);

			for (unsigned c = 0; c < N_CPUS; c++) {
				uint64_t used = chance(&h, 0.3) ? dt : below(&h, dt + 1);

				if (cpuset_has(&h.visible, c)) {
					h.per_cpu[c].user += used / 3;
					h.per_cpu[c].system += used - used / 3;
					h.in.total.user += used / 3;
					h.in.total.system += used - used / 3;
				}
			}
			h.in.throttled_ns += below(&h, dt);
			h.in.now_ns += dt;
			cputime_advance(h.st, &h.in);
			for (unsigned c = 0; c < N_CPUS; c++)
				assert_int_equal(time_of(&h, c),
						 cpuset_has(&h.visible, c)
							 ? h.in.now_ns - h.in.start_ns
							 : 0);
		}
		history_end(&h);
	}
}

/* Booked in ticks, as the kernel does: ahead of the clock by no more than two of them. */
static void test_over_longer_windows_time_is_that_of_the_clock(void **state)
{
	(void)state;
	for (int per_cpu = 0; per_cpu < 2; per_cpu++) {
		struct history h;
		uint64_t owed = 0;

		history_make(&h, 12, per_cpu, 1);
		for (unsigned n = 0; n < STEPS; n++) {
			uint64_t dt = below(&h, 15 * MS), age;

			h.in.now_ns += dt;
			owed += below(&h, dt + 1);
			if (owed >= 10 * MS) {
				h.per_cpu[0].user += owed / (10 * MS) * (10 * MS);
				h.in.total.user += owed / (10 * MS) * (10 * MS);
				owed %= 10 * MS;
			}
			cputime_advance(h.st, &h.in);
			age = h.in.now_ns - h.in.start_ns;
			assert_in_range(time_of(&h, 0), age, age + AHEAD_NS);
			assert_int_equal(shown(&h, 0, CPUTIME_USER), h.in.total.user);
		}
		history_end(&h);
	}
}

/* Nothing that was used is lost or made up, wherever it ran, as long as no cpu comes or goes. */
static void test_all_time_used_is_shown_once(void **state)
{
	(void)state;
	for (int per_cpu = 0; per_cpu < 2; per_cpu++) {
		struct history h;

		history_make(&h, 13, per_cpu, 1);
		assert_int_equal(cpuset_parse("0,5-8", &h.visible), 0);
		for (unsigned n = 0; n < STEPS; n++) {
			uint64_t dt = below(&h, 100 * MS), busy = 0;

			for (unsigned c = 0; c < N_CPUS; c++)
				use(&h, c, dt);
			h.in.now_ns += dt;
			cputime_advance(h.st, &h.in);
			for (unsigned c = 0; c < N_CPUS; c++)
				busy += shown(&h, c, CPUTIME_USER) + shown(&h, c, CPUTIME_NICE) +
					shown(&h, c, CPUTIME_SYSTEM);
			assert_int_equal(busy,
					 h.in.total.user + h.in.total.nice + h.in.total.system);
		}
		history_end(&h);
	}
}

static void test_what_is_known_holds_for_a_time_and_for_the_same_cpus(void **state)
{
	struct history h;

	(void)state;
	history_make(&h, 1, true, 1);
	assert_false(cputime_is_known(h.st, &h.in, UINT64_MAX)); /* never counted */
	cputime_advance(h.st, &h.in);
	assert_true(cputime_is_known(h.st, &h.in, 10 * MS));
	h.in.now_ns += 10 * MS - 1;
	assert_true(cputime_is_known(h.st, &h.in, 10 * MS));
	cpuset_add(&h.visible, 3);
	assert_false(cputime_is_known(h.st, &h.in, 10 * MS)); /* one more */
	cputime_advance(h.st, &h.in);
	assert_true(cputime_is_known(h.st, &h.in, 10 * MS));
	cpuset_keep_first(&h.visible, 1);
	assert_false(cputime_is_known(h.st, &h.in, 10 * MS)); /* one less */
	cputime_advance(h.st, &h.in);
	h.in.now_ns += 10 * MS;
	assert_false(cputime_is_known(h.st, &h.in, 10 * MS));
	history_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_counter_and_no_sum_ever_falls),
		cmocka_unit_test(test_each_cpu_grows_by_exactly_the_time_that_passed),
		cmocka_unit_test(test_over_longer_windows_time_is_that_of_the_clock),
		cmocka_unit_test(test_all_time_used_is_shown_once),
		cmocka_unit_test(test_what_is_known_holds_for_a_time_and_for_the_same_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
