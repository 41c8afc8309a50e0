/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The target without its fuzzer: each file of the corpus, and what a seed makes of it. */
#include "fuzz.h"

#include "fixture.h"

#define PER_FILE 2000u

static void feed(const char *text, size_t len, unsigned *fed)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	assert_int_equal(LLVMFuzzerTestOneInput(copy, len), 0);
	free(copy);
	++*fed;
}

typedef void each_fn(char *text, size_t len, unsigned *fed);

/* How many inputs were fed. */
static unsigned each_file(each_fn *each)
{
	const char *folder = g_getenv("CORPUS"), *name;
	g_autoptr(GDir) dir = folder ? g_dir_open(folder, 0, NULL) : NULL;
	unsigned files = 0, fed = 0;

	assert_non_null(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL), *text = NULL;
		gsize len;

		assert_true(g_file_get_contents(path, &text, &len, NULL));
		each(text, len, &fed);
		files++;
	}
	assert_in_range(files, 10, 1000);
	return fed;
}

static void feed_whole(char *text, size_t len, unsigned *fed)
{
	feed(text, len, fed);
}

static void test_corpus(void **state)
{
	(void)state;
	each_file(feed_whole);
}

/* A byte another one, a stretch gone or twice, the rest gone: some of it, some times. */
static size_t mutate(char *bytes, size_t len, size_t room, GRand *rand)
{
	static const char marks[] = "{}[]\",:\\u0e-./=# \n\tn1\xff\xc3\xa9";
	size_t at = (size_t)g_rand_int_range(rand, 0, (int)len), left = len - at;
	size_t n = (size_t)g_rand_int_range(rand, 0, (int)MIN(left, 40) + 1);

	switch (g_rand_int_range(rand, 0, 8)) {
	case 0:
		return MAX(at, 1);
	case 1:
		memmove(bytes + at, bytes + at + n, left - n);
		return MAX(len - n, 1);
	case 2:
		n = MIN(n, room - len);
		memmove(bytes + at + n, bytes + at, left);
		return len + n;
	case 3:
		bytes[at] = (char)g_rand_int_range(rand, 0, 256);
		return len;
	default:
		bytes[at] = marks[g_rand_int_range(rand, 0, sizeof(marks))];
		return len;
	}
}

/* Its first byte stays: it says who reads it. */
static void feed_mutated(char *text, size_t len, unsigned *fed)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(20231);
	size_t room = len + 200;
	g_autofree char *bytes = g_malloc(room);

	assert_true(len > 0);
	for (unsigned round = 0; round < PER_FILE; round++) {
		size_t size = len;

		memcpy(bytes, text, len);
		for (int left = g_rand_int_range(rand, 1, 6); left > 0; left--)
			size = mutate(bytes, size, room, rand);
		bytes[0] = text[0];
		feed(bytes, size, fed);
	}
}

static void test_2000_hostile_inputs_a_file(void **state)
{
	(void)state;
	each_file(feed_mutated);
}

static void feed_truncated(char *text, size_t len, unsigned *fed)
{
	for (size_t n = 0; n < len; n++)
		feed(text, n, fed);
}

static void test_every_truncation(void **state)
{
	(void)state;
	assert_true(each_file(feed_truncated) > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_2000_hostile_inputs_a_file),
		cmocka_unit_test(test_every_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
