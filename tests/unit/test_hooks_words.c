/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/words.h"

#include "fixture.h"

static struct words read_line(const char *line, char ***ret)
{
	*ret = g_strsplit(line, " ", -1);
	return words_read(*ret);
}

static void test_what_makes_a_container(void **state)
{
	static const struct {
		const char *line, *bundle, *config;
	} lines[] = {
		/* docker 20.10, containerd 1.6 */
		{ "--root /run/docker/runtime-runc/moby --log /b/log.json --log-format json create "
		  "--bundle /b --pid-file /b/init.pid abc",
		  "/b", "config.json" },
		/* podman 4.3's conmon, for crun and runc */
		{ "--systemd-cgroup create --bundle /b --pid-file /p abc", "/b", "config.json" },
		{ "--cgroup-manager=cgroupfs --root=/r create -b /b abc", "/b", "config.json" },
		{ "--log-format=json --log create create --bundle=/b abc", "/b", "config.json" },
		{ "run abc", ".", "config.json" },
		{ "run -b /a -b/b -f c.json abc", "/b", "c.json" },
		{ "-root /r run -bundle /b abc", "/b", "config.json" },
		{ "--new-option value create -b /b abc", "/b", "config.json" },
		{ "create --console-socket --bundle --bundle /b abc", "/b", "config.json" },
		{ "create --no-pivot --bundle /b -- --bundle", "/b", "config.json" },
		{ "create abc --bundle /b", "/b", "config.json" },
		{ "create --bundle", ".", "config.json" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_auto(GStrv) words = NULL;
		struct words w = read_line(lines[i].line, &words);

		assert_true(w.makes);
		assert_string_equal(w.bundle, lines[i].bundle);
		assert_string_equal(w.config, lines[i].config);
	}
}

static void test_what_makes_none(void **state)
{
	static const char *const lines[] = {
		"",
		"--version",
		"--help",
		"state create",
		"--root run",
		"delete --force run",
		"exec -b /b create",
		"start create",
		"--",
		"-- create",
		"--log create kill abc",
		"-",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_auto(GStrv) words = NULL;

		assert_false(read_line(lines[i], &words).makes);
	}
}

static void test_values(void **state)
{
	g_auto(GStrv) words = g_strsplit("--a=1 --a 2 --ab --a= --a", " ", -1);
	char *const *w = words;

	(void)state;
	assert_string_equal(words_value("--a", &w), "1");
	assert_true(w == words);
	w = words + 1;
	assert_string_equal(words_value("--a", &w), "2");
	assert_true(w == words + 2);
	w = words + 3;
	assert_null(words_value("--a", &w));
	w = words + 4;
	assert_string_equal(words_value("--a", &w), "");
	w = words + 5;
	assert_null(words_value("--a", &w));
	assert_true(w == words + 5);
}

static void test_seconds(void **state)
{
	static const char *const wrong[] = {
		"", "0", "301", "-1", "1s", " 1", "18446744073709551617"
	};
	unsigned seconds = 7;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_false(words_timeout(wrong[i], &seconds));
	assert_int_equal(seconds, 7);
	assert_true(words_timeout("300", &seconds));
	assert_int_equal(seconds, 300);
}

/* Whatever the words, what is found is one of them or a part of one. */
static void test_20000_random_lines(void **state)
{
	static const char *const vocabulary[] = {
		"create", "run", "--bundle", "-b", "-bX",        "--bundle=", "-",
		"--",     "",    "--root",   "-f", "--config=c", "-=",        "--=x",
		"kill",   "---", "-b=",      "x",  "--log",
	};
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char *words[9] = { NULL };
		struct words w;

		for (int i = g_rand_int_range(rand, 0, 9) - 1; i >= 0; i--)
			words[i] = g_strdup(
				vocabulary[g_rand_int_range(rand, 0, G_N_ELEMENTS(vocabulary))]);
		w = words_read(words);
		assert_true(strlen(w.bundle) < 16 && strlen(w.config) < 16);
		for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
			g_free(words[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_makes_a_container),
		cmocka_unit_test(test_what_makes_none),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_20000_random_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
