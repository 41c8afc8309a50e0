/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sample/loadavg.h"

#include "golden.h"

#define S UINT64_C(1000000000)

/* Hundredths, as /proc/loadavg shows them. */
static unsigned centi(uint32_t fixed)
{
	return (fixed + LOADAVG_ONE / 200) * 100 / LOADAVG_ONE;
}

static void assert_load(const uint32_t fixed[3], unsigned one, unsigned five, unsigned fifteen)
{
	assert_int_equal(centi(fixed[0]), one);
	assert_int_equal(centi(fixed[1]), five);
	assert_int_equal(centi(fixed[2]), fifteen);
}

/* calc_load() of kernel/sched/loadavg.c, worked out by hand for single steps. */
static void test_step_is_that_of_the_kernel(void **state)
{
	static const struct {
		uint32_t before;
		unsigned active;
		uint32_t after[3];
	} rows[] = {
		{ 0, 0, { 0, 0, 0 } },
		/* 1 * 2048 * (2048 - 1884) / 2048 = 164, 34, 11 */
		{ 0, 1, { 164, 34, 11 } },
		{ 2048, 1, { 2048, 2048, 2048 } },
		/* falling: rounded down, 2048 * 1884 / 2048 */
		{ 2048, 0, { 1884, 2014, 2037 } },
		/* 1000 * 1884 / 2048 = 919.92, 983.39, 994.62 */
		{ 1000, 0, { 919, 983, 994 } },
		/* rising: rounded up, 1000 * 1884 / 2048 + 164 = 1083.92, 1017.40, 1005.63 */
		{ 1000, 1, { 1084, 1018, 1006 } },
		{ 1, 0, { 0, 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint32_t fixed[3] = { rows[i].before, rows[i].before, rows[i].before };

		loadavg_step(fixed, rows[i].active, 1);
		for (int k = 0; k < 3; k++)
			assert_int_equal(fixed[k], rows[i].after[k]);
	}
}

static void test_four_active_for_a_minute(void **state)
{
	uint32_t fixed[3] = { 0 };

	(void)state;
	loadavg_step(fixed, 4, 12);
	/* 4 * (1 - 1/e), and the same over 5 and 15 minutes */
	assert_in_range(centi(fixed[0]), 251, 256);
	assert_in_range(centi(fixed[1]), 71, 75);
	assert_in_range(centi(fixed[2]), 24, 28);
}

static void test_no_step_changes_nothing(void **state)
{
	uint32_t fixed[3] = { 5, 6, 7 };

	(void)state;
	loadavg_step(fixed, 9, 0);
	assert_int_equal(fixed[0], 5);
	assert_int_equal(fixed[1], 6);
	assert_int_equal(fixed[2], 7);
}

static void test_load_decays_to_nothing_and_rises_to_what_is_active(void **state)
{
	uint32_t fixed[3] = { 100 * LOADAVG_ONE, 100 * LOADAVG_ONE, 100 * LOADAVG_ONE };

	(void)state;
	loadavg_step(fixed, 0, 12);
	assert_in_range(centi(fixed[0]), 3600, 3700);
	loadavg_step(fixed, 0, 2000);
	assert_int_equal(centi(fixed[0]), 0);
	assert_true(centi(fixed[2]) < 200);
	loadavg_step(fixed, 0, 2000);
	assert_load(fixed, 0, 0, 0);
	for (unsigned hours = 0; hours < 10; hours++)
		loadavg_step(fixed, 7, 720);
	assert_load(fixed, 700, 700, 700);
}

static void test_very_many_tasks_do_not_overflow(void **state)
{
	uint32_t fixed[3] = { 0 };

	(void)state;
	for (unsigned n = 0; n < 5000; n++)
		loadavg_step(fixed, UINT32_MAX, 1);
	for (int k = 0; k < 3; k++)
		assert_int_equal(fixed[k], UINT32_MAX);
}

static void test_first_look_takes_the_container_to_have_been_as_active_before(void **state)
{
	uint32_t fixed[3];

	(void)state;
	loadavg_first(fixed, 3, 0);
	assert_load(fixed, 0, 0, 0);
	loadavg_first(fixed, 4, 60 * S);
	assert_load(fixed, 253, 72, 26);
	loadavg_first(fixed, 1, 900 * S);
	assert_load(fixed, 100, 95, 63);
	loadavg_first(fixed, 2, 365 * 86400 * S);
	assert_load(fixed, 200, 200, 200);
	loadavg_first(fixed, 0, 60 * S);
	assert_load(fixed, 0, 0, 0);
}

/* A container with tasks, its counters and the host they are on. */
struct crowd {
	struct lab lab;
	struct host *host;
	struct cg_node *tasks;
	void *memory;
	struct state_table *states;
	struct container ct;
};

static void task(struct crowd *c, unsigned pid, char state, unsigned start, unsigned inner_pid)
{
	g_autofree char *stat_path = g_strdup_printf("proc/%u/task/%u/stat", pid, pid);
	g_autofree char *status_path = g_strdup_printf("proc/%u/status", pid);
	g_autofree char *stat = g_strdup_printf(
		"%u (a) b) %c 1 1 1 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 1 0 %u 1 1 1\n", pid, state,
		start);
	g_autofree char *status = g_strdup_printf("Name:\ta\nNSpid:\t%u\t%u\n", pid, inner_pid);

	lab_write(&c->lab, stat_path, stat);
	lab_write(&c->lab, status_path, status);
}

static void crowd_make(struct crowd *c)
{
	*c = (struct crowd){ 0 };
	lab_make_v2(&c->lab);
	lab_mkdir(&c->lab, "proc");
	lab_mkdir(&c->lab, "sys");
	lab_write(&c->lab, "cg/a/cpu.stat", "usage_usec 1000\nuser_usec 1\nsystem_usec 1\n");
	lab_write(&c->lab, "cg/a/cgroup.threads", "11\n12\n13\n");
	lab_write(&c->lab, "cg/a/deep/er/cgroup.threads", "14\n15\n16\n404\n");
	task(c, 11, 'S', 500, 1);
	task(c, 12, 'R', 700, 7);
	task(c, 13, 'D', 600, 6);
	task(c, 14, 'R', 900, 21); /* the newest */
	task(c, 15, 'Z', 999, 22);
	task(c, 16, 'S', 900, 20);
	assert_int_equal(host_open(c->lab.dir, &c->host), 0);
	c->tasks = node_at(&c->lab, "/a");
	c->memory = g_malloc0(state_table_size(1, 1));
	c->states = state_table_new(c->memory, 1, 1);
	c->ct.state = state_get(c->states, (struct state_id){ 1, 2, 3 });
	c->ct.start_ns = 1000 * S;
}

static void crowd_end(struct crowd *c)
{
	state_drop(c->states, c->ct.state, true);
	state_table_free(c->states);
	g_free(c->memory);
	cg_node_unref(c->tasks);
	host_free(c->host);
	lab_end(&c->lab);
}

static void test_tasks_of_all_cgroups_below_count(void **state)
{
	const struct load_state *load;
	struct crowd c;

	(void)state;
	crowd_make(&c);
	load = state_load(c.ct.state);
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, false, UINT32_MAX, 1060 * S), 0);
	assert_int_equal(load->running, 2);
	assert_int_equal(load->blocked, 1);
	assert_int_equal(load->total, 5);
	/* The later tid of two that began at once, as the container numbers it. */
	assert_int_equal(load->newest, 20);
	assert_int_equal(load->sampled_ns, 1060 * S);
	assert_load(load->fixed, 190, 54, 19); /* 3 for a minute */
	crowd_end(&c);
}

static void test_who_used_no_time_is_looked_at_only_when_asked(void **state)
{
	const struct load_state *load;
	struct crowd c;

	(void)state;
	crowd_make(&c);
	load = state_load(c.ct.state);
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, false, UINT32_MAX, 1060 * S), 0);
	lab_write(&c.lab, "cg/a/deep/er/cgroup.threads", "");
	/* nothing ran: nothing was runnable, what is blocked may still be */
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, false, UINT32_MAX, 1065 * S), 0);
	assert_int_equal(load->running, 0);
	assert_int_equal(load->blocked, 1);
	assert_int_equal(load->total, 5);
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, true, UINT32_MAX, 1070 * S), 0);
	assert_int_equal(load->running, 1);
	assert_int_equal(load->total, 3);
	lab_write(&c.lab, "cg/a/cgroup.threads", "12\n");
	lab_write(&c.lab, "cg/a/cpu.stat", "usage_usec 1001\nuser_usec 1\nsystem_usec 1\n");
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, false, UINT32_MAX, 1075 * S), 0);
	assert_int_equal(load->total, 1);
	crowd_end(&c);
}

static void test_steps_keep_the_kernels_rhythm(void **state)
{
	const struct load_state *load;
	uint32_t want[3];
	struct crowd c;

	(void)state;
	crowd_make(&c);
	load = state_load(c.ct.state);
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, true, UINT32_MAX, 1060 * S), 0);
	memcpy(want, load->fixed, sizeof(want));
	/* between two steps nothing moves */
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, true, UINT32_MAX, 1064 * S), 0);
	assert_memory_equal(want, load->fixed, sizeof(want));
	assert_int_equal(load->sampled_ns, 1060 * S);
	/* two steps are due, the rest of the time is kept */
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, true, UINT32_MAX, 1073 * S), 0);
	loadavg_step(want, 3, 2);
	assert_memory_equal(want, load->fixed, sizeof(want));
	assert_int_equal(load->sampled_ns, 1070 * S);
	crowd_end(&c);
}

static void test_cgroup_that_is_gone(void **state)
{
	const struct load_state *load;
	struct crowd c;

	(void)state;
	crowd_make(&c);
	load = state_load(c.ct.state);
	lab_remove(&c.lab, "cg/a");
	assert_int_equal(loadavg_sample(c.host, &c.ct, c.tasks, true, UINT32_MAX, 1060 * S),
			 -ENODEV);
	assert_int_equal(load->sampled_ns, 0);
	crowd_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step_is_that_of_the_kernel),
		cmocka_unit_test(test_four_active_for_a_minute),
		cmocka_unit_test(test_no_step_changes_nothing),
		cmocka_unit_test(test_load_decays_to_nothing_and_rises_to_what_is_active),
		cmocka_unit_test(test_very_many_tasks_do_not_overflow),
		cmocka_unit_test(test_first_look_takes_the_container_to_have_been_as_active_before),
		cmocka_unit_test(test_tasks_of_all_cgroups_below_count),
		cmocka_unit_test(test_who_used_no_time_is_looked_at_only_when_asked),
		cmocka_unit_test(test_steps_keep_the_kernels_rhythm),
		cmocka_unit_test(test_cgroup_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
