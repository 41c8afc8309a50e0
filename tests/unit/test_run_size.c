/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/size.h"

#include "fixture.h"

static void test_units_are_powers_of_1024_in_either_case(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ .text = "0", .bytes = 0 },
		{ .text = "4096", .bytes = 4096 },
		{ .text = "7b", .bytes = 7 },
		{ .text = "10k", .bytes = 10240 },
		{ .text = "10kb", .bytes = 10240 },
		{ .text = "256m", .bytes = 256u << 20 },
		{ .text = "256MiB", .bytes = 256u << 20 },
		{ .text = "1.5g", .bytes = UINT64_C(1536) << 20 },
		{ .text = "0.000001t", .bytes = 1099511 },
		{ .text = "2T", .bytes = UINT64_C(2) << 40 },
		{ .text = "8388607t", .bytes = UINT64_C(8388607) << 40 },
		{ .text = "9223372036854775807", .bytes = INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		uint64_t v = 7;

		assert_true(size_parse(good[i].text, &v));
		assert_true(v == good[i].bytes);
	}
}

static void test_anything_else_is_no_size(void **state)
{
	static const char *const bad[] = { "",
					   " 1",
					   "1 ",
					   "-5",
					   "+5",
					   "1e9g",
					   "m",
					   "1x",
					   "1mm",
					   "1mib2",
					   "1bb",
					   "1.m",
					   ".5g",
					   "1..5g",
					   "0x10",
					   "1.1234567g",
					   "1,5g",
					   "8388608t",
					   "9223372036854775808",
					   "18446744073709551616",
					   "9999999999g",
					   "1m\n",
					   "1\xff" };
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(size_parse(bad[i], &v));
	assert_int_equal(v, 7);
}

static void test_millionths(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(size_parse_millionths("1.5", &v) && v == 1500000);
	assert_true(size_parse_millionths("0.000001", &v) && v == 1);
	assert_true(size_parse_millionths("3", &v) && v == 3000000);
	assert_false(size_parse_millionths("1.0000001", &v));
	assert_false(size_parse_millionths("1.5g", &v));
	assert_false(size_parse_millionths("18446744073709551615", &v));
	assert_int_equal(v, 3000000);
}

static void feed(const char *text, void *data)
{
	uint64_t v = 0;

	(void)data;
	(void)size_parse(text, &v);
	assert_true(v <= INT64_MAX);
}

static void test_hostile_text(void **state)
{
	(void)state;
	feed_hostile("1234567.5g", feed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units_are_powers_of_1024_in_either_case),
		cmocka_unit_test(test_anything_else_is_no_size),
		cmocka_unit_test(test_millionths),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
