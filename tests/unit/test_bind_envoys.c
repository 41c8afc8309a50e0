/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/envoys.h"

#include <sys/wait.h>

#include "fixture.h"
#include "util/fd.h"
#include "util/sys.h"

#define MOST_JOBS 200u

/* What each job came to; what was told of it. */
struct outcome {
	unsigned ended[MOST_JOBS][ENVOY_N_RESULTS];
	unsigned told[BIND_N_OUTCOMES];
	unsigned most_busy;
};

static void begin(int sock, void *arg)
{
	int keep[] = { sock };

	fd_close_others(keep, 1);
	(void)arg;
}

/* The job's patience is for how long it works; one that has none dies of it. */
static enum envoy_result work(const struct envoys_voice *voice, const struct envoy_job *job,
			      void *arg)
{
	(void)arg;
	if (job->patience_ms == 0)
		_exit(1);
	g_usleep((gulong)job->patience_ms * 1000);
	envoys_say(voice, "/a", BIND_BENEATH, 0);
	return job->at_once ? ENVOY_DONE : ENVOY_SHARED;
}

static void on_event(const struct bind_event *event, void *arg)
{
	((struct outcome *)arg)->told[event->outcome]++;
}

static void on_end(size_t number, enum envoy_result result, void *arg)
{
	((struct outcome *)arg)->ended[number][result]++;
}

static struct envoys_task task_of(struct outcome *o)
{
	return (struct envoys_task){
		.begin = begin, .work = work, .told = on_event, .ended = on_end, .caller_arg = o
	};
}

/* One after the other, as soon as somebody is free. */
static void send(struct envoys *envoys, struct outcome *o, size_t number, unsigned ms)
{
	const struct envoy_job job = { .number = number, .patience_ms = ms, .at_once = true };
	int r;

	while ((r = envoys_send(envoys, &job)) == -EBUSY)
		envoys_hear(envoys, 1000);
	assert_int_equal(r, 0);
	o->most_busy = MAX(o->most_busy, envoys_busy(envoys));
}

static void test_few_do_many_jobs(void **state)
{
	struct outcome o = { 0 };
	const struct envoys_task task = task_of(&o);
	struct envoys *envoys = envoys_new(&task);

	for (size_t i = 0; i < MOST_JOBS; i++)
		send(envoys, &o, i, 1);
	envoys_end(envoys);
	for (size_t i = 0; i < MOST_JOBS; i++)
		assert_int_equal(o.ended[i][ENVOY_DONE], 1);
	assert_int_equal(o.told[BIND_BENEATH], MOST_JOBS);
	assert_true(o.most_busy <= 8);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	(void)state;
}

static void test_one_that_dies_is_told_of(void **state)
{
	struct outcome o = { 0 };
	const struct envoys_task task = task_of(&o);
	struct envoys *envoys = envoys_new(&task);

	send(envoys, &o, 0, 0);
	send(envoys, &o, 1, 1);
	envoys_end(envoys);
	assert_int_equal(o.ended[0][ENVOY_DONE], 1);
	assert_int_equal(o.ended[1][ENVOY_DONE], 1);
	assert_int_equal(o.told[BIND_FAILED], 1);
	assert_int_equal(o.told[BIND_BENEATH], 1);
	(void)state;
}

/*
 * 100 that hang, and among them some that take a moment: these are done, whoever else is given up.
 */
static void test_those_that_hang_have_no_other_given_up(void **state)
{
	uint64_t start = sys_coarse_ms();
	struct outcome o = { 0 };
	const struct envoys_task task = task_of(&o);
	struct envoys *envoys = envoys_new(&task);

	for (size_t i = 0; i < 120; i++)
		send(envoys, &o, i, i % 6 == 5 ? 50 : 3600000);
	envoys_end(envoys);
	for (size_t i = 0; i < 120; i++)
		assert_int_equal(o.ended[i][ENVOY_DONE] + o.ended[i][ENVOY_LATE], 1);
	for (size_t i = 5; i < 120; i += 6)
		assert_int_equal(o.ended[i][ENVOY_DONE], 1);
	assert_int_equal(o.told[BIND_BENEATH], 20);
	assert_true(o.told[BIND_TIMEOUT] > 30 && o.told[BIND_TIMEOUT] <= 100);
	assert_true(sys_coarse_ms() - start < 30000);
	(void)state;
}

#define MOST_TOLD 5000u

/* More than its report has room for, the paths numbered; then it ends. */
static enum envoy_result tell_and_die(const struct envoys_voice *voice, const struct envoy_job *job,
				      void *arg)
{
	(void)arg;
	(void)job;
	for (unsigned i = 0; i < MOST_TOLD; i++) {
		g_autofree char *path = g_strdup_printf("/%u/%0*u", i, (int)(i % 300), 0);

		envoys_say(voice, path, BIND_BENEATH, (int)i);
	}
	_exit(1);
}

static void count_in_order(const struct bind_event *event, void *arg)
{
	unsigned *told = arg;

	if (event->outcome != BIND_BENEATH)
		return;
	g_autofree char *path = g_strdup_printf("/%u/%0*u", *told, (int)(*told % 300), 0);

	assert_string_equal(event->path, path);
	assert_int_equal(event->error, *told);
	(*told)++;
}

static void ignore_end(size_t number, enum envoy_result result, void *arg)
{
	(void)number, (void)result, (void)arg;
}

static void test_what_was_done_is_told_of_one_that_dies(void **state)
{
	unsigned told = 0;
	const struct envoy_job job = { .pid = 1 };
	const struct envoys_task task = { .begin = begin,
					  .work = tell_and_die,
					  .told = count_in_order,
					  .ended = ignore_end,
					  .caller_arg = &told };
	struct envoys *envoys = envoys_new(&task);

	(void)state;
	assert_int_equal(envoys_send(envoys, &job), 0);
	envoys_end(envoys);
	assert_int_equal(told, MOST_TOLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_do_many_jobs),
		cmocka_unit_test(test_one_that_dies_is_told_of),
		cmocka_unit_test(test_what_was_done_is_told_of_one_that_dies),
		cmocka_unit_test(test_those_that_hang_have_no_other_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
