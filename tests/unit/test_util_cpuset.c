/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/cpuset.h"

#include "fixture.h"

static struct cpuset set_of(const char *list)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(list, &set), 0);
	return set;
}

static void assert_list(const struct cpuset *set, const char *list)
{
	static char buf[65536];
	struct text out;

	text_init(&out, buf, sizeof(buf) - 1);
	cpuset_format(set, &out);
	assert_int_equal(text_result(&out), 0);
	buf[out.len] = '\0';
	assert_string_equal(buf, list);
}

static void test_list_comes_back_as_it_was(void **state)
{
	static const char *const lists[] = { "",
					     "0",
					     "63",
					     "64",
					     "0-63",
					     "0-64",
					     "63-64",
					     "64-65",
					     "0-3,8",
					     "1,3,5-7,127-128",
					     "0-8191",
					     "8191",
					     "0,63,65,127,8190-8191" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		struct cpuset set = set_of(lists[i]);

		assert_list(&set, lists[i]);
	}
}

static void test_newline_ends_the_list(void **state)
{
	struct cpuset a = set_of("0-3,8\n"), b = set_of("0-3,8"), none = set_of("\n");

	(void)state;
	assert_true(cpuset_equal(&a, &b));
	assert_int_equal(cpuset_count(&a), 5);
	assert_int_equal(cpuset_count(&none), 0);
	assert_int_equal(none.end, 0);
}

static void test_order_and_overlap_do_not_matter(void **state)
{
	struct cpuset a = set_of("8,130,0-3,2-4,8"), b = set_of("0-4,8,130");

	(void)state;
	assert_true(cpuset_equal(&a, &b));
	assert_list(&a, "0-4,8,130");
}

static void test_bad_list_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = { "x",
					   "-",
					   "-1",
					   "1-",
					   "3-1",
					   ",",
					   ",1",
					   "1,,2",
					   "1-2-3",
					   " 1",
					   "1 ",
					   "1;2",
					   "8192",
					   "0-8192",
					   "0x1",
					   "1,x",
					   "99999999999999999999",
					   "18446744073709551615" };
	struct cpuset set = set_of("5");

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(cpuset_parse(bad[i], &set), -EBADMSG);
	assert_list(&set, "5");
}

/* A list that was cut behind its comma is not a shorter list. */
static void test_list_cut_behind_a_comma_is_refused(void **state)
{
	struct cpuset set;

	(void)state;
	assert_int_equal(cpuset_parse("0-3,", &set), -EBADMSG);
	assert_int_equal(cpuset_parse("0-3,\n", &set), -EBADMSG);
}

static void test_text_behind_the_newline_is_refused(void **state)
{
	struct cpuset set;

	(void)state;
	assert_int_equal(cpuset_parse("0-3\n4\n", &set), -EBADMSG);
}

static void test_members_at_word_borders(void **state)
{
	static const unsigned cpus[] = { 0, 62, 63, 64, 65, 127, 128, 8190, 8191 };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cpus); i++) {
		struct cpuset set;

		memset(&set, 0xa5, sizeof(set)); /* words above .end hold anything */
		cpuset_clear(&set);
		assert_false(cpuset_has(&set, cpus[i]));
		cpuset_add(&set, cpus[i]);
		assert_true(cpuset_has(&set, cpus[i]));
		assert_int_equal(set.end, cpus[i] + 1);
		assert_int_equal(cpuset_count(&set), 1);
		assert_int_equal(cpuset_next(&set, 0), cpus[i]);
		assert_int_equal(cpuset_next(&set, cpus[i]), cpus[i]);
		assert_int_equal(cpuset_next(&set, cpus[i] + 1), CPUSET_MAX);
		assert_false(cpuset_has(&set, cpus[i] + 1));
		assert_false(cpuset_has(&set, CPUSET_MAX));
	}
}

static void test_adding_downwards_keeps_what_is_there(void **state)
{
	struct cpuset set;

	(void)state;
	memset(&set, 0xff, sizeof(set));
	cpuset_clear(&set);
	cpuset_add(&set, 200);
	cpuset_add(&set, 64);
	cpuset_add(&set, 63);
	cpuset_add(&set, 0);
	assert_list(&set, "0,63-64,200");
}

static void test_next_walks_every_member_once(void **state)
{
	struct cpuset set = set_of("0,5,63-65,127-129,8191");
	static const unsigned want[] = { 0, 5, 63, 64, 65, 127, 128, 129, 8191 };
	size_t n = 0;

	(void)state;
	for (unsigned c = cpuset_next(&set, 0); c < CPUSET_MAX; c = cpuset_next(&set, c + 1)) {
		assert_true(n < G_N_ELEMENTS(want));
		assert_int_equal(c, want[n++]);
	}
	assert_int_equal(n, G_N_ELEMENTS(want));
	assert_int_equal(cpuset_next(&set, CPUSET_MAX), CPUSET_MAX);
}

static void test_keep_first(void **state)
{
	static const struct {
		const char *list;
		unsigned n;
		const char *want;
	} rows[] = {
		{ "0-7", 0, "" },
		{ "0-7", 3, "0-2" },
		{ "0-7", 8, "0-7" },
		{ "0-7", 99, "0-7" },
		{ "", 3, "" },
		{ "62-66", 2, "62-63" },
		{ "62-66", 3, "62-64" },
		{ "62-66", 4, "62-65" },
		{ "3,64,8191", 2, "3,64" },
		{ "3,64,8191", 3, "3,64,8191" },
		{ "0-8191", 8191, "0-8190" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct cpuset set = set_of(rows[i].list), want = set_of(rows[i].want);

		cpuset_keep_first(&set, rows[i].n);
		assert_list(&set, rows[i].want);
		assert_true(cpuset_equal(&set, &want));
	}
}

static void test_intersect(void **state)
{
	static const struct {
		const char *a, *b, *want;
	} rows[] = {
		{ "0-3", "2-5", "2-3" },
		{ "0-3", "4-7", "" },
		{ "0-3", "", "" },
		{ "", "0-3", "" },
		{ "0-63", "63", "63" },
		{ "0-64", "63-200", "63-64" },
		{ "60-70", "0-65", "60-65" },
		{ "0-8191", "8191", "8191" },
		{ "8191", "0-8190", "" },
		{ "0,64,128", "0,128-130", "0,128" },
		{ "0-11", "0-9", "0-9" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct cpuset a = set_of(rows[i].a), b = set_of(rows[i].b),
			      want = set_of(rows[i].want);
		struct cpuset other = b;

		cpuset_intersect(&a, &b);
		assert_list(&a, rows[i].want);
		assert_true(cpuset_equal(&a, &want));
		assert_true(cpuset_equal(&b, &other));
	}
}

static void test_count(void **state)
{
	struct cpuset all = set_of("0-8191"), some = set_of("0,63-64,8191"), none = set_of("");

	(void)state;
	assert_int_equal(cpuset_count(&all), 8192);
	assert_int_equal(cpuset_count(&some), 4);
	assert_int_equal(cpuset_count(&none), 0);
}

static void test_sets_of_different_cpus_differ(void **state)
{
	struct cpuset a = set_of("0-3"), b = set_of("0-2"), c = set_of("1-3"), d = set_of("0-3,64");

	(void)state;
	assert_false(cpuset_equal(&a, &b));
	assert_false(cpuset_equal(&a, &c));
	assert_false(cpuset_equal(&a, &d));
	assert_true(cpuset_equal(&a, &a));
}

static void test_list_that_does_not_fit_is_told(void **state)
{
	struct cpuset set = set_of("0-3,8");
	struct text out;
	char buf[4];

	(void)state;
	text_init(&out, buf, sizeof(buf));
	cpuset_format(&set, &out);
	assert_int_equal(text_result(&out), -EFBIG);
}

static void feed_cpuset(const char *text, void *data)
{
	struct cpuset set;

	(void)data;
	cpuset_clear(&set);
	if (cpuset_parse(text, &set) == 0)
		assert_true(set.end <= CPUSET_MAX && cpuset_count(&set) <= set.end);
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("0-3,8,11-63,65,127-8191\n", feed_cpuset, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_comes_back_as_it_was),
		cmocka_unit_test(test_newline_ends_the_list),
		cmocka_unit_test(test_order_and_overlap_do_not_matter),
		cmocka_unit_test(test_bad_list_is_refused_and_changes_nothing),
		cmocka_unit_test(test_list_cut_behind_a_comma_is_refused),
		cmocka_unit_test(test_text_behind_the_newline_is_refused),
		cmocka_unit_test(test_members_at_word_borders),
		cmocka_unit_test(test_adding_downwards_keeps_what_is_there),
		cmocka_unit_test(test_next_walks_every_member_once),
		cmocka_unit_test(test_keep_first),
		cmocka_unit_test(test_intersect),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_sets_of_different_cpus_differ),
		cmocka_unit_test(test_list_that_does_not_fit_is_told),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
