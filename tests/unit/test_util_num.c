/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/num.h"

#include "fixture.h"
#include "util/sat.h"

static void test_number_alone_or_with_newline(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(num_parse("0", &v));
	assert_int_equal(v, 0);
	assert_true(num_parse("42\n", &v));
	assert_int_equal(v, 42);
	assert_true(num_parse("007", &v));
	assert_int_equal(v, 7);
}

static void test_biggest_number_fits_and_one_more_does_not(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(num_parse("18446744073709551615", &v));
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_false(num_parse("18446744073709551616", &v));
	assert_false(num_parse("18446744073709551620", &v));
	assert_false(num_parse("99999999999999999999999999999999", &v));
	assert_int_equal(v, 7);
}

static void test_anything_but_digits_is_no_number(void **state)
{
	static const char *const bad[] = {
		"",    "\n",  " 1",  "1 ",  "+1",  "-1", "0x10", "1\n\n",
		"1\r", "1e3", "1.0", "1_0", "max", ":",  "/",    "\xff"
	};
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(num_parse(bad[i], &v));
	assert_int_equal(v, 7);
}

static void test_take_stops_behind_the_digits(void **state)
{
	const char *text = "12:34", *p = text;
	uint64_t v;

	(void)state;
	assert_true(num_take(&p, &v));
	assert_int_equal(v, 12);
	assert_ptr_equal(p, text + 2);
}

static void test_take_that_fails_moves_nothing(void **state)
{
	const char *overflow = "18446744073709551616 ", *blanks = "  x", *p = overflow;
	uint64_t v = 7;

	(void)state;
	assert_false(num_take(&p, &v));
	assert_ptr_equal(p, overflow);
	p = blanks;
	assert_false(num_take_field(&p, &v));
	assert_ptr_equal(p, blanks);
	assert_int_equal(v, 7);
}

static void test_field_skips_blanks_and_tabs_but_no_newline(void **state)
{
	const char *p = " \t 5\n6";
	uint64_t v = 0;

	(void)state;
	assert_true(num_take_field(&p, &v));
	assert_int_equal(v, 5);
	assert_false(num_take_field(&p, &v));
	assert_string_equal(p, "\n6");
}

static void feed_num(const char *text, void *data)
{
	const char *p = text;
	uint64_t v = 0;

	(void)data;
	(void)num_parse(text, &v);
	(void)num_take_field(&p, &v);
	assert_true(p <= text + strlen(text));
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("12345678901234567890\n", feed_num, NULL);
}

static void test_saturating_maths_stops_at_the_ends(void **state)
{
	(void)state;
	assert_true(sat_sub(1, 2) == 0 && sat_sub(2, 2) == 0 && sat_sub(3, 2) == 1);
	assert_true(sat_add(UINT64_MAX, 1) == UINT64_MAX &&
		    sat_add(UINT64_MAX - 1, 1) == UINT64_MAX);
	assert_true(sat_add(1, 2) == 3);
	assert_true(sat_mul(UINT64_MAX / 2, 3) == UINT64_MAX && sat_mul(4, 5) == 20);
	assert_true(min_u64(1, 2) == 1 && max_u64(1, 2) == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_alone_or_with_newline),
		cmocka_unit_test(test_biggest_number_fits_and_one_more_does_not),
		cmocka_unit_test(test_anything_but_digits_is_no_number),
		cmocka_unit_test(test_take_stops_behind_the_digits),
		cmocka_unit_test(test_take_that_fails_moves_nothing),
		cmocka_unit_test(test_field_skips_blanks_and_tabs_but_no_newline),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_saturating_maths_stops_at_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
