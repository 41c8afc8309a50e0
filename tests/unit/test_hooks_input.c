/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/input.h"

#include "fixture.h"

struct stage {
	char *dir;
	int fd;
};

static int set_up(void **state)
{
	struct stage *s = g_new0(struct stage, 1);

	s->dir = g_dir_make_tmp("lxcfs-clone-test-XXXXXX", NULL);
	assert_non_null(s->dir);
	s->fd = open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	(void)unlinkat(s->fd, "file", 0);
	close(s->fd);
	(void)rmdir(s->dir);
	g_free(s->dir);
	g_free(s);
	return 0;
}

static void put(const struct stage *s, const char *text, size_t len)
{
	g_autofree char *path = g_build_filename(s->dir, "file", NULL);

	assert_true(g_file_set_contents(path, text, (gssize)len, NULL));
}

static void test_every_length(void **state)
{
	static const size_t lengths[] = { 0, 1, 16383, 16384, 16385, 100000 };
	const struct stage *s = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autofree char *text = g_strnfill(lengths[i], 'a');
		AUTO_INPUT struct input input = { 0 };

		put(s, text, lengths[i]);
		assert_true(input_file(s->fd, "file", &input, NULL));
		assert_int_equal(input.len, lengths[i]);
		assert_string_equal(input.text, text);
	}
}

static void refused(const struct stage *s, const char *sentence)
{
	g_autoptr(GError) error = NULL;
	struct input input = { 0 };

	assert_false(input_file(s->fd, "file", &input, &error));
	assert_null(input.text);
	assert_string_equal(error->message, sentence);
}

static void test_what_is_no_file(void **state)
{
	const struct stage *s = *state;

	refused(s, "it cannot be opened: No such file or directory");
	assert_int_equal(mkfifoat(s->fd, "file", 0600), 0);
	refused(s, "it is no regular file: Invalid argument");
	assert_int_equal(unlinkat(s->fd, "file", 0), 0);
	assert_int_equal(symlinkat("/dev/zero", s->fd, "file"), 0);
	refused(s, "it is no regular file: Invalid argument");
}

static void test_too_much(void **state)
{
	g_autoptr(GError) error = NULL;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct input input = { 0 };

	(void)state;
	assert_false(input_read(fd, 100000, 5000, &input, &error));
	assert_string_equal(error->message, "it has more than 100000 bytes: File too large");
	close(fd);
}

static void test_no_end(void **state)
{
	g_autoptr(GError) error = NULL;
	struct input input = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "{", 1), 1);
	assert_false(input_read(fds[0], 100, 100, &input, &error));
	assert_string_equal(error->message, "it cannot be read: Connection timed out");
	close(fds[1]);
	assert_true(input_read(fds[0], 100, 5000, &input, NULL));
	assert_string_equal(input.text, "");
	input_clear(&input);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_no_file, set_up, tear_down),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
