/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/names.h"

#include "fixture.h"

#include <sys/mman.h>

struct table {
	void *memory;
	struct names *names;
};

/* As in the keeper's file: pages that nobody wrote cost nothing. */
static void table_make(struct table *t)
{
	t->memory = mmap(NULL, names_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	assert_true(t->memory != MAP_FAILED);
	t->names = names_new(t->memory);
}

/* The process that served died, another one takes over. */
static void table_again(struct table *t)
{
	names_free(t->names);
	t->names = names_new(t->memory);
}

static void table_end(struct table *t)
{
	assert_null(names_free(t->names));
	munmap(t->memory, names_size());
}

static void assert_name(const struct table *t, int64_t number, uint32_t parent, const char *name)
{
	const char *got;
	uint32_t got_parent;

	assert_int_equal(names_get(t->names, (uint32_t)number, &got_parent, &got), 0);
	assert_int_equal(got_parent, parent);
	assert_string_equal(got, name);
}

static void test_same_name_has_the_same_number(void **state)
{
	struct table t;
	int64_t cpu0, online, below;

	(void)state;
	table_make(&t);
	cpu0 = names_intern(t.names, 0, "cpu0");
	online = names_intern(t.names, 0, "online");
	below = names_intern(t.names, (uint32_t)cpu0, "online");
	assert_true(cpu0 > 0 && online > 0 && below > 0);
	assert_true(cpu0 != online && online != below && cpu0 != below);
	assert_int_equal(names_intern(t.names, 0, "cpu0"), cpu0);
	assert_int_equal(names_intern(t.names, 0, "online"), online);
	assert_int_equal(names_intern(t.names, (uint32_t)cpu0, "online"), below);
	assert_name(&t, cpu0, 0, "cpu0");
	assert_name(&t, below, (uint32_t)cpu0, "online");
	table_end(&t);
}

static void test_numbers_stay_when_another_process_takes_over(void **state)
{
	int64_t numbers[3000];
	struct table t;

	(void)state;
	table_make(&t);
	for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
		g_autofree char *name = g_strdup_printf("cpu%u", i / 3);

		numbers[i] = names_intern(t.names, i % 3, name);
		assert_true(numbers[i] > 0);
	}
	for (unsigned times = 0; times < 3; times++) {
		table_again(&t);
		for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
			g_autofree char *name = g_strdup_printf("cpu%u", i / 3);

			assert_name(&t, numbers[i], i % 3, name);
			assert_int_equal(names_intern(t.names, i % 3, name), numbers[i]);
		}
	}
	table_end(&t);
}

static void test_numbers_nobody_got(void **state)
{
	static const uint32_t wrong[] = { 0, 2, 1000, UINT32_MAX };
	struct table t;
	const char *name;
	uint32_t parent;

	(void)state;
	table_make(&t);
	assert_true(names_intern(t.names, 0, "a") > 0);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_int_equal(names_get(t.names, wrong[i], &parent, &name), -ENOENT);
	table_end(&t);
}

static void test_odd_names(void **state)
{
	g_autofree char *longest = g_strnfill(255, 'x');
	const char *const odd[] = { "", " ", "\n", "\xff\xfe", "a/b", longest };
	struct table t;

	(void)state;
	table_make(&t);
	for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
		int64_t n = names_intern(t.names, 7, odd[i]);

		assert_name(&t, n, 7, odd[i]);
		assert_int_equal(names_intern(t.names, 7, odd[i]), n);
	}
	table_end(&t);
}

/* As many as fit, by number or by length: then no more, and those there are stay. */
static void fill(int width)
{
	g_autofree char *first = g_strdup_printf("%0*x", width, 0u);
	unsigned n = 0;
	struct table t;
	int64_t r;

	table_make(&t);
	do {
		g_autofree char *name = g_strdup_printf("%0*x", width, n);

		r = names_intern(t.names, 0, name);
		n++;
	} while (r > 0);
	assert_int_equal(r, -ENOSPC);
	assert_true(n > 10000);
	assert_int_equal(names_intern(t.names, 1, first), -ENOSPC);
	assert_int_equal(names_intern(t.names, 0, first), 1);
	table_again(&t);
	assert_name(&t, 1, 0, first);
	assert_int_equal(names_intern(t.names, 0, first), 1);
	assert_int_equal(names_intern(t.names, 1, first), -ENOSPC);
	table_end(&t);
}

static void test_full_table(void **state)
{
	(void)state;
	fill(1);
	fill(250);
}

static void *intern_many(void *data)
{
	for (unsigned i = 0; i < 2000; i++) {
		g_autofree char *name = g_strdup_printf("%u", i);

		if (names_intern(data, 0, name) <= 0)
			return NULL;
	}
	return data;
}

static void test_threads_agree(void **state)
{
	GThread *threads[4];
	struct table t;

	(void)state;
	table_make(&t);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new(NULL, intern_many, t.names);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		assert_non_null(g_thread_join(threads[i]));
	/* 2000 names, not 8000 */
	assert_int_equal(names_intern(t.names, 0, "another"), 2001);
	table_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_name_has_the_same_number),
		cmocka_unit_test(test_numbers_stay_when_another_process_takes_over),
		cmocka_unit_test(test_numbers_nobody_got),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_threads_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
