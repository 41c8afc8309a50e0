/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store.h"

#include "fixture.h"

static void feed_list(const char *text, void *data)
{
	struct store_list list;

	(void)data;
	if (store_list_parse("7", "5", text, 7, &list)) {
		assert_int_equal(list.n, 5);
		assert_int_equal(g_strv_length(list.names), 5);
		store_list_clear(&list);
	}
	if (store_list_parse("7", text, "a:b", 7, &list))
		store_list_clear(&list);
	if (store_list_parse(text, "2", "a:b", 7, &list))
		store_list_clear(&list);
}

static void test_hostile_lists(void **state)
{
	struct store_list list;

	(void)state;
	assert_false(store_list_parse(NULL, "2", "a:b", 7, &list));
	assert_false(store_list_parse("7", NULL, "a:b", 7, &list));
	assert_true(store_list_parse("7", "2", NULL, 7, &list));
	assert_string_equal(list.names[1], "");
	store_list_clear(&list);
	feed_hostile("fuse:state:1:11:x", feed_list, NULL);
}

static void test_unit_of_a_cgroup(void **state)
{
	static const struct {
		const char *cgroup, *unit;
	} rows[] = {
		{ "0::/system.slice/lxcfs-clone.service\n", "lxcfs-clone.service" },
		{ "0::/system.slice/system-x.slice/x@1.service/below\n", "x@1.service" },
		{ "0::/_cpu.service\n", "cpu.service" },
		{ "9:name=systemd:/system.slice/a.service\n8:pids:/b.service\n0::/\n",
		  "a.service" },
		{ "8:pids:/b.service\n0::/a.service\n", "a.service" },
		{ "0::/\n", NULL },
		{ "0::/user.slice/user-0.slice/session-1.scope\n", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *unit = store_unit_parse(rows[i].cgroup);

		assert_int_equal(!unit, !rows[i].unit);
		if (unit)
			assert_string_equal(unit, rows[i].unit);
	}
}

#define JOB(type)                                                                                  \
	" 123 a.service                  start   waiting\n  9 lx.service  " type " running\n"

static void test_fate_by_job(void **state)
{
	static const struct {
		const char *jobs;
		enum store_fate fate;
	} rows[] = {
		{ JOB("stop"), STORE_STOP },
		{ JOB("restart"), STORE_RESTART },
		{ JOB("try-restart"), STORE_RESTART },
		{ JOB("start"), STORE_RESTART },
		{ JOB("reload"), STORE_NO_JOB },
		{ JOB("stopped"), STORE_NO_JOB },
		{ "9 lx.service stop", STORE_NO_JOB }, /* cut short */
		{ "9 lx.service.service stop running\n", STORE_NO_JOB },
		{ "9 xlx.service stop running\n10 lx.service restart running\n", STORE_RESTART },
		{ "No jobs running.\n", STORE_NO_JOB },
		{ "", STORE_NO_JOB },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_int_equal(store_jobs_parse(rows[i].jobs, "lx.service"), rows[i].fate);
}

static void feed_texts(const char *text, void *data)
{
	g_free(store_unit_parse(text));
	(void)store_jobs_parse(text, "lx.service");
	(void)data;
}

static void test_hostile_texts(void **state)
{
	(void)state;
	feed_hostile("9:name=systemd:/a.slice/a.service/x\n0::/b.service\n", feed_texts, NULL);
	feed_hostile(JOB("stop"), feed_texts, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_lists),
		cmocka_unit_test(test_unit_of_a_cgroup),
		cmocka_unit_test(test_fate_by_job),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
