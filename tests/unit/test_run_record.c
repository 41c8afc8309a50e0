/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "run/state.h"

static GPtrArray *list(const char *a, const char *b)
{
	GPtrArray *l = g_ptr_array_new_with_free_func(g_free);

	if (a)
		g_ptr_array_add(l, g_strdup(a));
	if (b)
		g_ptr_array_add(l, g_strdup(b));
	return l;
}

static void test_what_is_written_is_read(void **state)
{
	AUTO_STATE struct state s = { .name = g_strdup("x"),
				      .phase = g_strdup(STATE_RUNNING),
				      .pid = 4194304,
				      .start_ticks = UINT64_C(1) << 60,
				      .exit_status = 137,
				      .command = list("sh", "\"\\\n\t\x01 "),
				      .layers = list("/a:b,c", NULL),
				      .env = list(NULL, NULL),
				      .seccomp = g_strdup("unconfined"),
				      .memory = 67108864,
				      .memory_swap = UINT64_MAX,
				      .device_bps = list("8:0 read 1048576", NULL),
				      .userns = true,
				      .host_time = true };
	AUTO_STATE struct state back = { 0 };
	g_autofree char *text = state_to_json(&s);
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_true(state_from_json(text, &back, &error));
	assert_string_equal(back.name, "x");
	assert_string_equal(back.phase, STATE_RUNNING);
	assert_true(back.pid == s.pid && back.start_ticks == s.start_ticks &&
		    back.exit_status == 137);
	assert_int_equal(back.command->len, 2);
	assert_string_equal(back.command->pdata[1], s.command->pdata[1]);
	assert_string_equal(back.layers->pdata[0], "/a:b,c");
	assert_int_equal(back.env->len, 0);
	assert_null(back.user);
	assert_string_equal(back.seccomp, "unconfined");
	assert_true(back.memory == 67108864 && back.memory_swap == UINT64_MAX &&
		    back.cpu_quota == 0);
	assert_null(strstr(text, "cpu_quota"));
	assert_string_equal(back.device_bps->pdata[0], "8:0 read 1048576");
	assert_true(back.userns && back.host_time && !back.tty && !back.host_pid);
}

static void test_bytes_that_are_no_utf8_do_not_break_it(void **state)
{
	AUTO_STATE struct state s = { .name = g_strdup("x"),
				      .phase = g_strdup(STATE_EXITED),
				      .command = list("\xff\xfe", NULL) };
	AUTO_STATE struct state back = { 0 };
	g_autofree char *text = state_to_json(&s);

	(void)state;
	assert_true(state_from_json(text, &back, NULL));
	assert_int_equal(back.command->len, 1);
}

static void test_what_is_not_told_is_empty(void **state)
{
	AUTO_STATE struct state s = { 0 };

	(void)state;
	assert_true(
		state_from_json("{\"name\":\"x\",\"phase\":\"creating\",\"new\":[1]}", &s, NULL));
	assert_true(s.pid == 0 && s.command->len == 0 && s.cap_add->len == 0);
}

static void test_broken_records_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"7",
		"null",
		"{}",
		"{\"name\":\"x\"}",
		"{\"name\":7,\"phase\":\"x\"}",
		"{\"name\":\"x\",\"phase\":\"x\",\"pid\":\"7\"}",
		"{\"name\":\"x\",\"phase\":\"x\",\"pid\":-7}",
		"{\"name\":\"x\",\"phase\":\"x\",\"pid\":null}",
		"{\"name\":\"x\",\"phase\":\"x\",\"command\":\"sh\"}",
		"{\"name\":\"x\",\"phase\":\"x\",\"command\":[7]}",
		"{\"name\":\"x\",\"phase\":\"x\",\"command\":[[]]}",
		"{\"name\":\"x\",\"phase\":\"x\",\"tty\":1}",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		struct state s;

		assert_false(state_from_json(bad[i], &s, &error));
		assert_non_null(error);
	}
}

static void feed(const char *text, void *data)
{
	AUTO_STATE struct state s = { 0 };

	(void)data;
	(void)state_from_json(text, &s, NULL);
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("{\"name\":\"x\",\"phase\":\"x\",\"pid\":7,\"command\":[\"a\"]}", feed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_bytes_that_are_no_utf8_do_not_break_it),
		cmocka_unit_test(test_what_is_not_told_is_empty),
		cmocka_unit_test(test_broken_records_are_refused),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
