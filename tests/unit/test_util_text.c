/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/text.h"

#include "fixture.h"

#define ASSERT_TEXT(t, str)                                                                        \
	do {                                                                                       \
		assert_int_equal((t)->len, strlen(str));                                           \
		assert_memory_equal((t)->buf, str, (t)->len);                                      \
	} while (0)

static void test_pieces_stand_one_behind_the_other(void **state)
{
	char buf[64];
	struct text t;

	(void)state;
	text_init(&t, buf, sizeof(buf));
	text_str(&t, "cpu");
	text_fill(&t, ' ', 2);
	text_u64(&t, 0);
	text_mem(&t, ",;", 1);
	text_u64(&t, 18446744073709551615u);
	ASSERT_TEXT(&t, "cpu  0,18446744073709551615");
	assert_int_equal(text_result(&t), 0);
}

static void test_width_pads_on_the_left_and_never_cuts(void **state)
{
	char buf[64];
	struct text t;

	(void)state;
	text_init(&t, buf, sizeof(buf));
	text_u64_width(&t, 7, 3);
	text_u64_width(&t, 1234, 4);
	text_u64_width(&t, 12345, 2);
	ASSERT_TEXT(&t, "  7123412345");
}

static void test_hundredths_have_two_digits(void **state)
{
	static const struct {
		uint64_t v;
		const char *want;
	} rows[] = {
		{ 0, "0.00" }, { 5, "0.05" }, { 50, "0.50" }, { 1205, "12.05" }, { 100, "1.00" }
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		char buf[16];
		struct text t;

		text_init(&t, buf, sizeof(buf));
		text_centi(&t, rows[i].v);
		ASSERT_TEXT(&t, rows[i].want);
	}
}

static void test_a_full_buffer_is_no_overflow_yet(void **state)
{
	char buf[3];
	struct text t;

	(void)state;
	text_init(&t, buf, sizeof(buf));
	text_str(&t, "abc");
	text_str(&t, "");
	text_fill(&t, ' ', 0);
	assert_int_equal(text_result(&t), 0);
	text_str(&t, "d");
	assert_int_equal(text_result(&t), -EFBIG);
	ASSERT_TEXT(&t, "abc");
}

/* Whatever is written into whatever room: never a byte beyond it, and the overflow is told. */
static void test_every_size_of_buffer(void **state)
{
	const char *whole = "name     42 12.05\n18446744073709551615";

	(void)state;
	for (size_t size = 0; size <= strlen(whole) + 1; size++) {
		char *buf = malloc(size ? size : 1);
		struct text t;

		text_init(&t, buf, size);
		text_str(&t, "name ");
		text_u64_width(&t, 42, 6);
		text_fill(&t, ' ', 1);
		text_centi(&t, 1205);
		text_mem(&t, "\n", 1);
		text_u64(&t, UINT64_MAX);
		assert_true(t.len <= size);
		assert_int_equal(text_result(&t), size < strlen(whole) ? -EFBIG : 0);
		if (size >= strlen(whole))
			ASSERT_TEXT(&t, whole);
		free(buf);
	}
}

static void test_what_comes_after_an_overflow_does_not_hide_it(void **state)
{
	char buf[4];
	struct text t;

	(void)state;
	text_init(&t, buf, sizeof(buf));
	text_str(&t, "too long");
	text_str(&t, "ok");
	assert_int_equal(text_result(&t), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_stand_one_behind_the_other),
		cmocka_unit_test(test_width_pads_on_the_left_and_never_cuts),
		cmocka_unit_test(test_hundredths_have_two_digits),
		cmocka_unit_test(test_a_full_buffer_is_no_overflow_yet),
		cmocka_unit_test(test_every_size_of_buffer),
		cmocka_unit_test(test_what_comes_after_an_overflow_does_not_hide_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
